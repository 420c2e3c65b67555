//! What a gate's counters say now and what they can still come to.

use std::cmp::Ordering;
use std::time::Duration;

use super::expression::{Aggregation, Amount, Gate, Limit, PICO};
use super::facts::RunFacts;
use super::limit::PICO_PER_NANO;
use super::metric::Kind;
use super::source::{Reading, Sample, Source, State, Things, Total};
use super::tally::{Share, Tally, Trend, pico, rank_of};
use super::verdict::{Fate, fate_in_range};
use crate::domain::money::NanoUsd;

/// An exact value: a fraction of 10^-12 units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) numerator: i128,
    /// Above zero.
    pub(super) denominator: i128,
}

/// What may still come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remaining {
    pub(super) rows: u64,
    pub(super) images: u64,
    /// Rows that were told to the book.
    pub(super) rows_seen: u64,
}

/// What a gate's counters say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outlook {
    /// Whether the value is within the limit now; nothing without a value.
    pub(super) within: Option<bool>,
    /// The value, where it takes no sorting to know it.
    pub(super) value: Option<Value>,
    pub(super) n: u64,
    /// The largest number of samples that there can be.
    pub(super) n_max: u64,
    pub(super) k: Option<u64>,
    /// `k` without those that may still turn out well.
    pub(super) k_surely: u64,
    pub(super) fate: Fate,
}

/// More samples than any run has: what may come when nothing bounds it.
const UNBOUNDED: u64 = u64::MAX / 4;
const NANOS_PER_SECOND: i128 = 1_000_000_000;
const SECONDS_PER_HOUR: i128 = 3600;

impl Value {
    fn whole(pico: i128) -> Self {
        Self { numerator: pico, denominator: 1 }
    }

    fn count(n: u64) -> Self {
        Self::whole(i128::from(n) * PICO)
    }

    pub(super) fn time(time: Duration) -> Self {
        let nanos = i128::try_from(time.as_nanos()).unwrap_or(i128::MAX / PICO);
        Self::whole(nanos * PICO_PER_NANO)
    }

    /// `numerator / denominator`; nothing when the denominator is not above zero.
    fn ratio(numerator: i128, denominator: i128) -> Option<Self> {
        let numerator = numerator.saturating_mul(PICO);
        (denominator > 0).then_some(Self { numerator, denominator })
    }

    /// How it compares with a limit in 10^-12; a product out of range keeps its sign, and with
    /// it the order.
    pub(super) fn compare(self, limit: i128) -> Ordering {
        self.numerator.cmp(&limit.saturating_mul(self.denominator))
    }
}

impl Outlook {
    /// Looks at a gate; nothing when this version cannot evaluate it.
    pub(super) fn of(
        gate: &Gate,
        tally: &Tally,
        remaining: Remaining,
        run: &RunFacts,
    ) -> Option<Self> {
        let Limit::Fixed(Amount(limit)) = gate.limit else {
            return None;
        };
        match (tally, gate.metric.source()) {
            (Tally::Share(things, share), _) => {
                Some(Self::of_share(gate, *things, *share, remaining, limit))
            }
            (Tally::Trend(sample, trend), _) => {
                Some(Self::of_trend(gate, *sample, trend, remaining, limit))
            }
            (Tally::Sum(total, sum), _) => {
                Some(Self::of_sum(gate, (*total, *sum), remaining, run, limit))
            }
            (Tally::Nothing, Source::Rows(state)) => {
                let outlook = Self::of_rows(gate, state, run, limit);
                Some(Self { n: remaining.rows_seen, ..outlook })
            }
            (Tally::Nothing, Source::Gauge(reading)) => {
                let value = reading.of(run);
                // Time only grows; no other gauge is bound to anything.
                let fate = if reading == Reading::Elapsed {
                    let now = value.map(|value| value.compare(limit));
                    fate_in_range(gate.operator, now, None)
                } else {
                    Fate::Open
                };
                let outlook = Self::at(gate, value, limit, fate);
                Some(Self { n: remaining.rows_seen, ..outlook })
            }
            (Tally::Nothing, _) => None,
        }
    }

