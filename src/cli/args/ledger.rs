//! `imagemill ledger`.

pub mod limits;
pub mod reconcile;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::args::ledger::limits::LimitCommand;
use crate::cli::args::ledger::reconcile::LedgerReconcileArgs;
use crate::cli::args::{TEMPLATE, TableOrJson};

/// The ledger commands.
#[derive(Debug, Subcommand)]
#[command(
    before_help = "\
Examples:
  imagemill ledger summary                     today against the limit
  imagemill ledger by month,model              what was spent, in sums
  imagemill ledger resolve --all --as-billed --why 'no time to look'   free what is held
  imagemill ledger reconcile --from costs.csv  the ledger beside the provider's figure
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
    /// Sums by day, week, month, run, model, provider, tag, canary or outcome
    #[command(
        before_help = "\
Examples:
  imagemill ledger by day                      what each day has cost
  imagemill ledger by month,model              up to three keys; estimate against actual by model
  imagemill ledger by tag:client,month         by the values of tags such as client=acme
  imagemill ledger by run --since 7d --format csv
  imagemill ledger by outcome --ledger out/RUN/ledger   simulated money
",
        help_template = TEMPLATE
    )]
    By(LedgerByArgs),
    /// Every attempt, one a line, with what was spent so far
    #[command(
        before_help = "\
Examples:
  imagemill ledger register --since 2026-11-01
  imagemill ledger register --outcome unknown   what is held, and why
  imagemill ledger register --format ndjson
",
        help_template = TEMPLATE
    )]
    Register(LedgerEntriesArgs),
    /// The last records, and with --follow those that come
    #[command(
        before_help = "\
Examples:
  imagemill ledger tail -n 20
  imagemill ledger tail --follow               until Ctrl-C
  imagemill ledger tail --follow --format ndjson
",
        help_template = TEMPLATE
    )]
    Tail(LedgerTailArgs),
    /// Every attempt with all that is known of it, as CSV or JSON
    #[command(
        before_help = "\
Examples:
  imagemill ledger export > ledger.csv
  imagemill ledger export --since 2026-11-01 --until 2026-12-01 --format json
",
        help_template = TEMPLATE
    )]
    Export(LedgerExportArgs),
    /// Say what unknown attempts cost; who and why are recorded
    #[command(
        before_help = "\
Examples:
  imagemill ledger resolve --all --as-billed --why 'no time to look'
  imagemill ledger resolve RID --not-billed --why 'not in the export' --ledger out/RUN/ledger
  imagemill ledger resolve --run RUN --amount 0.02 --why 'export of May' --ledger out/RUN/ledger
",
        help_template = TEMPLATE
    )]
    Resolve(LedgerResolveArgs),
    /// Book a difference that belongs to no attempt; who and why are recorded
    #[command(
        before_help = "\
Examples:
  imagemill ledger adjust --amount 0.12 --on 2026-11-21 --why 'billed by hand'
  imagemill ledger adjust --amount=-0.05 --on 2026-11-21 --why 'refund 7'
",
        help_template = TEMPLATE
    )]
    Adjust(LedgerAdjustArgs),
    /// Compare the ledger with a provider's cost export, and book what it shows
    #[command(
        before_help = "\
Examples:
  imagemill ledger reconcile --from costs.csv            what differs; nothing is written
  imagemill ledger reconcile --from costs.csv --apply    book what is sure
  imagemill ledger reconcile --from costs.json --provider openai --tolerance 1%
  imagemill ledger reconcile --from my.csv --column request_id='Request' --ledger out/RUN/ledger
",
        after_help = "\
The export is CSV with a head, JSON (an array, or one object a line), or pages of OpenAI's costs
API. A line belongs to an attempt by the id of its request (exact), or else by model, time and
amount where nothing else fits either of them (likely). Both are proposed, and written with --apply.
What fits several is shown as ambiguous, and sums of a day are compared by day only; neither is ever
written. Exit 0 when the provider's figure is within what is booked on every day, 99 when it is
beyond.",
        help_template = TEMPLATE
    )]
    Reconcile(LedgerReconcileArgs),
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
    /// The limits: list them, set one, take one away
    #[command(subcommand)]
    Limit(LimitCommand),
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

/// A result as a table or as rows for another program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TableOrRows {
    /// For people
    Table,
    /// One JSON document
    Json,
    /// One JSON object a line
    Ndjson,
    /// Comma-separated, under a head
    Csv,
}

/// A result as rows for another program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rows {
    /// Comma-separated, under a head
    Csv,
    /// One JSON document
    Json,
    /// One JSON object a line
    Ndjson,
}

