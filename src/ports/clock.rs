//! Time as an argument: the wall clock, the time since the start, and sleeping.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

/// Where time comes from.
#[async_trait]
pub trait Clock: Debug + Send + Sync {
    /// The wall clock, for days of the ledger and for expiries.
    fn now(&self) -> Timestamp;
    /// Monotonic time since the start, for latencies.
    fn elapsed(&self) -> Duration;
    /// Returns after `duration`.
    async fn sleep(&self, duration: Duration);
}
