//! What a cost export says, whatever file it came in.

use std::fmt;
use std::sync::Arc;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::domain::money::{MoneyError, NanoUsd};

/// Digits behind the point that are kept; what is finer is rounded up in magnitude.
const KEPT_DIGITS: i64 = 9;
/// The longest text of an amount or a time: longer than any that means something.
const MAX_TEXT: usize = 64;
/// The largest power of ten that an exponent may move the point by.
const MAX_EXPONENT: i64 = 99;

/// The lines of a cost export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Export {
    /// The lines, as they stand in the file.
    pub lines: Vec<Line>,
    /// Whether the file says that there is more than it holds.
    pub is_partial: bool,
}

/// One line of an export: money that the provider counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it stands.
    pub place: Place,
    /// The provider's name for the request, or ours.
    pub request_id: Option<Arc<str>>,
    /// The provider, where the export names one.
    pub provider: Option<Arc<str>>,
    /// The model, or the line item that may begin with its name.
    pub model: Option<Arc<str>>,
    /// When it was counted.
    pub when: When,
    /// How much.
    pub amount: Amount,
}

/// Where a line stands in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The line of a text file, from 1.
    Line(u64),
    /// The record of a JSON document, from 1.
    Record(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(out, "line {number}"),
            Self::Record(number) => write!(out, "record {number}"),
        }
    }
}

impl serde::Serialize for Place {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// When something was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// At this moment.
    At(Timestamp),
    /// Within this span, the end left out: a sum.
    Within(Timestamp, Timestamp),
}

/// A text that is no time of an export.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no time: RFC 3339, a day such as 2026-11-21, or Unix seconds")]
pub struct WhenError(String);

impl When {
    /// Reads a time: RFC 3339, Unix seconds, or a civil day or time, which are taken as UTC. A day
    /// is a span.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn parse(text: &str) -> Result<Self, WhenError> {
        let text = text.trim();
        let wrong = || WhenError(text.chars().take(MAX_TEXT).collect());
        if text.len() > MAX_TEXT {
            return Err(wrong());
        }
        let utc = text.strip_suffix(" UTC").unwrap_or(text);
        if let Ok(seconds) = utc.parse::<i64>() {
            return Timestamp::from_second(seconds).map(Self::At).map_err(|_| wrong());
        }
        if let Ok(time) = utc.parse::<Timestamp>() {
            return Ok(Self::At(time));
        }
        if let (Ok(day), false) = (utc.parse::<Date>(), utc.contains(['T', ' ', ':'])) {
            return Self::day(day).ok_or_else(wrong);
        }
        let time = utc.parse::<DateTime>().map_err(|_| wrong())?;
        TimeZone::UTC.to_timestamp(time).map(Self::At).map_err(|_| wrong())
    }

    /// The whole of a day in UTC; nothing at the end of all days.
    pub fn day(day: Date) -> Option<Self> {
        let start = TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok()?;
        let end = start.checked_add(SignedDuration::from_hours(24)).ok()?;
        Some(Self::Within(start, end))
    }

    /// Its first moment.
    pub const fn start(self) -> Timestamp {
        match self {
            Self::At(time) | Self::Within(time, _) => time,
        }
    }

    /// Its last moment: a nanosecond before the end of a span.
    pub fn last(self) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Within(start, end) => {
                let last = end.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(end);
                last.max(start)
            }
        }
    }
}

/// An amount of an export in nano-dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// The amount.
    pub value: NanoUsd,
    /// Whether it was finer than a nano-dollar, and so is up to one of them too large in magnitude.
    pub is_rounded: bool,
}

impl Amount {
    /// Reads a decimal number of dollars, also with an exponent, digit by digit. More than nine
    /// digits behind the point are rounded up in magnitude.
    ///
    /// # Errors
    /// When it is no number, or too large.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        let trimmed = text.trim();
        let wrong = || MoneyError::NotADecimal(text.chars().take(MAX_TEXT).collect());
        if trimmed.len() > MAX_TEXT {
            return Err(wrong());
        }
        let (is_negative, body) = match trimmed.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
        };
        let body = body.strip_prefix('$').unwrap_or(body);
        let (digits, exponent) = match body.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, power(exponent).ok_or_else(wrong)?),
            None => (body, 0),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        if all.is_empty() || !all.iter().all(u8::is_ascii_digit) {
            return Err(wrong());
        }
        let too_large = || MoneyError::TooLarge(trimmed.to_owned());
        // So many digits, from the left, are whole nano-dollars.
        let kept = whole.len() as i64 + exponent + KEPT_DIGITS;
        let (nanos, is_rounded) = nanos(&all, kept).ok_or_else(too_large)?;
        let value = NanoUsd::from_nanos(if is_negative { -nanos } else { nanos });
        Ok(Self { value, is_rounded })
    }
}

