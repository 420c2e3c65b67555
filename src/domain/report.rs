//! The report of a run (`imagemill.report/1`): what `--format json` prints and tables show.

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::fetch_tally::FetchTally;
use crate::domain::gate::GateResult;
use crate::domain::ids::RunId;
use crate::domain::money::NanoUsd;
use crate::domain::reference_plan::FreshnessCounts;
use crate::domain::stats::LatencySummary;

/// The name and version of the format.
pub const SCHEMA: &str = "imagemill.report/1";

/// The end of a run, for people and for machines.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// The name and version of this format.
    pub schema: &'static str,
    /// The run.
    pub run_id: RunId,
    /// `dry-run` or `live`.
    pub mode: &'static str,
    /// Whether its money is simulated; a dry run's always is.
    pub simulated: bool,
    /// The exit code of the process.
    pub exit: u8,
    /// The verdict as one word.
    pub verdict: &'static str,
    /// Why, in one sentence.
    pub reason: String,
    /// The provider of rows that name none.
    pub provider: String,
    /// The model of rows that name none.
    pub model: String,
    /// The run's folder; a dry run has none.
    pub folder: Option<String>,
    /// Rows by outcome.
    pub rows: ReportRows,
    /// Images.
    pub images: ReportImages,
    /// How fresh the plan found the addresses of references; each is counted once.
    pub freshness: FreshnessCounts,
    /// What was done to get references.
    pub references: FetchTally,
    /// Attempts sent.
    pub attempts: u64,
    /// Latencies of rows in milliseconds.
    pub latency_ms: LatencySummary,
    /// Active time of the run in milliseconds; virtual in a dry run.
    pub elapsed_ms: u64,
    /// The plan's forecast of it in milliseconds.
    pub forecast_ms: u64,
    /// Active time for each row that was sent, in milliseconds.
    pub avg_per_row_ms: u64,
    /// Failed, partial and unknown rows over sent rows.
    pub error_rate: f64,
    /// Failed rows by class.
    pub errors: std::collections::BTreeMap<&'static str, u64>,
    /// Money.
    pub cost: ReportCost,
    /// Every gate with its evidence.
    pub gates: Vec<GateResult>,
    /// When the run began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
}

impl RunReport {
    /// Whether the same command has more to do.
    pub fn has_more(&self) -> bool {
        self.rows.cancelled + self.rows.held > 0
    }
}

/// Rows by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReportRows {
    /// Rows of the input.
    pub planned: u64,
    /// Of them, rows that were valid.
    pub accepted: u64,
    /// Rows that we declined before money moved.
    pub rejected: u64,
    /// Every image was made.
    pub ok: u64,
    /// Some images were made.
    pub partial: u64,
    /// No image was made.
    pub failed: u64,
    /// The provider's content policy refused.
    pub refused: u64,
    /// Outside the canary share, or beyond the budget.
    pub held: u64,
    /// Done already.
    pub skipped: u64,
    /// Not sent because the run stopped.
    pub cancelled: u64,
    /// Sent, without a known answer.
    pub unknown: u64,
}

/// Images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReportImages {
    /// Images that the accepted rows ask for.
    pub expected: u64,
    /// Images that are durable; in a dry run, those that would be.
    pub stored: u64,
    /// Answers that are no image, and images that do not decode or have another size than was
    /// asked for.
    pub invalid: u64,
    /// Images that show nothing.
    pub blank: u64,
    /// Images that are like another one of their row.
    pub duplicate: u64,
}

/// Money.
#[derive(Clone, Debug, Serialize)]
pub struct ReportCost {
    /// Expected by the plan.
    pub estimated: NanoUsd,
    /// The plan's most: every first attempt at its worst, and the allowed paid retries.
    pub maximum: NanoUsd,
    /// Charged.
    pub settled: NanoUsd,
    /// Held for attempts whose answer is not known.
    pub unknown: NanoUsd,
    /// The limit of the day that counted.
    pub limit_per_day: NanoUsd,
    /// Settled, reserved and unknown money of the day after the run.
    pub exposure_today: NanoUsd,
    /// Charged over expected, less one, over the settled attempts.
    pub drift: Option<f64>,
}
