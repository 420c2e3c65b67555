//! References in buckets: read directly, with the credentials of the user's own environment.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use object_store::client::{HttpError, HttpErrorKind};
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore};
use tokio::task::spawn_blocking;

use crate::adapters::references::cache::{ContentCache, Kept};
use crate::adapters::references::every::fetched;
use crate::adapters::references::inspect::MAX_BYTES;
use crate::adapters::references::local::content_error;
use crate::adapters::references::stores::{Store, Stores};
use crate::domain::fetch::Bucket;
use crate::domain::reference::Reference;
use crate::ports::references::{FailedTry, Fetched, NextTry, ReferenceError, ReferenceSource};

/// What stands before the status in the errors of the stores' client, which tells it in no other
/// way; a test holds it to that.
const STATUS_MARK: &str = "status code: ";

/// Reads `gs`, `s3` and `az`.
#[derive(Debug)]
pub struct BucketReferences {
    stores: Arc<Stores>,
    cache: ContentCache,
    timeout: Duration,
}

impl BucketReferences {
    /// Reads from these stores into this cache; `timeout` is told when a try takes too long.
    pub fn new(stores: Arc<Stores>, cache: ContentCache, timeout: Duration) -> Self {
        Self { stores, cache, timeout }
    }

    async fn keep(&self, reference: &Reference) -> Result<Kept, FailedTry> {
        let no_store = |problem: String| {
            never(ReferenceError::NoStore { reference: reference.clone(), problem })
        };
        let (bucket, path) = object_of(reference).map_err(|it| no_store(it.to_owned()))?;
        let store = self.store(bucket).await.map_err(no_store)?;
        let failed = |error| failed_try(reference, &error, self.timeout);
        let got = store.get_opts(&path, GetOptions::default()).await.map_err(failed)?;
        if got.meta.size > MAX_BYTES {
            let reference = reference.clone();
            return Err(never(ReferenceError::TooLarge { reference, limit: MAX_BYTES }));
        }
        let incoming = self.cache.receive();
        let mut chunks = got.into_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(failed)?;
            // An empty chunk would be taken for the end.
            if !chunk.is_empty() && !incoming.write(chunk).await {
                break;
            }
        }
        let kept = incoming.finish().await;
        kept.map_err(|error| never(content_error(reference, error)))
    }

    /// A store is made on a thread that may wait: it reads files.
    async fn store(&self, bucket: Bucket) -> Result<Arc<dyn Store>, String> {
        let stores = Arc::clone(&self.stores);
        let made = spawn_blocking(move || stores.store(&bucket, None)).await;
        let made = made.map_err(|_| "the store could not be made".to_owned())?;
        made.map_err(|error| error.to_string())
    }
}

#[async_trait]
impl ReferenceSource for BucketReferences {
    async fn fetch(&self, reference: &Reference) -> Result<Fetched, FailedTry> {
        let kept = self.keep(reference).await?;
        Ok(fetched(reference, kept, None))
    }
}

/// The bucket and the object that an address names. Names are taken as they stand, like the
/// stores' own tools do: a percent sign or a question mark is part of them.
fn object_of(reference: &Reference) -> Result<(Bucket, Path), &'static str> {
    let Reference::Url(text) = reference else { return Err("it is no address") };
    let (scheme, rest) = text.split_once("://").ok_or("it is no address")?;
    let (name, key) = rest.split_once('/').ok_or("it names a bucket but no object")?;
    let bucket = format!("{scheme}://{name}").parse::<Bucket>();
    let bucket = bucket.map_err(|_| "it names no bucket of gs, s3 or az")?;
    if bucket.name.starts_with('.') {
        return Err("it names no bucket of gs, s3 or az");
    }
    if key.is_empty() {
        return Err("it names a bucket but no object");
    }
    if key.starts_with('/') || key.ends_with('/') {
        return Err("the name of its object has an empty part");
    }
    let path =
        Path::parse(key).map_err(|_| "the name of its object has an empty or dotted part")?;
    Ok((bucket, path))
}

fn never(error: ReferenceError) -> FailedTry {
    FailedTry { error, next: NextTry::Never, date: None }
}

/// What a failed request to a store means. The store's own text is not shown: it may echo what was
/// sent to it.
fn failed_try(reference: &Reference, error: &object_store::Error, timeout: Duration) -> FailedTry {
    let reference = reference.clone();
    if let Some(status) = status_of(error) {
        let is_passing = status == 408 || status == 429 || status >= 500;
        let next = if is_passing { NextTry::MayHeal(None) } else { NextTry::Never };
        return FailedTry {
            error: ReferenceError::Answered { reference, status },
            next,
            date: None,
        };
    }
    let Some(kind) = http_kind(error) else {
        let problem = if error.to_string().contains("redirect") {
            "the store sent us elsewhere: is its region or its address wrong?"
        } else {
            "the store cannot be used with the credentials of the environment"
        };
        return never(ReferenceError::NoStore { reference, problem: problem.to_owned() });
    };
    let heals = |error| FailedTry { error, next: NextTry::MayHeal(None), date: None };
    if kind == HttpErrorKind::Timeout {
        return heals(ReferenceError::TimedOut { reference, after: timeout });
    }
    let problem = if kind == HttpErrorKind::Connect {
        "no connection to the store"
    } else {
        "the connection to the store broke"
    };
    heals(ReferenceError::Unreachable { reference, problem: problem.to_owned() })
}

/// The status that a store answered with.
fn status_of(error: &object_store::Error) -> Option<u16> {
    if matches!(error, object_store::Error::NotFound { .. }) {
        return Some(404);
    }
    if matches!(error, object_store::Error::PermissionDenied { .. }) {
        return Some(403);
    }
    if matches!(error, object_store::Error::Unauthenticated { .. }) {
        return Some(401);
    }
    let text = error.to_string();
    let (_, behind) = text.split_once(STATUS_MARK)?;
    behind.get(..3)?.parse().ok()
}

/// What happened to the connection, if that is what failed.
fn http_kind(error: &object_store::Error) -> Option<HttpErrorKind> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(one) = cause {
        if let Some(http) = one.downcast_ref::<HttpError>() {
            return Some(http.kind());
        }
        cause = one.source();
    }
    None
}

#[cfg(test)]
mod tests;
