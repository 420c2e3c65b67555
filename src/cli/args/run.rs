//! `imagemill run`.

use clap::{Args, ValueEnum};

use crate::cli::args::fetch::FetchArgs;
use crate::cli::args::foreign::ForeignLimits;
use crate::cli::args::{RowFormatArg, TEMPLATE};

/// Arguments of `run`.
#[derive(Clone, Debug, Default, Args)]
#[command(
    before_help = "\
Examples:
  imagemill run rows.csv                                  rehearse: cost, time, gates
  imagemill run rows.csv --plan-only                      only the plan
  imagemill run rows.csv --sim 'latency=12s±30%,errors=2%,429=5%,seed=7'   a rough provider
  imagemill run rows.csv --live --provider sim --out out  really run it, with simulated money
  imagemill run rows.csv --provider openai --model gpt-image-2 --quality low --plan-only   its price
  imagemill run rows.csv --canary 25 --gate 'latency p(95) < 30s'  a share first, a gate more
  imagemill run rows.csv --format json                    one JSON document for a script
  imagemill run rows.csv --report junit=junit.xml         a report for a job
  imagemill run rows.csv --on-bad-row skip --fresh-for 10m         go on without dead references
  imagemill run rows.csv --live --provider sim --only failed,refused   go on with those only
",
    help_template = TEMPLATE
)]
pub struct RunArgs {
    /// The rows: a CSV, TSV, JSON or JSONL file, or - for standard input
    #[arg(value_name = "ROWS", required_unless_present_any = ["plan", "resume"])]
    pub rows: Option<String>,

    /// Whether to spend: dry-run (the default) or live
    #[arg(long, value_enum, value_name = "MODE", conflicts_with = "live")]
    pub mode: Option<ModeArg>,

    /// Short for --mode live
    #[arg(long)]
    pub live: bool,

    /// Stop after the plan
    #[arg(long)]
    pub plan_only: bool,

    /// Save the plan to a file that --plan can bind to
    #[arg(long, value_name = "FILE")]
    pub plan_out: Option<String>,

    /// Run a saved plan; refused when its rows, prices or settings have changed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rows", "resume"])]
    pub plan: Option<String>,

    /// How the rows are written, when the name does not tell
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Rows")]
    pub input_format: Option<RowFormatArg>,

    /// What a bad row does: stop (exit 3, the default) or skip
    #[arg(long, value_name = "stop|skip", help_heading = "Rows")]
    pub on_bad_row: Option<String>,

    /// Write bad rows here, in the input's own columns, with the reason
    #[arg(long, value_name = "FILE", help_heading = "Rows")]
    pub rejected: Option<String>,

    /// References.
    #[command(flatten)]
    pub fetch: FetchArgs,

    /// The provider; a dry run takes sim when none is given
    #[arg(long, value_name = "NAME", help_heading = "Request")]
    pub provider: Option<String>,

    /// The model; the provider's default in the price book when none is given
    #[arg(long, value_name = "NAME", help_heading = "Request")]
    pub model: Option<String>,

    /// The size of an image [default: 1024x1024]
    #[arg(long, value_name = "WxH", help_heading = "Request")]
    pub size: Option<String>,

    /// The quality, in the provider's words [default: medium]
    #[arg(long, value_name = "WORD", help_heading = "Request")]
    pub quality: Option<String>,

    /// The file format asked for [default: png]
    #[arg(long, value_name = "png|jpeg|webp", help_heading = "Request")]
    pub image_format: Option<String>,

    /// Where the provider is, version included, such as http://127.0.0.1:8787/v1
    #[arg(long, value_name = "URL", help_heading = "Provider")]
    pub base_url: Option<String>,

    /// The environment variable that has the key for --base-url or the provider itself
    #[arg(long, value_name = "NAME", help_heading = "Provider")]
    pub api_key_env: Option<String>,

    /// A server on this machine plays the provider: simulated money, no key (see imagemill sim)
    #[arg(long, help_heading = "Provider")]
    pub rehearsal: bool,

    /// The most requests in a minute [default: the provider's profile]
    #[arg(long, value_name = "N", help_heading = "Provider")]
    pub requests_per_minute: Option<String>,

    /// The most images in a minute [default: the provider's profile]
    #[arg(long, value_name = "N", help_heading = "Provider")]
    pub images_per_minute: Option<String>,

    /// How long one answer may take [default: the provider's profile, 5m and more]
    #[arg(long, value_name = "TIME", help_heading = "Provider")]
    pub request_timeout: Option<String>,

    /// Spend without a question, up to confirm_above ($1.00)
    #[arg(long, help_heading = "Money")]
    pub yes: bool,

    /// Spend without a question when the plan costs at most this
    #[arg(long, value_name = "USD", help_heading = "Money")]
    pub confirm_cost: Option<String>,

    /// How the simulator behaves, such as latency=12s±30%,errors=2%,429=5%,refusals=1%,seed=7
    #[arg(long, value_name = "SPEC", help_heading = "Request")]
    pub sim: Option<String>,

    /// A price file laid over the built-in price book
    #[arg(long, value_name = "FILE", help_heading = "Money")]
    pub prices: Option<String>,

