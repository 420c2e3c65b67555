//! Layers become settings: the one place that parses each value and knows each default.

mod fetch;
mod remote;

pub use fetch::fetch_settings;

use std::path::PathBuf;
use std::str::FromStr;

use crate::cli::layers::{self, Given, Layers, Origin, Setting};
use crate::cli::shown::shown;
use crate::domain::gate::{Gate, default_gates};
use crate::domain::history::Only;
use crate::domain::image_name::{DEFAULT, NameTemplate};
use crate::domain::money::NanoUsd;
use crate::domain::out_bucket::OutBucket;
use crate::domain::percent::Percent;
use crate::domain::price::{PriceBook, SIM_PROVIDER};
use crate::domain::provider::profile;
use crate::domain::request::ImageSpec;
use crate::domain::settings::{
    CanaryShare, Consent, GivenLimit, Mode, OnBadRow, PaidRetries, PaidRetryOn, RowsInput,
    RunSettings,
};
use crate::domain::sim::SimSpec;
use crate::domain::suggest::{closest, did_you_mean};

/// The provider of a dry run that names none.
const DRY_RUN_PROVIDER: &str = "sim";

/// Requests in flight, unless asked for, where no profile says otherwise.
const CONCURRENCY: u32 = 8;

/// Up to this much, `--yes` is answer enough.
const CONFIRM_ABOVE: NanoUsd = NanoUsd::from_dollars(1);

/// The most requests in flight: beyond it one process has too few sockets and too much memory.
const MAX_CONCURRENCY: u32 = 4_096;

/// The most possibly billed attempts that can be asked for.
const MAX_PAID_ATTEMPTS: u32 = 10;

/// The default size: square, and priced by every provider that prices by size.
const SIZE: &str = "1024x1024";

/// The default quality.
const QUALITY: &str = "medium";

/// The default file format.
const IMAGE_FORMAT: &str = "png";

/// Why a value cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// A value does not parse.
    #[error("{setting} is {text:?} ({origin}): {problem}")]
    Value {
        /// The setting's key.
        setting: &'static str,
        /// The value as it was given.
        text: String,
        /// Where it was given.
        origin: Origin,
        /// What is wrong with it.
        problem: String,
    },
    /// A gate does not parse.
    #[error("gate {text:?}: {source}")]
    Gate {
        /// The gate as it was given.
        text: String,
        /// What is wrong with it.
        #[source]
        source: crate::domain::gate::ParseError,
    },
    /// A live run names no provider.
    #[error("a live run needs a provider")]
    NoProvider,
    /// The price book has no such provider.
    #[error("unknown provider {provider:?}{}", did_you_mean(.suggestion))]
    UnknownProvider {
        /// The provider.
        provider: String,
        /// The known provider that looks most like it.
        suggestion: Option<String>,
    },
    /// The provider has no default model.
    #[error("provider {0:?} has no default model")]
    NoModel(String),
    /// Only the user knows where the provider is.
    #[error("provider {0:?} is wherever you run it: a live run needs its address")]
    NoBaseUrl(String),
    /// A rehearsal must stay on this machine.
    #[error("--rehearsal takes a server on this machine, {0}")]
    Rehearsal(String),
}

impl ResolveError {
    /// Whether the command line is at fault, rather than a file or the environment.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Value { origin: Origin::Flag(_), .. })
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoProvider => Some(
                "add --provider openai, or --provider local with --base-url; --provider sim runs \
                 with simulated money"
                    .to_owned(),
            ),
            Self::NoBaseUrl(_) => {
                Some("add --base-url, such as http://127.0.0.1:8000/v1".to_owned())
            }
            Self::Rehearsal(_) => Some(
                "start one with imagemill sim, and name it: --base-url http://127.0.0.1:8787/v1"
                    .to_owned(),
            ),
            Self::NoModel(provider) => {
                Some(format!("add --model NAME; imagemill prices list {provider} shows them"))
            }
            Self::UnknownProvider { .. } => {
                Some("imagemill prices list shows the providers that have prices".to_owned())
            }
            Self::Value { .. } | Self::Gate { .. } => None,
        }
    }
}

