//! A temporary file on its way to become an image: hashed and looked at while it is written.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use crate::adapters::output::disk_queue::{DiskQueue, Pending};
use crate::adapters::output::found::pixels_of;
use crate::domain::digest::Sha256Digest;
use crate::domain::image::ImageKind;
use crate::ports::images::ImageStoreError;

/// How many first bytes are kept for the magic bytes and the header's width and height.
const HEAD: usize = 4_096;

/// Bytes that are gathered before they are written: small images need one trip to the disk, and
/// large ones few, while many slots together stay far below a hundred megabytes.
const GATHER: usize = 64 << 10;

/// A temporary file.
///
/// Its writes can be left before they are done: the file is then with the thread that writes, and
/// whoever comes next waits for it first.
#[derive(Debug)]
pub(super) struct Part {
    path: PathBuf,
    file: Place,
    queue: DiskQueue,
    gathered: Vec<u8>,
    head: Vec<u8>,
    hasher: Sha256,
    n_bytes: u64,
}

/// Where the open file is.
#[derive(Debug)]
enum Place {
    Here(File),
    Away(Pending<File>),
    /// A write has failed, and with it went the file.
    Lost,
}

impl Place {
    /// The file, once the last write has ended.
    async fn take(&mut self) -> io::Result<File> {
        if let Self::Away(pending) = self {
            let written = pending.wait().await;
            *self = Self::Lost;
            return written;
        }
        match std::mem::replace(self, Self::Lost) {
            Self::Here(file) => Ok(file),
            Self::Away(_) | Self::Lost => Err(io::Error::other("an earlier write has failed")),
        }
    }
}

impl Part {
    /// Takes a new file that was made for this; its work is done by `queue`.
    pub(super) fn of(path: PathBuf, file: File, queue: DiskQueue) -> Self {
        Self {
            path,
            file: Place::Here(file),
            queue,
            gathered: Vec::new(),
            head: Vec::new(),
            hasher: Sha256::new(),
            n_bytes: 0,
        }
    }

    /// Takes the next bytes. They are kept even when this is dropped while it waits for the disk.
    pub(super) async fn write(&mut self, chunk: Bytes) -> Result<(), ImageStoreError> {
        self.hasher.update(&chunk);
        self.n_bytes += chunk.len() as u64;
        let room = HEAD.saturating_sub(self.head.len()).min(chunk.len());
        self.head.extend_from_slice(&chunk[..room]);
        if self.gathered.len() + chunk.len() < GATHER {
            self.gathered.extend_from_slice(&chunk);
            return Ok(());
        }
        let failed = |source| ImageStoreError::Io { path: self.path.clone(), source };
        let mut file = self.file.take().await.map_err(failed)?;
        let gathered = std::mem::take(&mut self.gathered);
        self.file = Place::Away(self.queue.submit(move || {
            file.write_all(&gathered)?;
            file.write_all(&chunk)?;
            Ok(file)
        }));
        let file = self.file.take().await.map_err(failed)?;
        self.file = Place::Here(file);
        Ok(())
    }

    /// How many bytes came.
    pub(super) const fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    /// The digest of the bytes.
    pub(super) fn sha256(&self) -> Sha256Digest {
        Sha256Digest(self.hasher.clone().finalize().into())
    }

    /// What the first bytes say it is.
    pub(super) fn kind(&self) -> Option<ImageKind> {
        ImageKind::from_magic(&self.head)
    }

    /// Width and height, as the header says.
    pub(super) fn pixels(&self) -> Option<(u32, u32)> {
        pixels_of(&self.head)
    }

    /// Writes what is gathered and gives the file the first of these names that is free; the last
    /// one may be that of a file with the same bytes. Nothing is ever written over. Unless it is
    /// synced at once, the new file is returned, to be synced with others. Returns the place of the
    /// name among `targets`.
    pub(super) async fn rename_to(
        self,
        targets: Vec<PathBuf>,
        Manner { is_synced, is_careful }: Manner,
    ) -> Result<(usize, Option<File>), ImageStoreError> {
        let Self { path: part, mut file, queue, gathered, .. } = self;
        let taken = file.take().await;
        let mut file =
            taken.map_err(|source| ImageStoreError::Io { path: part.clone(), source })?;
        let last = targets.last().expect("there is a name").clone();
        let (naming, file, _) = queue
            .run(last.clone(), move || {
                file.write_all(&gathered)?;
                if is_synced {
                    file.sync_data()?;
                }
                // What this thread has made is freed by this thread: two that free each other's
                // memory wait for each other.
                Ok((give_one_of(&part, &targets, is_careful)?, file, (gathered, part, targets)))
            })
            .await?;
        match naming {
            (at, Naming::New) => Ok((at, (!is_synced).then_some(file))),
            (at, Naming::Same) => Ok((at, None)),
            (_, Naming::Taken) => Err(ImageStoreError::Exists { path: last }),
        }
    }