/// Which entries are wanted.
#[derive(Clone, Debug, Args)]
pub struct LedgerFilterArgs {
    /// The ledger's folder [default: the user's own]
    #[arg(long, value_name = "DIR")]
    pub ledger: Option<String>,

    /// Booked at this time or later: a day, a time, or a span before now such as 7d
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,

    /// Booked before this time; a day means its first moment
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,

    /// The zone of days and times [default: the ledger's own]
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,

    /// Only this run: its id or its short name
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,

    /// Only this provider
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,

    /// Only this model
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,

    /// Only these: held, unknown, settled, released, resolved or adjusted
    #[arg(long, value_name = "WORD")]
    pub outcome: Option<String>,
}

/// Arguments of `ledger by`.
#[derive(Clone, Debug, Args)]
pub struct LedgerByArgs {
    /// Up to three of day, week, month, run, model, provider, tag:K, canary and outcome
    #[arg(value_name = "KEY", value_delimiter = ',', required = true)]
    pub keys: Vec<String>,

    /// Which entries.
    #[command(flatten)]
    pub filter: LedgerFilterArgs,

    /// The result as a table, as JSON, as lines of JSON or as CSV
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub format: TableOrRows,
}

/// Arguments of `ledger register`.
#[derive(Clone, Debug, Args)]
pub struct LedgerEntriesArgs {
    /// Which entries.
    #[command(flatten)]
    pub filter: LedgerFilterArgs,

    /// The result as a table, as JSON, as lines of JSON or as CSV
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub format: TableOrRows,
}

/// A result as lines for people or for another program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LinesOrNdjson {
    /// For people
    Lines,
    /// One JSON object a line
    Ndjson,
}

/// Arguments of `ledger tail`.
#[derive(Clone, Debug, Args)]
pub struct LedgerTailArgs {
    /// How many of the last records
    #[arg(short = 'n', long, default_value_t = 10, value_name = "N")]
    pub lines: usize,

    /// Go on with those that come
    #[arg(short, long)]
    pub follow: bool,

    /// The ledger's folder [default: the user's own]
    #[arg(long, value_name = "DIR")]
    pub ledger: Option<String>,

    /// The result as lines or as lines of JSON
    #[arg(long, value_enum, default_value = "lines", value_name = "FORMAT")]
    pub format: LinesOrNdjson,
}

/// Arguments of `ledger export`.
#[derive(Clone, Debug, Args)]
pub struct LedgerExportArgs {
    /// Which entries.
    #[command(flatten)]
    pub filter: LedgerFilterArgs,

    /// The result as CSV, as JSON or as lines of JSON
    #[arg(long, value_enum, default_value = "csv", value_name = "FORMAT")]
    pub format: Rows,
}

/// Arguments of `ledger resolve`.
#[derive(Clone, Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["rids", "run", "all"]))]
#[command(group = clap::ArgGroup::new("cost").required(true)
    .args(["not_billed", "as_billed", "amount"]))]
pub struct LedgerResolveArgs {
    /// The attempts, by their ids
    #[arg(value_name = "RID")]
    pub rids: Vec<String>,

    /// All unknown attempts of a run: its id or its short name
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,

    /// All unknown attempts
    #[arg(long)]
    pub all: bool,

    /// They cost nothing
    #[arg(long)]
    pub not_billed: bool,

    /// They cost their worst case
    #[arg(long)]
    pub as_billed: bool,

    /// What each of them cost
    #[arg(long, value_name = "USD")]
    pub amount: Option<String>,

    /// Why, with a reference to what shows it; it is kept in the ledger
    #[arg(long, value_name = "TEXT")]
    pub why: String,

    /// The ledger's folder [default: the user's own]
    #[arg(long, value_name = "DIR")]
    pub ledger: Option<String>,
}

/// Arguments of `ledger adjust`.
#[derive(Clone, Debug, Args)]
pub struct LedgerAdjustArgs {
    /// What is added; below zero when less was billed: --amount=-0.05
    #[arg(long, value_name = "USD", allow_negative_numbers = true)]
    pub amount: String,

    /// The day to which it belongs, in the ledger's zone
    #[arg(long, value_name = "DAY")]
    pub on: String,

    /// The run to which it belongs: its id or its short name
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,

    /// Why, with a reference to what shows it; it is kept in the ledger
    #[arg(long, value_name = "TEXT")]
    pub why: String,

    /// The ledger's folder [default: the user's own]
    #[arg(long, value_name = "DIR")]
    pub ledger: Option<String>,
}
