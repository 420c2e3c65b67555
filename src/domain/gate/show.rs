//! Values for people: short, and never rounded onto the other side of their limit.

use std::cmp::Ordering;

use super::expression::PICO;
use super::metric::Unit;
use super::outlook::Value;
use super::result::GateNumber;
use crate::domain::money::NanoUsd;

/// The most digits behind the point that rounding may be given to keep its side.
const MAX_DIGITS: u32 = 9;
const NANOS_PER_PICO_DOLLAR: i128 = 1000;

/// The value as a short text that compares with the limit as the value itself does.
pub(super) fn text(value: Value, unit: Unit, limit: Option<i128>) -> String {
    let Value { numerator, denominator } = value;
    let magnitude = numerator.saturating_abs() / denominator;
    match unit {
        Unit::Ratio | Unit::SignedRatio => scaled(value, limit, (100, 1), 1, false) + "%",
        Unit::Count | Unit::Number => {
            let digits = if numerator % (denominator * PICO) == 0 { 0 } else { 2 };
            scaled(value, limit, (1, 1), digits, false)
        }
        Unit::Money => money(value, limit),
        Unit::Size => {
            let (divisor, digits, suffix) = match magnitude / PICO {
                ..1024 => (1, 0, " B"),
                1024..1_048_576 => (1 << 10, 1, " KiB"),
                1_048_576..1_073_741_824 => (1 << 20, 1, " MiB"),
                _ => (1 << 30, 1, " GiB"),
            };
            scaled(value, limit, (1, divisor), digits, false) + suffix
        }
        Unit::Time => time(value, limit),
    }
}

/// The value as a number for documents.
#[expect(clippy::cast_precision_loss, reason = "documents get the nearest float")]
pub(super) fn number(value: Value, unit: Unit) -> GateNumber {
    let Value { numerator, denominator } = value;
    let whole = (numerator % (denominator * PICO) == 0)
        .then(|| i64::try_from(numerator / denominator / PICO).ok())
        .flatten();
    match (unit, whole) {
        (Unit::Money, _) => {
            let nanos = rounded(numerator, denominator * NANOS_PER_PICO_DOLLAR);
            GateNumber::Money(NanoUsd::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX)))
        }
        (Unit::Time, _) => {
            let micros = rounded(numerator, denominator * 1_000_000);
            GateNumber::Number(micros as f64 / 1000.0)
        }
        (Unit::Count | Unit::Size | Unit::Number, Some(whole)) => GateNumber::Whole(whole),
        (Unit::Count | Unit::Size | Unit::Number | Unit::Ratio | Unit::SignedRatio, _) => {
            GateNumber::Number(numerator as f64 / denominator as f64 / PICO as f64)
        }
    }
}

/// `numerator / denominator` to the nearest whole number, halves away from zero.
fn rounded(numerator: i128, denominator: i128) -> i128 {
    let up = numerator.saturating_abs().saturating_add(denominator / 2) / denominator;
    if numerator < 0 { -up } else { up }
}

/// The value times a factor with at least `n_digits` behind the point.
///
/// More digits are shown while the rounded number would stand on another side of the limit.
fn scaled(
    value: Value,
    limit: Option<i128>,
    (times, by): (i128, i128),
    n_digits: u32,
    trimmed: bool,
) -> String {
    let Value { numerator, denominator } = value;
    let at = |n_digits: u32| {
        let factor = times * 10_i128.pow(n_digits);
        (rounded(numerator.saturating_mul(factor), denominator.saturating_mul(by * PICO)), factor)
    };
    let is_faithful = |(shown, factor): (i128, i128)| {
        limit.is_none_or(|limit| {
            let shown = shown.saturating_mul(by * PICO).cmp(&limit.saturating_mul(factor));
            shown == value.compare(limit)
        })
    };
    let digits =
        (n_digits..=MAX_DIGITS).find(|digits| is_faithful(at(*digits))).unwrap_or(MAX_DIGITS);
    decimal(at(digits).0, digits, trimmed)
}

/// A whole number of 10^-digits as a decimal text.
fn decimal(number: i128, n_digits: u32, trimmed: bool) -> String {
    let unit = 10_u128.pow(n_digits);
    let sign = if number < 0 { "-" } else { "" };
    let (whole, fraction) = (number.unsigned_abs() / unit, number.unsigned_abs() % unit);
    if n_digits == 0 || (trimmed && fraction == 0) {
        return format!("{sign}{whole}");
    }
    let width = usize::try_from(n_digits).unwrap_or_default();
    let fraction = format!("{fraction:0width$}");
    let fraction = if trimmed { fraction.trim_end_matches('0') } else { &fraction };
    format!("{sign}{whole}.{fraction}")
}

fn money(value: Value, limit: Option<i128>) -> String {
    let Value { numerator, denominator } = value;
    let per_nano = denominator * NANOS_PER_PICO_DOLLAR;
    if numerator % per_nano == 0
        && let Ok(nanos) = i64::try_from(numerator / per_nano)
    {
        return NanoUsd::from_nanos(nanos).dollars().to_string();
    }
    let text = scaled(value, limit, (1, 1), 4, false);
    match text.strip_prefix('-') {
        Some(positive) => format!("-${positive}"),
        None => format!("${text}"),
    }
}

fn time(value: Value, limit: Option<i128>) -> String {
    let below = |seconds: i128| value.compare(seconds * PICO) == Ordering::Less;
    if below(1) {
        let is_tiny = value.compare(PICO / 100) == Ordering::Less;
        return scaled(value, limit, (1000, 1), u32::from(is_tiny), true) + "ms";
    }
    if below(60) {
        return scaled(value, limit, (1, 1), 1, true) + "s";
    }
    let seconds = scaled(value, limit, (1, 1), 0, true);
    let (whole, fraction) = seconds.split_once('.').unwrap_or((&seconds, ""));
    let whole: u64 = whole.parse().unwrap_or(u64::MAX);
    let point = if fraction.is_empty() { "" } else { "." };
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{hours}h{minutes:02}m{seconds:02}{point}{fraction}s")
    } else {
        format!("{minutes}m{seconds:02}{point}{fraction}s")
    }
}
