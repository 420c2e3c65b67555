//! Local references: read from inside the rows file's folder, checked by magic bytes and size.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::spawn_blocking;

use crate::domain::digest::Sha256Digest;
use crate::domain::image::ImageKind;
use crate::domain::reference::Reference;
use crate::domain::request::LoadedReference;
use crate::ports::references::{ReferenceError, ReferenceReader};

/// The largest reference in bytes; providers take up to 50 MB, and a plan holds several at once.
const MAX_BYTES: u64 = 20 * 1024 * 1024;

/// The most pixels of a reference: beyond it lie only mistakes and decompression bombs.
const MAX_PIXELS: u64 = 64 * 1024 * 1024;

/// The first bytes of a file: enough for the magic bytes and for the size in most headers.
const HEAD: u64 = 64 * 1024;

/// Reads references below one folder.
#[derive(Debug)]
pub struct LocalReferences {
    folder: Arc<PathBuf>,
    is_rehearsal: bool,
}

impl LocalReferences {
    /// Takes the folder of the rows file.
    pub fn below(folder: &Path) -> Self {
        Self { folder: Arc::new(folder.to_owned()), is_rehearsal: false }
    }

    /// For rehearsals: files are checked by their first bytes and not kept, addresses are taken
    /// on trust. A rehearsal has one thread and virtual time, so it may read in place.
    pub fn rehearsing(folder: &Path) -> Self {
        Self { folder: Arc::new(folder.to_owned()), is_rehearsal: true }
    }
}

impl LocalReferences {
    /// Looks at the first bytes of a reference, without keeping any.
    ///
    /// # Errors
    /// When it must not or cannot be used; see [`ReferenceError`].
    pub fn check(&self, reference: &Reference) -> Result<(), ReferenceError> {
        match reference {
            Reference::Url(_) => Err(ReferenceError::UrlNotFetched(reference.clone())),
            Reference::Local(path) => {
                read_below(&self.folder, Path::new(path), reference.clone(), HEAD).map(drop)
            }
        }
    }
}

#[async_trait]
impl ReferenceReader for LocalReferences {
    async fn read(&self, reference: &Reference) -> Result<LoadedReference, ReferenceError> {
        let path = match reference {
            Reference::Url(_) if self.is_rehearsal => return Ok(unread(reference.clone())),
            Reference::Url(_) => return Err(ReferenceError::UrlNotFetched(reference.clone())),
            Reference::Local(path) => PathBuf::from(path),
        };
        let reference = reference.clone();
        if self.is_rehearsal {
            return read_below(&self.folder, &path, reference, HEAD);
        }
        let folder = Arc::clone(&self.folder);
        let named = reference.clone();
        let read = spawn_blocking(move || read_below(&folder, &path, reference, MAX_BYTES + 1));
        read.await.unwrap_or_else(|error| {
            let source = std::io::Error::other(error);
            Err(ReferenceError::Unreadable { reference: named, source })
        })
    }
}

/// A reference that a rehearsal takes on trust.
fn unread(reference: Reference) -> LoadedReference {
    let sha256 = Sha256Digest([0; 32]);
    LoadedReference { reference, kind: ImageKind::Png, sha256, bytes: Bytes::new() }
}

/// Reads one file below a folder; links are followed first, so that none leads out of it.
fn read_below(
    folder: &Path,
    path: &Path,
    reference: Reference,
    most: u64,
) -> Result<LoadedReference, ReferenceError> {
    let unreadable = |source| ReferenceError::Unreadable { reference: reference.clone(), source };
    let home = folder.canonicalize().map_err(unreadable)?;
    let real = home.join(path).canonicalize().map_err(unreadable)?;
    if !real.starts_with(&home) {
        return Err(ReferenceError::Outside(reference));
    }
    let file = File::open(&real).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(unreadable(std::io::Error::other("it is no regular file")));
    }
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).map_err(unreadable)?;
    if metadata.len().max(bytes.len() as u64) > MAX_BYTES {
        return Err(ReferenceError::TooLarge { reference, limit: MAX_BYTES });
    }
    let Some(kind) = ImageKind::from_magic(&bytes) else {
        return Err(ReferenceError::NotAnImage(reference));
    };
    let Ok(size) = imagesize::blob_size(&bytes) else {
        return Err(ReferenceError::NotAnImage(reference));
    };
    let pixels = (size.width as u64).saturating_mul(size.height as u64);
    if pixels > MAX_PIXELS {
        return Err(ReferenceError::TooManyPixels { reference, pixels, limit: MAX_PIXELS });
    }
    let sha256 = Sha256Digest::of(&bytes);
    Ok(LoadedReference { reference, kind, sha256, bytes: bytes.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x02\0\0\0\x03\x08\x02\0\0\0";
    const BOMB: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\x01\0\0\0\x01\0\0\x08\x02\0\0\0";

    fn read(folder: &Path, path: &str) -> Result<LoadedReference, ReferenceError> {
        read_below(folder, Path::new(path), Reference::Local(path.to_owned()), MAX_BYTES + 1)
    }

    #[test]
    fn only_real_images_inside_the_folder_are_read() {
        let outer = tempfile::tempdir().expect("a folder");
        let home = outer.path().join("home");
        std::fs::create_dir(&home).expect("a folder");
        for (name, bytes) in [("ok.png", PNG), ("bomb.png", BOMB), ("text.png", b"hello")] {
            std::fs::write(home.join(name), bytes).expect("written");
        }
        std::fs::write(outer.path().join("secret.png"), PNG).expect("written");
        let huge = File::create(home.join("huge.png")).expect("a file");
        huge.set_len(MAX_BYTES + 1).expect("a sparse file");

        let good = read(&home, "ok.png").expect("a good reference");
        assert_eq!((good.kind, good.bytes.len()), (ImageKind::Png, PNG.len()));
        let check = |path: &str, wanted: fn(&ReferenceError) -> bool| {
            let error = read(&home, path).expect_err(path);
            assert!(wanted(&error), "{path}: {error}");
        };
        check("../secret.png", |error| matches!(error, ReferenceError::Outside(_)));
        check("/etc/hostname", |error| matches!(error, ReferenceError::Outside(_)));
        check("bomb.png", |error| matches!(error, ReferenceError::TooManyPixels { .. }));
        check("text.png", |error| matches!(error, ReferenceError::NotAnImage(_)));
        check("huge.png", |error| matches!(error, ReferenceError::TooLarge { .. }));
        check("none.png", |error| matches!(error, ReferenceError::Unreadable { .. }));
        check(".", |error| matches!(error, ReferenceError::Unreadable { .. }));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_folder_is_refused() {
        let outer = tempfile::tempdir().expect("a folder");
        let home = outer.path().join("home");
        std::fs::create_dir(&home).expect("a folder");
        std::fs::write(outer.path().join("secret.png"), PNG).expect("written");
        std::os::unix::fs::symlink("../secret.png", home.join("link.png")).expect("a link");
        assert!(matches!(read(&home, "link.png"), Err(ReferenceError::Outside(_))));
    }
}
