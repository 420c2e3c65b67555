//! Settings in layers: flags over environment over project file over user file over defaults.
//! Each value keeps its text and where it came from, until one place parses it.

use std::collections::BTreeMap;
use std::fmt;

use crate::cli::env_vars::{self, SETTING_PREFIX};
use crate::cli::invocation::Invocation;
use crate::domain::out_bucket::OutBucket;
use crate::domain::suggest::closest;

/// A setting that can be given by flag, environment variable or config file.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The key in a config file.
    pub key: &'static str,
    /// The flag; empty when there is none.
    pub flag: &'static str,
    /// What counts when nobody gives a value, in words.
    pub default: &'static str,
}

macro_rules! settings {
    ($($name:ident = $key:literal, $flag:literal, $default:literal;)*) => {
        $(
            #[doc = concat!("The setting `", $key, "`.")]
            pub const $name: Setting = Setting { key: $key, flag: $flag, default: $default };
        )*

        /// Every setting.
        pub const SETTINGS: &[Setting] = &[$($name,)*];
    };
}

settings! {
    PROVIDER = "provider", "--provider", "sim in a dry run, none in a live run";
    MODEL = "model", "--model", "the provider's, where it has one";
    SIZE = "size", "--size", "1024x1024";
    QUALITY = "quality", "--quality", "medium";
    IMAGE_FORMAT = "image_format", "--image-format", "png";
    BASE_URL = "base_url", "--base-url", "the provider's own";
    API_KEY_ENV = "api_key_env", "--api-key-env", "the provider's own variable";
    API_KEY_FILE = "api_key_file", "", "none";
    API_KEY_COMMAND = "api_key_command", "", "none";
    CONCURRENCY = "concurrency", "--concurrency", "the provider's, mostly 8";
    REQUESTS_PER_MINUTE = "requests_per_minute", "--requests-per-minute", "none";
    IMAGES_PER_MINUTE = "images_per_minute", "--images-per-minute", "none";
    REQUEST_TIMEOUT = "request_timeout", "--request-timeout", "the provider's, 5m or more";
    LIMIT_PER_DAY = "limit_per_day", "--limit-per-day", "the ledger's own";
    LIMIT_PER_RUN = "limit_per_run", "--limit-per-run", "none";
    CONFIRM_ABOVE = "confirm_above", "", "1.00";
    PAID_RETRIES = "paid_retries", "--paid-retries", "5%";
    PAID_ATTEMPTS = "paid_attempts", "--paid-attempts", "2";
    PAID_RETRY_ON = "paid_retry_on", "--paid-retry-on", "5xx";
    ON_BAD_ROW = "on_bad_row", "--on-bad-row", "stop";
    FETCH_CONCURRENCY = "fetch_concurrency", "--fetch-concurrency", "4";
    FETCH_PER_HOST = "fetch_per_host", "--fetch-per-host", "4";
    FETCH_TIMEOUT = "fetch_timeout", "--fetch-timeout", "10s";
    FETCH_RETRIES = "fetch_retries", "--fetch-retries", "2";
    FRESH_FOR = "fresh_for", "--fresh-for", "5m";
    FETCH_PROXY = "fetch_proxy", "--fetch-proxy", "none";
    ALLOW_REFS_FROM = "allow_refs_from", "--allow-refs-from", "none";
    ALLOW_REFS_BELOW = "allow_refs_below", "--allow-refs-below", "the folder of the rows";
    REFS_BASE = "refs_base", "--refs-base", "the folder of the rows";
    REFS_BUCKETS = "refs.buckets", "", "none";
    REFRESH_COMMAND = "refresh.command", "", "none";
    REFRESH_ENDPOINT = "refresh.endpoint", "", "none";
    SIM = "sim", "--sim", "latency=12s, or 50ms live";
    CANARY = "canary", "--canary", "every row";
    CANARY_NAME = "canary_name", "--canary-name", "default";
    OUT = "out", "--out", "out";
    IMAGE_NAME = "image_name", "--name", "{scene_id}-v{variant}";
    LEDGER = "ledger", "--ledger", "in the state folder";
    ALLOW_NETWORK_LEDGER = "allow_network_ledger", "--allow-network-ledger", "false";
    PRICES = "prices", "--prices", "built-in";
    TZ = "tz", "--tz", "UTC";
}

