//! Where a run keeps what it makes: images, sidecars, the journal.

mod disk_queue;
mod durable;
pub mod error;
pub mod files;
pub mod found;
pub mod hand_over;
pub mod handed;
pub mod images;
pub mod journal;
pub mod kept;
mod part;
pub mod picture;
pub mod places;
pub mod rebuild;
pub mod replay;
mod room;
pub mod row_names;
pub mod run_folder;
pub mod runs;
pub mod sight;
mod spares;
pub mod sums;
pub mod tables;
pub mod thumbs;
