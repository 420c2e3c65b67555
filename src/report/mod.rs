//! Floor 2: what people and machines read. Everything here returns text.

pub mod prices;
pub mod seed;
pub mod tables;
