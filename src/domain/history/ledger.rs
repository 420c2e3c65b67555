//! What the ledger knows of a run's attempts, and what the journal is told of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::digest::Sha256Digest;
use crate::domain::event::{AttemptEnded, AttemptStarted, Ending, RunEvent, Tags};
use crate::domain::history::History;
use crate::domain::ids::{AttemptId, RunId, SceneId};
use crate::domain::ledger::{CostSource, Record, RecordKind, UnknownClass};
use crate::domain::money::NanoUsd;

/// How an attempt's money stands in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerEnd {
    /// Held, without an end: its process died.
    Open,
    /// As an attempt ends.
    Ended(Ending),
    /// It was unknown, and was cleared up: it cost this much.
    Resolved(NanoUsd),
}

/// An attempt in the ledger.
#[derive(Clone, Debug)]
pub struct LedgerAttempt {
    /// The identity of the work.
    pub work: Sha256Digest,
    /// The row's number at that time.
    pub row: u64,
    /// Which of the row's images.
    pub variant: u8,
    /// Which try for this image, counted from 1.
    pub attempt: u32,
    /// The worst case that is or was held.
    pub max: NanoUsd,
    /// How its money stands.
    pub end: LedgerEnd,
}

/// The attempts of one run, in the order of the ledger.
#[derive(Clone, Debug)]
pub struct RunAttempts {
    run: RunId,
    all: Vec<(AttemptId, LedgerAttempt)>,
    index: BTreeMap<AttemptId, usize>,
    works: BTreeSet<Sha256Digest>,
}

/// What only the rows and prices of today tell of a work.
pub trait WorkNames {
    /// The row's name and the expected price of the image; nothing for work that no row asks for.
    fn name(&self, work: &Sha256Digest) -> Option<(SceneId, NanoUsd)>;
}

/// Nobody who knows any work.
#[derive(Clone, Copy, Debug)]
pub struct NoNames;

impl WorkNames for NoNames {
    fn name(&self, _: &Sha256Digest) -> Option<(SceneId, NanoUsd)> {
        None
    }
}

impl RunAttempts {
    /// Of this run, none yet.
    pub const fn of(run: RunId) -> Self {
        Self { run, all: Vec::new(), index: BTreeMap::new(), works: BTreeSet::new() }
    }

    /// Takes in the next record of the ledger.
    pub fn fold(&mut self, record: &Record) {
        match &record.kind {
            RecordKind::Reserve(reserve) if reserve.run == self.run => {
                let attempt = LedgerAttempt {
                    work: Sha256Digest(reserve.request_digest),
                    row: reserve.row,
                    variant: u8::try_from(reserve.variant).unwrap_or(u8::MAX),
                    attempt: reserve.attempt_no,
                    max: reserve.max,
                    end: LedgerEnd::Open,
                };
                self.add(reserve.rid, attempt);
            }
            RecordKind::Settle(settle) => {
                let (amount, source) = (settle.amount, settle.source);
                self.end(settle.rid, LedgerEnd::Ended(Ending::Settled { amount, source }));
            }
            RecordKind::Release(release) => {
                let evidence = release.evidence;
                self.end(release.rid, LedgerEnd::Ended(Ending::Released { evidence }));
            }
            RecordKind::Unknown(unknown) => {
                let class = unknown.late.class;
                self.end(unknown.rid, LedgerEnd::Ended(Ending::Unknown { class }));
            }
            RecordKind::Resolve(resolve) => {
                self.end(resolve.rid, LedgerEnd::Resolved(resolve.amount));
            }
            RecordKind::Reserve(_)
            | RecordKind::Open(_)
            | RecordKind::Limit(_)
            | RecordKind::Ack(_)
            | RecordKind::Overrun(_)
            | RecordKind::Adjust(_)
            | RecordKind::Check(_)
            | RecordKind::Roll(_)
            | RecordKind::Close(_)
            | RecordKind::Repair(_)
            | RecordKind::Unrecognized(_) => {}
        }
    }

    /// Takes in an attempt.
    pub(super) fn add(&mut self, rid: AttemptId, attempt: LedgerAttempt) {
        self.index.insert(rid, self.all.len());
        self.works.insert(attempt.work);
        self.all.push((rid, attempt));
    }

