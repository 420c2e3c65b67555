//! The counters and gates of a run that goes on: what earlier processes did counts.

use std::sync::Arc;

use crate::adapters::output::replay::replay;
use crate::commands::failure::Failure;
use crate::commands::run::going_on::GoingOn;
use crate::commands::run::going_on::rows::is_settled;
use crate::commands::run::planned::Planned;
use crate::commands::run::works::spec_of;
use crate::domain::event::{Ending, RowFinished, RunEvent, Tags};
use crate::domain::history::MoneyPast;
use crate::domain::ids::SceneId;
use crate::domain::measure::Measure;
use crate::domain::money::NanoUsd;
use crate::domain::row::Outcome;
use crate::domain::settings::RunSettings;
use crate::exit::Exit;
use crate::ports::rows::RowReader;

/// What the counters start with when a run goes on.
pub(in crate::commands::run) struct PastMeasure {
    /// Counters and gates.
    pub(in crate::commands::run) measure: Measure,
    /// The ends of rows that are not counted yet.
    pub(in crate::commands::run) ends: Ends,
}

/// The ends of rows that are not worked on again.
#[derive(Default)]
pub(in crate::commands::run) struct Ends {
    /// Rows that are done, and nobody has told so yet.
    pub(in crate::commands::run) done: Vec<RowFinished>,
    /// Rows that did not end well. They count when the run ends and not before: a later call may
    /// still make them good, so no gate is hopeless for their sake.
    pub(in crate::commands::run) not_done: Vec<RowFinished>,
    /// Whether any of them is news.
    pub(in crate::commands::run) has_news: bool,
}

impl GoingOn {
    /// Counters and gates after what earlier processes did, as far as their journal tells.
    pub(in crate::commands::run) fn measure(
        &self,
        mut measure: Measure,
        settings: &RunSettings,
        planned: &mut Planned,
    ) -> Result<PastMeasure, Failure> {
        let mut tell = |event: &RunEvent| measure.apply(event, std::time::Duration::ZERO);
        // Damage was found when it was read first.
        let _ = replay(self.folder.path(), &mut |stamped| {
            let event = &stamped.event;
            if let RunEvent::AttemptEnded(ended) = event {
                let mut ended = ended.clone();
                ended.tags = self.tags(planned, &ended.scene_id);
                tell(&RunEvent::AttemptEnded(ended));
            } else if self.is_of_these_rows(event) || matches!(event, RunEvent::AttemptStarted(_)) {
                tell(event);
            }
        });
        let ends = self.ends_of_rows(settings, planned, &mut tell)?;
        let money = self.history.money();
        let exposed = money.settled.saturating_add(money.unknown);
        measure.go_on(self.history.active, self.told_money(), exposed);
        Ok(PastMeasure { measure, ends })
    }

    /// Tells the end of every row that is done and known to be; returns the others that are not
    /// worked on again.
    fn ends_of_rows(
        &self,
        settings: &RunSettings,
        planned: &mut Planned,
        tell: &mut dyn FnMut(&RunEvent),
    ) -> Result<Ends, Failure> {
        let mut ends = Ends::default();
        for (position, fate) in self.left.fates.iter().filter(|(_, fate)| is_settled(fate)) {
            let row = planned.reader.read(*position);
            let row = row.map_err(|error| Failure::new(Exit::Invalid, error))?;
            let tags = Tags::of(spec_of(settings, &planned.batch, *position, &row), &row);
            let told = self.history.row(&row.scene_id);
            let is_told = told.is_some_and(|told| told.outcome == fate.outcome());
            let mut finished = fate.finished(told, &row.scene_id, tags);
            finished.row = row.number;
            ends.has_news |= !is_told;
            if !matches!(finished.outcome, Outcome::Ok | Outcome::Skipped) {
                ends.not_done.push(finished);
            } else if is_told {
                tell(&RunEvent::RowFinished(Box::new(finished)));
            } else {
                ends.done.push(finished);
            }
        }
        Ok(ends)
    }

    /// The money without that of events which are still to be told.
    fn told_money(&self) -> MoneyPast {
        let mut money = self.history.money();
        for event in &self.missing {
            let RunEvent::AttemptEnded(ended) = event else { continue };
            match ended.ending {
                Ending::Unknown { .. } => money.unknown = money.unknown.minus_or_zero(ended.max),
                Ending::Settled { amount, .. } => {
                    money.settled = money.settled.minus_or_zero(amount);
                    if amount > NanoUsd::ZERO {
                        let expected = money.expected_of_settled.minus_or_zero(ended.expected);
                        money.expected_of_settled = expected;
                    }
                }
                Ending::Released { .. } => {}
            }
        }
        money
    }

    /// Whether it is an image of a row that is there now, as it is there now.
    fn is_of_these_rows(&self, event: &RunEvent) -> bool {
        let RunEvent::ImageStored(stored) = event else { return false };
        self.history.work_of_image(stored).is_some_and(|work| self.left.works.contains(&work))
    }

    fn tags(&self, planned: &Planned, scene_id: &SceneId) -> Tags {
        let Some(position) = self.left.positions.get(scene_id) else { return Tags::unsaid() };
        let class = planned.batch.class(planned.batch.class_of(*position));
        Tags {
            spec: Arc::clone(&class.spec),
            variants: class.variants,
            has_refs: class.n_references > 0,
        }
    }
}
