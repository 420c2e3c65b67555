//! Local references: read from inside the rows file's folder, unless another one is opened.

use std::fs::{File, Metadata};
use std::io::{self, Read};
#[cfg(unix)]
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::StreamExt;
#[cfg(unix)]
use rustix::fs::OFlags;
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;
use tokio_util::io::ReaderStream;

use crate::adapters::references::cache::{ContentCache, Kept};
use crate::adapters::references::inspect::{ContentError, HEAD, MAX_BYTES, check_file};
use crate::domain::digest::Sha256Digest;
use crate::domain::reference::Reference;
use crate::ports::references::ReferenceError;

/// Bytes that are read at a time.
const CHUNK: usize = 64 * 1024;

/// Folders that local references may lie in.
#[derive(Clone, Debug)]
pub struct LocalReferences {
    /// The folder of the rows file, from which paths start.
    home: Arc<Path>,
    /// Further folders that the user has opened.
    opened: Arc<[PathBuf]>,
}

impl LocalReferences {
    /// Takes the folder of the rows file, and further folders that the user has opened.
    pub fn below(home: &Path, opened: &[PathBuf]) -> Self {
        Self { home: home.into(), opened: opened.into() }
    }

    /// Looks at the first bytes of a file, without keeping any.
    ///
    /// # Errors
    /// When it must not or cannot be used; see [`ReferenceError`].
    pub fn check(&self, path: &str) -> Result<(), ReferenceError> {
        let reference = Reference::Local(path.to_owned());
        let file = self.open(path)?;
        let mut head = Vec::new();
        let read = (&file).take(HEAD as u64).read_to_end(&mut head);
        read.map_err(|source| unreadable(&reference, source))?;
        check_file(&head, &file).map(drop).map_err(|error| content_error(&reference, error))
    }

    /// Reads a whole file into the cache.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub async fn keep(&self, path: &str, cache: &ContentCache) -> Result<Kept, ReferenceError> {
        let reference = Reference::Local(path.to_owned());
        let (this, text) = (self.clone(), path.to_owned());
        let opened = spawn_blocking(move || this.open(&text)).await;
        let file =
            opened.unwrap_or_else(|error| Err(unreadable(&reference, io::Error::other(error))))?;
        let mut chunks = ReaderStream::with_capacity(tokio::fs::File::from_std(file), CHUNK);
        let incoming = cache.receive();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|source| unreadable(&reference, source))?;
            if !incoming.write(chunk).await {
                break;
            }
        }
        incoming.finish().await.map_err(|error| content_error(&reference, error))
    }

    /// The digest of a file's bytes; nothing where it cannot be used.
    pub fn digest(&self, path: &str) -> Option<Sha256Digest> {
        let (mut file, mut hasher) = (self.open(path).ok()?, Sha256::new());
        let mut chunk = vec![0; CHUNK];
        loop {
            match file.read(&mut chunk).ok()? {
                0 => return Some(Sha256Digest::finish(hasher)),
                n => hasher.update(&chunk[..n]),
            }
        }
    }

    /// Opens a file; links are followed first, so that none leads out of what is open.
    fn open(&self, path: &str) -> Result<File, ReferenceError> {
        let reference = Reference::Local(path.to_owned());
        let unreadable = |source| unreadable(&reference, source);
        let home = self.home.canonicalize().map_err(unreadable)?;
        let real = home.join(path).canonicalize().map_err(unreadable)?;
        let is_open = |folder: &PathBuf| folder.canonicalize().is_ok_and(|it| real.starts_with(it));
        if !real.starts_with(&home) && !self.opened.iter().any(is_open) {
            return Err(ReferenceError::Outside(reference));
        }
        let file = open_regular(&real).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.len() > MAX_BYTES {
            return Err(ReferenceError::TooLarge { reference, limit: MAX_BYTES });
        }
        Ok(file)
    }
}

/// Opens a regular file, and nothing that takes its place: a pipe would keep the thread waiting
/// for a writer for ever, and a link could lead out of the folder by now.
fn open_regular(path: &Path) -> io::Result<File> {
    let check = |metadata: Metadata| {
        let error = || io::Error::other("it is no regular file");
        metadata.is_file().then_some(()).ok_or_else(error)
    };
    // Merely to open a device may have an effect.
    check(path.metadata()?)?;
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        OpenOptionsExt::custom_flags(&mut options, flags.bits().cast_signed());
    }
    let file = options.open(path)?;
    check(file.metadata()?)?;
    Ok(file)
}

fn unreadable(reference: &Reference, source: io::Error) -> ReferenceError {
    ReferenceError::Unreadable { reference: reference.clone(), source }
}

