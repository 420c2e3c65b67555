//! Whether an address lives long enough: what is done with it when its row is claimed, what the
//! plan says about it beforehand, and what other people's clocks have to do with it.

use std::fmt;
use std::time::Duration;

use humantime::format_duration;
use jiff::{SignedDuration, Timestamp};

use crate::domain::fetch::FetchSettings;
use crate::domain::signed_url::Lifetime;
use crate::domain::sigv4;

/// The first pause between two tries; each further one is twice as long.
pub const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause between two tries that nobody asked for.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What a fetch may take beside its tries and pauses: it waits for one of the places, and the
/// clocks of two machines differ a little.
const MARGIN: Duration = Duration::from_secs(5);

/// An address that begins to be valid so soon is valid: a signer's clock is that much ahead.
const BEGIN_NOISE: SignedDuration = SignedDuration::from_mins(1);

/// A new signature lives at least so long.
const SHORTEST_LIFE: Duration = Duration::from_mins(15);

/// Dates of answers have whole seconds and travel for a while, so less than this is no offset.
const OFFSET_NOISE: SignedDuration = SignedDuration::from_secs(2);

/// An offset above this is told, since signatures and days of the ledger hang on the clock.
const OFFSET_WARNING: SignedDuration = SignedDuration::from_secs(60);

/// What is to be done with an address now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is good, or nothing is known against it.
    Fetch,
    /// It must be signed anew first.
    Refresh,
    /// It cannot be used, and nobody can sign it anew; the text goes on where the address ends.
    Reject(String),
}

/// What the plan says about an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freshness {
    /// It lives long enough.
    Fresh,
    /// It will be signed anew.
    Refreshed,
    /// It does not say when it ends.
    Unknown,
    /// It will be rejected before any money moves: nobody can sign it anew.
    Doomed,
}

/// Decides about an address at a moment, which is corrected by [`ClockOffset::apply`] already:
/// it must live for what its fetch may take, and for what the user asks.
pub fn decide(
    lifetime: &Lifetime,
    now: Timestamp,
    need: Duration,
    fresh_for: Duration,
    can_refresh: bool,
) -> Claim {
    match objection(lifetime, now, need, fresh_for) {
        None => Claim::Fetch,
        Some(_) if can_refresh => Claim::Refresh,
        Some(objection) => Claim::Reject(objection),
    }
}

/// Says beforehand what will be done with an address whose fetch is predicted to start then.
pub fn classify(
    lifetime: &Lifetime,
    start: Timestamp,
    need: Duration,
    fresh_for: Duration,
    can_refresh: bool,
) -> Freshness {
    match decide(lifetime, start, need, fresh_for, can_refresh) {
        Claim::Fetch if lifetime.expires.is_none() => Freshness::Unknown,
        Claim::Fetch => Freshness::Fresh,
        Claim::Refresh => Freshness::Refreshed,
        Claim::Reject(_) => Freshness::Doomed,
    }
}

/// What speaks against fetching from an address at a moment.
fn objection(
    lifetime: &Lifetime,
    now: Timestamp,
    need: Duration,
    fresh_for: Duration,
) -> Option<String> {
    if let Some(why) = lifetime.unusable {
        return Some(why.to_owned());
    }
    if let Some(begin) = lifetime.not_before
        && begin.duration_since(now) > BEGIN_NOISE
    {
        return Some(format!("is not valid before {begin}"));
    }
    let rest = lifetime.expires?.duration_since(now);
    let Ok(rest) = Duration::try_from(rest) else {
        return Some(format!("expired {} ago", shown(rest.unsigned_abs())));
    };
    if rest.is_zero() {
        return Some("expired just now".to_owned());
    }
    let asked = need.max(fresh_for);
    if rest >= asked {
        return None;
    }
    let who = if fresh_for >= need { "--fresh-for asks for" } else { "its fetch may take" };
    Some(format!("lives for {} more, and {who} {}", shown(rest), shown(asked)))
}

/// A duration in whole seconds; what is shorter than one as it is.
fn shown(duration: Duration) -> String {
    let whole = Duration::from_secs(duration.as_secs());
    let shown =
        if whole.is_zero() { Duration::from_millis(duration.as_millis() as u64) } else { whole };
    format_duration(shown).to_string()
}

