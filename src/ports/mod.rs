//! Floor 1: what the pipeline asks of the world, as traits with their errors.

pub mod rows;
