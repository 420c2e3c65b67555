//! Where finished images go: a writer that receives bytes as they arrive, then a durable store.

use std::fmt::Debug;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::domain::image::StoredImage;
use crate::domain::image_name::ImageName;
use crate::domain::look::Sight;
use crate::domain::sidecar::Sidecar;

/// Why an image could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum ImageStoreError {
    /// The bytes are no png, jpeg or webp picture; they were kept at the path.
    #[error("the answer is no image (its bytes are kept in {})", kept.display())]
    NotAnImage {
        /// Where the paid bytes lie now.
        kept: PathBuf,
    },
    /// A file of that name exists with other bytes; it is never overwritten.
    #[error("{} exists with other bytes", path.display())]
    Exists {
        /// The file in the way.
        path: PathBuf,
    },
    /// What is on its way might not fit: nothing more is begun before the disk is full.
    #[error(
        "the disk of {} has only {} MiB left, and what may be on its way needs {}",
        path.display(), free >> 20, needed >> 20
    )]
    NoRoom {
        /// The folder of the images.
        path: PathBuf,
        /// The bytes that are left.
        free: u64,
        /// The bytes that images in flight may need.
        needed: u64,
    },
    /// The file system refused.
    #[error("failed to write {}", path.display())]
    Io {
        /// The file concerned.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Receives the bytes of an answer while they arrive.
///
/// Any of its futures may be dropped before it is ready: what was handed in is kept all the same.
#[async_trait]
pub trait ImageBody: Send {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// When the file system refuses them.
    async fn write(&mut self, chunk: Bytes) -> Result<(), ImageStoreError>;

    /// What follows is a further image that nobody asked for: it is kept beside the others under
    /// `raw/`, since it is paid.
    ///
    /// # Errors
    /// When the disk refuses.
    async fn extra(&mut self) -> Result<(), ImageStoreError>;
}

/// Makes an image of what was received, or keeps it as it is.
#[async_trait]
pub trait ImageWriter: ImageBody {
    /// Checks the magic bytes and gives the file its final name; not yet synced.
    ///
    /// # Errors
    /// When the bytes are no image, the name is taken by other bytes, or the disk refuses.
    async fn finish(self: Box<Self>) -> Result<StoredImage, ImageStoreError>;

    /// Keeps whatever came of an answer without an image, under `raw/`: the bytes of the image as
    /// far as they came, and `answer`, the text around them. Returns where; nowhere when nothing
    /// came.
    ///
    /// # Errors
    /// When the disk refuses.
    async fn keep(self: Box<Self>, answer: Bytes) -> Result<Vec<PathBuf>, ImageStoreError>;

    /// Drops the temporary file; nothing was paid for it.
    async fn discard(self: Box<Self>);
}

/// Keeps images.
#[async_trait]
pub trait ImageStore: Debug + Send + Sync {
    /// Opens a temporary file for one image, which gets this name when it has come.
    ///
    /// # Errors
    /// When the file cannot be made.
    async fn begin(&self, name: ImageName) -> Result<Box<dyn ImageWriter>, ImageStoreError>;

    /// Makes finished images and their sidecars durable, many with few syncs. Says of each, in
    /// their order, whether it is: one that the disk refuses must not be called stored.
    async fn persist(
        &self,
        finished: Vec<(StoredImage, Sidecar)>,
    ) -> Vec<Result<(), ImageStoreError>>;

    /// Looks at an image that has its name: what decoding it tells, and how it looks where that is
    /// compared; nothing where nobody can look.
    async fn look(&self, image: &StoredImage, is_compared: bool) -> Option<Sight>;

    /// How long a finished image may wait for company before it is made durable.
    fn linger(&self) -> Duration {
        Duration::ZERO
    }
}