/// What a stranger's file must not decide: where a key comes from and goes to, which commands run,
/// how much may be spent without a question, where that is booked, what is paid for twice, where
/// references may come from, and who is told their whole addresses.
pub const TRUSTED_ONLY: &[Setting] = &[
    API_KEY_ENV,
    API_KEY_FILE,
    API_KEY_COMMAND,
    CONFIRM_ABOVE,
    LEDGER,
    ALLOW_NETWORK_LEDGER,
    PAID_RETRIES,
    PAID_ATTEMPTS,
    PAID_RETRY_ON,
    REQUEST_TIMEOUT,
    FETCH_PROXY,
    ALLOW_REFS_FROM,
    ALLOW_REFS_BELOW,
    REFS_BASE,
    REFS_BUCKETS,
    REFRESH_COMMAND,
    REFRESH_ENDPOINT,
];

/// What a saved plan neither keeps nor decides: where things are kept and how they are shown, where
/// keys come from, which places are opened and which programs run.
pub const NOT_IN_PLANS: &[Setting] = &[
    OUT,
    LEDGER,
    ALLOW_NETWORK_LEDGER,
    TZ,
    PRICES,
    API_KEY_ENV,
    API_KEY_FILE,
    API_KEY_COMMAND,
    CONFIRM_ABOVE,
    FETCH_PROXY,
    ALLOW_REFS_FROM,
    ALLOW_REFS_BELOW,
    REFS_BASE,
    REFS_BUCKETS,
    REFRESH_COMMAND,
    REFRESH_ENDPOINT,
];

impl Setting {
    /// The environment variable.
    pub fn env(&self) -> String {
        format!("{SETTING_PREFIX}{}", self.key.to_ascii_uppercase().replace('.', "_"))
    }

    /// What a config file takes for it.
    pub fn shape(&self) -> Shape {
        match self.key {
            key if [API_KEY_COMMAND.key, REFRESH_COMMAND.key].contains(&key) => Shape::Words,
            key if [ALLOW_REFS_FROM.key, ALLOW_REFS_BELOW.key, REFS_BUCKETS.key].contains(&key) => {
                Shape::List
            }
            _ => Shape::One,
        }
    }
}

/// Settings that a saved plan keeps.
pub fn in_plans() -> impl Iterator<Item = &'static Setting> {
    let is_out = |it: &Setting| NOT_IN_PLANS.iter().any(|out| out.key == it.key);
    SETTINGS.iter().filter(move |it| !is_out(it))
}

/// What a config file takes for a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A string, a number or a switch.
    One,
    /// A program and its arguments; in the layers the text of a JSON list, or words.
    Words,
    /// One or several; in the layers with commas between them.
    List,
}

/// A variable that looks like ours and means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownVariable {
    /// Its name.
    pub name: String,
    /// The one that is probably meant.
    pub meant: Option<String>,
}

impl UnknownVariable {
    /// Whether somebody who set it believes that it limits what is spent.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        let is_ours = |meant: &String| LIMITS.iter().any(|limit| limit.env() == *meant);
        LIMIT_WORDS.iter().any(|word| self.name.contains(word))
            || self.meant.as_ref().is_some_and(is_ours)
    }
}

