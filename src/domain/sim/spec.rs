//! The specification of a rehearsal, as in `latency=12s±30%,errors=2%,429=5%,seed=7`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::suggest;

/// Parts of a whole: shares are counted in millionths.
const WHOLE: u32 = 1_000_000;
/// Digits behind the point of a percentage that a millionth can hold.
const MAX_PERCENT_DIGITS: usize = 4;
/// The longest latency and wait; it keeps the sum of a million images in range.
const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);
/// Latency of a rehearsal in virtual time: what image models take.
const DRY_LATENCY: Duration = Duration::from_secs(12);
/// Latency of the simulator in real time: long enough to overlap, short enough not to bore.
const LIVE_LATENCY: Duration = Duration::from_millis(50);
/// What a 429 asks to wait unless the specification says otherwise.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The keys that a user may write, for suggestions.
const KEYS: [&str; 15] = [
    "latency",
    "errors",
    "429",
    "throttles",
    "refusals",
    "timeouts",
    "bad-requests",
    "not-images",
    "drops",
    "truncated",
    "malformed",
    "empty",
    "zero-usage",
    "retry-after",
    "seed",
];

/// A part of the whole, exact to a millionth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

impl Share {
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// The share in millionths.
    pub const fn ppm(self) -> u32 {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let number = text.strip_suffix('%')?.trim_end();
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > MAX_PERCENT_DIGITS {
            return None;
        }
        let whole: u32 = whole.parse().ok()?;
        let fraction: u32 = format!("{fraction:0<MAX_PERCENT_DIGITS$}").parse().ok()?;
        let ppm = whole.checked_mul(WHOLE / 100)?.checked_add(fraction)?;
        (ppm <= WHOLE).then_some(Self(ppm))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / (WHOLE / 100), self.0 % (WHOLE / 100));
        let digits = format!("{fraction:0MAX_PERCENT_DIGITS$}");
        match digits.trim_end_matches('0') {
            "" => write!(out, "{whole}%"),
            kept => write!(out, "{whole}.{kept}%"),
        }
    }
}

/// How the rehearsal provider behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimSpec {
    pub(crate) latency: Duration,
    pub(crate) jitter: Share,
    pub(crate) errors: Share,
    pub(crate) throttles: Share,
    pub(crate) refusals: Share,
    pub(crate) timeouts: Share,
    pub(crate) bad_requests: Share,
    pub(crate) not_images: Share,
    pub(crate) drops: Share,
    pub(crate) truncated: Share,
    pub(crate) malformed: Share,
    pub(crate) empty: Share,
    pub(crate) zero_usage: Share,
    pub(crate) retry_after: Duration,
    pub(crate) seed: u64,
}

impl Default for SimSpec {
    /// The rehearsal in virtual time: 12 s an image, no errors, seed 0.
    fn default() -> Self {
        Self {
            latency: DRY_LATENCY,
            jitter: Share::NONE,
            errors: Share::NONE,
            throttles: Share::NONE,
            refusals: Share::NONE,
            timeouts: Share::NONE,
            bad_requests: Share::NONE,
            not_images: Share::NONE,
            drops: Share::NONE,
            truncated: Share::NONE,
            malformed: Share::NONE,
            empty: Share::NONE,
            zero_usage: Share::NONE,
            retry_after: RETRY_AFTER,
            seed: 0,
        }
    }
}

/// Why a text is no specification; columns are counted in characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// A key that has no meaning here.
    #[error(
        "column {column}: unknown key {key:?}{}; the keys are {}",
        did_you_mean(.suggestion),
        KEYS.join(", ")
    )]
    UnknownKey {
        /// Where it stands.
        column: usize,
        /// The key as written.
        key: String,
        /// The known key that looks most like it.
        suggestion: Option<&'static str>,
    },
    /// A part without `=`.
    #[error("column {column}: {part:?} has no value; write key=value")]
    NoValue {
        /// Where it stands.
        column: usize,
        /// The part as written.
        part: String,
    },
    /// A key that was given before.
    #[error("column {column}: {key:?} is given twice")]
    Twice {
        /// Where it stands.
        column: usize,
        /// The key as written.
        key: String,
    },
    /// A value that its key cannot take.
    #[error("column {column}: {value:?} is not {expected}")]
    BadValue {
        /// Where the value stands.
        column: usize,
        /// The value as written.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// The shares of all answers exceed the whole.
    #[error("the shares add up to {sum}, more than 100%")]
    Over {
        /// Their sum.
        sum: Share,
    },
}

impl SimSpec {
    /// The simulator in real time: 50 ms an image, no errors, seed 0.
    pub fn live_default() -> Self {
        Self { latency: LIVE_LATENCY, ..Self::default() }
    }

