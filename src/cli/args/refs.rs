//! `imagemill refs`.

use clap::{Args, Subcommand};

use crate::cli::args::fetch::FetchArgs;
use crate::cli::args::{RowFormatArg, TEMPLATE, TableOrJson};

/// What to do with the references of rows.
#[derive(Clone, Debug, Subcommand)]
#[command(
    before_help = "\
Examples:
  imagemill refs check rows.csv                fetch every reference once, for free
  imagemill refs check rows.csv --no-fetch     only judge the addresses; nothing is asked
",
    help_template = TEMPLATE
)]
pub enum RefsCommand {
    /// Fetch every reference once, for free: what can be used, until when, and what cannot and why
    Check(RefsCheckArgs),
}

/// Arguments of `refs check`.
#[derive(Clone, Debug, Args)]
#[command(
    before_help = "\
Examples:
  imagemill refs check rows.csv                   fetch each once; exit 3 when one cannot be used
  imagemill refs check rows.csv --no-fetch        only judge the addresses; nothing is asked
  imagemill refs check rows.csv --format json     for a script
",
    help_template = TEMPLATE,
    after_help = "\
What is fetched is kept by its content; a run asks each source again, and transfers again only what
may have changed. run --plan-only says beside it which addresses will have expired when the turn of
their row comes."
)]
pub struct RefsCheckArgs {
    /// The rows: a CSV, TSV, JSON or JSONL file, or - for standard input
    #[arg(value_name = "ROWS")]
    pub rows: String,

    /// How the rows are written, when the name does not tell
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub input_format: Option<RowFormatArg>,

    /// Judge the addresses and look at local files, and ask nobody
    #[arg(long)]
    pub no_fetch: bool,

    /// Show every bad row and every reference, however many there are
    #[arg(long)]
    pub all: bool,

    /// The result on standard output
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub format: TableOrJson,

    /// References.
    #[command(flatten)]
    pub fetch: FetchArgs,
}
