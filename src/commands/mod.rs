//! Floor 4: one file a command; composes adapters and the pipeline.

pub mod seed;
