//! References by their content: each is one file, named by the SHA-256 of its bytes, that all runs
//! of the user share.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::adapters::references::inspect::{ContentError, MAX_BYTES, check_image};
use crate::domain::digest::Sha256Digest;
use crate::domain::image::ImageKind;
use crate::domain::request::ReferenceContent;

/// The first bytes of a file: enough for the magic bytes and for the size in most headers.
const HEAD: usize = 64 * 1024;

/// Chunks that wait for the disk; the network waits when there are more.
const QUEUE: usize = 8;

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

    /// Begins to receive one object; it is hashed, checked and written on a thread that may wait.
    pub fn receive(&self) -> Incoming {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let folder = Arc::clone(&self.folder);
        Incoming { sender, task: spawn_blocking(move || keep(&folder, receiver)) }
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
        self.sender.send(chunk).await.is_ok()
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

/// Receives until the end, and keeps the whole.
fn keep(folder: &Path, mut chunks: mpsc::Receiver<Bytes>) -> Result<Kept, ContentError> {
    fs::create_dir_all(folder)?;
    let mut file = BufWriter::new(NamedTempFile::with_prefix_in(".part-", folder)?);
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
    let kind = check_image(&head)?;
    let sha256 = Sha256Digest::finish(digest);
    let name = sha256.to_string();
    let home = folder.join(&name[..2]);
    fs::create_dir_all(&home)?;
    let path = home.join(&name);
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    if fs::metadata(&path).is_ok_and(|known| known.len() == length) {
        drop(file);
    } else {
        file.persist(&path).map_err(|error| error.error)?;
    }
    Ok(Kept { kind, sha256, content: ReferenceContent::File { path: path.into(), length } })
}
