//! A moment as people write it: a day, a time, or a span before now.

use std::time::Duration;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A text that is no moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no time: write a day (2026-11-21), a time (2026-11-21T10:00) or a span (7d)")]
pub struct WhenError(String);

/// The moment that a text means. A day is its first moment in `zone`; a span counts back from
/// `now`.
///
/// # Errors
/// When it is none of these, or beyond the years that can be counted.
pub fn moment(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, WhenError> {
    let in_zone = |time: DateTime| zone.to_timestamp(time).ok();
    let span = |span: Duration| {
        let span = SignedDuration::try_from(span).ok()?;
        now.checked_sub(span).ok()
    };
    let found = if let Ok(day) = text.parse::<Date>()
        && !text.contains(['T', ' '])
    {
        day.to_zoned(zone.clone()).ok().map(|start| start.timestamp())
    } else if let Ok(time) = text.parse::<Timestamp>() {
        Some(time)
    } else if let Ok(time) = text.parse::<DateTime>() {
        in_zone(time)
    } else {
        humantime::parse_duration(text).ok().and_then(span)
    };
    found.ok_or_else(|| WhenError(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_a_time_and_a_span_are_moments() {
        let now: Timestamp = "2026-11-28T12:00:00Z".parse().expect("a time");
        let check = |text: &str, zone: &str, expect: &str| {
            let zone =
                if zone == "UTC" { TimeZone::UTC } else { TimeZone::fixed(jiff::tz::offset(-5)) };
            assert_eq!(moment(text, now, &zone).expect(text).to_string(), expect, "{text}");
        };
        check("2026-11-21", "UTC", "2026-11-21T00:00:00Z");
        check("2026-11-21", "-5", "2026-11-21T05:00:00Z");
        check("2026-11-21T10:30", "-5", "2026-11-21T15:30:00Z");
        check("2026-11-21 10:30:05", "UTC", "2026-11-21T10:30:05Z");
        check("2026-11-21T10:30Z", "-5", "2026-11-21T10:30:00Z");
        check("7d", "UTC", "2026-11-21T12:00:00Z");
        check("90m", "UTC", "2026-11-28T10:30:00Z");
        for wrong in ["", "yesterday", "2026-13-01", "7", "-1d", "2026-11"] {
            assert!(moment(wrong, now, &TimeZone::UTC).is_err(), "{wrong}");
        }
    }
}
