//! Tests of the pure ledger.

mod entries;
mod lines;
mod model;
pub(super) mod samples;
mod scopes;
mod sums;
