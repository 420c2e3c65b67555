//! Images that runs have kept, found by what was asked for them: nobody needs to buy those again.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::adapters::output::error::RunFolderError;
use crate::adapters::output::files::read_small;
use crate::adapters::output::replay::replay;
use crate::adapters::output::runs::all_runs;
use crate::domain::digest::Sha256Digest;
use crate::domain::event::RunEvent;
use crate::domain::look::Look;
use crate::domain::sidecar::Sidecar;

/// The longest sidecar that is read.
const MAX_SIDECAR: u64 = 1 << 20;

/// The longest image that is copied.
const MAX_IMAGE: u64 = 512 << 20;

/// An image that a run has kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptImage {
    /// The file.
    pub path: PathBuf,
    /// The SHA-256 of its bytes, as its run has told it.
    pub sha256: Sha256Digest,
    /// What makes it the answer to the same request elsewhere.
    pub ask: Option<Sha256Digest>,
    /// How it looks, where its run has told that.
    pub look: Option<Look>,
}

/// Images by what was asked for them, those of newer runs first.
#[derive(Debug, Default)]
pub struct KeptImages {
    images: BTreeMap<Sha256Digest, Vec<KeptImage>>,
    /// What was looked at: whether it is there as it was.
    seen: RefCell<BTreeMap<PathBuf, bool>>,
}

impl KeptImages {
    /// Of all runs below a folder but `own`, as their journals tell. A run whose journal cannot be
    /// read hides no other.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn of_runs(out: &Path, own: Option<&Path>) -> Result<Self, RunFolderError> {
        let mut kept = Self::default();
        let others = all_runs(out)?.into_iter().filter(|folder| Some(folder.as_path()) != own);
        for folder in others.collect::<Vec<_>>().into_iter().rev() {
            let mut of_run = Vec::new();
            let read = replay(&folder, &mut |stamped| {
                let RunEvent::ImageStored(stored) = &stamped.event else { return };
                let (Some(ask), Some(sha256)) = (stored.ask, stored.sha256) else { return };
                let (path, look) = (folder.join(&stored.file), stored.look);
                of_run.push((ask, KeptImage { path, sha256, ask: Some(ask), look }));
            });
            for (ask, image) in of_run.into_iter().filter(|_| read.is_ok()) {
                kept.images.entry(ask).or_default().push(image);
            }
        }
        Ok(kept)
    }

    /// The next image that answers a request and is there as it was, from a place on among all that
    /// answer it; with the place behind it.
    pub fn next(&self, ask: &Sha256Digest, from: usize) -> Option<(&KeptImage, usize)> {
        let images = self.images.get(ask)?.get(from..)?;
        let at = images.iter().position(|image| self.is_there(image))?;
        Some((&images[at], from + at + 1))
    }

    /// Whether an image is there as it was; it is read once.
    pub fn is_there(&self, image: &KeptImage) -> bool {
        if let Some(seen) = self.seen.borrow().get(&image.path) {
            return *seen;
        }
        let is_there = image.read().is_ok();
        self.seen.borrow_mut().insert(image.path.clone(), is_there);
        is_there
    }
}

impl KeptImage {
    /// Its bytes and its sidecar.
    ///
    /// # Errors
    /// When one of them cannot be read, or is not what it was.
    pub fn read(&self) -> io::Result<(Bytes, Sidecar)> {
        let text = read_small(&self.path.with_extension("json"), MAX_SIDECAR)?;
        let sidecar: Sidecar = serde_json::from_slice(&text)?;
        let bytes = read_small(&self.path, MAX_IMAGE)?;
        if Sha256Digest::of(&bytes) != self.sha256 || sidecar.sha256 != self.sha256 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not what it was"));
        }
        Ok((bytes.into(), sidecar))
    }
}
