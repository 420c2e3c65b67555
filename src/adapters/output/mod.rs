//! Where a run keeps what it makes: images, sidecars, the journal.

pub mod images;
pub mod journal;
pub mod run_folder;