/// What is wrong with the bytes of a reference, with its name.
pub(crate) fn content_error(reference: &Reference, error: ContentError) -> ReferenceError {
    let reference = reference.clone();
    match error {
        ContentError::TooLarge { limit } => ReferenceError::TooLarge { reference, limit },
        ContentError::TooManyPixels { pixels, limit } => {
            ReferenceError::TooManyPixels { reference, pixels, limit }
        }
        ContentError::NotAnImage => ReferenceError::NotAnImage(reference),
        ContentError::CutShort | ContentError::WebPage => {
            ReferenceError::BadAnswer { reference, problem: error.to_string() }
        }
        ContentError::Io(source) => ReferenceError::Unreadable { reference, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::request::ReferenceContent;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x02\0\0\0\x03\x08\x02\0\0\0";
    const BOMB: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\x01\0\0\0\x01\0\0\x08\x02\0\0\0";

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

        let references = LocalReferences::below(&home, &[]);
        references.check("ok.png").expect("a good reference");
        let check = |path: &str, wanted: fn(&ReferenceError) -> bool| {
            let error = references.check(path).expect_err(path);
            assert!(wanted(&error), "{path}: {error}");
        };
        check("../secret.png", |error| matches!(error, ReferenceError::Outside(_)));
        check("/etc/hostname", |error| matches!(error, ReferenceError::Outside(_)));
        check("bomb.png", |error| matches!(error, ReferenceError::TooManyPixels { .. }));
        check("text.png", |error| matches!(error, ReferenceError::NotAnImage(_)));
        check("huge.png", |error| matches!(error, ReferenceError::TooLarge { .. }));
        check("none.png", |error| matches!(error, ReferenceError::Unreadable { .. }));
        check(".", |error| matches!(error, ReferenceError::Unreadable { .. }));
        let opened = LocalReferences::below(&home, &[outer.path().to_owned()]);
        opened.check("../secret.png").expect("the user has opened that folder");
    }

    #[tokio::test]
    async fn a_file_is_kept_by_its_content_once() {
        let outer = tempfile::tempdir().expect("a folder");
        for name in ["a.png", "b.png"] {
            std::fs::write(outer.path().join(name), PNG).expect("written");
        }
        let references = LocalReferences::below(outer.path(), &[]);
        let cache = ContentCache::in_folder(outer.path().join("cache"));
        let first = references.keep("a.png", &cache).await.expect("kept");
        assert_eq!(references.keep("b.png", &cache).await.expect("kept"), first);
        assert_eq!(first.content.length(), PNG.len() as u64);
        assert!(references.keep("none.png", &cache).await.is_err());
        let kept = std::fs::read_dir(outer.path().join("cache")).expect("a folder").count();
        assert_eq!(kept, 1, "one object, and nothing half-received");
    }

    #[tokio::test]
    async fn metadata_stays_in_a_reference_as_it_came_row_82() {
        let outer = tempfile::tempdir().expect("a folder");
        let mut bytes = PNG.to_vec();
        bytes.extend_from_slice(b"\0\0\0\x0b\0\0eXIfGPS 48.1,11.5");
        std::fs::write(outer.path().join("a.png"), &bytes).expect("written");
        let references = LocalReferences::below(outer.path(), &[]);
        let cache = ContentCache::in_folder(outer.path().join("cache"));
        let kept = references.keep("a.png", &cache).await.expect("kept");
        let ReferenceContent::File { path, .. } = kept.content else { panic!("a file") };
        assert_eq!(std::fs::read(path).expect("kept"), bytes);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_folder_is_refused() {
        let outer = tempfile::tempdir().expect("a folder");
        let home = outer.path().join("home");
        std::fs::create_dir(&home).expect("a folder");
        std::fs::write(outer.path().join("secret.png"), PNG).expect("written");
        std::os::unix::fs::symlink("../secret.png", home.join("link.png")).expect("a link");
        let references = LocalReferences::below(&home, &[]);
        assert!(matches!(references.check("link.png"), Err(ReferenceError::Outside(_))));
    }

    /// What stands at a path may change between two looks at it; only the opened file is believed.
    #[cfg(unix)]
    #[test]
    fn a_pipe_that_takes_the_place_of_a_file_holds_nobody_up() {
        use std::sync::atomic::{AtomicBool, Ordering};
        use std::sync::mpsc;

        use rustix::fs::{CWD, Mode, mkfifoat, renameat};
        let folder = tempfile::tempdir().expect("a folder");
        let place = |name: &str| folder.path().join(name);
        std::fs::write(place("file"), PNG).expect("written");
        mkfifoat(CWD, place("pipe"), Mode::RUSR | Mode::WUSR).expect("a pipe");
        open_regular(&place("pipe")).expect_err("a pipe");
        let swap = |name: &str| {
            std::fs::hard_link(place(name), place("next")).expect("a second name");
            renameat(CWD, place("next"), CWD, place("picture")).expect("swapped");
        };
        swap("file");
        let is_over = Arc::new(AtomicBool::new(false));
        let (sender, receiver) = mpsc::channel();
        let (path, over) = (place("picture"), Arc::clone(&is_over));
        std::thread::spawn(move || {
            let mut is_always_file = true;
            while !over.load(Ordering::Acquire) {
                let opened = open_regular(&path).and_then(|file| file.metadata());
                is_always_file &= opened.map_or(true, |it| it.is_file());
            }
            let _ = sender.send(is_always_file);
        });
        for _ in 0..5_000 {
            swap("pipe");
            swap("file");
        }
        is_over.store(true, Ordering::Release);
        let patience = std::time::Duration::from_secs(20);
        assert!(receiver.recv_timeout(patience).expect("it hangs at the pipe"), "it took a pipe");
    }
}
