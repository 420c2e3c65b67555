//! `imagemill ledger reconcile`.

use clap::Args;

use crate::cli::args::ledger::TableOrRows;

/// Arguments of `ledger reconcile`.
#[derive(Clone, Debug, Args)]
pub struct LedgerReconcileArgs {
    /// The provider's cost export
    #[arg(long, value_name = "FILE")]
    pub from: String,

    /// Write what is proposed; who and the line of the export are recorded
    #[arg(long)]
    pub apply: bool,

    /// Take what is held as not billed where the export covers it and does not have it, or has it
    /// by its id with a bill of nothing
    #[arg(long)]
    pub absent_is_free: bool,

    /// How far the provider's figure for a day may be above what is booked [default: not at all]
    #[arg(long, value_name = "PERCENT")]
    pub tolerance: Option<String>,

    /// A column by your name: request_id, time, end_time, model, amount, currency or provider
    #[arg(long, value_name = "FIELD=NAME")]
    pub column: Vec<String>,

    /// Only this provider
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,

    /// Only this model
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,

    /// From this time on: a day, a time, or a span such as 7d [default: the export's first day]
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,

    /// Before this time [default: the end of the export's last day]
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,

    /// The zone of the days [default: UTC, as exports have it]
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,

    /// The ledger's folder [default: the user's own]
    #[arg(long, value_name = "DIR")]
    pub ledger: Option<String>,

    /// The result as a table, as JSON, as lines of JSON or as CSV
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub format: TableOrRows,
}
