//! Counters and gates together: what the event task feeds and everyone reads.

use std::time::Duration;

use crate::domain::event::{AttemptEnded, Ending, RowFinished, RunEvent, Tags};
use crate::domain::gate::{
    AttemptFacts, GateBook, GateResult, RowCounts, RowFacts, RowTags, RunFacts,
};
use crate::domain::history::MoneyPast;
use crate::domain::money::NanoUsd;
use crate::domain::stats::RunStats;

/// What stays the same during a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Frame {
    /// Rows that the run would send at 100 %.
    pub rows: u64,
    /// Of them, rows that are sent by this run.
    pub rows_selected: u64,
    /// Images of the selected rows.
    pub images_selected: u64,
    /// Of them, images that are copied once the others are made.
    pub images_copied: u64,
    /// Expected cost of the selected rows.
    pub expected: NanoUsd,
    /// Worst case of every first attempt of the selected rows.
    pub maximum: NanoUsd,
    /// Exposure of the day before the run.
    pub exposure_before: NanoUsd,
    /// The limit of the day that counts.
    pub limit_per_day: NanoUsd,
}

/// Counters and gates of a run.
#[derive(Debug)]
pub struct Measure {
    stats: RunStats,
    gates: GateBook,
    frame: Frame,
    elapsed: Duration,
    before: Before,
}

/// What earlier processes of the run have done.
#[derive(Clone, Copy, Debug, Default)]
struct Before {
    /// How long they were at work.
    active: Duration,
    /// What of their money the day's exposure before the run holds already.
    exposed: NanoUsd,
    /// The images that they have stored.
    images_stored: u64,
}

impl Measure {
    /// Starts with nothing counted.
    pub fn new(gates: GateBook, frame: Frame) -> Self {
        Self {
            stats: RunStats::new(),
            gates,
            frame,
            elapsed: Duration::ZERO,
            before: Before::default(),
        }
    }

    /// The counters.
    pub const fn stats(&self) -> &RunStats {
        &self.stats
    }

    /// What stays the same during the run.
    pub const fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The run's clock at the newest event.
    pub const fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Takes one event; `elapsed` is the run's monotonic clock.
    pub fn apply(&mut self, event: &RunEvent, elapsed: Duration) {
        self.elapsed = elapsed;
        self.stats.apply(event, elapsed);
        match event {
            RunEvent::AttemptEnded(ended) => self.gates.observe_attempt(&attempt_facts(ended)),
            RunEvent::RowFinished(finished) => self.gates.observe_row(&row_facts(finished)),
            RunEvent::RunStarted(_)
            | RunEvent::RunResumed(_)
            | RunEvent::RowStarted { .. }
            | RunEvent::AttemptStarted(_)
            | RunEvent::ImageStored(_)
            | RunEvent::RowsHeld { .. }
            | RunEvent::RowsCancelled { .. }
            | RunEvent::LaneParked { .. }
            | RunEvent::CircuitOpened { .. }
            | RunEvent::CircuitClosed
            | RunEvent::ClockDoubted { .. }
            | RunEvent::LedgerWaits { .. }
            | RunEvent::ReferenceNews { .. }
            | RunEvent::Overrun { .. }
            | RunEvent::Stopping { .. }
            | RunEvent::RunFinished { .. } => {}
        }
    }

    /// Everything that was taken so far was done by earlier processes of the run, which were at
    /// work for `active`. People may have cleared some of its money up since: `told` is what it is
    /// now, without what is still to be told, and `exposed` is what the ledger holds of it.
    pub fn go_on(&mut self, active: Duration, told: MoneyPast, exposed: NanoUsd) {
        let images_stored = self.stats.images_stored;
        self.stats.forget_notices();
        let money = &mut self.stats.money;
        (money.unknown, money.settled) = (told.unknown, told.settled);
        money.expected_of_settled = told.expected_of_settled;
        self.before = Before { active, exposed, images_stored };
        // What is still to come was planned without what is done.
        let frame = &mut self.frame;
        frame.expected = frame.expected.saturating_add(money.expected_of_settled);
        frame.maximum = frame.maximum.saturating_add(money.settled);
    }

    /// What earlier processes of the run have spent, or hold.
    pub const fn spent_before(&self) -> NanoUsd {
        self.before.exposed
    }

