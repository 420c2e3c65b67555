//! Floor 1: what the pipeline needs of the world, as traits.

pub mod clock;
pub mod ledger;
