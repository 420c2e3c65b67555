//! Floor 0: values, arithmetic and decisions. No async, no I/O, no clock.

pub mod canary;
pub mod gate;
pub mod ids;
pub mod money;
pub mod percent;
pub mod reference;
pub mod row;