/// How long the fetch of one reference may take with all its tries.
pub fn need(settings: &FetchSettings) -> Duration {
    // Every pause after the first few is the longest.
    let n_growing = settings.retries.min(16);
    let growing: Duration = (0..n_growing).map(longest_pause).sum();
    let others = LONGEST_PAUSE.saturating_mul(settings.retries - n_growing);
    let tries = settings.timeout.saturating_mul(settings.retries.saturating_add(1));
    tries.saturating_add(growing).saturating_add(others).saturating_add(MARGIN)
}

/// The most that is waited before a retry, counted from 0; chance makes it shorter.
pub fn longest_pause(retry: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(retry)).min(LONGEST_PAUSE)
}

/// How long a new signature is to live, when nearly all fetches start within `start_p99` from now.
pub fn signature_life(start_p99: Duration, need: Duration) -> Duration {
    let twice = start_p99.saturating_add(need).saturating_mul(2);
    twice.clamp(SHORTEST_LIFE, sigv4::LONGEST_LIFE)
}

/// How far the clock of a host is ahead of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockOffset(SignedDuration);

impl ClockOffset {
    /// Measures it by the date of an answer, and by our time when the answer came.
    pub fn measure(now: Timestamp, date: Timestamp) -> Self {
        let offset = date.duration_since(now);
        if offset.abs() < OFFSET_NOISE { Self::default() } else { Self(offset) }
    }

    /// Our time as that host tells it.
    pub fn apply(self, now: Timestamp) -> Timestamp {
        now.saturating_add(self.0).expect("a duration without calendar units can be added")
    }

    /// Whether people should be told.
    pub fn is_worth_a_warning(self) -> bool {
        self.0.abs() > OFFSET_WARNING
    }
}

