//! Everything a run needs to know before its first byte of I/O, resolved and valid.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::base_url::BaseUrl;
use crate::domain::fetch::FetchSettings;
use crate::domain::gate::Gate;
use crate::domain::history::Only;
use crate::domain::image_name::NameTemplate;
use crate::domain::money::NanoUsd;
use crate::domain::out_bucket::OutBucket;
use crate::domain::pace::Rates;
use crate::domain::percent::Percent;
use crate::domain::price::SIM_PROVIDER;
use crate::domain::provider::profile;
use crate::domain::request::ImageSpec;
use crate::domain::retry::REQUEST_TIMEOUT;
use crate::domain::sim::SimSpec;

/// Whether a run spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Rehearse in virtual time; nothing is sent, nothing is spent.
    DryRun,
    /// Send.
    Live,
}

impl Mode {
    /// The mode as one word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::DryRun => "dry-run",
            Self::Live => "live",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.word())
    }
}

/// Where rows come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowsInput {
    /// A file.
    File(PathBuf),
    /// Standard input, spooled to a temporary file.
    Stdin,
}

/// What bad rows do to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBadRow {
    /// Nothing is sent.
    Stop,
    /// The good rows go on.
    Skip,
}

/// A daily limit that was given for this run, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenLimit {
    /// The limit.
    pub amount: NanoUsd,
    /// Where it was given: `--limit-per-day`, `IMAGEMILL_LIMIT_PER_DAY`, or a file and its key.
    pub origin: String,
}

/// How often an attempt that may have been billed is bought again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaidRetries {
    /// The share of the run's images that may be bought again; nothing for none.
    pub share: Option<Percent>,
    /// The most attempts for one image that may all be billed.
    pub attempts: u32,
    /// The kinds of unknown ending that are bought again.
    pub on: Vec<PaidRetryOn>,
}

/// A kind of unknown ending that may be bought again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaidRetryOn {
    /// An answered server error.
    ServerError,
    /// No answer in time.
    Timeout,
    /// A connection that broke after the request was sent.
    Reset,
    /// An answer that cannot be read, or has no image in it.
    BadBody,
    /// Whatever a process that died or left had under way, and what was paid and not kept: only a
    /// run that goes on meets these.
    Lost,
}

impl PaidRetryOn {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::ServerError, Self::Timeout, Self::Reset, Self::BadBody, Self::Lost];

    /// The kind as users write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ServerError => "5xx",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::BadBody => "bad-body",
            Self::Lost => "lost",
        }
    }
}

impl PaidRetries {
    /// How many images of `n_images` may be bought again.
    pub fn allowance(&self, n_images: u64) -> u64 {
        match self.share {
            Some(share) if n_images > 0 && self.attempts > 1 => share.prefix(n_images),
            Some(_) | None => 0,
        }
    }
}

/// The share of rows that a run sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanaryShare {
    /// The share.
    pub percent: Percent,
    /// The salt of the order.
    pub name: String,
}

/// How far the user consents to spending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Whether `--yes` was given.
    pub yes: bool,
    /// The most that `--yes` waives the question for.
    pub confirm_above: NanoUsd,
    /// The most that the plan may cost, as given by `--confirm-cost`.
    pub confirm_cost: Option<NanoUsd>,
}

/// The resolved settings of `run`.
#[derive(Clone, Debug)]
pub struct RunSettings {
    /// Whether it spends.
    pub mode: Mode,
    /// Where rows come from.
    pub rows: RowsInput,
    /// What is asked for each image, unless the row says otherwise.
    pub spec: ImageSpec,
    /// Where the provider is; nothing for the built-in simulator, and for a dry run of a provider
    /// that this version cannot ask.
    pub base_url: Option<BaseUrl>,
    /// Whether a real provider's server is played by one on this machine, with simulated money.
    pub rehearsal: bool,
    /// The most requests in flight.
    pub concurrency: u32,
    /// The pace of the lane.
    pub rates: Rates,
    /// How long one exchange may take, when the user says so.
    pub request_timeout: Option<Duration>,
    /// How far the user consents to spending.
    pub consent: Consent,
    /// A daily limit for this run; it can only lower the ledger's own.
    pub limit_per_day: Option<GivenLimit>,
    /// The most that this run may cost.
    pub limit_per_run: Option<NanoUsd>,
    /// Run only the rows that fit the limit.
    pub fit_budget: bool,
    /// What bad rows do.
    pub on_bad_row: OnBadRow,
    /// How references are fetched.
    pub fetch: FetchSettings,
    /// Where bad rows are written, with the reason.
    pub rejected: Option<PathBuf>,
    /// How often a possibly billed attempt is bought again.
    pub paid_retries: PaidRetries,
    /// How the simulator behaves.
    pub sim: SimSpec,
    /// The conditions on the run.
    pub gates: Vec<Gate>,
    /// The share of rows that is sent.
    pub canary: Option<CanaryShare>,
    /// The folder of all runs.
    pub out: PathBuf,
    /// A place in a bucket where runs are handed over to as well.
    pub out_bucket: Option<OutBucket>,
    /// How images are named.
    pub names: NameTemplate,
    /// A ledger folder named by the user.
    pub ledger: Option<PathBuf>,
    /// A price file laid over the embedded book.
    pub prices: Option<PathBuf>,
    /// Whether each image is decoded once it has come, to look at it.
    pub image_checks: bool,
    /// Whether rows that ask for the same are sent once.
    pub dedupe: bool,
    /// Whether images that earlier runs have kept are taken from there.
    pub reuse: bool,
    /// Start anew although this run exists.
    pub fresh: bool,
    /// The run to go on with, as the user names it.
    pub resume: Option<String>,
    /// Which images a run that goes on makes.
    pub only: Vec<Only>,
    /// Stop after the plan.
    pub plan_only: bool,
}

impl RunSettings {
    /// Whether the run uses simulated money only.
    pub fn is_simulated(&self) -> bool {
        self.rehearsal || &*self.spec.provider == SIM_PROVIDER
    }

    /// How long one exchange for such an image may take.
    pub fn timeout_for(&self, spec: &ImageSpec) -> Duration {
        let own = || profile(&spec.provider).map(|profile| profile.timeout_for(spec));
        self.request_timeout.or_else(own).unwrap_or(REQUEST_TIMEOUT)
    }

    /// Scheme, host and port of the provider, where it has an address.
    pub fn origin(&self) -> Option<&str> {
        self.base_url.as_ref().map(BaseUrl::origin)
    }
}
