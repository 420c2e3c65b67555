//! Running counters of a run, fed by its events only; fixed size, whatever the number of rows.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::domain::event::{AttemptEnded, Ending, RowFinished, RunEvent};
use crate::domain::gate::RowCounts;
use crate::domain::ids::{AttemptId, SceneId};
use crate::domain::money::NanoUsd;
use crate::domain::row::Outcome;

/// The longest latency that the histogram tells apart: a week, in microseconds.
const LATENCY_CEILING_MICROS: u64 = 7 * 24 * 3600 * 1_000_000;

/// How many notices are kept for views; later ones are only counted.
const NOTICES: usize = 50;

/// Money of this run by its state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MoneyCounts {
    /// Charged.
    pub settled: NanoUsd,
    /// Held for attempts that are out.
    pub reserved: NanoUsd,
    /// Held for attempts whose answer is not known.
    pub unknown: NanoUsd,
    /// What the plan expected for the settled attempts.
    pub expected_of_settled: NanoUsd,
}

/// Images that are not as they should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlawedImages {
    /// Answers that are no image, and images that do not decode or have another size than was
    /// asked for.
    pub invalid: u64,
    /// Images that show nothing.
    pub blank: u64,
    /// Images that are like another one of their row.
    pub duplicate: u64,
}

/// An attempt that is out.
#[derive(Clone, Debug)]
pub struct InFlight {
    /// The row's name.
    pub scene_id: SceneId,
    /// Which of its images.
    pub variant: u8,
    /// When it began, on the run's monotonic clock.
    pub since: Duration,
}

/// The counters.
#[derive(Clone, Debug)]
pub struct RunStats {
    /// Rows by outcome.
    pub rows: RowCounts,
    /// Rows that are worked on now.
    pub rows_open: u64,
    /// Images that are durable (in a rehearsal: would be).
    pub images_stored: u64,
    /// Their bytes.
    pub bytes_out: u64,
    /// Images of finished rows that are not as they should be.
    pub flawed: FlawedImages,
    /// Attempts sent.
    pub attempts: u64,
    /// Attempts after the first for the same image.
    pub retries: u64,
    /// Money by state.
    pub money: MoneyCounts,
    /// Attempts that are out, oldest first within the map's order.
    pub in_flight: BTreeMap<AttemptId, InFlight>,
    /// Failed rows by class.
    pub errors_by_kind: BTreeMap<&'static str, u64>,
    /// What a person should see as it happens, oldest first, each with its number from 1.
    pub notices: Vec<(u64, Notice)>,
    /// How many notices there were in all.
    pub n_notices: u64,
    row_latency: Histogram<u64>,
    /// The shortest and the longest latency, exactly; the histogram keeps three digits.
    latency_bounds: Option<(u64, u64)>,
    /// Their sum in microseconds, exactly.
    latency_sum: u128,
}

/// Something that a person should see as it happens.
#[derive(Clone, Debug)]
pub enum Notice {
    /// A row did not end well.
    Row {
        /// The row's name.
        scene_id: SceneId,
        /// What became of it.
        outcome: Outcome,
        /// Why.
        reason: String,
    },
    /// Something happened to the whole lane, or to its price.
    Lane(String),
    /// The run stops.
    Stopping(String),
}

/// Latencies of rows in milliseconds; percentiles by nearest rank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LatencySummary {
    /// The shortest.
    pub min: u64,
    /// The mean.
    pub avg: u64,
    /// The median.
    pub p50: u64,
    /// 90 % are at most this long.
    pub p90: u64,
    /// 95 % are at most this long.
    pub p95: u64,
    /// 99 % are at most this long.
    pub p99: u64,
    /// The longest.
    pub max: u64,
}

impl Default for RunStats {
    fn default() -> Self {
        Self::new()
    }
}

impl RunStats {
    /// Empty counters.
    pub fn new() -> Self {
        Self {
            rows: RowCounts::default(),
            rows_open: 0,
            images_stored: 0,
            bytes_out: 0,
            flawed: FlawedImages::default(),
            attempts: 0,
            retries: 0,
            money: MoneyCounts::default(),
            in_flight: BTreeMap::new(),
            errors_by_kind: BTreeMap::new(),
            notices: Vec::new(),
            n_notices: 0,
            row_latency: Histogram::new_with_bounds(1, LATENCY_CEILING_MICROS, 3)
                .expect("the bounds are constants in range"),
            latency_bounds: None,
            latency_sum: 0,
        }
    }

