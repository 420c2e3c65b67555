//! Floor 1: what the pipeline asks of the world, as traits and their errors.

pub mod clock;
pub mod entropy;
pub mod images;
pub mod journal;
pub mod provider;
pub mod references;