impl fmt::Display for UnknownVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.meant {
            Some(meant) => write!(f, "{}; did you mean {meant}?", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// The settings that limit what is spent.
const LIMITS: [Setting; 2] = [LIMIT_PER_DAY, LIMIT_PER_RUN];

/// Words in a variable's name that promise a limit of money.
const LIMIT_WORDS: [&str; 4] = ["LIMIT", "BUDGET", "COST", "SPEND"];

/// Variables that look like ours and mean nothing.
#[must_use]
pub fn unknown_variables(invocation: &Invocation) -> Vec<UnknownVariable> {
    let settings = SETTINGS.iter().map(Setting::env);
    let others = env_vars::ALL.iter().map(|variable| variable.name.to_owned());
    let known: Vec<String> = settings.chain(others).collect();
    let ours = invocation.env.keys().filter(|name| name.starts_with(SETTING_PREFIX));
    ours.filter(|name| !known.contains(name))
        .map(|name| UnknownVariable {
            name: name.clone(),
            meant: closest(name, known.iter().map(String::as_str)).map(str::to_owned),
        })
        .collect()
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A flag.
    Flag(&'static str),
    /// An environment variable.
    Env(String),
    /// A saved plan.
    Plan(String),
    /// A saved plan, which has it from a project's file that was not trusted.
    UntrustedPlan(String),
    /// A file found in the project, with the line.
    ProjectFile(String),
    /// The same, and the user has said that it is trusted as it is.
    TrustedFile(String),
    /// The user's own file, with the line.
    UserFile(String),
}

impl Origin {
    /// How far above others its layer lies.
    pub const fn rank(&self) -> u8 {
        match self {
            Self::Flag(_) => 4,
            Self::Plan(_) | Self::UntrustedPlan(_) => 3,
            Self::Env(_) => 2,
            Self::ProjectFile(_) | Self::TrustedFile(_) => 1,
            Self::UserFile(_) => 0,
        }
    }

    /// Whether it may come from a stranger.
    pub const fn is_untrusted(&self) -> bool {
        matches!(self, Self::ProjectFile(_) | Self::UntrustedPlan(_))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => out.write_str(flag),
            Self::Env(name) => write!(out, "env {name}"),
            Self::Plan(file) => out.write_str(file),
            Self::UntrustedPlan(file) => write!(out, "{file}, from a project's file"),
            Self::ProjectFile(place) | Self::TrustedFile(place) | Self::UserFile(place) => {
                out.write_str(place)
            }
        }
    }
}

/// A value as text, with its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The text.
    pub text: String,
    /// Where it came from.
    pub origin: Origin,
}

/// All layers, laid over each other.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    values: BTreeMap<&'static str, Vec<Given>>,
}

impl Layers {
    /// Lays a value over what is there.
    pub fn put(&mut self, setting: Setting, text: impl Into<String>, origin: Origin) {
        self.values.entry(setting.key).or_default().push(Given { text: text.into(), origin });
    }

    /// Lays a flag over what is there, when it was given.
    pub fn put_flag(&mut self, setting: Setting, text: Option<&String>) {
        if let Some(text) = text {
            self.put(setting, text, Origin::Flag(setting.flag));
        }
    }

    /// Lays a flag that may be given several times over what is there.
    pub fn put_flags(&mut self, setting: Setting, texts: &[String]) {
        if !texts.is_empty() {
            self.put(setting, texts.join(","), Origin::Flag(setting.flag));
        }
    }

    /// Lays the environment over what is there.
    pub fn put_env(&mut self, invocation: &Invocation) {
        for setting in SETTINGS {
            let name = setting.env();
            if let Some(text) = invocation.env(&name) {
                self.put(*setting, text, Origin::Env(name));
            }
        }
    }

    /// The value that counts.
    pub fn get(&self, setting: Setting) -> Option<&Given> {
        self.all(setting).last()
    }

    /// The folder of all runs. Who hands runs over to a bucket has one beside it: the one that a
    /// lower layer names, or the usual one.
    pub fn out_folder(&self) -> &str {
        let mut folders = self.all(OUT).iter().rev();
        let folder = folders.find(|given| !OutBucket::is_meant(&given.text));
        folder.map_or(OUT.default, |given| given.text.as_str())
    }

    /// Every value that was given, the one that counts last.
    pub fn all(&self, setting: Setting) -> &[Given] {
        self.values.get(setting.key).map_or(&[], Vec::as_slice)
    }
}
