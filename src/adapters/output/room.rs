//! Room on the disk: images are begun only while all that may be on their way fit.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::adapters::disk::free_bytes;
use crate::adapters::output::part::blocking;
use crate::ports::images::ImageStoreError;

/// Room that is left for journal, ledger and whatever else is on the disk.
const RESERVE: u64 = 16 << 20;

/// What an image is taken to need before any has come.
const USUAL_IMAGE: u64 = 4 << 20;

/// Images that are begun between two looks.
const IMAGES_PER_LOOK: u64 = 8;

/// Looks from time to time how much room is left.
#[derive(Debug)]
pub(super) struct Room {
    folder: PathBuf,
    in_flight: u64,
    largest: AtomicU64,
    n_begun: AtomicU64,
}

impl Room {
    /// For images below a folder, of which so many are on their way at once.
    pub(super) fn in_folder(folder: PathBuf, in_flight: u64) -> Self {
        Self { folder, in_flight, largest: AtomicU64::new(0), n_begun: AtomicU64::new(0) }
    }

    /// What may be on its way needs so many bytes. What has come tells more than what is usual.
    fn needed(&self) -> u64 {
        let largest = match self.largest.load(Ordering::Relaxed) {
            0 => USUAL_IMAGE,
            largest => largest,
        };
        let images = self.in_flight + IMAGES_PER_LOOK.min(self.in_flight);
        RESERVE + images.saturating_mul(largest)
    }

    /// Looks at once, before anything is begun.
    pub(super) fn check_now(&self) -> Result<(), ImageStoreError> {
        self.judge(free_bytes(&self.folder))
    }

    fn judge(&self, free: io::Result<Option<u64>>) -> Result<(), ImageStoreError> {
        let needed = self.needed();
        match free {
            Ok(Some(free)) if free < needed => {
                Err(ImageStoreError::NoRoom { path: self.folder.clone(), free, needed })
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// An image of this length came.
    pub(super) fn note(&self, n_bytes: u64) {
        self.largest.fetch_max(n_bytes, Ordering::Relaxed);
    }

    /// Whether one more may be begun. Where the system does not say, it may.
    pub(super) async fn check(&self) -> Result<(), ImageStoreError> {
        let n_begun = self.n_begun.fetch_add(1, Ordering::Relaxed);
        if !n_begun.is_multiple_of(IMAGES_PER_LOOK) {
            return Ok(());
        }
        let folder = self.folder.clone();
        let free = blocking(self.folder.clone(), move || free_bytes(&folder)).await;
        self.judge(free.map_err(io::Error::other)).inspect_err(|_| {
            // Looked at again by whoever is next: room may have been made.
            self.n_begun.store(0, Ordering::Relaxed);
        })
    }
}
