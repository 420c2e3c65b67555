//! Images that runs have kept, found by what was asked for them: nobody needs to buy those again.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::adapters::output::error::RunFolderError;
use crate::adapters::output::files::open_regular;
use crate::adapters::output::replay::replay;
use crate::adapters::output::runs::all_runs;
use crate::domain::digest::Sha256Digest;
use crate::domain::event::RunEvent;
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
}

/// Images by what was asked for them.
#[derive(Debug, Default)]
pub struct KeptImages(BTreeMap<Sha256Digest, KeptImage>);

impl KeptImages {
    /// Of all runs below a folder, as their journals tell; the newest of the same request counts.
    /// A run whose journal cannot be read hides no other.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn of_runs(out: &Path) -> Result<Self, RunFolderError> {
        let mut kept = Self::default();
        for folder in all_runs(out)? {
            let mut of_run = Vec::new();
            let read = replay(&folder, &mut |stamped| {
                let RunEvent::ImageStored(stored) = &stamped.event else { return };
                let (Some(ask), Some(sha256)) = (stored.ask, stored.sha256) else { return };
                of_run.push((ask, KeptImage { path: folder.join(&stored.file), sha256 }));
            });
            if read.is_ok() {
                kept.0.extend(of_run);
            }
        }
        Ok(kept)
    }

    /// The image that answers a request, when it is there as it was.
    pub fn get(&self, ask: &Sha256Digest) -> Option<KeptImage> {
        let kept = self.0.get(ask)?;
        kept.read().is_ok().then(|| kept.clone())
    }
}

impl KeptImage {
    /// Its bytes and its sidecar.
    ///
    /// # Errors
    /// When one of them cannot be read, or is not what it was.
    pub fn read(&self) -> io::Result<(Bytes, Sidecar)> {
        let text = whole(&self.path.with_extension("json"), MAX_SIDECAR)?;
        let sidecar: Sidecar = serde_json::from_slice(&text)?;
        let bytes = whole(&self.path, MAX_IMAGE)?;
        if Sha256Digest::of(&bytes) != self.sha256 || sidecar.sha256 != self.sha256 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not what it was"));
        }
        Ok((bytes.into(), sidecar))
    }
}

/// A whole file; no link, no pipe, and none that is longer.
fn whole(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let (file, about) = open_regular(path)?;
    if about.len() > most {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(about.len()).unwrap_or_default());
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
