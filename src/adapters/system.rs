//! The only place that reads the machine's clock, zones and chance.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use tokio::time::Instant;
use uuid::Uuid;

use crate::domain::ids::{AttemptId, RunId};
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;

/// The wall clock now; for what happens before a run has its clock.
#[expect(clippy::disallowed_methods, reason = "this is the one place that may ask")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// A time zone by its name; UTC without a look at the machine's zones.
///
/// # Errors
/// When the machine does not know the zone.
pub fn zone_named(name: &str) -> Result<TimeZone, jiff::Error> {
    if name == "UTC" { Ok(TimeZone::UTC) } else { TimeZone::get(name) }
}

/// A fresh UUIDv7 from the system's chance.
#[expect(clippy::disallowed_methods, reason = "this is the one place that may ask")]
pub fn uuid() -> Uuid {
    Uuid::now_v7()
}

/// Waits on the present thread; for what has no runtime.
pub fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Time as tokio tells it: real in a live run, virtual in a rehearsal.
///
/// The wall clock is the start's wall time plus the monotonic time since, so that a rehearsal of
/// an hour also moves the wall clock by an hour. A live run asks the system instead.
#[derive(Debug)]
pub struct TokioClock {
    started: Instant,
    started_at: Timestamp,
    is_virtual: bool,
    /// What the clock of a rehearsal showed, in nanoseconds, when somebody last woke up: virtual
    /// time moves only while everybody sleeps, and asking the runtime costs a hundred times more
    /// than reading this. A rehearsal asks dozens of times for each image.
    woken_at: AtomicU64,
}

impl TokioClock {
    /// The clock of a live run.
    pub fn live() -> Self {
        Self::starting(now(), false)
    }

    /// The clock of a rehearsal that begins at `started_at` in virtual time.
    pub fn rehearsal(started_at: Timestamp) -> Self {
        Self::starting(started_at, true)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that may ask")]
    fn starting(started_at: Timestamp, is_virtual: bool) -> Self {
        let woken_at = AtomicU64::new(0);
        Self { started: Instant::now(), started_at, is_virtual, woken_at }
    }
}

#[async_trait]
impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        if self.is_virtual { self.started_at + self.elapsed() } else { now() }
    }

    fn elapsed(&self) -> Duration {
        if self.is_virtual {
            return Duration::from_nanos(self.woken_at.load(Ordering::Relaxed));
        }
        self.started.elapsed()
    }

    fn passed(&self) -> Duration {
        if self.is_virtual {
            self.elapsed()
        } else {
            asleep_too().unwrap_or_else(|| self.elapsed())
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that may sleep")]
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
        if self.is_virtual {
            let nanos = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.woken_at.fetch_max(nanos, Ordering::Relaxed);
        }
    }
}

/// The time since the machine was started, sleep included, where the system tells.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn asleep_too() -> Option<Duration> {
    #[cfg(target_vendor = "apple")]
    let clock = rustix::time::ClockId::Monotonic;
    #[cfg(not(target_vendor = "apple"))]
    let clock = rustix::time::ClockId::Boottime;
    let time = rustix::time::clock_gettime(clock);
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

/// The time since the machine was started, sleep included, where the system tells.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn asleep_too() -> Option<Duration> {
    None
}

/// Identities from the system's chance.
#[derive(Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn run_id(&self) -> RunId {
        RunId::new(uuid())
    }

    fn attempt_id(&self) -> AttemptId {
        AttemptId::new(uuid())
    }
}

/// Identities that repeat for the same seed; for rehearsals.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<Xoshiro256PlusPlus>);

impl SeededEntropy {
    /// A stream of identities for a seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(Xoshiro256PlusPlus::seed_from_u64(seed)))
    }

    fn uuid(&self) -> Uuid {
        let mut stream = self.0.lock().expect("no holder panics");
        let random = (u128::from(stream.next_u64()) << 64) | u128::from(stream.next_u64());
        uuid::Builder::from_unix_timestamp_millis(
            0,
            &random.to_be_bytes()[..10].try_into().expect("ten bytes"),
        )
        .into_uuid()
    }
}

impl Entropy for SeededEntropy {
    fn run_id(&self) -> RunId {
        RunId::new(self.uuid())
    }

    fn attempt_id(&self) -> AttemptId {
        AttemptId::new(self.uuid())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_has_passed_is_the_uptime_of_the_machine_with_its_sleep() {
        let text = std::fs::read_to_string("/proc/uptime").expect("Linux has it");
        let whole = text.split('.').next().expect("a word").parse().expect("seconds");
        let apart = TokioClock::live().passed().abs_diff(Duration::from_secs(whole));
        assert!(apart < Duration::from_secs(10), "{apart:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn in_a_rehearsal_only_virtual_time_passes() {
        let clock = TokioClock::rehearsal(Timestamp::UNIX_EPOCH);
        clock.sleep(Duration::from_secs(3600)).await;
        assert_eq!((clock.passed(), clock.elapsed()), (Duration::from_secs(3600), clock.passed()));
    }
}
