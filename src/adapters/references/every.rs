//! One source for references of every kind.

use std::sync::Arc;

use async_trait::async_trait;

use crate::adapters::references::cache::{ContentCache, Kept};
use crate::adapters::references::local::LocalReferences;
use crate::domain::digest::Sha256Digest;
use crate::domain::image::ImageKind;
use crate::domain::reference::Reference;
use crate::domain::request::{LoadedReference, ReferenceContent};
use crate::ports::references::{FailedTry, Fetched, NextTry, ReferenceError, ReferenceSource};

/// Reads files, and asks others for addresses.
#[derive(Debug)]
pub struct References {
    /// Files.
    pub local: LocalReferences,
    /// Where everything is kept.
    pub cache: ContentCache,
    /// `http` and `https`.
    pub web: Arc<dyn ReferenceSource>,
    /// `gs`, `s3` and `az`.
    pub buckets: Arc<dyn ReferenceSource>,
}

#[async_trait]
impl ReferenceSource for References {
    async fn fetch(&self, reference: &Reference) -> Result<Fetched, FailedTry> {
        match reference {
            Reference::Local(path) => match self.local.keep(path, &self.cache).await {
                Ok(kept) => Ok(fetched(reference, kept, None)),
                Err(error) => Err(FailedTry { error, next: NextTry::Never, date: None }),
            },
            Reference::Url(url) if is_web(url) => self.web.fetch(reference).await,
            Reference::Url(_) => self.buckets.fetch(reference).await,
        }
    }
}

/// Whether an address is one of HTTP.
fn is_web(url: &str) -> bool {
    let scheme = url.split(':').next().unwrap_or_default();
    scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http")
}

/// A try that brought what is now kept.
pub(crate) fn fetched(reference: &Reference, kept: Kept, date: Option<jiff::Timestamp>) -> Fetched {
    let n_received = kept.content.length();
    let loaded = LoadedReference {
        reference: reference.clone(),
        kind: kept.kind,
        sha256: kept.sha256,
        content: kept.content,
    };
    Fetched { loaded, n_received, date }
}

/// For rehearsals: files are checked by their first bytes and not kept, addresses are taken on
/// trust. A rehearsal has one thread and virtual time, so it may read in place.
#[derive(Debug)]
pub struct RehearsedReferences {
    /// Files.
    pub local: LocalReferences,
}

#[async_trait]
impl ReferenceSource for RehearsedReferences {
    async fn fetch(&self, reference: &Reference) -> Result<Fetched, FailedTry> {
        if let Reference::Local(path) = reference {
            let never =
                |error: ReferenceError| FailedTry { error, next: NextTry::Never, date: None };
            self.local.check(path).map_err(never)?;
        }
        let loaded = LoadedReference {
            reference: reference.clone(),
            kind: ImageKind::Png,
            sha256: Sha256Digest([0; 32]),
            content: ReferenceContent::Unread,
        };
        Ok(Fetched { loaded, n_received: 0, date: None })
    }
}
