//! Where the value of each metric comes from: what is counted of rows, or read from the run.

use super::metric::Metric;

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Bad things among things.
    Share(Things),
    /// A sample for each row or attempt.
    Trend(Sample),
    /// A sum over rows.
    Sum(Total),
    /// The number of rows in a state.
    Rows(State),
    /// Another gauge of the run.
    Gauge(Reading),
    /// Nowhere in this version: it belongs to a soak.
    Soak,
    /// Nowhere in this version: it belongs to a command of the user.
    Command,
}

/// What a share counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Things {
    Errors,
    Refusals,
    Rejects,
    Timeouts,
    Throttles,
    Flaky,
    ImagesMissing,
    ImagesInvalid,
    ImagesBlank,
    ImagesDuplicate,
    CostUnknown,
}

impl Things {
    /// Whether the images of rows are counted, and not the rows.
    pub(super) const fn are_images(self) -> bool {
        match self {
            Self::ImagesMissing
            | Self::ImagesInvalid
            | Self::ImagesBlank
            | Self::ImagesDuplicate => true,
            Self::Errors
            | Self::Refusals
            | Self::Rejects
            | Self::Timeouts
            | Self::Throttles
            | Self::Flaky
            | Self::CostUnknown => false,
        }
    }
}

/// What a trend samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sample {
    Latency,
    Queue,
    Fetch,
    Attempts,
    Cost,
    /// Of attempts; every other sample is of rows.
    AttemptLatency,
}

/// What a counter sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Total {
    Cost,
    Images,
    Bytes,
}

/// A state of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Planned,
    Selected,
    Sent,
    Ok,
    Failed,
    Rejected,
    Held,
    Pending,
}

/// A gauge of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Projected,
    Drift,
    BudgetUsed,
    Elapsed,
    ElapsedPerRow,
    Eta,
    RowsPerSecond,
}

impl Metric {
    pub(super) const fn source(self) -> Source {
        match self {
            Self::Errors => Source::Share(Things::Errors),
            Self::Refusals => Source::Share(Things::Refusals),
            Self::Rejects => Source::Share(Things::Rejects),
            Self::Timeouts => Source::Share(Things::Timeouts),
            Self::Throttles => Source::Share(Things::Throttles),
            Self::Flaky => Source::Share(Things::Flaky),
            Self::ImagesMissing => Source::Share(Things::ImagesMissing),
            Self::ImagesInvalid => Source::Share(Things::ImagesInvalid),
            Self::ImagesBlank => Source::Share(Things::ImagesBlank),
            Self::ImagesDuplicate => Source::Share(Things::ImagesDuplicate),
            Self::CostUnknown => Source::Share(Things::CostUnknown),
            Self::Latency => Source::Trend(Sample::Latency),
            Self::LatencyAttempt => Source::Trend(Sample::AttemptLatency),
            Self::LatencyQueue => Source::Trend(Sample::Queue),
            Self::FetchLatency => Source::Trend(Sample::Fetch),
            Self::Attempts => Source::Trend(Sample::Attempts),
            Self::RowCost => Source::Trend(Sample::Cost),
            Self::Cost => Source::Sum(Total::Cost),
            Self::Images => Source::Sum(Total::Images),
            Self::BytesOut => Source::Sum(Total::Bytes),
            Self::CostProjected => Source::Gauge(Reading::Projected),
            Self::CostDrift => Source::Gauge(Reading::Drift),
            Self::BudgetUsed => Source::Gauge(Reading::BudgetUsed),
            Self::Elapsed => Source::Gauge(Reading::Elapsed),
            Self::ElapsedPerRow => Source::Gauge(Reading::ElapsedPerRow),
            Self::Eta => Source::Gauge(Reading::Eta),
            Self::Rps => Source::Gauge(Reading::RowsPerSecond),
            Self::RowsPlanned => Source::Rows(State::Planned),
            Self::RowsSelected => Source::Rows(State::Selected),
            Self::RowsSent => Source::Rows(State::Sent),
            Self::RowsOk => Source::Rows(State::Ok),
            Self::RowsFailed => Source::Rows(State::Failed),
            Self::RowsRejected => Source::Rows(State::Rejected),
            Self::RowsHeld => Source::Rows(State::Held),
            Self::RowsPending => Source::Rows(State::Pending),
            Self::SoakCoverage => Source::Soak,
            Self::Custom => Source::Command,
        }
    }
}
