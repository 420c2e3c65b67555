//! Floor 2: what talks to the world, each behind its port.

pub mod rows;
