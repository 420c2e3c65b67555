//! The ledger as a whole: its task over memory and over real files.

mod clocks;
mod days;
mod faults;
mod files;
mod idle;
mod lock;
mod models;
mod recovery;
pub(crate) mod support;
mod tail;
mod task;
