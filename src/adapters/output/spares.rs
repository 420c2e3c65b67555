//! Temporary files that are made before they are needed, many in one trip to the disk: each request
//! has its file before it is sent, and none of them waits for it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::adapters::output::disk_queue::DiskQueue;
use crate::adapters::output::part::{Part, blocking};
use crate::ports::images::ImageStoreError;

/// Files made in the first trip; every later one makes as many as there were so far, up to
/// [`MOST_AT_ONCE`], so that small batches leave few and large ones make few trips.
const FIRST_AT_ONCE: u64 = 4;

/// The most files made in one trip.
const MOST_AT_ONCE: u64 = 32;

/// Files that wait to be used; those that are left are removed in the end.
#[derive(Debug)]
pub(super) struct Spares {
    folder: PathBuf,
    ready: Mutex<Vec<(PathBuf, File)>>,
    n_made: AtomicU64,
    queue: DiskQueue,
}

impl Spares {
    /// None yet.
    pub(super) fn in_folder(folder: PathBuf) -> Self {
        Self {
            folder,
            ready: Mutex::default(),
            n_made: AtomicU64::new(0),
            queue: DiskQueue::default(),
        }
    }

    /// A fresh temporary file: a disk that takes none is found before anything is sent.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(super) async fn take(&self) -> Result<Part, ImageStoreError> {
        if let Some((path, file)) = self.pop() {
            return Ok(Part::of(path, file, self.queue.clone()));
        }
        let (folder, from) = (self.folder.clone(), self.n_made.load(Ordering::Acquire));
        let n = from.clamp(FIRST_AT_ONCE, MOST_AT_ONCE);
        let from = self.n_made.fetch_add(n, Ordering::AcqRel);
        let mut made = blocking(folder.clone(), move || {
            (from..from + n).map(|n| new_file(&folder, n)).collect::<io::Result<Vec<_>>>()
        })
        .await?;
        let (path, file) = made.pop().expect("some were made");
        self.ready.lock().expect("no holder panics").append(&mut made);
        Ok(Part::of(path, file, self.queue.clone()))
    }

    fn pop(&self) -> Option<(PathBuf, File)> {
        self.ready.lock().expect("no holder panics").pop()
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        while let Some((path, _)) = self.pop() {
            // A leftover empty file costs nothing.
            let _ = fs::remove_file(path);
        }
    }
}

/// Makes a file that was not there. What an earlier process left may be paid: it stays as it is.
fn new_file(folder: &Path, n: u64) -> io::Result<(PathBuf, File)> {
    let mut name = format!(".{n}.part");
    for n_taken in 1.. {
        let path = folder.join(&name);
        match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                name = format!(".{n}-{n_taken}.part");
            }
            made => return made.map(|file| (path, file)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_an_earlier_process_left_stays_and_what_is_not_used_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let left = folder.path().join(".3.part");
        fs::write(&left, "paid").expect("write");
        let spares = Spares::in_folder(folder.path().to_owned());
        let part = spares.take().await.expect("a file");
        part.rename_to(folder.path().join("image.png"), false).await.expect("a name");
        drop(spares);
        assert_eq!(fs::read_to_string(&left).expect("it is there"), "paid");
        assert_eq!(fs::read_dir(folder.path()).expect("list").count(), 2);
    }
}
