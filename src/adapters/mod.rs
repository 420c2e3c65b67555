//! Floor 2: the world behind the ports.

pub mod ledger;
