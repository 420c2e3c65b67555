//! What may be tried again, after which pause, and how often.

use std::time::Duration;

use crate::domain::ids::AttemptId;
use crate::domain::ledger::UnknownClass;
use crate::domain::settings::PaidRetryOn;

/// How often one image may be put off by the provider before it is given up. With the usual
/// pauses of seconds that is many minutes; an endless loop would hide a lane that never opens.
pub const MAX_THROTTLES: u32 = 100;

/// How long one exchange may take. Providers document minutes for large images, and a short
/// time-out is a way to pay for nothing.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);

/// The pause before the first paid retry, at most.
const PAID_RETRY_BASE: Duration = Duration::from_secs(1);

/// The longest pause before a paid retry.
const PAID_RETRY_CAP: Duration = Duration::from_secs(20);

/// The switch that allows an unknown ending to be bought again, if there is one.
pub const fn repurchase_kind(class: UnknownClass) -> Option<PaidRetryOn> {
    match class {
        UnknownClass::ServerError => Some(PaidRetryOn::ServerError),
        UnknownClass::Timeout => Some(PaidRetryOn::Timeout),
        UnknownClass::Reset
        | UnknownClass::BadBody
        | UnknownClass::Refusal
        | UnknownClass::Lost
        | UnknownClass::Left => None,
    }
}

/// The pause before paid retry number `retry` (from 1): doubling from a second to 20 s, with
/// full jitter drawn from the random bits of the attempt before it.
pub fn paid_retry_pause(retry: u32, attempt: AttemptId) -> Duration {
    let doubled = PAID_RETRY_BASE.saturating_mul(1 << (retry.saturating_sub(1)).min(10));
    let ceiling = doubled.min(PAID_RETRY_CAP);
    let ceiling_ms = u64::try_from(ceiling.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(attempt.low_bits() % (ceiling_ms + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_below_their_ceiling() {
        for (retry, ceiling_ms) in [(1, 1_000), (2, 2_000), (3, 4_000), (10, 20_000), (99, 20_000)]
        {
            let longest = (0..2_000_u128)
                .map(|n| AttemptId::new(uuid::Uuid::from_u128(n * 7_919 + 13)))
                .map(|attempt| paid_retry_pause(retry, attempt).as_millis())
                .max()
                .expect("many pauses");
            assert!(longest <= ceiling_ms, "retry {retry}: {longest}");
            assert!(longest * 10 >= ceiling_ms * 6, "retry {retry}: {longest}");
        }
    }
}
