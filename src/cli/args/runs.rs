//! `imagemill runs`.

use clap::{Args, Subcommand};

use crate::cli::args::{TEMPLATE, TableOrJson};

/// What to do with the runs below a folder.
#[derive(Clone, Debug, Subcommand)]
#[command(
    before_help = "\
Examples:
  imagemill runs list               the live runs below out, newest last
  imagemill runs status RUN         exit 5 when that run has more to do
",
    help_template = TEMPLATE
)]
pub enum RunsCommand {
    /// The live runs below a folder: what each came to, and whether it has more to do
    List(RunsListArgs),
    /// What one run came to
    Show(RunsShowArgs),
    /// Whether a run has more to do: exit 0 when it is done, 5 when it is not
    Status(RunsStatusArgs),
}

/// Arguments of `runs list`.
#[derive(Clone, Debug, Args)]
#[command(
    before_help = "\
Examples:
  imagemill runs list                    the live runs below out, newest last
  imagemill runs list --out batches      below another folder
  imagemill runs list --format json      for a script
",
    help_template = TEMPLATE
)]
pub struct RunsListArgs {
    /// The folder of all runs [default: out]
    #[arg(long, value_name = "DIR")]
    pub out: Option<String>,

    /// The result on standard output
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub format: TableOrJson,
}

/// Arguments of `runs show`.
#[derive(Clone, Debug, Args)]
#[command(
    before_help = "\
Examples:
  imagemill runs show RUN                   by its folder, its id or the end of its id
  imagemill runs show RUN --format json     for a script
",
    help_template = TEMPLATE
)]
pub struct RunsShowArgs {
    /// Which run.
    #[command(flatten)]
    pub run: WhichRunArgs,
}

/// Arguments of `runs status`.
#[derive(Clone, Debug, Args)]
#[command(
    before_help = "\
Examples:
  imagemill runs status RUN                 exit 0 when it is done, 5 when it has more to do
",
    help_template = TEMPLATE
)]
pub struct RunsStatusArgs {
    /// Which run.
    #[command(flatten)]
    pub run: WhichRunArgs,
}

/// One run, and how it is shown.
#[derive(Clone, Debug, Args)]
pub struct WhichRunArgs {
    /// The run: its folder, its id or the end of its id
    #[arg(value_name = "RUN")]
    pub run: String,

    /// The folder of all runs [default: out]
    #[arg(long, value_name = "DIR")]
    pub out: Option<String>,

    /// The result on standard output
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub format: TableOrJson,
}
