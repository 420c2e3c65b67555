//! How often something may be tried again, and after which pause.

use std::time::Duration;

use crate::domain::ids::AttemptId;

/// How often one image may be put off by the provider before it is given up. With the usual
/// pauses of seconds that is many minutes; an endless loop would hide a lane that never opens.
pub const MAX_THROTTLES: u32 = 100;

/// How often one image may find no connection before the run stops: with the pauses below that is
/// a quarter of a minute, enough for a server that is restarted.
pub const MAX_CONNECTION_TRIES: u32 = 6;

/// How long one exchange may take where no profile says otherwise. Providers document minutes for
/// large images, and a short time-out is a way to pay for nothing.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);

/// A wait up to this long is the business of the request that was put off. A longer one parks the
/// whole lane: others would be told the same.
pub const PARK_ABOVE: Duration = Duration::from_secs(120);

/// The longest that a lane is parked. Whoever is told to wait longer stops, and comes back.
pub const MAX_PARK: Duration = Duration::from_secs(3_600);

/// Charges above the worst case of a model after which the run stops: its price is wrong.
pub const MAX_OVERRUNS: u32 = 3;

/// Pauses before the first and the longest retry.
#[derive(Clone, Copy, Debug)]
struct Growth {
    base: Duration,
    cap: Duration,
}

const PAID_RETRY: Growth = Growth { base: Duration::from_secs(1), cap: Duration::from_secs(20) };
const CONNECTION: Growth = Growth { base: Duration::from_millis(500), cap: Duration::from_secs(5) };
const FETCH: Growth = Growth { base: Duration::from_millis(250), cap: Duration::from_secs(5) };
const THROTTLE: Growth = Growth { base: Duration::from_secs(2), cap: Duration::from_secs(60) };

/// The longest pause before a fetch of a reference is tried again, whoever asks for it: a row does
/// not wait longer for what costs nothing to find missing.
pub const MAX_FETCH_PAUSE: Duration = Duration::from_secs(30);

/// The most that is added to a wait which the provider asked for, so that those who were told the
/// same do not come back at the same moment.
const MOST_SPREAD: Duration = Duration::from_secs(5);

/// The shortest wait that is taken at its word.
const LEAST_ASKED: Duration = Duration::from_secs(1);

impl Growth {
    /// Doubling from the base to the cap.
    fn ceiling(&self, retry: u32) -> Duration {
        self.base.saturating_mul(1 << retry.saturating_sub(1).min(10)).min(self.cap)
    }
}

/// The pause before paid retry number `retry` (from 1): doubling from a second to 20 s, with
/// full jitter drawn from the random bits of the attempt before it.
pub fn paid_retry_pause(retry: u32, attempt: AttemptId) -> Duration {
    part_of(PAID_RETRY.ceiling(retry), attempt)
}

/// The pause before connection try number `retry` (from 1): doubling from half a second to 5 s,
/// with full jitter.
pub fn connection_pause(retry: u32, attempt: AttemptId) -> Duration {
    part_of(CONNECTION.ceiling(retry), attempt)
}

/// The pause before fetch retry number `retry` (from 1) of a reference: what the other side asks
/// for, else doubling from a quarter of a second to 5 s, with full jitter.
pub fn fetch_pause(retry: u32, asked: Option<Duration>, draw: AttemptId) -> Duration {
    match asked {
        Some(asked) => asked.max(part_of(FETCH.base, draw)),
        None => part_of(FETCH.ceiling(retry), draw),
    }
}

/// The pause after the `throttle`-th (from 1) answer that puts an image off: what the provider asks
/// for, whole, and a little more; else doubling from 2 s to a minute, at least half of it. Who asks
/// for less than a second gets that too: those who say "now" say so again.
pub fn throttle_pause(
    throttle: u32,
    retry_after: Option<Duration>,
    attempt: AttemptId,
) -> Duration {
    let own = || {
        let half = THROTTLE.ceiling(throttle) / 2;
        half + part_of(half, attempt)
    };
    match retry_after {
        Some(asked) if asked >= LEAST_ASKED => {
            asked.saturating_add(part_of((asked / 10).min(MOST_SPREAD), attempt))
        }
        Some(asked) => asked.max(own()),
        None => own(),
    }
}

/// A part of a time, drawn from the random bits of an attempt.
fn part_of(whole: Duration, attempt: AttemptId) -> Duration {
    let whole_ms = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX - 1);
    Duration::from_millis(attempt.low_bits() % (whole_ms + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts() -> impl Iterator<Item = AttemptId> {
        (0..2_000_u128).map(|n| AttemptId::new(uuid::Uuid::from_u128(n * 7_919 + 13)))
    }

    #[test]
    fn pauses_grow_and_stay_below_their_ceiling() {
        for (retry, ceiling_ms) in [(1, 1_000), (2, 2_000), (3, 4_000), (10, 20_000), (99, 20_000)]
        {
            let pauses = attempts().map(|attempt| paid_retry_pause(retry, attempt).as_millis());
            let longest = pauses.max().expect("many pauses");
            assert!(longest <= ceiling_ms, "retry {retry}: {longest}");
            assert!(longest * 10 >= ceiling_ms * 6, "retry {retry}: {longest}");
        }
    }

    #[test]
    fn what_the_provider_asks_for_is_waited_whole() {
        for asked in [Duration::ZERO, Duration::from_millis(20), Duration::from_secs(11)] {
            for attempt in attempts() {
                let pause = throttle_pause(1, Some(asked), attempt);
                assert!(pause >= asked && pause <= asked + asked / 10 + MOST_SPREAD, "{pause:?}");
            }
        }
    }

    #[test]
    fn without_a_wait_asked_for_the_pause_grows_and_is_never_short() {
        for (throttle, least, most) in [(1, 1_000, 2_000), (2, 2_000, 4_000), (9, 30_000, 60_000)] {
            for attempt in attempts() {
                let pause = throttle_pause(throttle, None, attempt).as_millis();
                assert!((least..=most).contains(&pause), "{throttle}: {pause}");
            }
        }
    }
}
