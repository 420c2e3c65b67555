//! Settings in layers: flags over environment over project file over user file over defaults.
//! Each value keeps its text and where it came from, until one place parses it.

use std::collections::BTreeMap;
use std::fmt;

use crate::cli::env_vars::{self, SETTING_PREFIX};
use crate::cli::invocation::Invocation;
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
    SIM = "sim", "--sim", "latency=12s, or 50ms live";
    CANARY = "canary", "--canary", "every row";
    CANARY_NAME = "canary_name", "--canary-name", "default";
    OUT = "out", "--out", "out";
    LEDGER = "ledger", "--ledger", "in the state folder";
    ALLOW_NETWORK_LEDGER = "allow_network_ledger", "--allow-network-ledger", "false";
    PRICES = "prices", "--prices", "built-in";
    TZ = "tz", "--tz", "UTC";
}

/// What a stranger's file must not decide: where a key comes from and goes to, which commands run,
/// how much may be spent without a question, where that is booked, and what is paid for twice.
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
];

impl Setting {
    /// The environment variable.
    pub fn env(&self) -> String {
        format!("{SETTING_PREFIX}{}", self.key.to_ascii_uppercase())
    }
}

/// Variables that look like ours and mean nothing, each with the one that may be meant.
pub fn unknown_variables(invocation: &Invocation) -> Vec<String> {
    let settings = SETTINGS.iter().map(Setting::env);
    let others = env_vars::ALL.iter().map(|variable| variable.name.to_owned());
    let known: Vec<String> = settings.chain(others).collect();
    let ours = invocation.env.keys().filter(|name| name.starts_with(SETTING_PREFIX));
    ours.filter(|name| !known.contains(name))
        .map(|name| match closest(name, known.iter().map(String::as_str)) {
            Some(meant) => format!("{name}; did you mean {meant}?"),
            None => name.clone(),
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
            Self::Plan(_) => 3,
            Self::Env(_) => 2,
            Self::ProjectFile(_) | Self::TrustedFile(_) => 1,
            Self::UserFile(_) => 0,
        }
    }

    /// Whether it may come from a stranger.
    pub const fn is_untrusted(&self) -> bool {
        matches!(self, Self::ProjectFile(_))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => out.write_str(flag),
            Self::Env(name) => write!(out, "env {name}"),
            Self::Plan(file) => out.write_str(file),
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

    /// Every value that was given, the one that counts last.
    pub fn all(&self, setting: Setting) -> &[Given] {
        self.values.get(setting.key).map_or(&[], Vec::as_slice)
    }
}