/// What `run` was asked, apart from the layers.
#[derive(Debug)]
pub struct RunAsk<'a> {
    /// Whether it spends.
    pub mode: Mode,
    /// Where rows come from.
    pub rows: RowsInput,
    /// Gates of the command line.
    pub gates: &'a [String],
    /// Only those count.
    pub gates_only: bool,
    /// Gates of the config file, which replace the defaults.
    pub config_gates: Option<&'a [String]>,
    /// A share set by `canary set`, which any other value of the share overrides.
    pub standing_canary: Option<CanaryShare>,
    /// Run only the rows that fit the limit.
    pub fit_budget: bool,
    /// Where bad rows are written.
    pub rejected: Option<PathBuf>,
    /// Look at no image.
    pub no_image_checks: bool,
    /// Send rows that ask for the same once.
    pub dedupe: bool,
    /// Take images that earlier runs have kept from there.
    pub reuse: bool,
    /// Start anew.
    pub fresh: bool,
    /// The run to go on with.
    pub resume: Option<&'a str>,
    /// Which images a run that goes on makes.
    pub only: Option<&'a str>,
    /// Stop after the plan.
    pub plan_only: bool,
    /// A server on this machine plays the provider.
    pub rehearsal: bool,
    /// Spend without a question, up to a small amount.
    pub yes: bool,
    /// Spend without a question when the plan costs at most this.
    pub confirm_cost: Option<&'a str>,
}

/// Makes the settings of a run.
///
/// # Errors
/// When a value does not parse or a needed one is missing; see [`ResolveError`].
pub fn run_settings(
    ask: RunAsk<'_>,
    layers: &Layers,
    book: &PriceBook,
) -> Result<RunSettings, ResolveError> {
    let spec = image_spec(ask.mode, layers, book)?;
    let sim = match layers.get(layers::SIM) {
        Some(given) => sim_default(&ask, &spec.provider)
            .overridden(&given.text)
            .map_err(|error| invalid(layers::SIM, given, error.to_string()))?,
        None => sim_default(&ask, &spec.provider),
    };
    let profile = profile(&spec.provider);
    let concurrency = profile.map_or(CONCURRENCY, |profile| profile.concurrency);
    Ok(RunSettings {
        mode: ask.mode,
        base_url: remote::base_url(&ask, &spec, layers)?,
        rehearsal: ask.rehearsal,
        concurrency: number(layers, layers::CONCURRENCY, concurrency, MAX_CONCURRENCY)?,
        rates: remote::rates(profile, layers)?,
        request_timeout: remote::request_timeout(layers)?,
        consent: consent(&ask, layers)?,
        rows: ask.rows,
        spec,
        limit_per_day: limit_per_day(layers)?,
        limit_per_run: match layers.get(layers::LIMIT_PER_RUN) {
            Some(given) => Some(money(layers::LIMIT_PER_RUN, given)?),
            None => None,
        },
        fit_budget: ask.fit_budget,
        on_bad_row: on_bad_row(layers)?,
        fetch: fetch_settings(layers)?,
        rejected: ask.rejected,
        paid_retries: paid_retries(layers)?,
        sim,
        gates: gates(ask.gates, ask.gates_only, ask.config_gates)?,
        canary: canary(layers, ask.standing_canary)?,
        out: PathBuf::from(layers.out_folder()),
        out_bucket: out_bucket(layers)?,
        names: names(layers)?,
        ledger: layers.get(layers::LEDGER).map(|given| PathBuf::from(&given.text)),
        prices: layers.get(layers::PRICES).map(|given| PathBuf::from(&given.text)),
        image_checks: !ask.no_image_checks,
        dedupe: ask.dedupe,
        reuse: ask.reuse,
        fresh: ask.fresh,
        resume: ask.resume.map(str::to_owned),
        only: only(ask.only)?,
        plan_only: ask.plan_only,
    })
}

/// Whether the ledger of real money may lie on a network file system. A saved plan has no say.
///
/// # Errors
/// When the value is neither `true` nor `false`.
pub fn allows_network_ledger(layers: &Layers) -> Result<bool, ResolveError> {
    let word = one_of(layers, layers::ALLOW_NETWORK_LEDGER, "false", &["true", "false"])?;
    let given = layers.get(layers::ALLOW_NETWORK_LEDGER);
    Ok(word == "true"
        && !given.is_some_and(|given| {
            matches!(given.origin, Origin::Plan(_) | Origin::UntrustedPlan(_))
        }))
}

