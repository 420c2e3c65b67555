//! What a server said about an object that is kept, so that the next run can ask whether it is
//! still good instead of for its bytes.
//!
//! Beside the objects lies one small file for each address, named by the hash of the address
//! without its signature; no address stands inside. A file that cannot be read is as good as none.
//! Where there was a signature, only a strong `ETag` is asked with: it is the one validator that no
//! other object has, should an address name more than one after all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;
use url::Url;

use crate::adapters::output::files::private_folder;
use crate::adapters::references::cache::{ContentCache, Kept, PART, content_path};
use crate::domain::digest::Sha256Digest;
use crate::domain::image::ImageKind;
use crate::domain::reference::Reference;
use crate::domain::request::ReferenceContent;
use crate::domain::signed_url::{is_whole, object_of};

/// The version of these files. Another version is not read: the object is fetched once more.
const SCHEMA: &str = "imagemill.validator/1";

/// The folder of these files in that of the objects.
pub(super) const VALIDATORS: &str = "validators";

/// The longest validator that is remembered; real ones have some dozens of bytes.
const MAX_VALIDATOR: usize = 1024;

/// How an `ETag` begins that only vouches for something alike.
const WEAK: [char; 2] = ['W', 'w'];

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

impl Remembered {
    /// What of it may be asked with for this address.
    fn fit_for(mut self, reference: &Reference) -> Self {
        if !web_address(reference).is_some_and(|url| is_whole(&url)) {
            self.etag = self.etag.filter(|etag| !etag.starts_with(WEAK));
            self.last_modified = None;
        }
        self
    }

    const fn is_of_use(&self) -> bool {
        self.etag.is_some() || self.last_modified.is_some()
    }
}

fn web_address(reference: &Reference) -> Option<Url> {
    match reference {
        Reference::Url(text) => Url::parse(text).ok(),
        Reference::Local(_) => None,
    }
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
        let known = spawn_blocking(move || read(&folder, &path)).await.ok().flatten()?;
        Some(known.fit_for(reference)).filter(Remembered::is_of_use)
    }

    /// Remembers what a server has said. It is a convenience: when it cannot be written, the
    /// object is fetched again another time.
    pub(crate) async fn remember(&self, reference: &Reference, known: Remembered) {
        let path = self.validator_path(reference);
        let known = known.fit_for(reference);
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
        let name = match web_address(reference) {
            Some(url) => object_of(&url),
            None => reference.redacted(),
        };
        let name = Sha256Digest::of(name.as_bytes());
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

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x02\0\0\0\x03\x08\x02\0\0\0";

    fn address(query: &str) -> Reference {
        Reference::Url(format!("https://a.example/p{query}"))
    }

    async fn kept(cache: &ContentCache) -> Kept {
        let incoming = cache.receive();
        assert!(incoming.write(bytes::Bytes::from_static(PNG)).await);
        incoming.finish().await.expect("kept")
    }

    fn cache() -> (tempfile::TempDir, ContentCache) {
        let outer = tempfile::tempdir().expect("a folder");
        let cache = ContentCache::in_folder(outer.path().join("cache"));
        (outer, cache)
    }

    #[tokio::test]
    async fn what_may_choose_an_object_is_in_the_name_of_its_validator_row_84() {
        let (_outer, cache) = cache();
        let last_modified = Some("Fri, 02 Jan 2026 03:04:05 GMT".to_owned());
        let known = Remembered {
            kept: kept(&cache).await,
            etag: Some("\"one\"".to_owned()),
            last_modified,
        };
        for (first, other) in [
            ("?st=21", "?st=22"),
            ("?token=21", "?token=22"),
            ("?sp=1&sig=a&exp=1767323045", "?sp=2&sig=a&exp=1767323045"),
            ("?policy=1", "?policy=2"),
        ] {
            cache.remember(&address(first), known.clone()).await;
            assert_eq!(cache.remembered(&address(other)).await, None, "{first}");
        }
        assert_eq!(cache.remembered(&address("?st=21")).await, Some(known));
    }

    #[tokio::test]
    async fn a_signed_address_is_asked_with_a_strong_validator_only_row_84() {
        let (_outer, cache) = cache();
        let date = Some("Fri, 02 Jan 2026 03:04:05 GMT".to_owned());
        let kept = kept(&cache).await;
        let known = |etag: Option<&str>, last_modified: &Option<String>| Remembered {
            kept: kept.clone(),
            etag: etag.map(str::to_owned),
            last_modified: last_modified.clone(),
        };
        let (signed, plain) = (address("?X-Amz-Signature=s"), address(""));
        // What was remembered of the plain address may be read by the signed one.
        cache.remember(&plain, known(Some("W/\"one\""), &date)).await;
        assert_eq!(cache.remembered(&signed).await, None);
        assert_eq!(cache.remembered(&plain).await, Some(known(Some("W/\"one\""), &date)));
        cache.remember(&plain, known(Some("\"one\""), &date)).await;
        assert_eq!(cache.remembered(&signed).await, Some(known(Some("\"one\""), &None)));
        // And the other way around.
        cache.remember(&signed, known(Some("\"two\""), &date)).await;
        assert_eq!(cache.remembered(&plain).await, Some(known(Some("\"two\""), &None)));
        cache.remember(&signed, known(Some("W/\"three\""), &date)).await;
        assert_eq!(cache.remembered(&plain).await, None, "the new state has no strong name");
    }
}
