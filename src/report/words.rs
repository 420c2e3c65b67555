//! Times, shares and amounts as people read them.

use std::time::Duration;

use crate::domain::ledger::LimitOrigin;
use crate::domain::money::NanoUsd;

/// Nano-dollars in a cent.
const NANOS_PER_CENT: i64 = 10_000_000;

/// A duration in at most two or three units: `0.8s`, `12.0s`, `6m02s`, `1h02m03s`.
pub fn duration(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    if tenths < 600 {
        return format!("{}.{}s", tenths / 10, tenths % 10);
    }
    let seconds = (duration.as_millis() + 500) / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}h{minutes:02}m{seconds:02}s")
    } else {
        format!("{minutes}m{seconds:02}s")
    }
}

/// A time that may be long: in whole days where it has several of them, such as `3 days`.
pub fn long_time(time: Duration) -> String {
    const DAY: u64 = 24 * 3600;
    match time.as_secs() / DAY {
        0..2 => duration(time),
        days => format!("{days} days"),
    }
}

/// A count with its noun: `1 row`, `2 rows`.
pub fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("{number} {noun}") } else { format!("{number} {noun}s") }
}

/// What is left of an amount: with a currency sign, and finer digits above a dollar left out.
pub fn dollars_at_least(amount: NanoUsd) -> String {
    if amount >= NanoUsd::from_dollars(1) {
        let cents = amount.nanos() / NANOS_PER_CENT;
        return NanoUsd::from_nanos(cents * NANOS_PER_CENT).dollars().to_string();
    }
    amount.dollars().to_string()
}

/// An amount with a currency sign, rounded up to a cent when it has finer digits above a dollar.
pub fn dollars(amount: NanoUsd) -> String {
    let fine = amount.nanos() % NANOS_PER_CENT != 0;
    if fine && amount >= NanoUsd::from_dollars(1) {
        let cents = amount.nanos() / NANOS_PER_CENT + 1;
        return NanoUsd::from_nanos(cents.saturating_mul(NANOS_PER_CENT)).dollars().to_string();
    }
    amount.dollars().to_string()
}

/// Breaks a text at blanks so that no line is wider than `width`, as far as words allow.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always a line");
        let full = line.chars().count() + 1 + word.chars().count() > width;
        if !line.is_empty() && full {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// Where a limit came from.
pub const fn limit_origin(origin: LimitOrigin) -> &'static str {
    match origin {
        LimitOrigin::Default => "the default",
        LimitOrigin::Flag => "from a flag, when the ledger was made",
        LimitOrigin::Config => "from a config file, when the ledger was made",
        LimitOrigin::Person => "set by hand",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let check = |millis: u64, expect: &str| {
            assert_eq!(duration(Duration::from_millis(millis)), expect);
        };
        check(0, "0.0s");
        check(840, "0.8s");
        check(12_000, "12.0s");
        check(59_949, "59.9s");
        check(59_960, "1m00s");
        check(362_000, "6m02s");
        check(3_723_000, "1h02m03s");
    }

    #[test]
    fn long_times_are_told_in_days() {
        for (seconds, expect) in [
            (12, "12.0s"),
            (47 * 3600, "47h00m00s"),
            (48 * 3600, "2 days"),
            (1000 * 86_400 + 5, "1000 days"),
        ] {
            assert_eq!(long_time(Duration::from_secs(seconds)), expect);
        }
    }

    #[test]
    fn amounts_round_up_to_cents() {
        let check = |text: &str, expect: &str| {
            assert_eq!(dollars(text.parse().expect("an amount")), expect);
        };
        check("7.96", "$7.96");
        check("7.961", "$7.97");
        check("0.0131", "$0.0131");
        check("10", "$10.00");
    }
}
