//! `imagemill config`.

use clap::{Args, Subcommand};

use crate::cli::args::{TEMPLATE, TableOrJson};

/// The commands below `config`.
#[derive(Clone, Debug, Subcommand)]
#[command(
    before_help = "\
Examples:
  imagemill config show               every setting and its value
  imagemill config show --origin      and where each comes from, and what it hides
",
    help_template = TEMPLATE
)]
pub enum ConfigCommand {
    /// Every setting and its value
    #[command(
        before_help = "\
Examples:
  imagemill config show               every setting and its value
  imagemill config show --origin      and where each comes from, and what it hides
  imagemill config show --format json     for a script
",
        help_template = TEMPLATE
    )]
    Show(ConfigShowArgs),
    /// Trust this project's imagemill.toml as it is now, its keys, commands and limits included
    #[command(
        before_help = "\
Examples:
  imagemill config trust              trust it; any change of it ends that
  imagemill config trust --revoke     trust it no more
",
        help_template = TEMPLATE
    )]
    Trust(ConfigTrustArgs),
}

/// Arguments of `config show`.
#[derive(Clone, Debug, Args)]
pub struct ConfigShowArgs {
    /// Say where each value comes from, and what it hides
    #[arg(long)]
    pub origin: bool,

    /// The result as table or json
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub format: TableOrJson,
}

/// Arguments of `config trust`.
#[derive(Clone, Debug, Args)]
pub struct ConfigTrustArgs {
    /// Trust it no more
    #[arg(long)]
    pub revoke: bool,
}
