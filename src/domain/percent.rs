//! Percentages as exact decimals: 7 % of 100 is 7, and no float is asked.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Billionths of the whole in one percent.
const BILLIONTHS_PER_PERCENT: u64 = 10_000_000;
/// Billionths in the whole.
const WHOLE: u64 = 100 * BILLIONTHS_PER_PERCENT;
/// Digits behind the point that a percentage can carry.
const MAX_FRACTION_DIGITS: usize = 7;

/// A share above 0 % and at most 100 %, exact to seven digits behind the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u64);

/// Why a text is no percentage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PercentError {
    /// The text is not a plain decimal number with or without a percent sign.
    #[error("{0:?} is not a percentage, such as 5, 7.5 or 5%")]
    NotADecimal(String),
    /// The text has more than seven digits behind the point.
    #[error("{0:?} has more than seven digits behind the point")]
    TooFine(String),
    /// The number is zero or above a hundred.
    #[error("{0:?} is not above 0 and at most 100 percent")]
    OutOfRange(String),
}

impl Percent {
    /// The whole.
    pub const HUNDRED: Self = Self(WHOLE);

    /// The share in billionths of the whole: 5 % is 50,000,000.
    pub const fn billionths(self) -> u64 {
        self.0
    }

    /// Whether it is the whole.
    pub const fn is_whole(self) -> bool {
        self.0 == WHOLE
    }

    /// The share of `n` things, rounded up.
    pub fn of_rounded_up(self, n: u64) -> u64 {
        let product = u128::from(self.0) * u128::from(n);
        u64::try_from(product.div_ceil(u128::from(WHOLE))).expect("a share is at most the whole")
    }

    /// How many of `n` ordered things the share takes: rounded up, and at least one of any.
    pub fn prefix(self, n: u64) -> u64 {
        self.of_rounded_up(n).max(1).min(n)
    }
}

impl FromStr for Percent {
    type Err = PercentError;

    /// Reads `5`, `7.5` or `5%`; blanks around it are ignored.
    fn from_str(text: &str) -> Result<Self, PercentError> {
        let not_a_decimal = || PercentError::NotADecimal(text.to_owned());
        let body = text.trim();
        let body = body.strip_suffix('%').unwrap_or(body).trim_end();
        let (whole, fraction) = match body.split_once('.') {
            Some((_, "")) => return Err(not_a_decimal()),
            Some(parts) => parts,
            None => (body, ""),
        };
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) {
            return Err(not_a_decimal());
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > MAX_FRACTION_DIGITS {
            return Err(PercentError::TooFine(text.to_owned()));
        }
        let out_of_range = || PercentError::OutOfRange(text.to_owned());
        let whole: u64 = whole.parse().map_err(|_| out_of_range())?;
        let fraction: u64 = format!("{fraction:0<7}").parse().map_err(|_| not_a_decimal())?;
        whole
            .checked_mul(BILLIONTHS_PER_PERCENT)
            .and_then(|billionths| billionths.checked_add(fraction))
            .filter(|billionths| (1..=WHOLE).contains(billionths))
            .map(Self)
            .ok_or_else(out_of_range)
    }
}

impl fmt::Display for Percent {
    /// The number without the sign: `5`, `7.5`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0 / BILLIONTHS_PER_PERCENT;
        let fraction = self.0 % BILLIONTHS_PER_PERCENT;
        if fraction == 0 {
            return out.pad(&whole.to_string());
        }
        let digits = format!("{fraction:07}");
        out.pad(&format!("{whole}.{}", digits.trim_end_matches('0')))
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Percent {
    /// Reads a text or a number; a number is taken by the digits it is written with.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Percent;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a percentage above 0 and at most 100")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Percent, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Percent, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Percent, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Percent, E> {
                // The shortest text of a float is the decimal that its writer meant.
                self.visit_str(&number.to_string())
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percentages_are_exact_decimals() {
        let check = |text: &str, billionths: u64, shown: &str| {
            let percent: Percent = text.parse().expect(text);
            assert_eq!((percent.billionths(), percent.to_string().as_str()), (billionths, shown));
        };
        check("5", 50_000_000, "5");
        check("5%", 50_000_000, "5");
        check(" 7.50 % ", 75_000_000, "7.5");
        check("100", 1_000_000_000, "100");
        check("100.000000000", 1_000_000_000, "100");
        check("0.0000001", 1, "0.0000001");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "%", "-5", "+5", "five", "5.", ".5", "1e1", "5%%", "1,5", "NaN"] {
            assert!(matches!(text.parse::<Percent>(), Err(PercentError::NotADecimal(_))), "{text}");
        }
        for text in ["0", "0.0", "100.1", "101", "99999999999999999999"] {
            assert!(matches!(text.parse::<Percent>(), Err(PercentError::OutOfRange(_))), "{text}");
        }
        assert!(matches!("0.00000001".parse::<Percent>(), Err(PercentError::TooFine(_))));
    }

    #[test]
    fn a_prefix_is_rounded_up_and_at_least_one() {
        let check = |n: u64, expect: [u64; 5]| {
            let prefixes =
                ["5", "10", "25", "50", "100"].map(|p| p.parse::<Percent>().expect(p).prefix(n));
            assert_eq!(prefixes, expect, "{n} rows");
        };
        check(0, [0, 0, 0, 0, 0]);
        check(1, [1, 1, 1, 1, 1]);
        check(7, [1, 1, 2, 4, 7]);
        check(20, [1, 2, 5, 10, 20]);
        check(100, [5, 10, 25, 50, 100]);
        check(500, [25, 50, 125, 250, 500]);
        assert_eq!("7".parse::<Percent>().expect("7").prefix(100), 7);
        assert_eq!("0.0001".parse::<Percent>().expect("tiny").prefix(100), 1);
    }

    #[test]
    fn numbers_and_texts_are_deserialized() {
        for (json, expect) in [("5", "5"), ("7.5", "7.5"), ("\"12.5%\"", "12.5"), ("0.1", "0.1")] {
            let percent: Percent = serde_json::from_str(json).expect(json);
            assert_eq!(percent.to_string(), expect, "{json}");
            let written = serde_json::to_string(&percent).expect("a text");
            assert_eq!(serde_json::from_str::<Percent>(&written).expect("its own text"), percent);
        }
        assert!(serde_json::from_str::<Percent>("0").is_err());
        assert!(serde_json::from_str::<Percent>("-1").is_err());
    }

    proptest! {
        #[test]
        fn writing_and_reading_is_the_identity(billionths in 1..=WHOLE) {
            let percent = Percent(billionths);
            prop_assert_eq!(percent.to_string().parse::<Percent>(), Ok(percent));
        }

        #[test]
        fn whole_percents_of_a_hundred_are_themselves(percent in 1_u64..=100) {
            let share: Percent = percent.to_string().parse().expect("valid");
            prop_assert_eq!(share.prefix(100), percent);
        }
    }
}
