//! The ledger as a whole: its task over memory and over real files.

mod clocks;
mod days;
mod disk;
mod faults;
mod files;
mod idle;
mod lock;
mod lost_syncs;
mod machine;
mod models;
#[cfg(feature = "failpoints")]
mod points;
mod power;
mod recovery;
pub(crate) mod support;
mod tail;
mod task;