    /// This specification with what `text` says laid over it.
    ///
    /// # Errors
    /// With the column of the first mistake.
    pub fn overridden(mut self, text: &str) -> Result<Self, SpecError> {
        let mut seen: Vec<&str> = Vec::new();
        let mut start = 0;
        for part in text.split(',') {
            let column_at = |byte: usize| text[..byte].chars().count() + 1;
            let lead = part.len() - part.trim_start().len();
            let (from, body) = (start + lead, part.trim());
            start += part.len() + 1;
            if body.is_empty() && text.trim().is_empty() {
                continue;
            }
            let no_value = || SpecError::NoValue { column: column_at(from), part: body.to_owned() };
            let (raw_key, raw_value) = body.split_once('=').ok_or_else(no_value)?;
            let (key, value) = (canonical(raw_key.trim()), raw_value.trim());
            if seen.contains(&key) {
                return Err(SpecError::Twice { column: column_at(from), key: key.to_owned() });
            }
            seen.push(key);
            let value_at =
                from + raw_key.len() + 1 + raw_value.len() - raw_value.trim_start().len();
            self.set(key, value).map_err(|refusal| match refusal {
                Refusal::Key => unknown_key(column_at(from), key),
                Refusal::Value(expected) => SpecError::BadValue {
                    column: column_at(value_at),
                    value: value.to_owned(),
                    expected,
                },
            })?;
        }
        let sum: u32 = self.shares().iter().map(|(_, share)| share.0).sum();
        if sum > WHOLE { Err(SpecError::Over { sum: Share(sum) }) } else { Ok(self) }
    }

    /// The time that a complete answer takes, in the middle of its spread.
    pub fn latency(&self) -> Duration {
        self.latency
    }

    /// The seed of every draw.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether every request takes the same time and gets its image.
    pub fn is_steady(&self) -> bool {
        self.jitter == Share::NONE && self.shares().iter().all(|(_, share)| *share == Share::NONE)
    }

    fn shares(&self) -> [(&'static str, Share); 11] {
        [
            ("errors", self.errors),
            ("429", self.throttles),
            ("refusals", self.refusals),
            ("timeouts", self.timeouts),
            ("bad-requests", self.bad_requests),
            ("not-images", self.not_images),
            ("drops", self.drops),
            ("truncated", self.truncated),
            ("malformed", self.malformed),
            ("empty", self.empty),
            ("zero-usage", self.zero_usage),
        ]
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), Refusal> {
        match key {
            "latency" => (self.latency, self.jitter) = latency(value)?,
            "errors" => self.errors = share(value)?,
            "429" => self.throttles = share(value)?,
            "refusals" => self.refusals = share(value)?,
            "timeouts" => self.timeouts = share(value)?,
            "bad-requests" => self.bad_requests = share(value)?,
            "not-images" => self.not_images = share(value)?,
            "drops" => self.drops = share(value)?,
            "truncated" => self.truncated = share(value)?,
            "malformed" => self.malformed = share(value)?,
            "empty" => self.empty = share(value)?,
            "zero-usage" => self.zero_usage = share(value)?,
            "retry-after" => self.retry_after = duration(value)?,
            "seed" => {
                let digits = value.bytes().all(|byte| byte.is_ascii_digit());
                let seed = if digits { value.parse().ok() } else { None };
                self.seed = seed.ok_or(Refusal::Value("a whole number from 0 to 2^64 - 1"))?;
            }
            _ => return Err(Refusal::Key),
        }
        Ok(())
    }
}

impl FromStr for SimSpec {
    type Err = SpecError;

    /// Reads what a user wrote; what is not said is as in [`SimSpec::default`].
    fn from_str(text: &str) -> Result<Self, SpecError> {
        Self::default().overridden(text)
    }
}

impl fmt::Display for SimSpec {
    /// The shortest text that reads back as this specification.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "latency={}", humantime::format_duration(self.latency))?;
        if self.jitter != Share::NONE {
            write!(out, "±{}", self.jitter)?;
        }
        for (name, share) in self.shares() {
            if share != Share::NONE {
                write!(out, ",{name}={share}")?;
            }
        }
        if self.retry_after != RETRY_AFTER {
            write!(out, ",retry-after={}", humantime::format_duration(self.retry_after))?;
        }
        if self.seed != 0 {
            write!(out, ",seed={}", self.seed)?;
        }
        Ok(())
    }
}

impl Serialize for SimSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SimSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a pair was not taken.
enum Refusal {
    Key,
    Value(&'static str),
}

fn canonical(key: &str) -> &str {
    match key {
        "throttles" => "429",
        other => other,
    }
}

fn latency(value: &str) -> Result<(Duration, Share), Refusal> {
    let (time, spread) = match value.split_once('±').or_else(|| value.split_once("+-")) {
        Some((time, spread)) => (time.trim(), Some(spread.trim())),
        None => (value, None),
    };
    let jitter = spread.map_or(Ok(Share::NONE), share)?;
    Ok((duration(time)?, jitter))
}

fn share(value: &str) -> Result<Share, Refusal> {
    Share::parse(value).ok_or(Refusal::Value("a percentage from 0% to 100%, such as 2% or 0.5%"))
}

fn duration(value: &str) -> Result<Duration, Refusal> {
    let parsed = humantime::parse_duration(value).ok();
    let fits = parsed.filter(|duration| *duration <= MAX_DURATION);
    fits.ok_or(Refusal::Value("a time up to 24h, such as 12s or 50ms"))
}

fn unknown_key(column: usize, key: &str) -> SpecError {
    let suggestion = suggest::closest(key, KEYS);
    SpecError::UnknownKey { column, key: key.to_owned(), suggestion }
}

fn did_you_mean(suggestion: &Option<&'static str>) -> String {
    suggestion.map(|known| format!(", did you mean {known:?}?")).unwrap_or_default()
}
