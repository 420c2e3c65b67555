//! What a run that goes on does before its first row: it makes good what its last process left.

use std::sync::Arc;
use std::time::Duration;

use crate::adapters::ledger::by_hand::{self, ByHand};
use crate::adapters::ledger::directory::OpenOrCreate;
use crate::adapters::output::found::keep_parts;
use crate::commands::failure::{Failure, store_failure};
use crate::commands::run::going_on::GoingOn;
use crate::commands::run::going_on::found::FoundWork;
use crate::commands::run::going_on::past::Ends;
use crate::commands::run::planned::Planned;
use crate::domain::event::RunEvent;
use crate::domain::image::StoredImage;
use crate::domain::measure::Measure;
use crate::domain::settings::RunSettings;
use crate::domain::sidecar::Sidecar;
use crate::exit::Exit;
use crate::pipeline::event_task::EventHandle;
use crate::pipeline::stop::{Stop, StopReason, with_sources};
use crate::ports::images::ImageStore;

/// Who the ledger is told has looked.
const BY: &str = "imagemill run";

/// How it is known what the attempt cost.
const WHY: &str = "its image and the run's journal say so";

/// What is told before the first row.
#[derive(Default)]
pub(in crate::commands::run) struct News {
    /// Events that the journal lacks.
    pub(in crate::commands::run) missing: Vec<RunEvent>,
    /// Images that are there although nothing says so.
    pub(in crate::commands::run) found: Vec<FoundWork>,
    /// The ends of rows that are not worked on again.
    pub(in crate::commands::run) ends: Ends,
}

impl GoingOn {
    /// Writes images that are made out of what was kept, ends the holds of images that are there,
    /// and keeps what was half received.
    pub(in crate::commands::run) fn make_good(
        &mut self,
        opening: OpenOrCreate,
    ) -> Result<(), Failure> {
        let folder = Arc::clone(&self.folder);
        for work in &mut self.found {
            let written = work.write_rebuilt(folder.path());
            written.map_err(|error| Failure::new(Exit::Environment, error))?;
        }
        keep_parts(self.folder.path()).map_err(|error| Failure::new(Exit::Environment, error))?;
        let found = self.found.iter().filter_map(|it| Some((it.rid, it.unsettled?)));
        let lost = self.lost_ends.iter().map(|(rid, amount)| (*rid, Some(*amount)));
        let held: Vec<_> = found.chain(lost).collect();
        if held.is_empty() {
            return Ok(());
        }
        by_hand::make_good(opening, &held, ByHand { by: BY, why: WHY }).map_err(store_failure)
    }
}

impl News {
    /// Tells it: first the attempts, then their images once they are durable, then the rows.
    pub(in crate::commands::run) async fn tell(
        &mut self,
        images: &Arc<dyn ImageStore>,
        events: &EventHandle,
        stop: &Stop,
    ) {
        for event in std::mem::take(&mut self.missing) {
            events.emit(event).await;
        }
        let found = std::mem::take(&mut self.found);
        let (whole, bare): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|found| found.image.cost.is_some());
        // A sidecar that is there says more than a new one could.
        for found in whole {
            events.emit(RunEvent::ImageStored(Box::new(found.stored))).await;
        }
        let (kept, told): (Vec<(StoredImage, Sidecar)>, Vec<_>) =
            bare.into_iter().map(|it| ((it.image.image, it.sidecar), it.stored)).unzip();
        for (result, stored) in images.persist(kept).await.into_iter().zip(told) {
            match result {
                Ok(()) => events.emit(RunEvent::ImageStored(Box::new(stored))).await,
                Err(error) => {
                    let text = format!("images cannot be kept: {}", with_sources(&error));
                    stop.drain(StopReason::Environment(text));
                }
            }
        }
        for row in std::mem::take(&mut self.ends.done) {
            events.emit(RunEvent::RowFinished(Box::new(row))).await;
        }
    }
}

/// The counters before the first event, and what is told first.
pub(in crate::commands::run) fn first_measure(
    settings: &RunSettings,
    planned: &mut Planned,
    news: &mut News,
) -> Result<Measure, Failure> {
    let measure = planned.measure(settings);
    let Some(mut run) = planned.going_on.take() else { return Ok(measure) };
    let past = run.measure(measure, settings, planned)?;
    *news = News {
        missing: std::mem::take(&mut run.missing),
        found: std::mem::take(&mut run.found),
        ends: past.ends,
    };
    planned.going_on = Some(run);
    Ok(past.measure)
}

/// The counters of a run of which nothing is left: it buys nothing and says its verdict again.
pub(in crate::commands::run) fn nothing_left(
    settings: &RunSettings,
    planned: &mut Planned,
) -> Result<Option<Measure>, Failure> {
    if planned.batch.n_selected() > 0 || !planned.twins.are_settled() {
        return Ok(None);
    }
    let first = planned.measure(settings);
    let Some(run) = planned.going_on.take_if(|run| !run.has_news()) else { return Ok(None) };
    let mut past = run.measure(first, settings, planned)?;
    planned.going_on = Some(run);
    if past.ends.has_news {
        return Ok(None);
    }
    for row in past.ends.not_done.into_iter().chain(planned.twins.ends()) {
        past.measure.apply(&RunEvent::RowFinished(Box::new(row)), Duration::ZERO);
    }
    Ok(Some(past.measure))
}
