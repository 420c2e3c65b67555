//! `imagemill doctor`.

use clap::Args;

use crate::cli::args::{TEMPLATE, TableOrJson};

/// Arguments of `doctor`.
#[derive(Clone, Debug, Args)]
#[command(
    before_help = "\
Examples:
  imagemill doctor                    look at config, key, roots, clock, ledger, disk, terminal
  imagemill doctor --format json      for a script
",
    help_template = TEMPLATE,
    after_help = "\
It only reads. Nothing is sent unless --online asks for one free request, which lists the models
of the provider: it shows whether the address answers, the key is taken and the clock is right.
"
)]
pub struct DoctorArgs {
    /// Ask the provider for its models too; free, and the only request
    #[arg(long)]
    pub online: bool,

    /// The provider to look at; that of the settings when none is given
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,

    /// Where the provider is
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,

    /// The environment variable that has the key
    #[arg(long, value_name = "NAME")]
    pub api_key_env: Option<String>,

    /// The result as table or json
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub format: TableOrJson,
}
