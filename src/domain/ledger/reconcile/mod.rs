//! A provider's cost export beside the ledger: what matches, what differs, and what to write.

pub mod books;
pub mod export;
mod finding;
mod matching;
mod sums;
mod verdict;

pub use books::{Attempt, Books};
pub use export::{Export, Line, Place, When};
pub use finding::{Change, Class, Confidence, Finding};
pub use matching::TIME_TOLERANCE;
pub use sums::{DayModel, DaySum};
pub use verdict::{Misfit, Reconciliation, Rules, reconcile};

#[cfg(test)]
mod tests;
