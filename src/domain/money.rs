//! Money: whole nano-dollars (10^-9 USD) in an `i64`, checked, never through a float.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Nano-dollars in one dollar.
const NANOS_PER_DOLLAR: i64 = 1_000_000_000;
/// Digits behind the point that a nano-dollar amount can carry.
const MAX_FRACTION_DIGITS: usize = 9;

/// An amount of US dollars in units of 10^-9 USD.
///
/// The largest amount is about 9.2 billion dollars. It is written as a decimal string with at
/// least two digits behind the point (`7.96`, `0.0125`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NanoUsd(i64);

/// Why a text is no amount of money.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The text is not a plain decimal number.
    #[error("{0:?} is not an amount in dollars, such as 10, 10.00 or $10")]
    NotADecimal(String),
    /// The text has more than nine digits behind the point.
    #[error("{0:?} is finer than a nano-dollar (nine digits behind the point)")]
    TooFine(String),
    /// The amount does not fit the range of the type.
    #[error("{0:?} is more money than can be counted here")]
    TooLarge(String),
}

impl NanoUsd {
    /// No money.
    pub const ZERO: Self = Self(0);
    /// The largest amount that can be held.
    pub const MAX: Self = Self(i64::MAX);

    /// The amount of `nanos` times 10^-9 USD.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The amount of whole `dollars`; meant for constants.
    ///
    /// # Panics
    /// When the amount is out of range.
    pub const fn from_dollars(dollars: i64) -> Self {
        Self(dollars * NANOS_PER_DOLLAR)
    }

    /// The amount in units of 10^-9 USD.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// The sum, or nothing when it is out of range.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or nothing when it is out of range.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The product, or nothing when it is out of range.
    pub fn checked_mul(self, factor: u64) -> Option<Self> {
        i64::try_from(factor).ok().and_then(|factor| self.0.checked_mul(factor)).map(Self)
    }

    /// The sum, held at the largest amount: a weight that overflows still refuses everything.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, never below zero.
    #[must_use]
    pub fn minus_or_zero(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).max(0))
    }

    /// `self * numerator / denominator`, rounded up, as an estimate must be.
    ///
    /// Nothing when the denominator is zero or the result is out of range.
    pub fn scale_up(self, numerator: u64, denominator: u64) -> Option<Self> {
        let denominator = i128::from(denominator);
        if denominator == 0 {
            return None;
        }
        let product = i128::from(self.0).checked_mul(i128::from(numerator))?;
        let up = product.div_euclid(denominator) + i128::from(product.rem_euclid(denominator) != 0);
        i64::try_from(up).ok().map(Self)
    }

    /// Whether the amount is below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The amount for people: `$7.96`, with more digits only when they matter.
    pub fn dollars(self) -> Dollars {
        Dollars(self)
    }
}

impl fmt::Display for NanoUsd {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Written by hand, and without a heap: a run writes many thousand amounts. The point has
        // room for a sign and ten digits before it, and nine behind it.
        const POINT: usize = 11;
        let mut text = [b'0'; POINT + 10];
        let magnitude = self.0.unsigned_abs();
        let mut whole = magnitude / NANOS_PER_DOLLAR.unsigned_abs();
        let mut nanos = magnitude % NANOS_PER_DOLLAR.unsigned_abs();
        text[POINT] = b'.';
        let mut end = POINT + 3;
        for place in (POINT + 1..text.len()).rev() {
            text[place] = last_digit(nanos);
            if text[place] != b'0' {
                end = end.max(place + 1);
            }
            nanos /= 10;
        }
        let mut start = POINT;
        while start == POINT || whole > 0 {
            start -= 1;
            text[start] = last_digit(whole);
            whole /= 10;
        }
        if self.0 < 0 {
            start -= 1;
            text[start] = b'-';
        }
        out.pad(std::str::from_utf8(&text[start..end]).expect("digits are ASCII"))
    }
}

fn last_digit(number: u64) -> u8 {
    b'0' + u8::try_from(number % 10).expect("a digit")
}

