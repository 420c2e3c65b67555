//! Images in the run's folder: temporary file, magic bytes, rename.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::adapters::output::durable::{Unsynced, make_durable};
use crate::adapters::output::files::private_folder;
use crate::adapters::output::part::{Manner, Part, blocking};
use crate::adapters::output::room::Room;
use crate::adapters::output::sight::sight;
use crate::adapters::output::spares::Spares;
use crate::domain::digest::Sha256Digest;
use crate::domain::image::{ImageKind, StoredImage};
use crate::domain::image_name::ImageName;
use crate::domain::look::Sight;
use crate::domain::sidecar::Sidecar;
use crate::ports::images::{ImageBody, ImageStore, ImageStoreError, ImageWriter};

/// The folder of images below the run's folder.
pub(super) const IMAGES: &str = "images";

/// The folder of paid answers that are no images.
pub(super) const RAW: &str = "raw";

/// How long a finished image waits for company: many share their syncs then.
const LINGER: Duration = Duration::from_millis(5);

/// Images of usual size that are looked at at once; a larger one takes the place of several.
const LOOKS_AT_ONCE: u32 = 4;

/// Pixels of an image of usual size.
const PIXELS_PER_LOOK: u64 = 2 << 20;

/// Keeps images below one run's folder.
#[derive(Debug)]
pub struct ImageFolder {
    root: Arc<PathBuf>,
    spares: Arc<Spares>,
    unsynced: Arc<Unsynced>,
    room: Room,
    looks: Semaphore,
    /// Whether the folder was empty: every name is free then, since no two are the same.
    is_fresh: bool,
    /// Folders that were made.
    folders: Mutex<BTreeSet<PathBuf>>,
}

impl ImageFolder {
    /// Takes the run's folder and makes the folders below it; so many images are on their way at
    /// once.
    ///
    /// # Errors
    /// When a folder cannot be made, or there is no room for them.
    pub fn create(root: &Path, in_flight: u64) -> Result<Self, ImageStoreError> {
        for name in [IMAGES, RAW] {
            let path = root.join(name);
            private_folder(&path).map_err(|source| ImageStoreError::Io { path, source })?;
        }
        let entries = fs::read_dir(root.join(IMAGES));
        let is_fresh = entries.is_ok_and(|mut entries| entries.next().is_none());
        let spares = Arc::new(Spares::in_folder(root.join(IMAGES)));
        let room = Room::in_folder(root.join(IMAGES), in_flight);
        room.check_now()?;
        let folders = Mutex::default();
        let looks = Semaphore::new(LOOKS_AT_ONCE as usize);
        Ok(Self {
            root: Arc::new(root.to_owned()),
            spares,
            unsynced: Arc::default(),
            room,
            looks,
            is_fresh,
            folders,
        })
    }
}