    /// How long earlier processes of the run were at work.
    pub const fn active_before(&self) -> Duration {
        self.before.active
    }

    /// Why the run should stop: a gate that cannot pass any more.
    pub fn doomed(&self, elapsed: Duration) -> Option<String> {
        let doom = self.gates.doomed(&self.facts(elapsed))?;
        Some(format!("{} cannot hold any more: {}", doom.gate.text(), doom.reason))
    }

    /// The verdict of each gate.
    pub fn verdicts(&self, elapsed: Duration) -> Vec<GateResult> {
        let facts = self.facts(elapsed);
        let complete = facts.rows.settled() >= facts.rows.planned;
        self.gates.report(&facts, complete)
    }

    /// Settled, reserved and unknown money of the day, this run included.
    pub fn exposure(&self) -> NanoUsd {
        let money = &self.stats.money;
        let of_run = money.settled.saturating_add(money.reserved).saturating_add(money.unknown);
        // The day holds what earlier processes of the run have left there.
        self.frame.exposure_before.saturating_add(of_run.minus_or_zero(self.before.exposed))
    }

    /// The expected time until the run ends; nothing while that cannot be said.
    pub fn eta(&self, elapsed: Duration) -> Option<Duration> {
        let made = self.frame.images_selected.saturating_sub(self.frame.images_copied);
        let left = made.checked_sub(self.stats.images_stored)?;
        let done = self.stats.images_stored - self.before.images_stored;
        if done == 0 {
            return None;
        }
        let nanos = elapsed.as_nanos().checked_mul(u128::from(left))? / u128::from(done);
        u64::try_from(nanos).ok().map(Duration::from_nanos)
    }

    fn facts(&self, elapsed: Duration) -> RunFacts {
        let stats = &self.stats;
        let rows = &stats.rows;
        let money = &stats.money;
        RunFacts {
            elapsed: elapsed.saturating_add(self.before.active),
            eta: self.eta(elapsed),
            settled: money.settled,
            reserved: money.reserved,
            unknown: money.unknown,
            estimate_of_settled: money.expected_of_settled,
            settled_where_estimated: money.settled,
            estimate_of_unsent: self.frame.expected.minus_or_zero(money.expected_of_settled),
            worst_case_of_unsent: Some(self.frame.maximum.minus_or_zero(money.settled)),
            exposure_today: self.exposure(),
            limit_per_day: self.frame.limit_per_day,
            bytes_out: stats.bytes_out,
            rows: RowCounts {
                planned: self.frame.rows,
                held: self.frame.rows - self.frame.rows_selected,
                ..*rows
            },
        }
    }
}

fn row_tags(tags: &Tags, error_kind: Option<&'static str>) -> RowTags {
    RowTags {
        provider: tags.spec.provider.clone(),
        model: tags.spec.model.clone(),
        size: tags.spec.size.clone(),
        quality: tags.spec.quality.clone(),
        variants: tags.variants,
        has_refs: tags.has_refs,
        error_kind,
    }
}

fn attempt_facts(ended: &AttemptEnded) -> AttemptFacts {
    let error_kind = match ended.ending {
        Ending::Settled { .. } => None,
        Ending::Released { evidence } => Some(evidence.word()),
        Ending::Unknown { class } => Some(class.word()),
    };
    AttemptFacts { latency: ended.latency, tags: row_tags(&ended.tags, error_kind) }
}

fn row_facts(finished: &RowFinished) -> RowFacts {
    let work = &finished.work;
    RowFacts {
        outcome: finished.outcome,
        counts_as_error: finished.counts_as_error,
        latency: finished.latency,
        queue: finished.queue,
        fetch: finished.fetch,
        attempts: work.attempts,
        retries: work.attempts.saturating_sub(work.images_expected),
        timeouts: work.timeouts,
        throttles: work.throttles,
        cost: work.cost,
        cost_known: finished.outcome != crate::domain::row::Outcome::Unknown,
        images_expected: work.images_expected,
        images_stored: work.images_stored,
        images_invalid: work.images_invalid,
        images_blank: work.images_blank,
        images_duplicate: work.images_duplicate,
        tags: row_tags(&finished.tags, finished.error_kind),
    }
}