    /// What is known of an attempt.
    pub fn get(&self, rid: &AttemptId) -> Option<&LedgerAttempt> {
        self.index.get(rid).map(|at| &self.all[*at].1)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether an attempt was made for a work.
    pub fn has_work(&self, work: &Sha256Digest) -> bool {
        self.works.contains(work)
    }

    fn end(&mut self, rid: AttemptId, end: LedgerEnd) {
        if let Some(at) = self.index.get(&rid) {
            self.all[*at].1.end = end;
        }
    }
}

impl History {
    /// Takes over what the ledger knows and the journal does not, and returns the events that the
    /// journal lacks: an attempt that was sent before its event was kept, and the ends of those
    /// whose process died. What nobody ended is `unknown`.
    ///
    /// It is called once, after the last line of the journal. No process of the run is alive then.
    pub fn catch_up(&mut self, ledger: &RunAttempts, names: &dyn WorkNames) -> Vec<RunEvent> {
        let mut events = Vec::new();
        for (rid, attempt) in &ledger.all {
            // A hold that was given back before anything was sent has no events.
            let was_given_back = matches!(attempt.end, LedgerEnd::Ended(Ending::Released { .. }));
            if self.work_of(rid).is_none() && !was_given_back {
                let started = Box::new(AttemptStarted {
                    rid: *rid,
                    row: attempt.row,
                    scene_id: self.scene_of(&attempt.work, attempt.row, names),
                    variant: attempt.variant,
                    attempt: attempt.attempt,
                    max: attempt.max,
                    work: Some(attempt.work),
                    name: None,
                });
                self.attempt_started(&started);
                events.push(RunEvent::AttemptStarted(started));
            }
        }
        // In the order of the ledger, then those that it does not know.
        let place = |rid: &AttemptId| ledger.index.get(rid).copied().unwrap_or(usize::MAX);
        let mut out: Vec<(Sha256Digest, AttemptId)> = Vec::new();
        for (work, image) in self.out() {
            out.extend(image.out().map(|rid| (*work, rid)));
        }
        out.sort_by_key(|(_, rid)| (place(rid), *rid));
        for (work, rid) in out {
            let ended = Box::new(self.end_of(&work, rid, ledger.get(&rid), names));
            self.attempt_ended(&ended);
            events.push(RunEvent::AttemptEnded(ended));
        }
        self.take_resolved(ledger);
        events
    }

    /// The row of a work; the journal of another image may tell it where the rows have changed.
    fn scene_of(&self, work: &Sha256Digest, row: u64, names: &dyn WorkNames) -> SceneId {
        let known = self.image(work).map(|image| image.scene_id.clone());
        let known = known.or_else(|| names.name(work).map(|(scene_id, _)| scene_id));
        known.unwrap_or_else(|| SceneId::new(format!("row {row}")))
    }

    /// How an attempt ended of which the journal does not tell the end.
    fn end_of(
        &self,
        work: &Sha256Digest,
        rid: AttemptId,
        known: Option<&LedgerAttempt>,
        names: &dyn WorkNames,
    ) -> AttemptEnded {
        let lost = Ending::Unknown { class: UnknownClass::Lost };
        let image = &self.images[work];
        let max = known.map_or_else(|| image.held_for(&rid), |it| it.max);
        AttemptEnded {
            rid,
            row: known.map_or(0, |it| it.row),
            scene_id: image.scene_id.clone(),
            variant: image.variant,
            attempt: known.map_or(image.attempts, |it| it.attempt),
            max,
            expected: names.name(work).map_or(max, |(_, expected)| expected),
            ending: match known.map(|it| it.end) {
                Some(LedgerEnd::Ended(ending)) => ending,
                // Cleared up meanwhile: somebody has looked.
                Some(LedgerEnd::Resolved(amount)) => {
                    Ending::Settled { amount, source: CostSource::Reported }
                }
                Some(LedgerEnd::Open) | None => lost,
            },
            latency: std::time::Duration::ZERO,
            kind: None,
            error: Some("its process ended before its end was kept".to_owned()),
            provider_request_id: None,
            kept: Vec::new(),
            tags: Tags::unsaid(),
        }
    }

    /// Attempts whose end the journal has and the ledger has not, with what they cost: the end was
    /// told, and was lost before the ledger was on the disk. Called before [`Self::catch_up`].
    pub fn lost_ends(&self, ledger: &RunAttempts) -> Vec<(AttemptId, NanoUsd)> {
        let is_open = |end| match end {
            LedgerEnd::Open => true,
            LedgerEnd::Ended(ending) => ending == Ending::Unknown { class: UnknownClass::Lost },
            LedgerEnd::Resolved(_) => false,
        };
        let open = ledger.all.iter().filter(|(_, attempt)| is_open(attempt.end));
        open.filter_map(|(rid, _)| Some((*rid, *self.ended.get(rid)?))).collect()
    }

    /// Whoever cleared an unknown attempt up has decided about its image: what was not billed is
    /// still to be made, and what was billed is paid and lost.
    fn take_resolved(&mut self, ledger: &RunAttempts) {
        for (rid, attempt) in &ledger.all {
            let LedgerEnd::Resolved(amount) = attempt.end else { continue };
            // Where nothing is unknown, the run itself has made it good.
            let Some(expected) = self.unknown.remove(rid) else { continue };
            self.money.end_unknown(attempt.max, amount, expected);
            if let Some(image) = self.images.get_mut(&attempt.work) {
                image.clear_up(rid, amount);
            }
        }
    }
}
