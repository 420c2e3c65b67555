//! The closed list of what a gate can measure, with kind, unit and allowed aggregations.

use std::fmt;

use super::expression::Aggregation;
use super::source::Source;

/// What a gate measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Rows that failed, made only some images, or whose answer is unknown, over rows sent.
    Errors,
    /// Rows that the provider's content policy refused, over rows sent.
    Refusals,
    /// Rows that we declined, over rows planned.
    Rejects,
    /// Rows that met a time-out, over rows sent.
    Timeouts,
    /// Rows that were told to slow down, over rows sent.
    Throttles,
    /// Rows that are well after a retry, over rows sent.
    Flaky,
    /// Images that were expected and are not stored, over images expected.
    ImagesMissing,
    /// Images that do not decode, have a wrong size or no bytes, over images expected.
    ImagesInvalid,
    /// Images that show nothing, over images expected.
    ImagesBlank,
    /// Images that are like another one of their row, over images expected.
    ImagesDuplicate,
    /// Time of a row from its first byte sent to its last image stored, retries included.
    Latency,
    /// Time of one HTTP attempt.
    LatencyAttempt,
    /// Time that a row waited before its first send.
    LatencyQueue,
    /// Time that fetching the references of a row took.
    FetchLatency,
    /// HTTP attempts of a row.
    Attempts,
    /// Settled cost of a row.
    RowCost,
    /// Settled cost of the run.
    Cost,
    /// Settled and reserved cost and the estimate of the rows not sent yet.
    CostProjected,
    /// Actual over estimated cost, less one.
    CostDrift,
    /// Rows sent whose price is not known; they are never counted as free.
    CostUnknown,
    /// Settled and reserved money of the day over the day's limit.
    BudgetUsed,
    /// Images stored.
    Images,
    /// Bytes of the images stored.
    BytesOut,
    /// Rows planned.
    RowsPlanned,
    /// Rows inside the canary share.
    RowsSelected,
    /// Rows sent.
    RowsSent,
    /// Rows whose every image was made.
    RowsOk,
    /// Rows that failed, in part or wholly.
    RowsFailed,
    /// Rows that we declined.
    RowsRejected,
    /// Rows outside the canary share.
    RowsHeld,
    /// Rows inside the canary share that are not finished.
    RowsPending,
    /// Active time of the run.
    Elapsed,
    /// Active time of the run over its settled rows.
    ElapsedPerRow,
    /// Time until the run is expected to end.
    Eta,
    /// Settled rows in a second.
    Rps,
    /// Ticks done over ticks scheduled, of a soak.
    SoakCoverage,
    /// A metric that a command of the user measures.
    Custom,
}

/// How a metric comes about, which says what may be asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A share of things.
    Rate,
    /// A sample for each row or attempt.
    Trend,
    /// A sum that only grows.
    Counter,
    /// One value at a time.
    Gauge,
    /// Whatever the user declared.
    Custom,
}

/// What a value is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A share of one.
    Ratio,
    /// A share of one that may be below zero.
    SignedRatio,
    /// Seconds.
    Time,
    /// Dollars.
    Money,
    /// Things.
    Count,
    /// Bytes.
    Size,
    /// A plain number.
    Number,
}

/// Every metric that has a fixed name.
pub const NAMED: [Metric; 36] = [
    Metric::Errors,
    Metric::Refusals,
    Metric::Rejects,
    Metric::Timeouts,
    Metric::Throttles,
    Metric::Flaky,
    Metric::ImagesMissing,
    Metric::ImagesInvalid,
    Metric::ImagesBlank,
    Metric::ImagesDuplicate,
    Metric::Latency,
    Metric::LatencyAttempt,
    Metric::LatencyQueue,
    Metric::FetchLatency,
    Metric::Attempts,
    Metric::RowCost,
    Metric::Cost,
    Metric::CostProjected,
    Metric::CostDrift,
    Metric::CostUnknown,
    Metric::BudgetUsed,
    Metric::Images,
    Metric::BytesOut,
    Metric::RowsPlanned,
    Metric::RowsSelected,
    Metric::RowsSent,
    Metric::RowsOk,
    Metric::RowsFailed,
    Metric::RowsRejected,
    Metric::RowsHeld,
    Metric::RowsPending,
    Metric::Elapsed,
    Metric::ElapsedPerRow,
    Metric::Eta,
    Metric::Rps,
    Metric::SoakCoverage,
];

/// What custom metrics begin with.
pub const CUSTOM_PREFIX: &str = "custom.";

