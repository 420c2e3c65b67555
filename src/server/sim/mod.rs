//! The rehearsal server: speaks a provider's wire format on loopback over the simulator's engine,
//! misbehaves when asked to, and keeps the books that a provider would keep.

mod answer;
mod ask;
mod books;
mod handle;
mod picture;
mod references;
mod serve;

pub use books::{Bill, BillEntry, ReferenceStats, Stats};
pub use serve::{SimOptions, SimServer};