fn consent(ask: &RunAsk<'_>, layers: &Layers) -> Result<Consent, ResolveError> {
    let confirm_above = match layers.get(layers::CONFIRM_ABOVE) {
        Some(given) => money(layers::CONFIRM_ABOVE, given)?,
        None => CONFIRM_ABOVE,
    };
    let confirm_cost = ask.confirm_cost.map(|text| {
        let setting = Setting { key: "confirm_cost", flag: "--confirm-cost", default: "none" };
        money(setting, &Given { text: text.to_owned(), origin: Origin::Flag(setting.flag) })
    });
    Ok(Consent { yes: ask.yes, confirm_above, confirm_cost: confirm_cost.transpose()? })
}

/// A dry run plays a real provider's pace, and the forecast of a real run takes it for granted; a
/// live run of the simulator is in a hurry.
fn sim_default(ask: &RunAsk<'_>, provider: &str) -> SimSpec {
    let is_simulated = ask.rehearsal || provider == SIM_PROVIDER;
    match ask.mode {
        Mode::Live if is_simulated => SimSpec::live_default(),
        Mode::Live | Mode::DryRun => SimSpec::default(),
    }
}

fn image_spec(mode: Mode, layers: &Layers, book: &PriceBook) -> Result<ImageSpec, ResolveError> {
    let provider = match (layers.get(layers::PROVIDER), mode) {
        (Some(given), _) => given.text.as_str(),
        (None, Mode::DryRun) => DRY_RUN_PROVIDER,
        (None, Mode::Live) => return Err(ResolveError::NoProvider),
    };
    let model = match layers.get(layers::MODEL) {
        Some(given) => given.text.as_str(),
        None => book.default_model(provider).ok_or_else(|| no_model(provider, book))?,
    };
    Ok(ImageSpec {
        provider: provider.into(),
        model: model.into(),
        size: text_or(layers, layers::SIZE, SIZE).into(),
        quality: text_or(layers, layers::QUALITY, QUALITY).into(),
        format: one_of(layers, layers::IMAGE_FORMAT, IMAGE_FORMAT, &["png", "jpeg", "webp"])?
            .into(),
        background: None,
        seed: None,
        negative_prompt: None,
    })
}

fn no_model(provider: &str, book: &PriceBook) -> ResolveError {
    if book.providers().any(|known| known == provider) {
        return ResolveError::NoModel(provider.to_owned());
    }
    let suggestion = closest(provider, book.providers()).map(str::to_owned);
    ResolveError::UnknownProvider { provider: provider.to_owned(), suggestion }
}

fn limit_per_day(layers: &Layers) -> Result<Option<GivenLimit>, ResolveError> {
    layers
        .get(layers::LIMIT_PER_DAY)
        .map(|given| {
            Ok(GivenLimit {
                amount: money(layers::LIMIT_PER_DAY, given)?,
                origin: given.origin.to_string(),
            })
        })
        .transpose()
}

fn on_bad_row(layers: &Layers) -> Result<OnBadRow, ResolveError> {
    let word = one_of(layers, layers::ON_BAD_ROW, "stop", &["stop", "skip"])?;
    Ok(if word == "skip" { OnBadRow::Skip } else { OnBadRow::Stop })
}

/// Where runs are handed over to. A stranger's file does not decide where a user's images go.
fn out_bucket(layers: &Layers) -> Result<Option<OutBucket>, ResolveError> {
    let Some(given) = layers.get(layers::OUT).filter(|it| OutBucket::is_meant(&it.text)) else {
        return Ok(None);
    };
    if given.origin.is_untrusted() {
        let problem = "a project's file names a bucket only once you trust it (config trust)";
        return Err(invalid(layers::OUT, given, problem));
    }
    parse(layers::OUT, given).map(Some)
}

/// How images are named.
fn names(layers: &Layers) -> Result<NameTemplate, ResolveError> {
    match layers.get(layers::IMAGE_NAME) {
        Some(given) => parse(layers::IMAGE_NAME, given),
        None => Ok(DEFAULT.parse().expect("the usual template is one")),
    }
}

/// Which images a run that goes on makes.
fn only(text: Option<&str>) -> Result<Vec<Only>, ResolveError> {
    let Some(text) = text else { return Ok(Only::DEFAULT.to_vec()) };
    let find = |word: &str| Only::ALL.into_iter().find(|only| only.word() == word);
    let only = text.split(',').map(|word| find(word.trim())).collect::<Option<Vec<Only>>>();
    only.ok_or_else(|| ResolveError::Value {
        setting: "only",
        text: text.to_owned(),
        origin: Origin::Flag("--only"),
        problem: "takes failed, pending, new, refused and unknown, with commas".to_owned(),
    })
}

