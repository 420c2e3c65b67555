//! How long a provider asks to wait, in every spelling that is in use.
//!
//! Sources: RFC 9110 10.2.3 (`Retry-After` as seconds or as a date), `retry-after-ms` as the
//! official SDKs of OpenAI read it, and `x-ratelimit-reset-*` as OpenAI writes it (`1s`, `6m0s`,
//! `20ms`).

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

/// Headers that say when a limit is full again. They do not say which of the limits was met, so the
/// longest counts.
const RESETS: [&str; 3] =
    ["x-ratelimit-reset-requests", "x-ratelimit-reset-images", "x-ratelimit-reset-tokens"];

/// No provider means a longer wait than this; what is longer is a misprint, and counts as this.
const LONGEST: Duration = Duration::from_hours(24 * 365);

/// The wait that the headers of an answer ask for, or nothing when none can be read.
///
/// `header` gives a header by its lower-case name. A date is compared with the answer's own `Date`
/// where it has one, else with `now`: the two clocks need not agree.
pub fn retry_after<'a>(
    header: impl Fn(&str) -> Option<&'a str>,
    now: Timestamp,
) -> Option<Duration> {
    if let Some(millis) = header("retry-after-ms").and_then(|text| decimal(text, 1_000_000)) {
        return Some(millis);
    }
    if let Some(text) = header("retry-after") {
        let from = header("date").and_then(http_date).unwrap_or(now);
        if let Some(wait) = decimal(text, 1_000_000_000).or_else(|| until(text, from)) {
            return Some(wait);
        }
    }
    RESETS.iter().filter_map(|name| header(name).and_then(spelled)).max()
}

/// A number that is not negative, such as `2` or `0.25`, of a unit of so many nanoseconds.
fn decimal(text: &str, unit_nanos: u64) -> Option<Duration> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    // More digits than a number has room for are a very long wait, not none.
    let whole: u64 = whole.parse().unwrap_or(u64::MAX);
    let mut part = 0_u128;
    let mut scale = u128::from(unit_nanos);
    for digit in fraction.bytes().take(9) {
        scale /= 10;
        part += u128::from(digit - b'0') * scale;
    }
    let nanos = u128::from(whole) * u128::from(unit_nanos) + part;
    Some(u64::try_from(nanos).map_or(LONGEST, Duration::from_nanos).min(LONGEST))
}

/// The time from `from` to an HTTP date; a date in the past asks for no wait.
fn until(text: &str, from: Timestamp) -> Option<Duration> {
    let wait = http_date(text)?.duration_since(from);
    Some(Duration::try_from(wait).unwrap_or(Duration::ZERO).min(LONGEST))
}

/// A date in one of the three formats of RFC 9110 5.6.7; the last two are obsolete and still sent.
pub fn http_date(text: &str) -> Option<Timestamp> {
    const OBSOLETE: [&str; 2] = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    let text = text.trim();
    if let Ok(zoned) = jiff::fmt::rfc2822::parse(text) {
        return Some(zoned.timestamp());
    }
    OBSOLETE.iter().find_map(|format| {
        let date = strtime::parse(format, text).ok()?.to_datetime().ok()?;
        TimeZone::UTC.to_timestamp(date).ok()
    })
}

/// A duration such as `1m30s`, `6m0s`, `20ms` or `1.5s`.
fn spelled(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut sum = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|one: char| !(one.is_ascii_digit() || one == '.'))?;
        let (number, behind) = rest.split_at(end);
        let unit_end = behind.find(|one: char| one.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit_end);
        let nanos = match unit {
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60 * 1_000_000_000,
            "h" => 3_600 * 1_000_000_000,
            "d" => 24 * 3_600 * 1_000_000_000,
            _ => return None,
        };
        sum = sum.saturating_add(decimal(number, nanos)?);
        rest = behind;
    }
    Some(sum.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-28T12:00:00Z".parse().expect("a time")
    }

    fn of(headers: &[(&str, &'static str)]) -> Option<Duration> {
        let find = |name: &str| headers.iter().find(|(known, _)| *known == name);
        retry_after(|name| find(name).map(|(_, value)| *value), now())
    }

    #[test]
    fn every_spelling_is_understood() {
        let ms = Duration::from_millis;
        for (name, text, expect) in [
            ("retry-after-ms", "1500", Some(ms(1_500))),
            ("retry-after-ms", "20.5", Some(Duration::from_micros(20_500))),
            ("retry-after", "0", Some(ms(0))),
            ("retry-after", "11", Some(ms(11_000))),
            ("retry-after", " 2 ", Some(ms(2_000))),
            ("retry-after", "0.25", Some(ms(250))),
            ("retry-after", "Sat, 28 Nov 2026 12:01:30 GMT", Some(ms(90_000))),
            ("retry-after", "Sat, 28 Nov 2026 11:00:00 GMT", Some(ms(0))),
            ("retry-after", "Saturday, 28-Nov-26 12:00:07 GMT", Some(ms(7_000))),
            ("retry-after", "Sat Nov 28 12:00:07 2026", Some(ms(7_000))),
            ("retry-after", "999999", Some(ms(999_999_000))),
            ("retry-after", "99999999999999999999999", Some(LONGEST)),
            ("retry-after", "-1", None),
            ("retry-after", "NaN", None),
            ("retry-after", "inf", None),
            ("retry-after", "1e3", None),
            ("retry-after", "", None),
            ("retry-after", "soon", None),
            ("x-ratelimit-reset-requests", "1m30s", Some(ms(90_000))),
            ("x-ratelimit-reset-requests", "6m0s", Some(ms(360_000))),
            ("x-ratelimit-reset-images", "20ms", Some(ms(20))),
            ("x-ratelimit-reset-tokens", "1.5s", Some(ms(1_500))),
            ("x-ratelimit-reset-requests", "1h", Some(ms(3_600_000))),
            ("x-ratelimit-reset-requests", "7", None),
            ("x-ratelimit-reset-requests", "m", None),
        ] {
            assert_eq!(of(&[(name, text)]), expect, "{name}: {text:?}");
        }
        assert_eq!(of(&[]), None);
        // Which limit was met is not said: the longest wait is the one that helps.
        let both = [("x-ratelimit-reset-requests", "0s"), ("x-ratelimit-reset-tokens", "40s")];
        assert_eq!(of(&both), Some(ms(40_000)));
    }

    #[test]
    fn the_first_that_can_be_read_counts() {
        let check = |headers: &[(&str, &'static str)], expect: u64| {
            assert_eq!(of(headers), Some(Duration::from_millis(expect)), "{headers:?}");
        };
        check(&[("retry-after-ms", "10"), ("retry-after", "2")], 10);
        check(&[("retry-after-ms", "x"), ("retry-after", "2")], 2_000);
        check(&[("retry-after", "x"), ("x-ratelimit-reset-requests", "3s")], 3_000);
    }

    #[test]
    fn a_date_is_compared_with_the_answers_own_clock() {
        let headers = [
            ("retry-after", "Sat, 28 Nov 2026 15:00:20 GMT"),
            ("date", "Sat, 28 Nov 2026 15:00:00 GMT"),
        ];
        assert_eq!(of(&headers), Some(Duration::from_secs(20)));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fall_over(text in ".{0,40}") {
            let wait = retry_after(|_| Some(text.as_str()), now());
            prop_assert!(wait.is_none_or(|wait| wait <= LONGEST));
        }
    }
}