    /// Takes one event; `elapsed` is the run's monotonic clock.
    pub fn apply(&mut self, event: &RunEvent, elapsed: Duration) {
        match event {
            RunEvent::RowStarted { .. } => self.rows_open += 1,
            RunEvent::AttemptStarted(started) => {
                self.attempts += 1;
                self.retries += u64::from(started.attempt > 1);
                self.money.reserved = self.money.reserved.saturating_add(started.max);
                self.in_flight.insert(
                    started.rid,
                    InFlight {
                        scene_id: started.scene_id.clone(),
                        variant: started.variant,
                        since: elapsed,
                    },
                );
            }
            RunEvent::AttemptEnded(ended) => self.attempt_ended(ended),
            RunEvent::ImageStored(stored) => {
                self.images_stored += 1;
                self.bytes_out += stored.n_bytes;
            }
            RunEvent::RowFinished(finished) => self.row_finished(finished),
            RunEvent::RowsHeld { count } => self.rows.add(Outcome::Held, *count),
            RunEvent::RowsCancelled { count } => self.rows.add(Outcome::Cancelled, *count),
            RunEvent::Stopping { reason } => self.notice(Notice::Stopping(reason.clone())),
            RunEvent::LaneParked { .. }
            | RunEvent::CircuitOpened { .. }
            | RunEvent::CircuitClosed
            | RunEvent::ClockDoubted { .. }
            | RunEvent::LedgerWaits { .. }
            | RunEvent::ReferenceNews { .. }
            | RunEvent::Overrun { .. } => {
                if let Some(text) = event.lane_news() {
                    self.notice(Notice::Lane(text));
                }
            }
            RunEvent::RunStarted(_) | RunEvent::RunResumed(_) | RunEvent::RunFinished { .. } => {}
        }
    }

    /// Latencies of the rows that were sent.
    pub fn latency(&self) -> LatencySummary {
        let histogram = &self.row_latency;
        let Some((least, most)) = self.latency_bounds else { return LatencySummary::default() };
        let mean = self.latency_sum / u128::from(histogram.len().max(1));
        let millis = |micros: u64| (micros + 500) / 1000;
        let at = |quantile| millis(histogram.value_at_quantile(quantile).clamp(least, most));
        LatencySummary {
            min: millis(least),
            avg: millis(u64::try_from(mean).unwrap_or(u64::MAX)),
            p50: at(0.50),
            p90: at(0.90),
            p95: at(0.95),
            p99: at(0.99),
            max: millis(most),
        }
    }

    /// What earlier processes of the run have told is no news.
    pub(super) fn forget_notices(&mut self) {
        self.notices.clear();
        self.n_notices = 0;
    }

    fn attempt_ended(&mut self, ended: &AttemptEnded) {
        self.in_flight.remove(&ended.rid);
        self.money.reserved = self.money.reserved.minus_or_zero(ended.max);
        match ended.ending {
            Ending::Settled { amount, .. } => {
                self.money.settled = self.money.settled.saturating_add(amount);
                // What turned out to cost nothing says nothing about the price.
                if amount > NanoUsd::ZERO {
                    let expected = self.money.expected_of_settled.saturating_add(ended.expected);
                    self.money.expected_of_settled = expected;
                }
            }
            Ending::Released { .. } => {}
            Ending::Unknown { .. } => {
                self.money.unknown = self.money.unknown.saturating_add(ended.max);
            }
        }
    }

    fn row_finished(&mut self, finished: &RowFinished) {
        self.rows_open = self.rows_open.saturating_sub(1);
        self.rows.add(finished.outcome, 1);
        self.flawed.invalid += u64::from(finished.work.images_invalid);
        self.flawed.blank += u64::from(finished.work.images_blank);
        self.flawed.duplicate += u64::from(finished.work.images_duplicate);
        // A row that was never sent is no news: the plan or the stop itself has told it.
        if !matches!(finished.outcome, Outcome::Ok | Outcome::Skipped | Outcome::Cancelled) {
            self.notice(Notice::Row {
                scene_id: finished.scene_id.clone(),
                outcome: finished.outcome,
                reason: finished.reason.clone().unwrap_or_default(),
            });
        }
        if let Some(kind) = finished.error_kind {
            *self.errors_by_kind.entry(kind).or_default() += 1;
        }
        if let (true, Some(latency)) = (finished.outcome.was_sent(), finished.latency) {
            let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
            self.row_latency.saturating_record(micros.max(1));
            self.latency_sum += u128::from(micros);
            self.latency_bounds = match self.latency_bounds {
                Some((least, most)) => Some((least.min(micros), most.max(micros))),
                None => Some((micros, micros)),
            };
        }
    }

    fn notice(&mut self, notice: Notice) {
        self.n_notices += 1;
        // The first ones say what is wrong; why the run stops is told however many came before.
        let room = if matches!(notice, Notice::Stopping(_)) { 2 * NOTICES } else { NOTICES };
        if self.notices.len() < room {
            self.notices.push((self.n_notices, notice));
        }
    }
}
