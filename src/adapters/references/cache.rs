//! References by their content: each is one file, named by the SHA-256 of its bytes, that all runs
//! of the user share.

use std::fs::{self, DirEntry, File};
use std::io::{self, BufWriter, Read, Write};
#[cfg(unix)]
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::adapters::output::files::private_folder;
use crate::adapters::references::inspect::{ContentError, HEAD, MAX_BYTES, check_end, check_file};
use crate::adapters::references::validators::VALIDATORS;
use crate::domain::digest::Sha256Digest;
use crate::domain::image::ImageKind;
use crate::domain::request::ReferenceContent;

/// Chunks that wait for the disk; the network waits when there are more.
const QUEUE: usize = 8;

/// Bytes of a kept file that are read at a time.
const READ: usize = 64 * 1024;

/// How long a file is kept that no run has used.
const UNUSED: Duration = Duration::from_hours(30 * 24);

/// How the name of a file begins that is not whole yet.
pub(super) const PART: &str = ".part-";

/// What was received and kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What its magic bytes say it is.
    pub kind: ImageKind,
    /// The SHA-256 of its bytes.
    pub sha256: Sha256Digest,
    /// Where it is.
    pub content: ReferenceContent,
}

/// A folder of files by content.
#[derive(Clone, Debug)]
pub struct ContentCache {
    folder: Arc<Path>,
}

impl ContentCache {
    /// Uses a folder, which is made when the first file comes.
    pub fn in_folder(folder: PathBuf) -> Self {
        Self { folder: folder.into() }
    }

    /// Uses a folder of this user's own below one that everybody may write to, such as that for
    /// temporary files.
    ///
    /// # Errors
    /// When it cannot be made, or is not this user's alone: whoever may write into it could lay
    /// other bytes under the name of a reference.
    pub fn below_common(common: &Path) -> io::Result<Self> {
        #[cfg(unix)]
        let user = rustix::process::geteuid().as_raw();
        #[cfg(not(unix))]
        let user = "user";
        let folder = common.join(format!("imagemill-references-{user}"));
        private_folder(&folder)?;
        #[cfg(unix)]
        check_own(&folder, user)?;
        Ok(Self::in_folder(folder))
    }

    /// Where everything is.
    pub(super) const fn folder(&self) -> &Arc<Path> {
        &self.folder
    }

    /// Removes the files that no run has used for 30 days, and says how many those were. Files that
    /// are not ours by their names are left alone. Whoever reads one that goes has it open.
    ///
    /// # Errors
    /// When the folder cannot be read; a file that cannot be removed stays for the next run.
    pub fn prune(&self, now: Timestamp) -> io::Result<u64> {
        let oldest = SystemTime::from(now).checked_sub(UNUSED).unwrap_or(SystemTime::UNIX_EPOCH);
        let mut n_removed = remove_unused(&self.folder, oldest, &|name| name.starts_with(PART))?;
        for entry in entries(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|_| is_folder(&entry)) else { continue };
            let is_ours = |file: &str| {
                let digest = file.strip_suffix(".json").filter(|_| name == VALIDATORS);
                let is_object = name.len() == 2 && file.starts_with(name);
                let digest = digest.or_else(|| is_object.then_some(file));
                file.starts_with(PART) || digest.and_then(Sha256Digest::parse).is_some()
            };
            if name == VALIDATORS || name.len() == 2 {
                n_removed += remove_unused(&entry.path(), oldest, &is_ours)?;
            }
        }
        Ok(n_removed)
    }

    /// Whether the file of an object still has its bytes: a disk that lost power or a stranger may
    /// have left others under its name. It is read whole, on a thread that may wait.
    pub(crate) async fn is_intact(&self, kept: &Kept) -> bool {
        let (path, sha256) = (content_path(&self.folder, &kept.sha256), kept.sha256);
        let read = spawn_blocking(move || digest_of(&path)).await;
        matches!(read, Ok(Ok(found)) if found == sha256)
    }

    /// Begins to receive one object; it is hashed, checked and written on a thread that may wait.
    pub fn receive(&self) -> Incoming {
        self.begin(true)
    }

    /// The same for an object of which nobody says how long it is: its own end is looked for.
    pub(crate) fn receive_unmeasured(&self) -> Incoming {
        self.begin(false)
    }

    fn begin(&self, is_measured: bool) -> Incoming {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let folder = Arc::clone(&self.folder);
        Incoming { sender, task: spawn_blocking(move || keep(&folder, receiver, is_measured)) }
    }
}

/// An object that is being received; dropping it leaves nothing behind.
#[derive(Debug)]
pub struct Incoming {
    sender: mpsc::Sender<Bytes>,
    task: JoinHandle<Result<Kept, ContentError>>,
}