impl fmt::Display for ClockOffset {
    /// What our clock is against that of the host, such as `3m behind`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.0.is_negative() { "ahead" } else { "behind" };
        write!(out, "{} {side}", shown(self.0.unsigned_abs()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NEED: Duration = Duration::from_secs(40);
    const FRESH_FOR: Duration = Duration::from_mins(5);

    fn now() -> Timestamp {
        "2026-03-04T05:06:07Z".parse().expect("a time")
    }

    fn in_seconds(seconds: i64) -> Timestamp {
        now() + SignedDuration::from_secs(seconds)
    }

    fn ends_in(seconds: i64) -> Lifetime {
        Lifetime { expires: Some(in_seconds(seconds)), is_signed: true, ..Lifetime::default() }
    }

    #[test]
    fn what_lives_for_less_than_five_minutes_is_signed_anew_row_86() {
        let check = |life: &Lifetime, alone: &str, freshness: [Freshness; 2]| {
            let reject = Claim::Reject(alone.to_owned());
            let expect = if alone.is_empty() { Claim::Fetch } else { reject };
            assert_eq!(decide(life, now(), NEED, FRESH_FOR, false), expect, "{life:?}");
            let expect = if alone.is_empty() { Claim::Fetch } else { Claim::Refresh };
            assert_eq!(decide(life, now(), NEED, FRESH_FOR, true), expect, "{life:?}");
            let classes = [false, true].map(|can| classify(life, now(), NEED, FRESH_FOR, can));
            assert_eq!(classes, freshness, "{life:?}");
        };
        let bad = [Freshness::Doomed, Freshness::Refreshed];
        check(&ends_in(300), "", [Freshness::Fresh; 2]);
        check(&ends_in(299), "lives for 4m 59s more, and --fresh-for asks for 5m", bad);
        check(&ends_in(1), "lives for 1s more, and --fresh-for asks for 5m", bad);
        check(&ends_in(0), "expired just now", bad);
        check(&ends_in(-180), "expired 3m ago", bad);
        check(&Lifetime::default(), "", [Freshness::Unknown; 2]);
        let signed = Lifetime { is_signed: true, may_end_early: true, ..Lifetime::default() };
        check(&signed, "", [Freshness::Unknown; 2]);
        let unusable = Lifetime { unusable: Some("is for writing"), ..ends_in(900) };
        check(&unusable, "is for writing", bad);
    }

    #[test]
    fn a_long_fetch_counts_more_than_what_was_asked() {
        let minute = Duration::from_secs(60);
        let short = decide(&ends_in(50), now(), minute, Duration::ZERO, false);
        let expect = "lives for 50s more, and its fetch may take 1m";
        assert_eq!(short, Claim::Reject(expect.to_owned()));
        assert_eq!(decide(&ends_in(60), now(), minute, Duration::ZERO, false), Claim::Fetch);
    }

    #[test]
    fn what_is_not_valid_yet_is_told_from_noise() {
        let begins_in = |seconds: i64| Lifetime {
            not_before: Some(in_seconds(seconds)),
            ..ends_in(seconds + 3_600)
        };
        let at = |seconds: i64, can| decide(&begins_in(seconds), now(), NEED, FRESH_FOR, can);
        assert_eq!(at(60, false), Claim::Fetch);
        assert_eq!(at(-60, false), Claim::Fetch);
        assert_eq!(at(61, true), Claim::Refresh);
        let expect = "is not valid before 2026-03-04T05:07:08Z";
        assert_eq!(at(61, false), Claim::Reject(expect.to_owned()));
    }

    #[test]
    fn the_time_of_the_predicted_start_counts_row_86() {
        let life = ends_in(3_600);
        let at = |seconds| classify(&life, in_seconds(seconds), NEED, FRESH_FOR, true);
        assert_eq!(at(0), Freshness::Fresh);
        assert_eq!(at(3_300), Freshness::Fresh);
        assert_eq!(at(3_301), Freshness::Refreshed);
    }

    #[test]
    fn a_fetch_may_take_all_its_tries_and_pauses() {
        let settings = |retries| FetchSettings { retries, ..FetchSettings::default() };
        let millis = |retries| need(&settings(retries)).as_millis();
        assert_eq!(millis(0), 10_000 + 5_000);
        assert_eq!(millis(2), 30_000 + 250 + 500 + 5_000);
        assert_eq!(millis(7), 80_000 + 250 + 500 + 1_000 + 2_000 + 4_000 + 10_000 + 5_000);
        assert!(need(&settings(u32::MAX)) > need(&settings(u32::MAX - 1)));
        let endless = FetchSettings { timeout: Duration::MAX, ..settings(3) };
        assert_eq!(need(&endless), Duration::MAX);
    }

    #[test]
    fn new_signatures_live_for_twice_the_wait_within_bounds_row_93() {
        let hours = Duration::from_hours;
        assert_eq!(signature_life(Duration::ZERO, NEED), Duration::from_mins(15));
        assert_eq!(signature_life(hours(1), Duration::ZERO), hours(2));
        assert_eq!(signature_life(hours(24 * 30), NEED), hours(24 * 7));
        assert_eq!(signature_life(Duration::MAX, NEED), hours(24 * 7));
    }

    #[test]
    fn a_clock_that_is_wrong_is_corrected_and_told_row_91() {
        let measured = |seconds: i64| ClockOffset::measure(now(), in_seconds(seconds));
        let check = |seconds: i64, used: i64, is_told: bool| {
            let offset = measured(seconds);
            assert_eq!(offset.apply(now()), in_seconds(used), "{seconds}");
            assert_eq!(offset.is_worth_a_warning(), is_told, "{seconds}");
        };
        check(0, 0, false);
        check(1, 0, false);
        check(-1, 0, false);
        check(2, 2, false);
        check(60, 60, false);
        check(61, 61, true);
        check(-61, -61, true);
        check(86_400 * 365, 86_400 * 365, true);
        assert_eq!(measured(180).to_string(), "3m behind");
        assert_eq!(measured(-180).to_string(), "3m ahead");
        // Ours is ten minutes slow: the address is dead although our clock says otherwise.
        let theirs = measured(600).apply(now());
        let claim = decide(&ends_in(599), theirs, NEED, FRESH_FOR, false);
        assert_eq!(claim, Claim::Reject("expired 1s ago".to_owned()));
    }

    proptest! {
        #[test]
        fn a_later_moment_never_makes_an_address_fresher(
            end in -4_000_i64..4_000, now in -4_000_i64..4_000, later in 0_i64..4_000,
        ) {
            let is_good = |at| decide(&ends_in(end), in_seconds(at), NEED, FRESH_FOR, false);
            if is_good(now) != Claim::Fetch {
                prop_assert_ne!(is_good(now + later), Claim::Fetch);
            }
        }

        #[test]
        fn no_times_make_it_fall_over(
            end in any::<i64>(), begin in any::<i64>(), now in any::<i64>(), date in any::<i64>(),
        ) {
            let time = |seconds: i64| {
                Timestamp::from_second(seconds % 253_000_000_000).expect("within the range")
            };
            let life = Lifetime {
                expires: Some(time(end)), not_before: Some(time(begin)), ..Lifetime::default()
            };
            let offset = ClockOffset::measure(time(now), time(date));
            let _ = decide(&life, offset.apply(time(end)), Duration::MAX, Duration::MAX, false);
            let _ = offset.to_string();
        }
    }
}