    fn of_share(
        gate: &Gate,
        things: Things,
        share: Share,
        remaining: Remaining,
        limit: i128,
    ) -> Self {
        let n_more = if things.are_images() { remaining.images } else { remaining.rows };
        let n_max = share.n.saturating_add(n_more);
        // Rejections are counted over all rows planned, not over those that were looked at.
        let over_planned = things == Things::Rejects && gate.selector.is_empty();
        let n = if over_planned { n_max } else { share.n };
        let n_bad_max = share.n_bad.saturating_add(n_more);
        let is_share = gate.aggregation == Aggregation::Rate;
        let value_of = |n_bad: u64, n: u64| {
            if is_share {
                Value::ratio(i128::from(n_bad), i128::from(n))
            } else {
                Some(Value::count(n_bad))
            }
        };
        // A gauge has a value without samples, a share has none.
        let is_seen = share.n > 0 || things == Things::CostUnknown;
        let value = value_of(share.n_bad, n).filter(|_| is_seen);
        let compare = |value: Option<Value>| value.map(|value| value.compare(limit));
        let lowest = compare(value_of(share.n_surely_bad, n_max));
        let highest = compare(value_of(n_bad_max, n_max));
        let fate = if is_seen { fate_in_range(gate.operator, lowest, highest) } else { Fate::Open };
        let k_surely = share.n_surely_bad;
        Self { k: Some(share.n_bad), k_surely, n, n_max, ..Self::at(gate, value, limit, fate) }
    }

    fn of_trend(
        gate: &Gate,
        sample: Sample,
        trend: &Trend,
        remaining: Remaining,
        limit: i128,
    ) -> Self {
        let n = trend.sides.n();
        // A row may yet take any number of attempts, but gives one sample to other trends.
        let is_unbounded = sample == Sample::AttemptLatency && remaining.rows > 0;
        let n_more = if is_unbounded { UNBOUNDED } else { remaining.rows };
        let n_max = n.saturating_add(n_more);
        if let Some(rank) = rank_of(gate.aggregation) {
            let k = trend.sides.n_breaking(gate.operator);
            let place = u64::try_from(rank.of(i128::from(n))).unwrap_or_default();
            let within = (n > 0).then(|| gate.operator.holds(trend.sides.at_rank(place)));
            let fate = match within {
                Some(_) => trend.sides.fate(gate.operator, rank, n_more),
                None => Fate::Open,
            };
            return Self { within, value: None, n, n_max, k: Some(k), k_surely: k, fate };
        }
        let (value, fate) = if gate.aggregation == Aggregation::Count {
            let compare = |n: u64| Some(Value::count(n).compare(limit));
            let fate = fate_in_range(gate.operator, compare(n), compare(n_max));
            (Some(Value::count(n)), if n > 0 { fate } else { Fate::Open })
        } else {
            let numerator = trend.sum * trend.pico_per_unit;
            (Some(Value { numerator, denominator: i128::from(n).max(1) }), Fate::Open)
        };
        let value = value.filter(|_| n > 0);
        Self { n, n_max, ..Self::at(gate, value, limit, fate) }
    }

    fn of_sum(
        gate: &Gate,
        (total, sum_of_rows): (Total, i128),
        remaining: Remaining,
        run: &RunFacts,
        limit: i128,
    ) -> Self {
        let is_whole = remaining.rows == 0;
        let is_selected = !gate.selector.is_empty();
        // The sum in 10^-12, and the largest that it can still come to.
        let (sum, most) = match total {
            Total::Cost if is_selected => {
                let sum = sum_of_rows * PICO_PER_NANO;
                (sum, is_whole.then_some(sum))
            }
            Total::Cost => {
                let held = pico(run.settled) + pico(run.reserved) + pico(run.unknown);
                (pico(run.settled), run.worst_case_of_unsent.map(|worst| held + pico(worst)))
            }
            Total::Bytes => {
                let sum = i128::from(run.bytes_out) * PICO;
                (sum, is_whole.then_some(sum))
            }
            Total::Images => {
                let sum = sum_of_rows * PICO;
                (sum, Some(sum + i128::from(remaining.images) * PICO))
            }
        };
        let n = remaining.rows_seen;
        if gate.aggregation == Aggregation::Rate {
            let seconds = if total == Total::Cost { SECONDS_PER_HOUR } else { 1 };
            let elapsed = i128::try_from(run.elapsed.as_nanos()).unwrap_or(i128::MAX);
            let numerator = sum.saturating_mul(seconds * NANOS_PER_SECOND);
            let value = (elapsed > 0).then_some(Value { numerator, denominator: elapsed });
            return Self { n, ..Self::at(gate, value, limit, Fate::Open) };
        }
        let fate = fate_in_range(gate.operator, Some(sum.cmp(&limit)), most.map(|m| m.cmp(&limit)));
        Self { n, ..Self::at(gate, Some(Value::whole(sum)), limit, fate) }
    }

