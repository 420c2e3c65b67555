//! Signs addresses anew that lie in the user's own buckets.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use object_store::path::Path;
use tokio::task::spawn_blocking;
use url::Url;

use crate::adapters::references::stores::Stores;
use crate::domain::azure_sas::sign_anew;
use crate::domain::fetch::{Bucket, StoreKind};
use crate::domain::signed_url::{has_own_parameters, same_object};
use crate::domain::sigv4::LONGEST_LIFE;
use crate::domain::store_address::{Endpoints, StoreAddress, address_of};
use crate::ports::references::{RefreshError, UrlRefresher};

/// How long signing may take: keys that lie elsewhere need a request.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The only host that Google's storage can be signed for.
const GOOGLE_ROOT: &str = "https://storage.googleapis.com";

/// Signs for buckets with the credentials of the user's own environment.
#[derive(Debug)]
pub struct StoreSigner {
    stores: Arc<Stores>,
    buckets: Vec<Bucket>,
    endpoints: Endpoints,
}

impl StoreSigner {
    /// Signs for these buckets.
    pub fn new(stores: Arc<Stores>, buckets: Vec<Bucket>) -> Self {
        let endpoints = stores.endpoints();
        Self { stores, buckets, endpoints }
    }

    /// The object of an address that can be signed for as it is written. Parameters of its own,
    /// like one that names a version, would not be signed, so such an address is left alone.
    fn address(&self, url: &Url) -> Option<StoreAddress> {
        if has_own_parameters(url) {
            return None;
        }
        let address = address_of(url, &self.buckets, &self.endpoints)?;
        let is_written_so = address.bucket.kind != StoreKind::Gcs || address.root == GOOGLE_ROOT;
        (is_written_so && self.stores.can_sign(address.bucket.kind)).then_some(address)
    }
}

impl StoreSigner {
    /// Azure's client signs a name as it is percent-encoded, where Azure reads it decoded.
    fn for_odd_name(&self, signed: Url, bucket: &Bucket, key: &str) -> Option<Url> {
        if bucket.kind != StoreKind::Azure || !signed.path().contains('%') {
            return Some(signed);
        }
        let account = self.endpoints.azure_account.as_deref()?;
        let resource = format!("{account}/{}/{key}", bucket.name);
        sign_anew(&signed, &resource, self.stores.azure_key()?)
    }
}

#[async_trait]
impl UrlRefresher for StoreSigner {
    fn can_refresh(&self, url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| self.address(&url).is_some())
    }

    async fn refresh(&self, url: &str, life: Duration) -> Result<String, RefreshError> {
        let old = Url::parse(url).map_err(|_| RefreshError::NoRefresher)?;
        let address = self.address(&old).ok_or(RefreshError::NoRefresher)?;
        let bucket = address.bucket.clone();
        let failed = |why: &str| RefreshError::Failed(format!("{bucket} {why}"));
        let path = Path::parse(&address.key)
            .map_err(|_| failed("has no object of such a name that can be signed for"))?;
        let stores = Arc::clone(&self.stores);
        let made = spawn_blocking(move || stores.store(&address.bucket, Some(&address))).await;
        let store = made
            .map_err(|_| failed("could not be opened"))?
            .map_err(|error| failed(&format!("cannot be signed for: {error}")))?;
        // A store may sign for longer than it later accepts, so the bound is ours.
        let life = life.clamp(Duration::from_secs(1), LONGEST_LIFE);
        let signed = tokio::time::timeout(TIMEOUT, store.signed_url(Method::GET, &path, life));
        let signed = signed
            .await
            .map_err(|_| failed("was not signed for in time"))?
            // The store's own text is not shown: it may name what it signs with.
            .map_err(|_| failed("cannot be signed for with the credentials of the environment"))?;
        let signed = self
            .for_odd_name(signed, &bucket, path.as_ref())
            .ok_or_else(|| failed("has a name that cannot be signed for with a lent key"))?;
        if !same_object(&old, &signed) {
            return Err(failed("has no object of such a name that can be signed for"));
        }
        Ok(signed.into())
    }
}

#[cfg(test)]
mod tests;
