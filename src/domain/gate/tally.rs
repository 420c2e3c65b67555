//! Counters of constant size: what a gate keeps of all the rows and attempts it has seen.

use std::cmp::Ordering;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::expression::{Aggregation, Amount, Gate, Limit, PICO};
use super::facts::RowFacts;
use super::limit::PICO_PER_NANO;
use super::metric::Unit;
use super::source::{Sample, Source, Things, Total};
use super::verdict::{Rank, Sides};
use crate::domain::money::NanoUsd;
use crate::domain::row::Outcome;

/// Samples up to which a percentile is shown exactly; beyond, its value is good to 3 digits
/// while its verdict stays exact.
pub(super) const MAX_EXACT_SAMPLES: usize = 4096;
/// The largest value of a histogram: twelve days in microseconds, a million dollars in millionths.
const MAX_RECORDED: u64 = 1 << 40;
/// Significant digits of a histogram.
const N_SIGNIFICANT_DIGITS: u8 = 3;

/// What a gate keeps.
#[derive(Debug)]
pub(super) enum Tally {
    /// Bad things among things.
    Share(Things, Share),
    /// Samples.
    Trend(Sample, Box<Trend>),
    /// A sum over rows.
    Sum(Total, i128),
    /// Nothing: the run itself tells, or nobody does.
    Nothing,
}

/// Bad things among things.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Share {
    /// Things.
    pub(super) n: u64,
    /// Bad ones.
    pub(super) n_bad: u64,
    /// Bad ones that will stay so: a row whose answer is unknown may still turn out well.
    pub(super) n_surely_bad: u64,
}

/// Samples of a trend in whole nanoseconds, nano-dollars or things.
#[derive(Debug)]
pub(super) struct Trend {
    pub(super) sides: Sides,
    pub(super) sum: i128,
    smallest: u64,
    largest: u64,
    /// One sample unit in 10^-12.
    pub(super) pico_per_unit: i128,
    /// The limit in 10^-12.
    limit: i128,
    /// Kept only for gates that show a percentile.
    samples: Option<Samples>,
}

#[derive(Debug)]
struct Samples {
    exact: Vec<u64>,
    /// Takes over once there are too many.
    histogram: Option<Box<Histogram<u64>>>,
    /// Sample units in one unit of the histogram.
    scale: u64,
}

impl Tally {
    pub(super) fn of(gate: &Gate, n_planned_rows: u64) -> Self {
        let limit = match gate.limit {
            Limit::Fixed(Amount(pico)) => pico,
            Limit::Baseline(_) => 0,
        };
        match gate.metric.source() {
            Source::Share(things) => Self::Share(things, Share::default()),
            Source::Trend(sample) => {
                Self::Trend(sample, Box::new(Trend::of(gate, limit, n_planned_rows)))
            }
            Source::Sum(total) => Self::Sum(total, 0),
            Source::Rows(_) | Source::Gauge(_) | Source::Soak | Source::Command => Self::Nothing,
        }
    }

    /// Whether it counts attempts and not rows.
    pub(super) const fn is_of_attempts(&self) -> bool {
        matches!(self, Self::Trend(Sample::AttemptLatency, _))
    }

    /// Counts one finished row.
    pub(super) fn observe_row(&mut self, row: &RowFacts) {
        match self {
            Self::Share(things, share) => share.observe(*things, row),
            Self::Trend(sample, trend) => {
                if let Some(sample) = sample_of(*sample, row) {
                    trend.observe(sample);
                }
            }
            Self::Sum(Total::Cost, sum) => *sum += i128::from(row.cost.nanos()),
            Self::Sum(Total::Images, sum) => *sum += i128::from(row.images_stored),
            // The bytes are a gauge of the run.
            Self::Sum(Total::Bytes, _) | Self::Nothing => {}
        }
    }

