//! Floor 2: what people and machines get to see.

pub mod diagnostic;
