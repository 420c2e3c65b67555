//! Temporary files that are made before they are needed, many in one trip to the disk: each request
//! has its file before it is sent, and none of them waits for it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::adapters::output::disk_queue::DiskQueue;
use crate::adapters::output::part::{Part, blocking};
use crate::ports::images::ImageStoreError;

/// Files made in the first trip; every later one makes as many as there were so far, or as many as
/// are waited for, up to [`MOST_AT_ONCE`]: small batches leave few and large ones make few trips.
const FIRST_AT_ONCE: usize = 4;

/// The most files made in one trip.
const MOST_AT_ONCE: usize = 64;

/// Files that wait to be used; those that are left are removed in the end.
#[derive(Debug)]
pub(super) struct Spares {
    folder: PathBuf,
    ready: Mutex<Vec<(PathBuf, File)>>,
    /// One trip at a time: many at once would fight for the folder, and make far too many files.
    trip: tokio::sync::Mutex<()>,
    n_waiting: AtomicUsize,
    n_made: AtomicU64,
    queue: DiskQueue,
}

impl Spares {
    /// None yet.
    pub(super) fn in_folder(folder: PathBuf) -> Self {
        Self {
            folder,
            ready: Mutex::default(),
            trip: tokio::sync::Mutex::default(),
            n_waiting: AtomicUsize::new(0),
            n_made: AtomicU64::new(0),
            queue: DiskQueue::default(),
        }
    }

    /// A fresh temporary file: a disk that takes none is found before anything is sent.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(super) async fn take(&self) -> Result<Part, ImageStoreError> {
        let (path, file) = match self.pop() {
            Some(spare) => spare,
            None => {
                let _waiting = Waiting::among(&self.n_waiting);
                let _trip = self.trip.lock().await;
                // The trip before this one may have made enough.
                match self.pop() {
                    Some(spare) => spare,
                    None => self.make().await?,
                }
            }
        };
        Ok(Part::of(path, file, self.queue.clone()))
    }

    /// One trip to the disk; all but one of its files are for others.
    async fn make(&self) -> Result<(PathBuf, File), ImageStoreError> {
        let n_so_far = usize::try_from(self.n_made.load(Ordering::Acquire)).unwrap_or(MOST_AT_ONCE);
        let n_wanted = n_so_far.max(self.n_waiting.load(Ordering::Acquire));
        let n = n_wanted.clamp(FIRST_AT_ONCE, MOST_AT_ONCE) as u64;
        let from = self.n_made.fetch_add(n, Ordering::AcqRel);
        let folder = self.folder.clone();
        let mut made = blocking(self.folder.clone(), move || {
            (from..from + n).map(|n| new_file(&folder, n)).collect::<io::Result<Vec<_>>>()
        })
        .await?;
        let one = made.pop().expect("some were made");
        self.ready.lock().expect("no holder panics").append(&mut made);
        Ok(one)
    }

    fn pop(&self) -> Option<(PathBuf, File)> {
        self.ready.lock().expect("no holder panics").pop()
    }
}

/// One of those who wait for a file, also when its wait is left.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn among(n_waiting: &'a AtomicUsize) -> Self {
        n_waiting.fetch_add(1, Ordering::AcqRel);
        Self(n_waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
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
    use crate::adapters::output::part::Manner;

    #[tokio::test]
    async fn what_an_earlier_process_left_stays_and_what_is_not_used_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let left = folder.path().join(".3.part");
        fs::write(&left, "paid").expect("write");
        let spares = Spares::in_folder(folder.path().to_owned());
        let part = spares.take().await.expect("a file");
        part.rename_to(vec![folder.path().join("image.png")], Manner::SYNCED)
            .await
            .expect("a name");
        drop(spares);
        assert_eq!(fs::read_to_string(&left).expect("it is there"), "paid");
        assert_eq!(fs::read_dir(folder.path()).expect("list").count(), 2);
    }
    #[tokio::test]
    async fn many_who_ask_at_once_share_few_trips_and_leave_few_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let spares = Spares::in_folder(folder.path().to_owned());
        let parts = futures_util::future::join_all((0..64).map(|_| spares.take())).await;
        assert!(parts.iter().all(Result::is_ok));
        let n_files = fs::read_dir(folder.path()).expect("list").count();
        assert!((64..=64 + MOST_AT_ONCE).contains(&n_files), "{n_files} files for 64");
        drop(spares);
        assert_eq!(fs::read_dir(folder.path()).expect("list").count(), 64);
    }
}
