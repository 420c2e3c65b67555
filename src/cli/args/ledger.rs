//! `imagemill ledger`.

use clap::{Args, Subcommand};

use crate::cli::args::{TEMPLATE, TableOrJson};

/// The ledger commands.
#[derive(Debug, Subcommand)]
#[command(
    before_help = "\
Examples:
  imagemill ledger summary                     today against the limit
  imagemill ledger check                       silent and exit 0 when the ledger is sound
  imagemill ledger limit set --per-day 25 --why 'launch week'   raise the limit, on the record
",
    help_template = TEMPLATE
)]
pub enum LedgerCommand {
    /// Today against the limit: settled, reserved, unknown
    #[command(
        before_help = "\
Examples:
  imagemill ledger summary
  imagemill ledger summary --format json
",
        help_template = TEMPLATE
    )]
    Summary(LedgerReadArgs),
    /// The records of one run, one a line
    #[command(
        before_help = "\
Examples:
  imagemill ledger show RUN --ledger out/RUN/ledger                 simulated money
  imagemill ledger show RUN --ledger out/RUN/ledger --format json   one JSON document
",
        help_template = TEMPLATE
    )]
    Show(LedgerShowArgs),
    /// Check every line: sums, order, hash chain
    #[command(
        before_help = "\
Examples:
  imagemill ledger check                      silent when all is well
  imagemill ledger check --ledger out/RUN/ledger   the simulated money of one run
",
        help_template = TEMPLATE
    )]
    Check(LedgerReadArgs),
    /// The daily limit
    #[command(subcommand)]
    Limit(LimitCommand),
}

/// What can be done with the limit.
#[derive(Debug, Subcommand)]
#[command(
    before_help = "\
Examples:
  imagemill ledger limit set --per-day 25 --why 'launch week'
",
    help_template = TEMPLATE
)]
pub enum LimitCommand {
    /// Set the daily limit; the change and its reason are recorded
    #[command(
        before_help = "\
Examples:
  imagemill ledger limit set --per-day 25 --why 'launch week'
  imagemill ledger limit set --per-day 5 --why 'quiet month'
",
        help_template = TEMPLATE
    )]
    Set(LimitSetArgs),
}

/// Arguments of `ledger summary` and `ledger check`.
#[derive(Clone, Debug, Args)]
pub struct LedgerReadArgs {
    /// The ledger's folder [default: the user's own]
    #[arg(long, value_name = "DIR")]
    pub ledger: Option<String>,

    /// The result as a table or as JSON
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub format: TableOrJson,
}

/// Arguments of `ledger show`.
#[derive(Clone, Debug, Args)]
pub struct LedgerShowArgs {
    /// The run: its id or its short name
    #[arg(value_name = "RUN")]
    pub run: String,

    /// The ledger's folder [default: the user's own]
    #[arg(long, value_name = "DIR")]
    pub ledger: Option<String>,

    /// The result as a table or as JSON
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub format: TableOrJson,
}

/// Arguments of `ledger limit set`.
#[derive(Clone, Debug, Args)]
pub struct LimitSetArgs {
    /// The new limit of a day in USD
    #[arg(long, value_name = "USD")]
    pub per_day: String,

    /// Why; it is kept in the ledger
    #[arg(long, value_name = "TEXT")]
    pub why: String,

    /// The ledger's folder [default: the user's own]
    #[arg(long, value_name = "DIR")]
    pub ledger: Option<String>,
}