    /// Drops the file.
    pub(super) async fn remove(mut self) {
        // A write that is under way would find no file.
        drop(self.file.take().await);
        let part = self.path.clone();
        // A leftover temporary file costs nothing but its bytes; the next run has others.
        let _ = self.queue.run(self.path, move || fs::remove_file(part)).await;
    }
}

/// How a file gets its name.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    /// Whether its bytes are to survive a power loss at once.
    pub(super) is_synced: bool,
    /// Whether earlier processes may have left something under its name.
    pub(super) is_careful: bool,
}

impl Manner {
    /// Under a name that its digest makes its own.
    pub(super) const SYNCED: Self = Self { is_synced: true, is_careful: false };
}

/// What became of a name.
pub(super) enum Naming {
    /// The file has it.
    New,
    /// Another file with the same bytes had it already, and stays.
    Same,
    /// A file with other bytes has it.
    Taken,
}

/// Renames to the first name that is free; one that the file system refuses is passed over as long
/// as there is another. A name is not free when an image of another kind has it, or a sidecar: that
/// tells of something that was paid for.
pub(super) fn give_one_of(
    part: &Path,
    places: &[PathBuf],
    is_careful: bool,
) -> io::Result<(usize, Naming)> {
    for (at, place) in places.iter().enumerate() {
        let is_last = at + 1 == places.len();
        if is_careful && !is_last && is_told_of(place) {
            continue;
        }
        match give_name(part, place) {
            Err(_) | Ok(Naming::Taken) if !is_last => {}
            naming => return naming.map(|naming| (at, naming)),
        }
    }
    Ok((0, Naming::Taken))
}

/// Whether a sidecar or an image of another kind has the name of an image.
fn is_told_of(place: &Path) -> bool {
    let others = ["json", "png", "jpg", "webp"].map(|extension| place.with_extension(extension));
    others.iter().any(|other| other != place && other.exists())
}

/// Renames, unless another file has the name already.
fn give_name(part: &Path, place: &Path) -> io::Result<Naming> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        // One call where the file system has it; any refusal is left to the way below.
        if renameat_with(CWD, part, CWD, place, RenameFlags::NOREPLACE).is_ok() {
            return Ok(Naming::New);
        }
    }
    match fs::hard_link(part, place) {
        Ok(()) => fs::remove_file(part).map(|()| Naming::New),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if fs::read(part)? != fs::read(place)? {
                return Ok(Naming::Taken);
            }
            fs::remove_file(part).map(|()| Naming::Same)
        }
        Err(_) if !place.exists() => fs::rename(part, place).map(|()| Naming::New),
        Err(error) => Err(error),
    }
}

/// Does file work on a thread that may wait.
pub(super) async fn blocking<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, ImageStoreError> {
    let done = spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    done.map_err(|source| ImageStoreError::Io { path, source })
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::sync::mpsc;
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn a_write_that_is_left_is_kept_all_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("part");
        let queue = DiskQueue::default();
        let mut part = Part::of(path.clone(), File::create(&path).expect("a file"), queue.clone());
        // The disk is busy until it is told to go on.
        let (go, wait) = mpsc::channel::<()>();
        let busy = queue.submit(move || Ok(wait.recv().ok()));
        let large = Bytes::from(vec![7; 2 * GATHER]);
        {
            let mut write = pin!(part.write(large.clone()));
            let mut context = Context::from_waker(Waker::noop());
            assert!(write.as_mut().poll(&mut context).is_pending(), "it waits for the disk");
        }
        go.send(()).expect("somebody waits");
        drop(busy);
        part.write(Bytes::from_static(b"end")).await.expect("a write");
        assert_eq!(part.n_bytes(), large.len() as u64 + 3);
        part.rename_to(vec![folder.path().join("image")], Manner::SYNCED).await.expect("a name");
        let kept = fs::read(folder.path().join("image")).expect("a file");
        assert_eq!(kept, [&large[..], b"end"].concat());
    }

    #[tokio::test]
    async fn after_a_failed_write_nothing_is_believed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("part");
        fs::write(&path, "").expect("a file");
        // It takes no bytes: it was opened to be read.
        let file = File::open(&path).expect("a file");
        let mut part = Part::of(path, file, DiskQueue::default());
        part.write(Bytes::from(vec![7; GATHER])).await.expect_err("read only");
        part.write(Bytes::from(vec![7; GATHER])).await.expect_err("still");
        let places = vec![folder.path().join("image")];
        part.rename_to(places, Manner::SYNCED).await.expect_err("no image");
        assert!(!folder.path().join("image").exists());
    }
}
