//! Where ledgers are kept: in a folder, or in memory for a dry run.

pub mod audit;
pub mod by_hand;
pub mod directory;
mod files;
mod kept;
pub mod lock;
pub mod memory;
pub mod read;
pub mod segment;
mod tail;
