//! The ledger as a whole: its task over memory and over real files.

mod disk;
mod faults;
mod files;
mod machine;
mod models;
mod power;
mod recovery;
pub(crate) mod support;
mod task;
