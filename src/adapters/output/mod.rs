//! Where a run keeps what it makes: images, sidecars, the journal.

mod disk_queue;
mod durable;
pub mod images;
pub mod journal;
mod part;
pub mod run_folder;
mod spares;
