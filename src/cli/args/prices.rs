//! `imagemill prices`.

use clap::{Args, Subcommand};

use crate::cli::args::{TEMPLATE, TableOrJson};

/// The price commands.
#[derive(Debug, Subcommand)]
#[command(
    before_help = "\
Examples:
  imagemill prices list                        providers and models
  imagemill prices show openai gpt-image-2     every size and quality, expected and at worst
  imagemill prices check my-prices.toml        what is wrong with a price file
",
    help_template = TEMPLATE
)]
pub enum PricesCommand {
    /// List providers and models
    #[command(
        before_help = "\
Examples:
  imagemill prices list
  imagemill prices list openai --format json
",
        help_template = TEMPLATE
    )]
    List(PricesListArgs),
    /// Show what one image of a model costs
    #[command(
        before_help = "\
Examples:
  imagemill prices show sim sim-1
  imagemill prices show openai gpt-image-2 --size 1024x1024 --quality medium
",
        help_template = TEMPLATE
    )]
    Show(PricesShowArgs),
    /// Check a price file
    #[command(
        before_help = "\
Examples:
  imagemill prices check my-prices.toml
",
        help_template = TEMPLATE
    )]
    Check(PricesCheckArgs),
}

/// Arguments of `prices list`.
#[derive(Clone, Debug, Args)]
pub struct PricesListArgs {
    /// Only this provider
    #[arg(value_name = "PROVIDER")]
    pub provider: Option<String>,

    /// A price file laid over the built-in price book
    #[arg(long, value_name = "FILE")]
    pub prices: Option<String>,

    /// The result as a table or as JSON
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub format: TableOrJson,
}

/// Arguments of `prices show`.
#[derive(Clone, Debug, Args)]
pub struct PricesShowArgs {
    /// The provider
    #[arg(value_name = "PROVIDER")]
    pub provider: String,

    /// The model
    #[arg(value_name = "MODEL")]
    pub model: String,

    /// Only this size
    #[arg(long, value_name = "WxH")]
    pub size: Option<String>,

    /// Only this quality
    #[arg(long, value_name = "WORD")]
    pub quality: Option<String>,

    /// A price file laid over the built-in price book
    #[arg(long, value_name = "FILE")]
    pub prices: Option<String>,

    /// The result as a table or as JSON
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub format: TableOrJson,
}

/// Arguments of `prices check`.
#[derive(Clone, Debug, Args)]
pub struct PricesCheckArgs {
    /// The price file
    #[arg(value_name = "FILE")]
    pub file: String,

    /// The result as a table or as JSON
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub format: TableOrJson,
}
