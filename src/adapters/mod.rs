//! Floor 2: the outside world behind the ports, and what touches files.

pub mod fixture;
pub mod paint;
