//! Floor 0: values, arithmetic and decisions. No async, no I/O, no clock.

pub mod ids;
pub mod ledger;
pub mod money;
pub mod reference;
pub mod row;
