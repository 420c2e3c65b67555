//! Time as an argument: wall clock, monotonic clock, sleep.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

/// The three things that imagemill asks of time.
#[async_trait]
pub trait Clock: Debug + Send + Sync {
    /// The wall clock, for ledger days and for the expiry of addresses.
    fn now(&self) -> Timestamp;

    /// Time since this clock was made, monotonic, for latencies.
    fn elapsed(&self) -> Duration;

    /// Time since some moment, monotonic like [`Self::elapsed`], that goes on while the machine
    /// sleeps; the wall clock is held against it.
    fn passed(&self) -> Duration {
        self.elapsed()
    }

    /// Waits; in a rehearsal the wait costs no real time.
    async fn sleep(&self, duration: Duration);
}
