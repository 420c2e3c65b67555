//! How long a run will take: images handed one after the other to the slot that is free first.
//!
//! A steady provider is a matter of division. Everything else is tried out a few times with the
//! engine's own draws, and a long run is stretched from a shorter one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::domain::sim::{SimKey, SimKind, SimSpec};

/// Draws that a forecast may cost: some milliseconds.
const MAX_DRAWS: u64 = 100_000;
/// The most often that a short run is tried out; the mean of so many is right to a fraction of a
/// percent.
const MAX_TRIALS: u64 = 32;
/// Rounds of all slots that a stretched run is tried out for, so that its start and end weigh
/// little.
const MIN_ROUNDS: u64 = 64;

/// What a run repeats, as far as its time is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPlan {
    /// Attempts for one image that may be paid.
    pub paid_attempts: u32,
    /// Paid retries of the whole run.
    pub paid_retries: u64,
    /// Attempts for one image that a 429 may turn away.
    pub throttled_attempts: u32,
}

impl RetryPlan {
    /// What a run of so many images does unless told otherwise: two paid attempts for an image,
    /// paid retries for 5 % of the images.
    pub fn default_for(images: u64) -> Self {
        Self { paid_attempts: 2, paid_retries: images / 20, throttled_attempts: 10 }
    }
}

/// How a lane sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The most requests in flight.
    pub concurrency: u32,
    /// The least time between two requests.
    pub interval: Option<Duration>,
}

/// The expected time of `images` requests, `concurrency` at a time, with the default retries.
pub fn forecast(images: u64, concurrency: u32, spec: &SimSpec) -> Duration {
    let flow = Flow { concurrency, interval: None };
    forecast_with(images, flow, spec, RetryPlan::default_for(images))
}

/// The expected time of `images` requests that are sent like this.
pub fn forecast_with(images: u64, flow: Flow, spec: &SimSpec, retries: RetryPlan) -> Duration {
    let slots = u64::from(flow.concurrency.max(1));
    let interval = flow.interval.map_or(0, nanos);
    if spec.is_steady() {
        return duration(steady(images, slots, spec.latency.as_nanos(), interval.into()));
    }
    let tried = images_to_try(images, slots);
    let trials = (MAX_DRAWS / tried.max(1)).clamp(1, MAX_TRIALS);
    let allowance = scaled(retries.paid_retries, tried, images);
    let plan = RetryPlan { paid_retries: allowance, ..retries };
    let (mut elapsed, mut work, mut sent) = (0_u128, 0_u128, 0_u128);
    for trial in 0..trials {
        let outcome = try_out(tried, slots, interval, spec, plan, trial);
        elapsed += u128::from(outcome.elapsed);
        work += outcome.work;
        sent += u128::from(outcome.sent);
    }
    // The rest is as fast as the slots or the pace let it be.
    let rest = u128::from(images - tried);
    let done = u128::from(trials) * u128::from(tried.max(1));
    let by_slots = work.saturating_mul(rest) / (done * u128::from(slots));
    let by_pace = sent.saturating_mul(u128::from(interval)).saturating_mul(rest) / done;
    duration(elapsed / u128::from(trials) + by_slots.max(by_pace))
}

/// Whole rounds of all slots; within a round, one request after the other at the pace.
fn steady(images: u64, slots: u64, latency: u128, interval: u128) -> u128 {
    let Some(last) = images.checked_sub(1) else { return 0 };
    let round = latency.max(interval.saturating_mul(u128::from(slots)));
    let start = u128::from(last / slots)
        .saturating_mul(round)
        .saturating_add(u128::from(last % slots).saturating_mul(interval));
    start.saturating_add(latency)
}

/// How many of the images are tried out. The rest is a multiple of the slots, so that the last
/// round is as full as it will be.
fn images_to_try(images: u64, slots: u64) -> u64 {
    let enough = (MAX_DRAWS / MAX_TRIALS).max(MIN_ROUNDS * slots);
    let surplus = images.saturating_sub(enough) / slots * slots;
    images - surplus
}

fn scaled(count: u64, part: u64, whole: u64) -> u64 {
    if part == whole {
        return count;
    }
    let scaled = u128::from(count) * u128::from(part) / u128::from(whole.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// What one trial came to, in nanoseconds.
struct Trial {
    elapsed: u64,
    /// Time that slots were busy, summed over all slots.
    work: u128,
    /// Requests.
    sent: u64,
}

/// One image on its way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Job {
    /// When it may be sent.
    ready: u64,
    image: u64,
    attempt: u32,
    paid: u32,
}

fn try_out(
    images: u64,
    slots: u64,
    interval: u64,
    spec: &SimSpec,
    plan: RetryPlan,
    trial: u64,
) -> Trial {
    let mut free: BinaryHeap<Reverse<u64>> = (0..slots.min(images)).map(|_| Reverse(0)).collect();
    let mut again: BinaryHeap<Reverse<Job>> = BinaryHeap::new();
    let (mut next, mut paid_retries) = (0, 0);
    let mut outcome = Trial { elapsed: 0, work: 0, sent: 0 };
    let mut may_go = 0_u64;
    while let Some(Reverse(now)) = free.pop() {
        let waited = again.peek().is_some_and(|job| job.0.ready <= now);
        let job = if next < images && !waited {
            next += 1;
            Job { ready: now, image: next, attempt: 1, paid: 1 }
        } else if let Some(Reverse(job)) = again.pop() {
            job
        } else {
            continue;
        };
        // Trials differ in the row, so that the seed keeps its meaning.
        let row = job.image ^ (trial << 48);
        let reply = spec.reply(&SimKey { row, variant: 1, attempt: job.attempt });
        let took = nanos(reply.latency);
        let start = job.ready.max(now).max(may_go);
        may_go = start.saturating_add(interval);
        let end = start.saturating_add(took);
        outcome.sent += 1;
        outcome.work += u128::from(took);
        outcome.elapsed = outcome.elapsed.max(end);
        free.push(Reverse(end));
        let attempt = job.attempt + 1;
        match reply.kind {
            SimKind::RateLimited { retry_after }
                if attempt - job.paid < plan.throttled_attempts =>
            {
                let ready = end.saturating_add(nanos(retry_after));
                again.push(Reverse(Job { ready, attempt, ..job }));
            }
            SimKind::ServerError
                if job.paid < plan.paid_attempts && paid_retries < plan.paid_retries =>
            {
                paid_retries += 1;
                again.push(Reverse(Job { ready: end, attempt, paid: job.paid + 1, ..job }));
            }
            SimKind::Image
            | SimKind::ServerError
            | SimKind::RateLimited { .. }
            | SimKind::Refused
            | SimKind::TimedOut
            | SimKind::BadRequest
            | SimKind::NotAnImage
            | SimKind::Dropped
            | SimKind::Truncated
            | SimKind::Malformed
            | SimKind::Empty
            | SimKind::NoUsage => {}
        }
    }
    outcome
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn duration(nanos: u128) -> Duration {
    const NANOS_PER_SECOND: u128 = 1_000_000_000;
    let seconds = u64::try_from(nanos / NANOS_PER_SECOND).unwrap_or(u64::MAX);
    let rest = u32::try_from(nanos % NANOS_PER_SECOND).expect("less than a second");
    Duration::new(seconds, rest)
}
