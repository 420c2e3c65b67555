//! Decimals as they stand in a TOML file: read digit by digit, never through a float.

use crate::domain::money::{MoneyError, NanoUsd};

/// The largest power of ten that an exponent may move the point by; amounts have 10 + 9 digits.
const MAX_EXPONENT: usize = 18;

/// The amount that the source text of a TOML number, or the content of a string, stands for.
///
/// TOML's own forms are understood: `1_000`, `+5.0`, `5e-3`.
pub(crate) fn amount(text: &str) -> Result<NanoUsd, MoneyError> {
    let bad = || MoneyError::NotADecimal(text.to_owned());
    let plain = text.trim().replace('_', "");
    let body = plain.strip_prefix('+').unwrap_or(&plain);
    let Some((digits, exponent)) = body.split_once(['e', 'E']) else {
        return named(text, body);
    };
    let negative = exponent.starts_with('-');
    let size = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if size.is_empty() || !is_digits(size) {
        return Err(bad());
    }
    let places: usize = size.parse().unwrap_or(usize::MAX);
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", digits),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return Err(bad());
    }
    if places > MAX_EXPONENT {
        return Err(if negative {
            MoneyError::TooFine(text.to_owned())
        } else {
            MoneyError::TooLarge(text.to_owned())
        });
    }
    let moved = if negative {
        let padded = format!("{whole:0>width$}", width = places + 1);
        let (left, right) = padded.split_at_checked(padded.len() - places).ok_or_else(bad)?;
        format!("{sign}{left}.{right}{fraction}0")
    } else {
        let padded = format!("{fraction:0<places$}");
        let (left, right) = padded.split_at_checked(places).ok_or_else(bad)?;
        format!("{sign}{whole}{left}.{right}0")
    };
    named(text, &moved)
}

/// Reads `plain`, and names the user's own `text` when that fails.
fn named(text: &str, plain: &str) -> Result<NanoUsd, MoneyError> {
    plain.parse().map_err(|error| match error {
        MoneyError::NotADecimal(_) => MoneyError::NotADecimal(text.to_owned()),
        MoneyError::TooFine(_) => MoneyError::TooFine(text.to_owned()),
        MoneyError::TooLarge(_) => MoneyError::TooLarge(text.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn toml_numbers_are_exact_decimals() {
        let check = |text: &str, nanos: i64| {
            assert_eq!(amount(text).map(NanoUsd::nanos), Ok(nanos), "{text}");
        };
        check("0.1", 100_000_000);
        check("0.3", 300_000_000);
        check("0.30", 300_000_000);
        check("1_000.000_000_001", 1_000_000_000_001);
        check("+5.0", 5_000_000_000);
        check("5e-3", 5_000_000);
        check("1.5E2", 150_000_000_000);
        check("12.5e-1", 1_250_000_000);
        check("-2e-2", -20_000_000);
        check("$0.04", 40_000_000);
        // The next two are the classic amounts that a binary fraction cannot hold.
        check("9007199.254740993", 9_007_199_254_740_993);
        check("4503599.627370497", 4_503_599_627_370_497);
    }

    #[test]
    fn what_is_no_amount_is_refused_with_its_own_text() {
        for text in
            ["inf", "nan", "0x10", "1e", "e3", "1e5.0", "", "1.2.3e1", "1ee3", "true", "1e--3"]
        {
            assert!(matches!(amount(text), Err(MoneyError::NotADecimal(_))), "{text:?}");
        }
        assert_eq!(amount("1e-10"), Err(MoneyError::TooFine("1e-10".into())));
        assert_eq!(amount("1e-99"), Err(MoneyError::TooFine("1e-99".into())));
        assert_eq!(amount("1e17"), Err(MoneyError::TooLarge("1e17".into())));
        assert_eq!(amount("1e999"), Err(MoneyError::TooLarge("1e999".into())));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[-+$0-9._eE]{0,24}|\\PC{0,12}") {
            let _ = amount(&text);
        }

        #[test]
        fn an_exponent_only_moves_the_point(nanos in 0i64..1_000_000_000_000, power in 0u32..9) {
            let scaled = format!("{}e-{power}", NanoUsd::from_nanos(nanos));
            let divisor = 10i64.pow(power);
            if nanos % divisor == 0 {
                prop_assert_eq!(amount(&scaled), Ok(NanoUsd::from_nanos(nanos / divisor)));
            } else {
                prop_assert!(amount(&scaled).is_err());
            }
        }
    }
}
