//! Images in the run's folder: temporary file, magic bytes, rename, grouped syncs, sidecar.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use crate::adapters::output::run_folder::private_folder;
use crate::domain::image::{ImageKind, StoredImage};
use crate::domain::request::WorkDigest;
use crate::domain::sidecar::Sidecar;
use crate::ports::images::{ImageStore, ImageStoreError, ImageWriter};

/// The folder of images below the run's folder.
const IMAGES: &str = "images";

/// The folder of paid answers that are no images.
const RAW: &str = "raw";

/// Keeps images below one run's folder.
#[derive(Debug)]
pub struct ImageFolder {
    root: Arc<PathBuf>,
}

impl ImageFolder {
    /// Takes the run's folder and makes the folders below it.
    ///
    /// # Errors
    /// When a folder cannot be made.
    pub fn create(root: &Path) -> Result<Self, ImageStoreError> {
        for name in [IMAGES, RAW] {
            let path = root.join(name);
            private_folder(&path).map_err(|source| ImageStoreError::Io { path, source })?;
        }
        Ok(Self { root: Arc::new(root.to_owned()) })
    }
}

#[async_trait]
impl ImageStore for ImageFolder {
    async fn begin(
        &self,
        stem: &str,
        variant: u8,
    ) -> Result<Box<dyn ImageWriter>, ImageStoreError> {
        let name = format!("{stem}-v{variant}");
        let part = self.root.join(IMAGES).join(format!("{name}.part"));
        let opened = part.clone();
        let file = blocking(part.clone(), move || File::create(opened)).await?;
        Ok(Box::new(PartFile {
            root: Arc::clone(&self.root),
            name,
            part,
            file: Some(file),
            head: Vec::new(),
            hasher: Sha256::new(),
            n_bytes: 0,
        }))
    }

    async fn persist(&self, finished: Vec<(StoredImage, Sidecar)>) -> Result<(), ImageStoreError> {
        let root = Arc::clone(&self.root);
        let folder = root.join(IMAGES);
        let failed = folder.clone();
        blocking(failed, move || {
            for (image, sidecar) in &finished {
                write_sidecar(&root.join(&image.path), sidecar)?;
                File::open(root.join(&image.path))?.sync_data()?;
            }
            File::open(folder)?.sync_all()
        })
        .await
    }
}

/// How many first bytes are kept for the magic bytes and the header's width and height.
const HEAD: usize = 4_096;

/// One image on its way.
struct PartFile {
    root: Arc<PathBuf>,
    name: String,
    part: PathBuf,
    file: Option<File>,
    head: Vec<u8>,
    hasher: Sha256,
    n_bytes: u64,
}

#[async_trait]
impl ImageWriter for PartFile {
    async fn write(&mut self, chunk: Bytes) -> Result<(), ImageStoreError> {
        self.hasher.update(&chunk);
        self.n_bytes += chunk.len() as u64;
        let room = HEAD.saturating_sub(self.head.len()).min(chunk.len());
        self.head.extend_from_slice(&chunk[..room]);
        let mut file = self.file.take().expect("one write at a time");
        let file = blocking(self.part.clone(), move || {
            file.write_all(&chunk)?;
            Ok(file)
        })
        .await?;
        self.file = Some(file);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<StoredImage, ImageStoreError> {
        drop(self.file.take());
        let sha256 = WorkDigest(self.hasher.clone().finalize().into());
        let Some(kind) = ImageKind::from_magic(&self.head) else {
            let kept = PathBuf::from(RAW).join(format!("{}-{}.bin", self.name, short(&sha256)));
            self.rename_to(kept.clone()).await?;
            return Err(ImageStoreError::NotAnImage { kept });
        };
        let path = PathBuf::from(IMAGES).join(format!("{}.{}", self.name, kind.extension()));
        self.rename_to(path.clone()).await?;
        let pixels = imagesize::blob_size(&self.head).ok().and_then(|size| {
            Some((u32::try_from(size.width).ok()?, u32::try_from(size.height).ok()?))
        });
        Ok(StoredImage { path, kind, n_bytes: self.n_bytes, sha256, pixels })
    }

    async fn discard(self: Box<Self>) {
        let part = self.part.clone();
        // A leftover temporary file costs nothing but its bytes; the next try overwrites it.
        let _ = blocking(part.clone(), move || fs::remove_file(part)).await;
    }
}

impl PartFile {
    /// Gives the file its name, never over a file with other bytes.
    async fn rename_to(&self, path: PathBuf) -> Result<(), ImageStoreError> {
        let target = self.root.join(path);
        let part = self.part.clone();
        let place = target.clone();
        let in_the_way = blocking(target.clone(), move || match fs::hard_link(&part, &place) {
            Ok(()) => fs::remove_file(&part).map(|()| false),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let same = fs::read(&part)? == fs::read(&place)?;
                if same {
                    fs::remove_file(&part)?;
                }
                Ok(!same)
            }
            Err(_) if !place.exists() => fs::rename(&part, &place).map(|()| false),
            Err(error) => Err(error),
        })
        .await?;
        if in_the_way { Err(ImageStoreError::Exists { path: target }) } else { Ok(()) }
    }
}

/// A keeper for rehearsals: it takes every image and keeps none.
#[derive(Debug)]
pub struct NoImages;

/// What a rehearsal says of an image that was never made.
struct NoImage {
    is_image: bool,
}

#[async_trait]
impl ImageStore for NoImages {
    async fn begin(&self, _: &str, _: u8) -> Result<Box<dyn ImageWriter>, ImageStoreError> {
        Ok(Box::new(NoImage { is_image: true }))
    }

    async fn persist(&self, _: Vec<(StoredImage, Sidecar)>) -> Result<(), ImageStoreError> {
        Ok(())
    }
}

#[async_trait]
impl ImageWriter for NoImage {
    /// An answer without bytes stands for an image; any bytes stand for what is none.
    async fn write(&mut self, chunk: Bytes) -> Result<(), ImageStoreError> {
        self.is_image = chunk.is_empty();
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<StoredImage, ImageStoreError> {
        if !self.is_image {
            return Err(ImageStoreError::NotAnImage { kept: PathBuf::from(RAW) });
        }
        Ok(StoredImage {
            path: PathBuf::new(),
            kind: ImageKind::Png,
            n_bytes: 0,
            sha256: WorkDigest([0; 32]),
            pixels: None,
        })
    }

    async fn discard(self: Box<Self>) {}
}

/// Writes the sidecar under a temporary name, syncs it and renames it beside its image.
fn write_sidecar(image: &Path, sidecar: &Sidecar) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(sidecar).map_err(io::Error::other)?;
    text.push('\n');
    let part = image.with_extension("json.part");
    let mut file = File::create(&part)?;
    file.write_all(text.as_bytes())?;
    file.sync_data()?;
    fs::rename(part, image.with_extension("json"))
}

fn short(digest: &WorkDigest) -> String {
    digest.to_string()[..12].to_owned()
}

async fn blocking<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, ImageStoreError> {
    let done = spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    done.map_err(|source| ImageStoreError::Io { path, source })
}
