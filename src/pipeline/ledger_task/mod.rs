//! The one task that owns the money of this process, and the handle through which it is asked.

mod group;
mod handle;
mod messages;
mod task;

pub use handle::{LedgerHandle, Turn};
pub use messages::{
    Closing, LATE_CALL, LATE_JOB, LedgerStopped, Reservation, ReserveAsk, ReserveError, Snapshot,
};
pub use task::{TaskOptions, spawn};
