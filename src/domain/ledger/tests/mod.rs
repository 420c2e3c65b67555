//! Tests of the pure ledger.

mod lines;
mod model;
mod samples;
mod sums;