/// The exponent of a number, bounded.
fn power(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let size = is_number.then(|| digits.parse::<i64>().unwrap_or(MAX_EXPONENT))?.min(MAX_EXPONENT);
    Some(if text.starts_with('-') { -size } else { size })
}

/// The first `kept` digits as a number, rounded up, and whether they had to be; nothing when it is
/// too large.
fn nanos(digits: &[u8], kept: i64) -> Option<(i64, bool)> {
    let kept_here = usize::try_from(kept).unwrap_or(0).min(digits.len());
    let (whole, finer) = digits.split_at(kept_here);
    let mut nanos = 0_i64;
    for digit in whole {
        nanos = nanos.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
    }
    let missing = kept - digits.len() as i64;
    if nanos != 0 {
        for _ in 0..missing.max(0) {
            nanos = nanos.checked_mul(10)?;
        }
    }
    let is_rounded = finer.iter().any(|digit| *digit != b'0');
    Some((nanos.checked_add(i64::from(is_rounded))?, is_rounded))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_read_digit_by_digit_and_rounded_up_in_magnitude() {
        let check = |text: &str, nanos: i64, is_rounded: bool| {
            let amount = Amount::parse(text).expect(text);
            assert_eq!((amount.value.nanos(), amount.is_rounded), (nanos, is_rounded), "{text}");
        };
        check("0.06", 60_000_000, false);
        check("6e-2", 60_000_000, false);
        check("6.0E-02", 60_000_000, false);
        check("1.2e+1", 12_000_000_000, false);
        check("$3", 3_000_000_000, false);
        check("-0.04", -40_000_000, false);
        check(".5", 500_000_000, false);
        check("+1.", 1_000_000_000, false);
        check("0.060000000000000005", 60_000_001, true);
        check("-0.0000000001", -1, true);
        check("1e-99", 1, true);
        check("0e99", 0, false);
        check("0.000000001", 1, false);
        check("9223372036.854775807", i64::MAX, false);
        for text in ["", "-", ".", "$", "1,000", "1e", "1e+", "e3", "0x1", "NaN", "1.2.3", "1 2"] {
            assert!(matches!(Amount::parse(text), Err(MoneyError::NotADecimal(_))), "{text:?}");
        }
        for text in ["9223372036.854775808", "1e11", "9223372036.8547758071", "1e99"] {
            assert!(matches!(Amount::parse(text), Err(MoneyError::TooLarge(_))), "{text:?}");
        }
        assert!(Amount::parse(&"1".repeat(65)).is_err());
    }

    #[test]
    fn times_are_moments_and_days_are_spans() {
        let check = |text: &str, start: &str, last: &str| {
            let when = When::parse(text).expect(text);
            let shown = (when.start().to_string(), when.last().to_string());
            assert_eq!(shown, (start.to_owned(), last.to_owned()), "{text}");
        };
        let moment = "2024-11-01T00:00:05Z";
        for text in ["2024-11-01T00:00:05Z", "2024-11-01T02:00:05+02:00", "1730419205"] {
            check(text, moment, moment);
        }
        for text in ["2024-11-01 00:00:05", "2024-11-01 00:00:05 UTC", " 2024-11-01T00:00:05 "] {
            check(text, moment, moment);
        }
        check("2024-11-01", "2024-11-01T00:00:00Z", "2024-11-01T23:59:59.999999999Z");
        for text in ["", "yesterday", "1.5", "2024-13-01", "99999999999999", "12:00"] {
            assert!(When::parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn an_amount_of_ours_is_read_as_it_is_written(nanos in (i64::MIN + 1)..i64::MAX) {
            let amount = NanoUsd::from_nanos(nanos);
            let read = Amount::parse(&amount.to_string());
            prop_assert_eq!(read, Ok(Amount { value: amount, is_rounded: false }));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,70}") {
            let _ = (Amount::parse(&text), When::parse(&text));
        }
    }
}