impl Incoming {
    /// Takes the next bytes. False when no more are wanted: [`Self::finish`] says why.
    pub async fn write(&self, chunk: Bytes) -> bool {
        // An empty chunk would be taken for the end.
        if chunk.is_empty() {
            !self.sender.is_closed()
        } else {
            self.sender.send(chunk).await.is_ok()
        }
    }

    /// All bytes have been given: checks the whole and gives the file its name.
    ///
    /// # Errors
    /// When it is too large, no image, or cannot be written; see [`ContentError`].
    pub async fn finish(self) -> Result<Kept, ContentError> {
        let Self { sender, task } = self;
        // An empty chunk is the end; a channel that closes without one is a body that broke off.
        let _ = sender.send(Bytes::new()).await;
        drop(sender);
        task.await.unwrap_or_else(|error| Err(ContentError::Io(io::Error::other(error))))
    }
}

/// Whether a folder belongs to this user, and nobody else may enter it.
#[cfg(unix)]
fn check_own(folder: &Path, user: u32) -> io::Result<()> {
    // A link would be somebody else's word for where it is.
    let metadata = fs::symlink_metadata(folder)?;
    if metadata.is_dir() && metadata.uid() == user && metadata.mode() & 0o077 == 0 {
        return Ok(());
    }
    let text = format!("{} is not a folder of this user alone", folder.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
}

/// Where the object with this digest is.
pub fn content_path(folder: &Path, sha256: &Sha256Digest) -> PathBuf {
    let name = sha256.to_string();
    folder.join(&name[..2]).join(name)
}

/// The digest of what a file has, as far as the largest object goes.
fn digest_of(path: &Path) -> io::Result<Sha256Digest> {
    let (mut digest, mut buffer) = (Sha256::new(), vec![0; READ]);
    let mut file = File::open(path)?.take(MAX_BYTES + 1);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Sha256Digest::finish(digest)),
            n_read => digest.update(&buffer[..n_read]),
        }
    }
}

/// Receives until the end, and keeps the whole.
fn keep(
    folder: &Path,
    mut chunks: mpsc::Receiver<Bytes>,
    is_measured: bool,
) -> Result<Kept, ContentError> {
    private_folder(folder)?;
    let mut file = BufWriter::new(NamedTempFile::with_prefix_in(PART, folder)?);
    let (mut digest, mut length, mut head) = (Sha256::new(), 0_u64, Vec::new());
    loop {
        let Some(chunk) = chunks.blocking_recv() else {
            return Err(ContentError::Io(io::ErrorKind::UnexpectedEof.into()));
        };
        if chunk.is_empty() {
            break;
        }
        length += chunk.len() as u64;
        if length > MAX_BYTES {
            return Err(ContentError::TooLarge { limit: MAX_BYTES });
        }
        if head.len() < HEAD {
            head.extend_from_slice(&chunk[..chunk.len().min(HEAD - head.len())]);
        }
        digest.update(&chunk);
        file.write_all(&chunk)?;
    }
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    if !is_measured {
        check_end(&head, file.as_file(), length)?;
    }
    let kind = check_file(&head, file.as_file())?;
    let sha256 = Sha256Digest::finish(digest);
    let path = content_path(folder, &sha256);
    private_folder(path.parent().expect("it was joined to a folder"))?;
    // Also over one that is there already: it may have been damaged since, and this one is right.
    file.persist(&path).map_err(|error| error.error)?;
    Ok(Kept { kind, sha256, content: ReferenceContent::File { path: path.into(), length } })
}

/// What is in a folder; nothing when there is none.
fn entries(folder: &Path) -> io::Result<Vec<io::Result<DirEntry>>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => Ok(entries?.collect()),
    }
}

/// Removes files of a folder that were not used since `oldest` and are ours.
fn remove_unused(
    folder: &Path,
    oldest: SystemTime,
    is_ours: &dyn Fn(&str) -> bool,
) -> io::Result<u64> {
    let mut n_removed = 0;
    for entry in entries(folder)? {
        let entry = entry?;
        let is_old = entry
            .metadata()
            .is_ok_and(|it| it.is_file() && it.modified().is_ok_and(|modified| modified < oldest));
        let is_ours = entry.file_name().to_str().is_some_and(is_ours);
        if is_old && is_ours && fs::remove_file(entry.path()).is_ok() {
            n_removed += 1;
        }
    }
    Ok(n_removed)
}

fn is_folder(entry: &DirEntry) -> bool {
    entry.file_type().is_ok_and(|it| it.is_dir())
}

#[cfg(test)]
mod tests;