impl FromStr for NanoUsd {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let not_a_decimal = || MoneyError::NotADecimal(text.to_owned());
        let trimmed = text.trim();
        let (negative, body) = match trimmed.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, trimmed),
        };
        let body = body.strip_prefix('$').unwrap_or(body);
        let (whole, fraction) = body.split_once('.').unwrap_or((body, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let empty_fraction = body.ends_with('.');
        if whole.is_empty() || empty_fraction || !digits(whole) || !digits(fraction) {
            return Err(not_a_decimal());
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > MAX_FRACTION_DIGITS {
            return Err(MoneyError::TooFine(text.to_owned()));
        }
        let too_large = || MoneyError::TooLarge(text.to_owned());
        let whole: i64 = whole.parse().map_err(|_| too_large())?;
        let nanos: i64 = format!("{fraction:0<9}").parse().map_err(|_| not_a_decimal())?;
        let magnitude = whole
            .checked_mul(NANOS_PER_DOLLAR)
            .and_then(|nanos_of_whole| nanos_of_whole.checked_add(nanos))
            .ok_or_else(too_large)?;
        Ok(Self(if negative { -magnitude } else { magnitude }))
    }
}

impl Serialize for NanoUsd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NanoUsd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An amount as people read it, with the currency sign: `$7.96`, `-$0.04`.
#[derive(Clone, Copy, Debug)]
pub struct Dollars(NanoUsd);

impl fmt::Display for Dollars {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        match text.strip_prefix('-') {
            Some(positive) => out.pad(&format!("-${positive}")),
            None => out.pad(&format!("${text}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_read_and_written_as_decimals() {
        let check = |text: &str, nanos: i64, shown: &str| {
            let amount: NanoUsd = text.parse().expect(text);
            assert_eq!((amount.nanos(), amount.to_string().as_str()), (nanos, shown), "{text}");
        };
        check("10", 10_000_000_000, "10.00");
        check("$10.00", 10_000_000_000, "10.00");
        check("0.0125", 12_500_000, "0.0125");
        check(" 7.96 ", 7_960_000_000, "7.96");
        check("0.000000001", 1, "0.000000001");
        check("1.500000000000", 1_500_000_000, "1.50");
        check("-0.04", -40_000_000, "-0.04");
        check("9223372036.854775807", i64::MAX, "9223372036.854775807");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "$", "ten", "1e3", "1,000", "1.", ".5", "--1", "+1", "0x1", "1.2.3", "NaN"]
        {
            assert!(text.parse::<NanoUsd>().is_err(), "{text:?} must be refused");
        }
        assert!(matches!("0.0000000001".parse::<NanoUsd>(), Err(MoneyError::TooFine(_))));
        assert!(matches!("9223372036.854775808".parse::<NanoUsd>(), Err(MoneyError::TooLarge(_))));
    }

    #[test]
    fn scaling_rounds_up() {
        let rate = NanoUsd::from_dollars(30);
        assert_eq!(rate.scale_up(439, 1_000_000).map(NanoUsd::nanos), Some(13_170_000));
        assert_eq!(NanoUsd::from_nanos(1).scale_up(1, 3).map(NanoUsd::nanos), Some(1));
        assert_eq!(NanoUsd::MAX.scale_up(2, 1), None);
        assert_eq!(rate.scale_up(1, 0), None);
    }

    #[test]
    fn every_amount_is_written_whole() {
        let shown = |nanos| NanoUsd::from_nanos(nanos).to_string();
        assert_eq!(shown(i64::MIN), "-9223372036.854775808");
        assert_eq!(shown(-1), "-0.000000001");
        assert_eq!(shown(-10_000_000), "-0.01");
        assert_eq!(shown(1_100_000_000), "1.10");
        assert_eq!(format!("{:>8}|{:<6}|", NanoUsd::ZERO, NanoUsd::ZERO), "    0.00|0.00  |");
    }

    proptest! {
        #[test]
        fn writing_and_reading_is_the_identity(nanos in (i64::MIN + 1)..i64::MAX) {
            let amount = NanoUsd::from_nanos(nanos);
            prop_assert_eq!(amount.to_string().parse::<NanoUsd>(), Ok(amount));
            prop_assert_eq!(amount.dollars().to_string().parse::<NanoUsd>(), Ok(amount));
        }
    }
}
