//! Floor 0: values, arithmetic and decisions. No async, no I/O, no clock.

pub mod ids;
pub mod money;
pub mod price;
pub mod reference;
pub mod row;
pub mod seed;
pub mod sim;
pub mod suggest;
