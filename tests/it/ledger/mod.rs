//! The ledger as a whole: its task over memory and over real files.

mod disk;
mod faults;
mod files;
mod lost_syncs;
mod machine;
mod models;
#[cfg(feature = "failpoints")]
mod points;
mod power;
mod recovery;
pub(crate) mod support;
mod task;
