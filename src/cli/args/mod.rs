//! The command line as clap sees it; these types die in `cli::resolve`.

pub mod canary;
pub mod config;
pub mod doctor;
pub mod fetch;
pub mod foreign;
pub mod init;
pub mod ledger;
pub mod name_test;
pub mod prices;
pub mod refs;
pub mod report;
pub mod run;
pub mod runs;
pub mod seed;
pub mod sim;

use clap::{Parser, Subcommand, ValueEnum};

use crate::domain::row_format::RowFormat;
use crate::domain::seed::PlaceKind;

/// Help that starts with examples.
const TEMPLATE: &str =
    "{before-help}{about-with-newline}\n{usage-heading} {usage}\n\n{all-args}{after-help}";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "imagemill",
    version,
    about = "Runs batches of image generation through paid APIs, and never spends past a limit",
    before_help = "\
Examples:
  imagemill seed --out rows.csv              make a fixture: 100 rows, 199 images
  imagemill run rows.csv                     rehearse it: cost, time, gates; nothing is sent
  imagemill run rows.csv --live --provider sim   really run it, with simulated money
  imagemill ledger summary                   what was spent today, and what is held
",
    help_template = TEMPLATE,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// When to use color
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    pub color: ColorChoice,

    /// A config file to use instead of the ones that are found
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<String>,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// When to use color.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR or TERM=dumb
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a fixture: 100 rows, 199 images, 20 rows with references
    Seed(seed::SeedArgs),
    /// Run a batch: a dry run unless --live is given
    Run(Box<run::RunArgs>),
    /// What images would be called, before any is made
    NameTest(name_test::NameTestArgs),
    /// Send a share of the rows first
    #[command(subcommand)]
    Canary(canary::CanaryCommand),
    /// What was spent, what is held, and the limit
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
    /// Runs that were made: what they came to, and which have more to do
    #[command(subcommand)]
    Runs(runs::RunsCommand),
    /// Every report of a run, made again from its folder; two runs beside each other
    Report(report::ReportArgs),
    /// References of rows: which can be used, before anything is paid
    #[command(subcommand)]
    Refs(refs::RefsCommand),
    /// The price book: what an image costs, and where that figure comes from
    #[command(subcommand)]
    Prices(prices::PricesCommand),
    /// The rehearsal server: speaks a provider's wire format on this machine, and fails as asked
    Sim(sim::SimArgs),
    /// Look at everything that a live run needs, and say how to fix what is wrong
    Doctor(doctor::DoctorArgs),
    /// Write a first config file, example rows and what git should leave out
    Init(init::InitArgs),
    /// Which settings count, where they come from, and which project's file is trusted
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Write a completion script for a shell
    #[command(
        before_help = "\
Examples:
  imagemill completions bash > imagemill.bash    then source it from your shell's start file
  imagemill completions zsh > _imagemill         into a folder of your $fpath
",
        help_template = TEMPLATE
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages
    #[command(
        before_help = "\
Examples:
  imagemill man                  the page of imagemill itself, on standard output
  imagemill man --dir man1       one page for each command, as files
",
        help_template = TEMPLATE
    )]
    Man {
        /// A folder to write one page for each command into
        #[arg(long, value_name = "DIR")]
        dir: Option<String>,
    },
}

/// A result as a table or as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TableOrJson {
    /// For people
    Table,
    /// One JSON document
    Json,
}

/// What references are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReferencesKindArg {
    /// Pictures beside the rows file
    Local,
    /// Addresses of https or http
    Url,
    /// Objects of Google Cloud Storage
    Gs,
    /// Objects of S3
    S3,
    /// Objects of Azure
    Az,
}

impl From<ReferencesKindArg> for PlaceKind {
    fn from(kind: ReferencesKindArg) -> Self {
        match kind {
            ReferencesKindArg::Local => Self::Local,
            ReferencesKindArg::Url => Self::Url,
            ReferencesKindArg::Gs => Self::Gs,
            ReferencesKindArg::S3 => Self::S3,
            ReferencesKindArg::Az => Self::Az,
        }
    }
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RowFormatArg {
    /// Comma-separated
    Csv,
    /// Tab-separated
    Tsv,
    /// One JSON array
    Json,
    /// One JSON object a line
    Jsonl,
}

impl From<RowFormatArg> for RowFormat {
    fn from(format: RowFormatArg) -> Self {
        match format {
            RowFormatArg::Csv => Self::Csv,
            RowFormatArg::Tsv => Self::Tsv,
            RowFormatArg::Json => Self::Json,
            RowFormatArg::Jsonl => Self::Jsonl,
        }
    }
}
