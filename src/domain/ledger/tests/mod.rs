//! Tests of the pure ledger.

mod entries;
mod lines;
mod model;
mod samples;
mod scopes;
mod sums;
