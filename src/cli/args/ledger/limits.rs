//! `imagemill ledger limit`.

use clap::{Args, Subcommand};

use crate::cli::args::{TEMPLATE, TableOrJson};

/// What can be done with the limits.
#[derive(Debug, Subcommand)]
#[command(
    before_help = "\
Examples:
  imagemill ledger limit list
  imagemill ledger limit set --per-day 25 --why 'launch week'
  imagemill ledger limit set --per-image 0.25 --per-24h 30 --why 'no surprises'
  imagemill ledger limit remove --per-image --why 'posters are dearer'
",
    help_template = TEMPLATE
)]
pub enum LimitCommand {
    /// Every limit in force: what weighs on it, who set it and why
    #[command(
        before_help = "\
Examples:
  imagemill ledger limit list
  imagemill ledger limit list --format json
",
        help_template = TEMPLATE
    )]
    List(LimitListArgs),
    /// Set limits; the change and its reason are recorded
    #[command(
        before_help = "\
Examples:
  imagemill ledger limit set --per-day 25 --why 'launch week'
  imagemill ledger limit set --per-day 5 --why 'quiet month'
  imagemill ledger limit set --per-model gpt-image-1=3 --why 'only for covers'
  imagemill ledger limit set --per-24h 30 --why 'no second day at midnight'
  imagemill ledger limit set --per-day 25 --zone Europe/Berlin --ledger new --why 'our own days'
",
        help_template = TEMPLATE
    )]
    Set(LimitSetArgs),
    /// Take limits away, except that of the day; the change and its reason are recorded
    #[command(
        before_help = "\
Examples:
  imagemill ledger limit remove --per-image --why 'posters are dearer'
  imagemill ledger limit remove --per-model gpt-image-1 --why 'the trial is over'
",
        help_template = TEMPLATE
    )]
    Remove(LimitRemoveArgs),
}

/// Arguments of `ledger limit list`.
#[derive(Clone, Debug, Args)]
pub struct LimitListArgs {
    /// The ledger's folder [default: the user's own]
    #[arg(long, value_name = "DIR")]
    pub ledger: Option<String>,

    /// The result as a table or as JSON
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub format: TableOrJson,
}

/// Arguments of `ledger limit set`.
#[derive(Clone, Debug, Args)]
#[command(group(clap::ArgGroup::new("limits").required(true).multiple(true)
    .args(["per_day", "per_24h", "per_model", "per_run", "per_image"])))]
pub struct LimitSetArgs {
    /// The most of a day, in USD
    #[arg(long, value_name = "USD")]
    pub per_day: Option<String>,

    /// The most of any 24 hours, in USD
    #[arg(long = "per-24h", value_name = "USD")]
    pub per_24h: Option<String>,

    /// The most that one model may cost a day, in USD; may be given several times
    #[arg(long, value_name = "MODEL=USD")]
    pub per_model: Vec<String>,

    /// The most of every run, in USD
    #[arg(long, value_name = "USD")]
    pub per_run: Option<String>,

    /// The most that a single image may cost at worst, in USD
    #[arg(long, value_name = "USD")]
    pub per_image: Option<String>,

    /// The time zone of a new ledger's days; one that is there keeps its own [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,

    /// Why; it is kept in the ledger
    #[arg(long, value_name = "TEXT")]
    pub why: String,

    /// The ledger's folder [default: the user's own]
    #[arg(long, value_name = "DIR")]
    pub ledger: Option<String>,
}

/// Arguments of `ledger limit remove`.
#[derive(Clone, Debug, Args)]
#[command(group(clap::ArgGroup::new("limits").required(true).multiple(true)
    .args(["per_24h", "per_model", "per_run", "per_image"])))]
pub struct LimitRemoveArgs {
    /// That of any 24 hours
    #[arg(long = "per-24h")]
    pub per_24h: bool,

    /// That of a model; may be given several times
    #[arg(long, value_name = "MODEL")]
    pub per_model: Vec<String>,

    /// That of every run
    #[arg(long)]
    pub per_run: bool,

    /// That of a single image
    #[arg(long)]
    pub per_image: bool,

    /// Why; it is kept in the ledger
    #[arg(long, value_name = "TEXT")]
    pub why: String,

    /// The ledger's folder [default: the user's own]
    #[arg(long, value_name = "DIR")]
    pub ledger: Option<String>,
}