fn paid_retries(layers: &Layers) -> Result<PaidRetries, ResolveError> {
    let share = match layers.get(layers::PAID_RETRIES) {
        Some(given) if matches!(given.text.trim().trim_end_matches('%'), "0") => None,
        Some(given) => Some(parse::<Percent>(layers::PAID_RETRIES, given)?),
        None => Some("5%".parse().expect("a constant share")),
    };
    let words = text_or(layers, layers::PAID_RETRY_ON, "5xx");
    let mut on = Vec::new();
    for word in words.split(',').map(str::trim) {
        match PaidRetryOn::ALL.into_iter().find(|kind| kind.word() == word) {
            Some(kind) => on.push(kind),
            None if word == "all" => on.extend(PaidRetryOn::ALL),
            None if word == "none" => on.clear(),
            None => {
                let given = layers.get(layers::PAID_RETRY_ON).expect("the default is valid");
                let problem = "takes 5xx, timeout, reset, bad-body, lost, all or none, with commas";
                return Err(invalid(layers::PAID_RETRY_ON, given, problem));
            }
        }
    }
    Ok(PaidRetries {
        share: if on.is_empty() { None } else { share },
        attempts: number(layers, layers::PAID_ATTEMPTS, 2, MAX_PAID_ATTEMPTS)?,
        on,
    })
}

fn gates(
    given: &[String],
    only: bool,
    config: Option<&[String]>,
) -> Result<Vec<Gate>, ResolveError> {
    let parse = |text: &String| {
        Gate::parse(text).map_err(|source| ResolveError::Gate { text: text.clone(), source })
    };
    let mut gates = match config {
        _ if only || given.iter().any(|text| text == "none") => Vec::new(),
        Some(config) => config.iter().map(parse).collect::<Result<_, _>>()?,
        None => default_gates(),
    };
    for text in given.iter().filter(|text| *text != "none") {
        gates.push(parse(text)?);
    }
    Ok(gates)
}

fn canary(
    layers: &Layers,
    standing: Option<CanaryShare>,
) -> Result<Option<CanaryShare>, ResolveError> {
    let name = layers.get(layers::CANARY_NAME).map(|given| given.text.clone());
    let share = match layers.get(layers::CANARY) {
        Some(given) => Some(CanaryShare {
            percent: parse::<Percent>(layers::CANARY, given)?,
            name: name.unwrap_or_else(|| "default".to_owned()),
        }),
        None => standing
            .map(|share| CanaryShare { percent: share.percent, name: name.unwrap_or(share.name) }),
    };
    Ok(share.filter(|share| !share.percent.is_whole()))
}

fn text_or<'a>(layers: &'a Layers, setting: Setting, default: &'a str) -> &'a str {
    layers.get(setting).map_or(default, |given| given.text.as_str())
}

fn one_of<'a>(
    layers: &'a Layers,
    setting: Setting,
    default: &'a str,
    words: &[&str],
) -> Result<&'a str, ResolveError> {
    match layers.get(setting) {
        None => Ok(default),
        Some(given) if words.contains(&given.text.as_str()) => Ok(&given.text),
        Some(given) => Err(invalid(setting, given, format!("takes {}", words.join(", ")))),
    }
}

fn number(layers: &Layers, setting: Setting, default: u32, most: u32) -> Result<u32, ResolveError> {
    let Some(given) = layers.get(setting) else { return Ok(default) };
    match given.text.parse::<u32>() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        Ok(_) | Err(_) => {
            Err(invalid(setting, given, format!("takes a whole number, 1 to {most}")))
        }
    }
}

fn money(setting: Setting, given: &Given) -> Result<NanoUsd, ResolveError> {
    let amount = parse::<NanoUsd>(setting, given)?;
    if amount.is_negative() {
        return Err(invalid(setting, given, "cannot be below zero"));
    }
    Ok(amount)
}

fn parse<T>(setting: Setting, given: &Given) -> Result<T, ResolveError>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    given.text.parse().map_err(|error: T::Err| invalid(setting, given, error.to_string()))
}

fn invalid(setting: Setting, given: &Given, problem: impl Into<String>) -> ResolveError {
    ResolveError::Value {
        setting: setting.key,
        text: shown(setting, &given.text).into_owned(),
        origin: given.origin.clone(),
        problem: problem.into(),
    }
}
