//! Floor 2: the way of a row, and the tasks beside it.

pub mod ledger_task;