impl Metric {
    /// The metric of this name, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        let custom = name.strip_prefix(CUSTOM_PREFIX).is_some_and(|rest| !rest.is_empty());
        if custom {
            return Some(Self::Custom);
        }
        NAMED.into_iter().find(|metric| metric.name() == name)
    }

    /// The name as gates write it.
    pub const fn name(self) -> &'static str {
        self.facts().0
    }

    /// How the metric comes about.
    pub const fn kind(self) -> Kind {
        self.facts().1
    }

    /// What the metric itself is counted in.
    pub const fn unit(self) -> Unit {
        self.facts().2
    }

    /// What a value of the metric under `aggregation` is counted in.
    pub const fn unit_of(self, aggregation: Aggregation) -> Unit {
        match aggregation {
            Aggregation::Count => Unit::Count,
            Aggregation::Rate
            | Aggregation::Sum
            | Aggregation::Average
            | Aggregation::Min
            | Aggregation::Max
            | Aggregation::Median
            | Aggregation::Value
            | Aggregation::Percentile(_) => self.unit(),
        }
    }

    /// Whether this version measures it.
    pub const fn is_measured(self) -> bool {
        !matches!(self.source(), Source::Soak | Source::Command)
    }

    /// Whether it is made of rows or attempts, so that a selector can choose among them.
    pub const fn takes_selector(self) -> bool {
        match self.kind() {
            Kind::Rate | Kind::Trend => true,
            Kind::Counter => !matches!(self, Self::BytesOut),
            Kind::Gauge => matches!(self, Self::CostUnknown),
            Kind::Custom => true,
        }
    }

    const fn facts(self) -> (&'static str, Kind, Unit) {
        match self {
            Self::Errors => ("errors", Kind::Rate, Unit::Ratio),
            Self::Refusals => ("refusals", Kind::Rate, Unit::Ratio),
            Self::Rejects => ("rejects", Kind::Rate, Unit::Ratio),
            Self::Timeouts => ("timeouts", Kind::Rate, Unit::Ratio),
            Self::Throttles => ("throttles", Kind::Rate, Unit::Ratio),
            Self::Flaky => ("flaky", Kind::Rate, Unit::Ratio),
            Self::ImagesMissing => ("images.missing", Kind::Rate, Unit::Ratio),
            Self::ImagesInvalid => ("images.invalid", Kind::Rate, Unit::Ratio),
            Self::ImagesBlank => ("images.blank", Kind::Rate, Unit::Ratio),
            Self::ImagesDuplicate => ("images.duplicate", Kind::Rate, Unit::Ratio),
            Self::Latency => ("latency", Kind::Trend, Unit::Time),
            Self::LatencyAttempt => ("latency.attempt", Kind::Trend, Unit::Time),
            Self::LatencyQueue => ("latency.queue", Kind::Trend, Unit::Time),
            Self::FetchLatency => ("fetch.latency", Kind::Trend, Unit::Time),
            Self::Attempts => ("attempts", Kind::Trend, Unit::Count),
            Self::RowCost => ("row.cost", Kind::Trend, Unit::Money),
            Self::Cost => ("cost", Kind::Counter, Unit::Money),
            Self::CostProjected => ("cost.projected", Kind::Gauge, Unit::Money),
            Self::CostDrift => ("cost.drift", Kind::Gauge, Unit::SignedRatio),
            Self::CostUnknown => ("cost.unknown", Kind::Gauge, Unit::Count),
            Self::BudgetUsed => ("budget.used", Kind::Gauge, Unit::Ratio),
            Self::Images => ("images", Kind::Counter, Unit::Count),
            Self::BytesOut => ("bytes.out", Kind::Counter, Unit::Size),
            Self::RowsPlanned => ("rows.planned", Kind::Gauge, Unit::Count),
            Self::RowsSelected => ("rows.selected", Kind::Gauge, Unit::Count),
            Self::RowsSent => ("rows.sent", Kind::Gauge, Unit::Count),
            Self::RowsOk => ("rows.ok", Kind::Gauge, Unit::Count),
            Self::RowsFailed => ("rows.failed", Kind::Gauge, Unit::Count),
            Self::RowsRejected => ("rows.rejected", Kind::Gauge, Unit::Count),
            Self::RowsHeld => ("rows.held", Kind::Gauge, Unit::Count),
            Self::RowsPending => ("rows.pending", Kind::Gauge, Unit::Count),
            Self::Elapsed => ("elapsed", Kind::Gauge, Unit::Time),
            Self::ElapsedPerRow => ("elapsed.per_row", Kind::Gauge, Unit::Time),
            Self::Eta => ("eta", Kind::Gauge, Unit::Time),
            Self::Rps => ("rps", Kind::Gauge, Unit::Number),
            Self::SoakCoverage => ("soak.coverage", Kind::Gauge, Unit::Ratio),
            Self::Custom => ("custom.NAME", Kind::Custom, Unit::Number),
        }
    }
}

impl Kind {
    /// The kind as one word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Trend => "trend",
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Custom => "custom",
        }
    }

    /// The words of the aggregations that it allows, in the order of the alphabet.
    pub const fn aggregations(self) -> &'static [&'static str] {
        match self {
            Self::Rate => &["count", "rate"],
            Self::Trend => &["avg", "count", "max", "med", "min", "p(N)"],
            Self::Counter => &["rate", "sum"],
            Self::Gauge => &["value"],
            Self::Custom => &["avg", "count", "max", "med", "min", "p(N)", "rate", "sum", "value"],
        }
    }

    /// The aggregation meant when none is written; a trend has none.
    pub const fn default_aggregation(self) -> Option<Aggregation> {
        match self {
            Self::Rate => Some(Aggregation::Rate),
            Self::Trend | Self::Custom => None,
            Self::Counter => Some(Aggregation::Sum),
            Self::Gauge => Some(Aggregation::Value),
        }
    }

    /// Whether `aggregation` can be asked of it.
    pub fn allows(self, aggregation: Aggregation) -> bool {
        let word = match aggregation {
            Aggregation::Percentile(_) => "p(N)",
            Aggregation::Rate
            | Aggregation::Count
            | Aggregation::Sum
            | Aggregation::Average
            | Aggregation::Min
            | Aggregation::Max
            | Aggregation::Median
            | Aggregation::Value => aggregation.word(),
        };
        self.aggregations().contains(&word)
    }
}

impl Unit {
    /// The words that error messages use.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Ratio | Self::SignedRatio => "a ratio",
            Self::Time => "a time",
            Self::Money => "money",
            Self::Count => "a count",
            Self::Size => "a size",
            Self::Number => "a number",
        }
    }

    /// The word that reports use for the numbers of this unit.
    pub const fn report_word(self) -> &'static str {
        match self {
            Self::Ratio | Self::SignedRatio => "ratio",
            Self::Time => "ms",
            Self::Money => "usd",
            Self::Count => "count",
            Self::Size => "bytes",
            Self::Number => "number",
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}