    fn of_rows(gate: &Gate, state: State, run: &RunFacts, limit: i128) -> Self {
        let rows = &run.rows;
        let open = rows.open();
        // How many rows there are, and how many there can be at most; nothing for no bounds.
        let (now, most) = match state {
            State::Planned => (rows.planned, Some(rows.planned)),
            State::Selected => (rows.selected(), Some(rows.planned)),
            State::Sent => (rows.sent(), Some(rows.sent() + open)),
            State::Ok => (rows.ok, Some(rows.ok + open + rows.unknown)),
            State::Failed => {
                let failed = rows.failed + rows.partial;
                (failed, Some(failed + open + rows.unknown))
            }
            State::Rejected => (rows.rejected, Some(rows.rejected + open)),
            State::Held => (rows.held, None),
            State::Pending => (rows.pending(), None),
        };
        let compare = |n: u64| Some(Value::count(n).compare(limit));
        let fate = match most {
            Some(most) => fate_in_range(gate.operator, compare(now), compare(most)),
            None => Fate::Open,
        };
        Self::at(gate, Some(Value::count(now)), limit, fate)
    }

    /// The outlook of a value without samples.
    fn at(gate: &Gate, value: Option<Value>, limit: i128, fate: Fate) -> Self {
        let within = value.map(|value| gate.operator.holds(value.compare(limit)));
        Self { within, value, n: 0, n_max: u64::MAX, k: None, k_surely: 0, fate }
    }

    /// Whether the gate is a percentile of so few samples, at most, that it is the maximum.
    pub(super) fn is_too_small(&self, gate: &Gate) -> bool {
        let is_percentile = matches!(gate.aggregation, Aggregation::Percentile(_));
        is_percentile && self.n_max < gate.min_samples()
    }

    /// Whether there are too few samples to say something.
    pub(super) fn is_short(&self, gate: &Gate) -> bool {
        match gate.metric.kind() {
            Kind::Rate | Kind::Trend | Kind::Custom => self.n < gate.min_samples(),
            // These are exact at any time, so only a written number asks for more.
            Kind::Counter | Kind::Gauge => gate.clauses.min.is_some_and(|min| self.n < min),
        }
    }
}

impl Reading {
    /// The value of the gauge; nothing when there is none yet.
    fn of(self, run: &RunFacts) -> Option<Value> {
        let n_settled = i128::from(run.rows.settled());
        let nanos = |amount: NanoUsd| i128::from(amount.nanos());
        match self {
            Self::Elapsed => Some(Value::time(run.elapsed)),
            Self::ElapsedPerRow => {
                let elapsed = Value::time(run.elapsed);
                (n_settled > 0).then_some(Value { denominator: n_settled, ..elapsed })
            }
            Self::Eta => run.eta.map(Value::time),
            Self::RowsPerSecond => {
                let elapsed = i128::try_from(run.elapsed.as_nanos()).unwrap_or(i128::MAX);
                Value::ratio(n_settled * NANOS_PER_SECOND, elapsed)
            }
            Self::Projected => {
                let projected = pico(run.settled) + pico(run.reserved);
                Some(Value::whole(projected + pico(run.estimate_of_unsent)))
            }
            Self::Drift => {
                let estimate = nanos(run.estimate_of_settled);
                Value::ratio(nanos(run.settled_where_estimated) - estimate, estimate)
            }
            Self::BudgetUsed => Value::ratio(nanos(run.exposure_today), nanos(run.limit_per_day)),
        }
    }
}