impl ImageFolder {
    /// Makes the folders of an image's name, where it has any, before anything is sent for it.
    async fn make_folders(&self, name: &ImageName) -> Result<(), ImageStoreError> {
        let Some((below, _)) = name.beginning().rsplit_once('/') else { return Ok(()) };
        let folder = self.root.join(IMAGES).join(below);
        let is_new = self.folders.lock().expect("no holder panics").insert(folder.clone());
        if is_new {
            blocking(folder.clone(), move || private_folder(&folder)).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl ImageStore for ImageFolder {
    async fn begin(&self, name: ImageName) -> Result<Box<dyn ImageWriter>, ImageStoreError> {
        self.room.check().await?;
        self.make_folders(&name).await?;
        let first = self.spares.take().await?;
        let (root, spares) = (Arc::clone(&self.root), Arc::clone(&self.spares));
        let unsynced = Arc::clone(&self.unsynced);
        let is_fresh = self.is_fresh;
        Ok(Box::new(Received { root, spares, unsynced, is_fresh, name, first, extras: Vec::new() }))
    }

    async fn persist(
        &self,
        finished: Vec<(StoredImage, Sidecar)>,
    ) -> Vec<Result<(), ImageStoreError>> {
        finished.iter().for_each(|(image, _)| self.room.note(image.n_bytes));
        make_durable(&self.root, &self.root.join(IMAGES), &self.unsynced, finished).await
    }

    async fn look(&self, image: &StoredImage, is_compared: bool) -> Option<Sight> {
        let path = self.root.join(&image.path);
        // Nobody closes it. Large ones wait for each other: a decoded picture may take hundreds of
        // megabytes.
        let n_pixels =
            image.pixels.map_or(u64::MAX, |(wide, high)| u64::from(wide) * u64::from(high));
        let weight = n_pixels.div_ceil(PIXELS_PER_LOOK).clamp(1, u64::from(LOOKS_AT_ONCE));
        let weight = u32::try_from(weight).unwrap_or(LOOKS_AT_ONCE);
        let _turn = self.looks.acquire_many(weight).await.ok()?;
        spawn_blocking(move || sight(&path, is_compared)).await.ok()?
    }

    fn linger(&self) -> Duration {
        LINGER
    }
}

/// The images of one answer on their way; there should be only one.
struct Received {
    root: Arc<PathBuf>,
    spares: Arc<Spares>,
    unsynced: Arc<Unsynced>,
    /// Whether no earlier process has left anything under any name.
    is_fresh: bool,
    name: ImageName,
    first: Part,
    extras: Vec<Part>,
}

#[async_trait]
impl ImageBody for Received {
    async fn write(&mut self, chunk: Bytes) -> Result<(), ImageStoreError> {
        self.extras.last_mut().unwrap_or(&mut self.first).write(chunk).await
    }

    async fn extra(&mut self) -> Result<(), ImageStoreError> {
        self.extras.push(self.spares.take().await?);
        Ok(())
    }
}

#[async_trait]
impl ImageWriter for Received {
    async fn finish(self: Box<Self>) -> Result<StoredImage, ImageStoreError> {
        let Self { root, unsynced, is_fresh, name: meant, first, extras, .. } = *self;
        for extra in extras {
            keep_part(&root, &meant.flat(), extra).await?;
        }
        let Some(kind) = first.kind() else {
            let kept = keep_part(&root, &meant.flat(), first).await?;
            return Err(ImageStoreError::NotAnImage { kept });
        };
        // A row that has changed since it was made leaves its first image where it is.
        let sha256 = first.sha256();
        let (name, wanted, short) = (meant.of(&sha256), kind.extension(), short(&sha256));
        let mut names = vec![format!("{name}.{wanted}"), format!("{name}-{short}.{wanted}")];
        if name.contains('/') {
            // It needs no folder: what is paid for gets a name on any disk.
            names.push(format!("{}-{short}.{wanted}", meant.flat()));
        }
        let paths: Vec<PathBuf> =
            names.into_iter().map(|name| PathBuf::from(IMAGES).join(name)).collect();
        let mut image = StoredImage {
            path: paths[0].clone(),
            kind,
            n_bytes: first.n_bytes(),
            sha256,
            pixels: first.pixels(),
        };
        let places: Vec<PathBuf> = paths.iter().map(|path| root.join(path)).collect();
        let (at, file) =
            first.rename_to(places, Manner { is_synced: false, is_careful: !is_fresh }).await?;
        image.path.clone_from(&paths[at]);
        if let Some(file) = file {
            unsynced.put(image.path.clone(), file);
        }
        Ok(image)
    }

    async fn keep(self: Box<Self>, answer: Bytes) -> Result<Vec<PathBuf>, ImageStoreError> {
        let Self { root, spares, name, first, extras, .. } = *self;
        let name = name.flat();
        let mut kept = Vec::new();
        for part in std::iter::once(first).chain(extras) {
            if part.n_bytes() == 0 {
                part.remove().await;
            } else {
                kept.push(keep_part(&root, &name, part).await?);
            }
        }
        if !answer.is_empty() {
            let short = short(&Sha256Digest::of(&answer));
            let path = PathBuf::from(RAW).join(format!("{name}-{short}.json"));
            let mut part = spares.take().await?;
            part.write(answer).await?;
            part.rename_to(vec![root.join(&path)], Manner::SYNCED).await?;
            kept.push(path);
        }
        if !kept.is_empty() {
            let folder = root.join(RAW);
            blocking(folder.clone(), move || File::open(folder)?.sync_all()).await?;
        }
        Ok(kept)
    }

    async fn discard(self: Box<Self>) {
        for part in std::iter::once(self.first).chain(self.extras) {
            part.remove().await;
        }
    }
}

/// Keeps paid bytes that are not the image wanted, under a name that their digest makes unique.
async fn keep_part(root: &Path, name: &str, part: Part) -> Result<PathBuf, ImageStoreError> {
    let extension = part.kind().map_or("bin", ImageKind::extension);
    let kept = PathBuf::from(RAW).join(format!("{name}-{}.{extension}", short(&part.sha256())));
    part.rename_to(vec![root.join(&kept)], Manner::SYNCED).await?;
    Ok(kept)
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
    async fn begin(&self, _: ImageName) -> Result<Box<dyn ImageWriter>, ImageStoreError> {
        Ok(Box::new(NoImage { is_image: true }))
    }

    async fn persist(
        &self,
        finished: Vec<(StoredImage, Sidecar)>,
    ) -> Vec<Result<(), ImageStoreError>> {
        finished.iter().map(|_| Ok(())).collect()
    }

    async fn look(&self, _: &StoredImage, _: bool) -> Option<Sight> {
        None
    }
}

#[async_trait]
impl ImageBody for NoImage {
    /// An answer without bytes stands for an image; any bytes stand for what is none.
    async fn write(&mut self, chunk: Bytes) -> Result<(), ImageStoreError> {
        self.is_image = chunk.is_empty();
        Ok(())
    }

    async fn extra(&mut self) -> Result<(), ImageStoreError> {
        Ok(())
    }
}

#[async_trait]
impl ImageWriter for NoImage {
    async fn finish(self: Box<Self>) -> Result<StoredImage, ImageStoreError> {
        if !self.is_image {
            return Err(ImageStoreError::NotAnImage { kept: PathBuf::from(RAW) });
        }
        Ok(StoredImage {
            path: PathBuf::new(),
            kind: ImageKind::Png,
            n_bytes: 0,
            sha256: Sha256Digest([0; 32]),
            pixels: None,
        })
    }

    async fn keep(self: Box<Self>, _: Bytes) -> Result<Vec<PathBuf>, ImageStoreError> {
        Ok(Vec::new())
    }

    async fn discard(self: Box<Self>) {}
}

/// The digits of a digest that set a name apart.
pub(super) fn short(digest: &Sha256Digest) -> String {
    digest.to_string()[..12].to_owned()
}