    /// Lower the ledger's daily limit for this run
    #[arg(long, value_name = "USD", help_heading = "Money")]
    pub limit_per_day: Option<String>,

    /// The most that this run may cost
    #[arg(long, value_name = "USD", help_heading = "Money")]
    pub limit_per_run: Option<String>,

    /// What other tools call the limits
    #[command(flatten)]
    pub foreign_limits: ForeignLimits,

    /// Run only the first rows that fit the limit; the others are held
    #[arg(long, help_heading = "Money")]
    pub fit_budget: bool,

    /// The ledger's folder [default: the user's own; simulated money has one in each run]
    #[arg(long, value_name = "DIR", help_heading = "Money")]
    pub ledger: Option<String>,

    /// Spend although the ledger lies on a network file system: only when no other machine uses it
    #[arg(long, help_heading = "Money")]
    pub allow_network_ledger: bool,

    /// The share of images that may be bought again after an unknown answer [default: 5%]
    #[arg(long, value_name = "PERCENT", help_heading = "Money")]
    pub paid_retries: Option<String>,

    /// The most possibly billed attempts for one image [default: 2]
    #[arg(long, value_name = "N", help_heading = "Money")]
    pub paid_attempts: Option<String>,

    /// Which unknown answers may be bought again: 5xx, timeout, reset, bad-body, lost (with their
    /// process), all or none [default: 5xx]
    #[arg(long, value_name = "KINDS", help_heading = "Money")]
    pub paid_retry_on: Option<String>,

    /// The most requests in flight [default: the provider's profile, mostly 8]
    #[arg(long, value_name = "N", help_heading = "Run")]
    pub concurrency: Option<String>,

    /// Send only this share of the rows, chosen by a frozen order; the others are held
    #[arg(long, value_name = "PERCENT", help_heading = "Run")]
    pub canary: Option<String>,

    /// The name of the canary: the salt of its order [default: default]
    #[arg(long, value_name = "NAME", help_heading = "Run")]
    pub canary_name: Option<String>,

    /// The folder of all runs, or a place in a bucket where they are handed over to as well:
    /// s3://name/folder, gs://… or az://… [default: out]
    #[arg(long, value_name = "DIR|URL", help_heading = "Run")]
    pub out: Option<String>,

    /// How images are named, such as '{date}/{scene_id}-{variant}' (see imagemill name-test)
    /// [default: {scene_id}-v{variant}]
    #[arg(long, value_name = "TEMPLATE", help_heading = "Run")]
    pub name: Option<String>,

    /// Start anew although --out already holds this run
    #[arg(long, help_heading = "Run")]
    pub fresh: bool,

    /// Go on with this run: its folder, its id or the end of its id [default: the newest that the
    /// rows and settings fit]
    #[arg(long, value_name = "RUN", conflicts_with = "fresh", help_heading = "Run")]
    pub resume: Option<String>,

    /// What a run that goes on makes: failed, pending, new, refused, unknown
    /// [default: pending,new]
    #[arg(long, value_name = "LIST", conflicts_with = "fresh", help_heading = "Run")]
    pub only: Option<String>,

    /// Send rows that ask for the very same only once, and copy the images to the others
    #[arg(long, help_heading = "Run")]
    pub dedupe: bool,

    /// Copy images that a run in --out has kept for the very same request, and buy only the others
    #[arg(long, help_heading = "Run")]
    pub reuse: bool,

    /// Decode no image to look at it: images.blank and images.duplicate then find nothing
    #[arg(long, help_heading = "Run")]
    pub no_image_checks: bool,

    /// A condition on the run, beside the defaults; may be given several times; none removes them
    #[arg(long = "gate", value_name = "EXPR", help_heading = "Gates")]
    pub gates: Vec<String>,

    /// Only the gates given with --gate count
    #[arg(long, requires = "gates", help_heading = "Gates")]
    pub gates_only: bool,

    /// The result on standard output: table, json, or ndjson (one event a line, then the result)
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Output")]
    pub format: Option<FormatArg>,

    /// Write a report when the run ends, also when it aborts: html, json, junit, tap, md or github,
    /// with its file, - for standard output; may be given several times. A live run always has
    /// report.html and report.json in its folder
    #[arg(long = "report", value_name = "KIND=PATH", help_heading = "Output")]
    pub reports: Vec<String>,

    /// Leave no page in the folder of a live run; imagemill report makes it later
    #[arg(long, help_heading = "Output")]
    pub no_html: bool,

    /// Progress on standard error: auto, bar, lines, json or none
    #[arg(long, value_name = "KIND", help_heading = "Output")]
    pub progress: Option<String>,

    /// The time zone in which times are shown; the ledger's own zone decides its days
    #[arg(long, value_name = "ZONE", help_heading = "Output")]
    pub tz: Option<String>,
}

/// Whether to spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModeArg {
    /// Rehearse in virtual time; nothing is sent
    #[value(alias = "dry_run")]
    DryRun,
    /// Send
    Live,
}

/// How the result is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// For people
    #[default]
    Table,
    /// One JSON document
    Json,
    /// One event a line, then the result
    Ndjson,
}
