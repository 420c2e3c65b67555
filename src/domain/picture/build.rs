//! Puts the picture of a batch together, event by event.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::event::{AttemptEnded, Ending, ImageStored, RowFinished, RunEvent, Stamped};
use crate::domain::ids::{AttemptId, SceneId};
use crate::domain::money::NanoUsd;
use crate::domain::picture::{Moments, Picture, PictureMoney, RunEnd, RunPicture, Scene};
use crate::domain::request::ImageSpec;
use crate::domain::row::Outcome;

/// Gathers what a run tells.
#[derive(Debug, Default)]
pub struct PictureBuilder {
    run_id: String,
    started_at: Option<Timestamp>,
    last: Option<Timestamp>,
    active: Duration,
    end: Option<RunEnd>,
    scenes: BTreeMap<SceneId, Scene>,
    /// Of attempts that brought no image so far: what was expected, what it cost, and the time.
    ends: BTreeMap<AttemptId, (NanoUsd, NanoUsd, u64)>,
    out: BTreeSet<AttemptId>,
    attempts: u64,
    money: PictureMoney,
    latencies_ms: Vec<u64>,
    moments: Moments,
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl PictureBuilder {
    /// Takes in the next event.
    pub fn fold(&mut self, stamped: &Stamped) {
        self.note_time(stamped);
        match &stamped.event {
            RunEvent::RunStarted(started) | RunEvent::RunResumed(started) => {
                self.run_id = started.run_id.to_string();
                self.end = None;
                self.out.clear();
                self.moments.nothing_is_out();
            }
            RunEvent::AttemptStarted(started) => {
                self.attempts += 1;
                self.out.insert(started.rid);
                self.moments.started(self.active);
            }
            RunEvent::AttemptEnded(ended) => self.attempt_ended(ended),
            RunEvent::ImageStored(stored) => self.image_stored(stored),
            RunEvent::RowFinished(row) => self.row_finished(row),
            RunEvent::RowStarted { row, scene_id } => drop(self.scene(scene_id, *row)),
            RunEvent::RunFinished { exit, verdict, reason } => {
                let (verdict, reason) = ((*verdict).to_owned(), reason.clone());
                self.end = Some(RunEnd { exit: *exit, verdict, reason });
            }
            RunEvent::RowsHeld { .. }
            | RunEvent::RowsCancelled { .. }
            | RunEvent::LaneParked { .. }
            | RunEvent::CircuitOpened { .. }
            | RunEvent::CircuitClosed
            | RunEvent::ClockDoubted { .. }
            | RunEvent::LedgerWaits { .. }
            | RunEvent::ReferenceNews { .. }
            | RunEvent::Overrun { .. }
            | RunEvent::Stopping { .. } => {}
        }
    }

    /// The picture. `names` are the rows as they are now, in their order: what is told of others is
    /// left out, and those of which nothing was told are pending. Nothing where nobody knows them.
    pub fn finish(self, names: Option<&[SceneId]>) -> RunPicture {
        let mut scenes = self.scenes;
        let scenes: Vec<Scene> = match names {
            Some(names) => names
                .iter()
                .map(|name| scenes.remove(name).unwrap_or_else(|| blank(name, 0)))
                .collect(),
            None => {
                let mut all: Vec<Scene> = scenes.into_values().collect();
                all.sort_by_key(|scene| scene.row);
                all
            }
        };
        RunPicture {
            run_id: self.run_id,
            started_at: self.started_at,
            finished_at: self.last,
            elapsed_ms: ms(self.active),
            end: self.end,
            money: self.money,
            attempts: self.attempts,
            scenes,
            latencies_ms: self.latencies_ms,
            moments: self.moments.finish(),
            ..RunPicture::default()
        }
    }

    fn note_time(&mut self, stamped: &Stamped) {
        self.started_at.get_or_insert(stamped.ts);
        let begins = matches!(stamped.event, RunEvent::RunStarted(_) | RunEvent::RunResumed(_));
        if let Some(last) = self.last.filter(|_| !begins) {
            self.active += Duration::try_from(stamped.ts.duration_since(last)).unwrap_or_default();
        }
        self.last = Some(self.last.filter(|_| !begins).map_or(stamped.ts, |it| it.max(stamped.ts)));
    }

    fn scene(&mut self, name: &SceneId, row: u64) -> &mut Scene {
        let scene = match self.scenes.entry(name.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(blank(name, row)),
        };
        if row > 0 {
            scene.row = row;
        }
        scene
    }

    fn attempt_ended(&mut self, ended: &AttemptEnded) {
        let amount = match ended.ending {
            Ending::Settled { amount, .. } => amount,
            Ending::Released { .. } => NanoUsd::ZERO,
            Ending::Unknown { .. } => {
                self.money.unknown = self.money.unknown.saturating_add(ended.max);
                NanoUsd::ZERO
            }
        };
        if self.out.remove(&ended.rid) {
            self.moments.ended(self.active, ended.kind == Some("throttled"), amount);
        }
        self.money.settled = self.money.settled.saturating_add(amount);
        self.ends.insert(ended.rid, (ended.expected, amount, ms(ended.latency)));
    }

    fn image_stored(&mut self, stored: &ImageStored) {
        let (estimated, cost, latency_ms) = self.ends.remove(&stored.rid).unwrap_or_default();
        // A copy took no time at the provider.
        if stored.work.is_none() {
            self.latencies_ms.push(latency_ms);
            self.moments.stored(self.active);
        }
        let picture = Picture {
            variant: stored.variant,
            file: stored.file.clone(),
            n_bytes: stored.n_bytes,
            estimated,
            cost,
            latency_ms,
            pixels: stored.pixels,
            is_copy: stored.work.is_some(),
            check: stored.check(),
        };
        let scene = self.scene(&stored.scene_id, stored.row);
        // A row that was changed has a new image in the place of the old one.
        scene.images.retain(|it| it.variant != picture.variant);
        let at = scene.images.partition_point(|it| it.variant < picture.variant);
        scene.images.insert(at, picture);
    }

    fn row_finished(&mut self, row: &RowFinished) {
        let scene = self.scene(&row.scene_id, row.row);
        tell_spec(scene, &row.tags.spec);
        scene.outcome = match row.outcome {
            Outcome::Cancelled | Outcome::Held => "pending",
            Outcome::Ok
            | Outcome::Partial
            | Outcome::Failed
            | Outcome::Refused
            | Outcome::Rejected
            | Outcome::Skipped
            | Outcome::Unknown => row.outcome.word(),
        }
        .to_owned();
        scene.error_kind = row.error_kind.map(str::to_owned);
        scene.reason.clone_from(&row.reason);
        scene.cost = row.work.cost;
        scene.attempts = row.work.attempts;
        scene.latency_ms = row.latency.map(ms);
        scene.n_images = row.work.images_expected;
        let most = u8::try_from(row.work.images_expected).unwrap_or(u8::MAX);
        scene.images.retain(|image| image.variant <= most);
    }
}

/// Notes what was asked of whom; a journal does not say it.
fn tell_spec(scene: &mut Scene, spec: &ImageSpec) {
    if !spec.provider.is_empty() {
        scene.model = Some(format!("{} / {}", spec.provider, spec.model));
        scene.asked = Some(format!("{} {}", spec.size, spec.quality));
    }
}

fn blank(name: &SceneId, row: u64) -> Scene {
    Scene {
        row,
        scene_id: name.as_str().to_owned(),
        outcome: "pending".to_owned(),
        ..Scene::default()
    }
}
