//! What a server said about an object that is kept, so that the next run can ask whether it is
//! still good instead of for its bytes.
//!
//! Beside the objects lies one small file for each address, named by the hash of the address
//! without its signature; no address stands inside. A file that cannot be read is as good as none.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;

use crate::adapters::output::run_folder::private_folder;
use crate::adapters::references::cache::{ContentCache, Kept, PART, content_path};
use crate::domain::digest::Sha256Digest;
use crate::domain::image::ImageKind;
use crate::domain::reference::Reference;
use crate::domain::request::{ReferenceContent, without_signature};

/// The version of these files. Another version is not read: the object is fetched once more.
const SCHEMA: &str = "imagemill.validator/1";

/// The folder of these files in that of the objects.
pub(super) const VALIDATORS: &str = "validators";

/// The longest validator that is remembered; real ones have some dozens of bytes.
const MAX_VALIDATOR: usize = 1024;

/// An object that is kept, and what its server calls this state of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    /// The object.
    pub(crate) kept: Kept,
    /// Its `ETag`.
    pub(crate) etag: Option<String>,
    /// Its `Last-Modified`.
    pub(crate) last_modified: Option<String>,
}

/// The file's content.
#[derive(Serialize, Deserialize)]
struct Document {
    schema: String,
    etag: Option<String>,
    last_modified: Option<String>,
    sha256: String,
    length: u64,
    kind: ImageKind,
}

impl ContentCache {
    /// What is known of an address, if the object is still there.
    pub(crate) async fn remembered(&self, reference: &Reference) -> Option<Remembered> {
        let (folder, path) = (Arc::clone(self.folder()), self.validator_path(reference));
        spawn_blocking(move || read(&folder, &path)).await.ok().flatten()
    }

    /// Remembers what a server has said. It is a convenience: when it cannot be written, the
    /// object is fetched again another time.
    pub(crate) async fn remember(&self, reference: &Reference, known: Remembered) {
        let path = self.validator_path(reference);
        // Nobody needs to know whether it worked.
        let _ = spawn_blocking(move || write(&path, &known)).await;
    }

    /// Notes that an object was used, so that it is not taken for forgotten.
    pub(crate) async fn touch(&self, kept: &Kept, now: Timestamp) {
        let path = content_path(self.folder(), &kept.sha256);
        // The worst that follows is that it is fetched again.
        let _ = spawn_blocking(move || touch(&path, SystemTime::from(now))).await;
    }

    fn validator_path(&self, reference: &Reference) -> PathBuf {
        let name = Sha256Digest::of(without_signature(reference).as_bytes());
        self.folder().join(VALIDATORS).join(format!("{name}.json"))
    }
}

/// Sets when a file was last used.
pub(super) fn touch(path: &Path, at: SystemTime) -> io::Result<()> {
    File::options().write(true).open(path)?.set_modified(at)
}

fn read(folder: &Path, path: &Path) -> Option<Remembered> {
    let document: Document = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let Document { schema, etag, last_modified, sha256, length, kind } = document;
    if schema != SCHEMA {
        return None;
    }
    let sha256 = Sha256Digest::parse(&sha256)?;
    let content = content_path(folder, &sha256);
    fs::metadata(&content).ok().filter(|it| it.is_file() && it.len() == length)?;
    let content = ReferenceContent::File { path: content.into(), length };
    Some(Remembered { kept: Kept { kind, sha256, content }, etag, last_modified })
}

fn write(path: &Path, known: &Remembered) -> io::Result<()> {
    let Remembered { kept, etag, last_modified } = known;
    let short = |text: &Option<String>| text.clone().filter(|it| it.len() <= MAX_VALIDATOR);
    let (etag, last_modified) = (short(etag), short(last_modified));
    if etag.is_none() && last_modified.is_none() {
        // What was remembered is about another state.
        return fs::remove_file(path);
    }
    let document = Document {
        schema: SCHEMA.to_owned(),
        etag,
        last_modified,
        sha256: kept.sha256.to_string(),
        length: kept.content.length(),
        kind: kept.kind,
    };
    let folder = path.parent().expect("it was joined to a folder");
    private_folder(folder)?;
    let mut file = NamedTempFile::with_prefix_in(PART, folder)?;
    file.write_all(serde_json::to_string(&document)?.as_bytes())?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
