//! Copies images to the rows that nothing was sent for, once those that they come from are there.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::copy::Copied;
use super::{LeaderEnd, Leaders, Twin, Twins};
use crate::domain::event::{ImageStored, RunEvent};
use crate::domain::ids::RunId;
use crate::domain::look::ImageCheck;
use crate::pipeline::event_task::EventHandle;
use crate::pipeline::stop::{Stop, StopReason};
use crate::ports::images::ImageStore;

/// Rows whose copies are made durable together.
const ROWS_AT_ONCE: usize = 32;

/// Who copies, and where to.
pub(in crate::commands::run) struct Sharing {
    /// The run.
    pub(super) run_id: RunId,
    /// Its folder; a rehearsal has none, and copies nothing.
    pub(super) folder: Option<PathBuf>,
    /// Where the copies go.
    pub(super) images: Arc<dyn ImageStore>,
    /// Who is told.
    events: EventHandle,
    /// Ends the run when the disk refuses.
    stop: Arc<Stop>,
}

impl Twins {
    /// Tells the end of each of them, and copies what is there to be copied.
    pub(in crate::commands::run) async fn share_out(self, leaders: &Leaders, sharing: &Sharing) {
        if self.all.is_empty() {
            return;
        }
        // Whoever listens has heard of all of them then.
        sharing.events.flush().await;
        let ends = leaders.take();
        for twins in self.all.chunks(ROWS_AT_ONCE) {
            sharing.rows(twins, &ends).await;
        }
    }
}

impl Sharing {
    /// Copies into the folder of a run; a rehearsal has none, and copies nothing.
    pub(in crate::commands::run) fn new(
        run_id: RunId,
        folder: Option<PathBuf>,
        images: Arc<dyn ImageStore>,
        events: &EventHandle,
        stop: &Arc<Stop>,
    ) -> Self {
        Self { run_id, folder, images, events: events.clone(), stop: Arc::clone(stop) }
    }

    async fn rows(&self, twins: &[Twin], ends: &BTreeMap<u64, LeaderEnd>) {
        let mut copies: Vec<Copied> = Vec::new();
        let mut told: Vec<(usize, ImageStored)> = Vec::new();
        for (at, twin) in twins.iter().enumerate() {
            for (n, image) in twin.images.iter().enumerate().filter(|(_, it)| !it.is_there) {
                let variant = u8::try_from(n + 1).expect("there are at most 10");
                match self.one(twin, image, variant, ends).await {
                    Ok(Some((copy, stored))) => {
                        copies.extend(copy);
                        told.push((at, stored));
                    }
                    Ok(None) => {}
                    Err(reason) => self.stop.drain(StopReason::Environment(reason)),
                }
            }
        }
        let mut n_stored: Vec<u32> = twins.iter().map(Twin::n_there).collect();
        let mut checks: Vec<Vec<ImageCheck>> = twins.iter().map(Twin::checks).collect();
        let kept = match self.folder {
            Some(_) => self.images.persist(copies).await,
            None => told.iter().map(|_| Ok(())).collect(),
        };
        for (result, (at, stored)) in kept.into_iter().zip(told) {
            match result {
                Ok(()) => {
                    n_stored[at] += 1;
                    checks[at].push(stored.check());
                    self.events.emit(RunEvent::ImageStored(Box::new(stored))).await;
                }
                Err(error) => self.stop.drain(StopReason::Environment(error.to_string())),
            }
        }
        for ((twin, n_stored), checks) in twins.iter().zip(n_stored).zip(checks) {
            let outcome = twin.end(ends).and_then(|end| end.outcome);
            let finished = twin.finished(outcome, n_stored, &checks);
            self.events.emit(RunEvent::RowFinished(Box::new(finished))).await;
        }
    }
}
