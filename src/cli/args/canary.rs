//! `imagemill canary`.

use clap::{Args, Subcommand};

use crate::cli::args::{TEMPLATE, TableOrJson};

/// The canary commands.
#[derive(Debug, Subcommand)]
#[command(
    before_help = "\
Examples:
  imagemill canary set 5         the next runs send 5 % of their rows and hold the others
  imagemill canary status        which share is set
  imagemill canary set 100       send everything again
",
    help_template = TEMPLATE
)]
pub enum CanaryCommand {
    /// Set the share of rows that the next runs send
    #[command(
        before_help = "\
Examples:
  imagemill canary set 5                    5 of 100 rows, at least one
  imagemill canary set 7.5 --name nightly   under a name of its own, which salts the order
",
        help_template = TEMPLATE
    )]
    Set(CanarySetArgs),
    /// Show the share that is set
    #[command(
        before_help = "\
Examples:
  imagemill canary status
  imagemill canary status --format json
",
        help_template = TEMPLATE
    )]
    Status(CanaryStatusArgs),
}

/// Arguments of `canary set`.
#[derive(Clone, Debug, Args)]
pub struct CanarySetArgs {
    /// The share of the rows in percent, above 0 and at most 100
    #[arg(value_name = "PERCENT")]
    pub percent: String,

    /// The name of the canary: the salt of its order
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub name: String,
}

/// Arguments of `canary status`.
#[derive(Clone, Debug, Args)]
pub struct CanaryStatusArgs {
    /// The result as a table or as JSON
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub format: TableOrJson,
}
