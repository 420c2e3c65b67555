//! `imagemill report`.

use clap::{Args, Subcommand};

use crate::cli::args::{TEMPLATE, TableOrJson};

/// Arguments of `report`.
#[derive(Clone, Debug, Args)]
#[command(
    before_help = "\
Examples:
  imagemill report RUN                                 report.html in the run's folder, made again
  imagemill report RUN --report junit=junit.xml --report md=-     for a job
  imagemill report RUN --self-contained --report html=batch.html  one file to hand to somebody
  imagemill report compare RUN RUN                     two runs beside each other
",
    help_template = TEMPLATE,
    args_conflicts_with_subcommands = true,
    subcommand_precedence_over_arg = true
)]
pub struct ReportArgs {
    /// Something else than the reports of one run.
    #[command(subcommand)]
    pub command: Option<ReportCommand>,

    /// The run: its folder, its id or the end of its id
    #[arg(value_name = "RUN", required = true)]
    pub run: Option<String>,

    /// A report and its file, - for standard output; may be given several times
    /// [default: html, in the run's folder]
    #[arg(long = "report", value_name = "KIND=PATH")]
    pub reports: Vec<String>,

    /// Put small copies of the images into the page, so that it can be sent alone
    #[arg(long)]
    pub self_contained: bool,

    /// The folder of all runs [default: out]
    #[arg(long, value_name = "DIR")]
    pub out: Option<String>,
}

/// Something else than the reports of one run.
#[derive(Clone, Debug, Subcommand)]
pub enum ReportCommand {
    /// Two runs beside each other, by their last reports
    Compare(CompareArgs),
}

/// Arguments of `report compare`.
#[derive(Clone, Debug, Args)]
#[command(
    before_help = "\
Examples:
  imagemill report compare RUN RUN                    the second against the first
  imagemill report compare baseline.json RUN          against a report.json that was saved
",
    help_template = TEMPLATE
)]
pub struct CompareArgs {
    /// A run, or a report of one as JSON
    #[arg(value_name = "ONE")]
    pub one: String,

    /// The run or report that is held against it
    #[arg(value_name = "OTHER")]
    pub other: String,

    /// The folder of all runs [default: out]
    #[arg(long, value_name = "DIR")]
    pub out: Option<String>,

    /// The result on standard output
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub format: TableOrJson,
}