    /// Counts one attempt.
    pub(super) fn observe_attempt(&mut self, latency: Duration) {
        if let Self::Trend(Sample::AttemptLatency, trend) = self {
            trend.observe(nanos(latency));
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The sample that a row gives to a trend, if it gives one.
fn sample_of(sample: Sample, row: &RowFacts) -> Option<u64> {
    let was_sent = row.outcome.was_sent();
    match sample {
        Sample::Latency => row.latency.map(nanos),
        Sample::Queue => row.queue.map(nanos),
        Sample::Fetch => row.fetch.map(nanos),
        Sample::Attempts => (was_sent && row.attempts > 0).then_some(u64::from(row.attempts)),
        Sample::Cost => (was_sent && row.cost_known && row.attempts > 0)
            .then_some(u64::try_from(row.cost.nanos()).unwrap_or_default()),
        Sample::AttemptLatency => None,
    }
}

impl Share {
    fn observe(&mut self, things: Things, row: &RowFacts) {
        let is = |outcome: Outcome| row.outcome == outcome;
        let was_sent = row.outcome.was_sent();
        let late_rejection = is(Outcome::Rejected) && row.counts_as_error;
        let images = u64::from(row.images_expected);
        let missing = images.saturating_sub(u64::from(row.images_stored));
        // Copies are delivered like any other image.
        let has_images = was_sent || is(Outcome::Skipped) && row.images_stored > 0;
        // What is counted, how many of these the row has, and how many of them are bad.
        let (counts, n, n_bad) = match things {
            Things::Errors => {
                let is_bad = row.outcome.is_error() || late_rejection;
                (was_sent || late_rejection, 1, u64::from(is_bad))
            }
            Things::Refusals => (was_sent, 1, u64::from(is(Outcome::Refused))),
            Things::Rejects => (true, 1, u64::from(is(Outcome::Rejected))),
            Things::Timeouts => (was_sent, 1, u64::from(row.timeouts > 0)),
            Things::Throttles => (was_sent, 1, u64::from(row.throttles > 0)),
            Things::Flaky => (was_sent, 1, u64::from(is(Outcome::Ok) && row.retries > 0)),
            Things::ImagesMissing => (was_sent || late_rejection, images, missing),
            Things::ImagesInvalid => {
                (has_images, images, u64::from(row.images_invalid).min(images))
            }
            Things::ImagesBlank => (has_images, images, u64::from(row.images_blank).min(images)),
            Things::ImagesDuplicate => {
                (has_images, images, u64::from(row.images_duplicate).min(images))
            }
            // Of a row that ends as its twin did, nothing is owed.
            Things::CostUnknown => (was_sent, 1, u64::from(!row.cost_known && row.attempts > 0)),
        };
        if !counts {
            return;
        }
        self.n += n;
        self.n_bad += n_bad;
        if !is(Outcome::Unknown) {
            self.n_surely_bad += n_bad;
        }
    }
}

/// The rank that an aggregation of a trend looks at, if it looks at one.
pub(super) fn rank_of(aggregation: Aggregation) -> Option<Rank> {
    match aggregation {
        Aggregation::Min => Some(Rank::Smallest),
        Aggregation::Max => Some(Rank::Largest),
        Aggregation::Median => Some(Rank::Share(500_000_000)),
        Aggregation::Percentile(percent) => Some(Rank::Share(percent.billionths())),
        Aggregation::Rate
        | Aggregation::Count
        | Aggregation::Sum
        | Aggregation::Average
        | Aggregation::Value => None,
    }
}

impl Trend {
    fn of(gate: &Gate, limit: i128, n_planned_rows: u64) -> Self {
        let is_plain = gate.metric.unit() == Unit::Count;
        let (pico_per_unit, scale) = if is_plain { (PICO, 1) } else { (PICO_PER_NANO, 1000) };
        let shows_percentile = matches!(rank_of(gate.aggregation), Some(Rank::Share(_)));
        let n = usize::try_from(n_planned_rows)
            .map_or(MAX_EXACT_SAMPLES, |n| n.clamp(1, MAX_EXACT_SAMPLES));
        let samples = || Samples { exact: Vec::with_capacity(n), histogram: None, scale };
        Self {
            sides: Sides::default(),
            sum: 0,
            smallest: u64::MAX,
            largest: 0,
            pico_per_unit,
            limit,
            samples: shows_percentile.then(samples),
        }
    }

    fn observe(&mut self, sample: u64) {
        let side = match (i128::from(sample) * self.pico_per_unit).cmp(&self.limit) {
            Ordering::Less => &mut self.sides.below,
            Ordering::Equal => &mut self.sides.on,
            Ordering::Greater => &mut self.sides.above,
        };
        *side += 1;
        self.sum += i128::from(sample);
        self.smallest = self.smallest.min(sample);
        self.largest = self.largest.max(sample);
        if let Some(samples) = &mut self.samples {
            samples.observe(sample);
        }
    }

    /// The sample of a rank for people to read, in sample units.
    ///
    /// Beyond the exact samples it may be off by a thousandth, but never to the wrong side of
    /// the limit.
    pub(super) fn at_rank(&self, rank: Rank) -> Option<u64> {
        let n = self.sides.n();
        let place = u64::try_from(rank.of(i128::from(n))).ok().filter(|_| n > 0)?;
        let shown = match rank {
            Rank::Smallest => return Some(self.smallest),
            Rank::Largest => return Some(self.largest),
            Rank::Share(_) => self.samples.as_ref()?.at(place, n)?,
        };
        let on_limit = u64::try_from(self.limit / self.pico_per_unit).unwrap_or_default();
        Some(match self.sides.at_rank(place) {
            Ordering::Less if i128::from(shown) * self.pico_per_unit >= self.limit => {
                on_limit.saturating_sub(1)
            }
            Ordering::Greater if i128::from(shown) * self.pico_per_unit <= self.limit => {
                on_limit.saturating_add(1)
            }
            Ordering::Equal => on_limit,
            Ordering::Less | Ordering::Greater => shown,
        })
    }
}

impl Samples {
    fn observe(&mut self, sample: u64) {
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record(sample / self.scale);
        } else if self.exact.len() < MAX_EXACT_SAMPLES {
            self.exact.push(sample);
        } else {
            let mut histogram = Histogram::new_with_bounds(1, MAX_RECORDED, N_SIGNIFICANT_DIGITS)
                .expect("the bounds are constants that fit");
            for earlier in self.exact.drain(..) {
                histogram.saturating_record(earlier / self.scale);
            }
            histogram.saturating_record(sample / self.scale);
            self.histogram = Some(Box::new(histogram));
        }
    }

    /// The sample at a place, counted from 1, among `n`.
    fn at(&self, place: u64, n: u64) -> Option<u64> {
        if let Some(histogram) = &self.histogram {
            #[expect(clippy::cast_precision_loss, reason = "only chooses a bucket to show")]
            let quantile = (place as f64 - 0.5) / n as f64;
            return Some(histogram.value_at_quantile(quantile).saturating_mul(self.scale));
        }
        let mut sorted = self.exact.clone();
        sorted.sort_unstable();
        sorted.get(usize::try_from(place).ok()?.checked_sub(1)?).copied()
    }
}

/// An amount of money in 10^-12 dollars.
pub(super) fn pico(amount: NanoUsd) -> i128 {
    i128::from(amount.nanos()) * PICO_PER_NANO
}
