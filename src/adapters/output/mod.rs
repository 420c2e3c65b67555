//! Where a run keeps what it makes: images, sidecars, the journal.

pub mod images;
pub mod journal;
mod part;
pub mod run_folder;
