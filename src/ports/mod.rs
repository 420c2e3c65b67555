//! Floor 1: what the pipeline asks of the world, as traits and their errors.

pub mod clock;
pub mod entropy;
pub mod images;
pub mod journal;
pub mod ledger;
pub mod provider;
pub mod references;
pub mod rows;
pub mod sink;
