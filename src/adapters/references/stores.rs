//! The stores of buckets, by what the user's environment says about them.

mod clients;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::signer::Signer;
use object_store::{ClientConfigKey, ObjectStore, RetryConfig};
use url::Url;

use clients::StoreClients;

use crate::domain::fetch::{Bucket, StoreKind};
use crate::domain::store_address::{Endpoints, StoreAddress};

/// The most stores that are kept; rows may name any number of buckets.
const MAX_KEPT: usize = 64;

/// Where the emulator of Azure's storage is.
const EMULATOR: &str = "http://127.0.0.1:10000/devstoreaccount1";

/// Variables of which one is there when S3 may be asked. The metadata service of a cloud is asked
/// only where its address is named: elsewhere the question would hang.
const S3_ACCESS: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_METADATA_ENDPOINT",
    "AWS_SKIP_SIGNATURE",
];

/// The same for Google's storage.
const GCS_ACCESS: &[&str] = &[
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_SERVICE_ACCOUNT",
    "GOOGLE_SERVICE_ACCOUNT_PATH",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
    "GOOGLE_BEARER_TOKEN",
    "GOOGLE_SKIP_SIGNATURE",
    "GCE_METADATA_HOST",
    "GCE_METADATA_IP",
];

/// The same for Azure's storage: those that can sign, and behind them those that cannot.
const AZURE_SIGNERS: &[&str] = &[
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_STORAGE_MASTER_KEY",
    "AZURE_STORAGE_TOKEN",
    "AZURE_STORAGE_USE_EMULATOR",
    "AZURE_CLIENT_SECRET",
    "AZURE_STORAGE_CLIENT_SECRET",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_MSI_ENDPOINT",
    "AZURE_IDENTITY_ENDPOINT",
    "AZURE_USE_AZURE_CLI",
];
const AZURE_READERS: &[&str] =
    &["AZURE_STORAGE_SAS_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_SKIP_SIGNATURE"];

/// Where Google's own tool keeps the login of its user, below the home folder.
const GOOGLE_LOGIN: &str = ".config/gcloud/application_default_credentials.json";

/// What reads objects and signs addresses.
pub(crate) trait Store: ObjectStore + Signer {}

impl<T: ObjectStore + Signer> Store for T {}

/// Why there is no store; the text is fit for a report and has nothing of the environment's values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(String);

/// The stores of a user's environment, each made once.
pub struct Stores {
    env: BTreeMap<String, String>,
    clients: StoreClients,
    kept: Mutex<BTreeMap<(Bucket, String), Arc<dyn Store>>>,
}

impl fmt::Debug for Stores {
    /// The names of what the environment says; its values may be keys.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Stores").field("env", &self.env.keys().collect::<Vec<_>>()).finish()
    }
}

impl Stores {
    /// Takes an environment, and how long one request may take.
    pub fn of_environment(env: &BTreeMap<String, String>, timeout: Duration) -> Self {
        let is_ours = |name: &str| {
            ["AWS_", "GOOGLE_", "AZURE_", "GCE_"].iter().any(|it| name.starts_with(it))
                || name == "HOME"
        };
        let ours = env.iter().filter(|(name, value)| is_ours(name) && !value.is_empty());
        let env = ours.map(|(name, value)| (name.clone(), value.clone())).collect();
        let clients = StoreClients { timeout, proxy: None };
        Self { env, clients, kept: Mutex::default() }
    }

    /// Asks through a proxy that the user has named; those of the environment are never used.
    #[must_use]
    pub fn through(mut self, proxy: Option<String>) -> Self {
        self.clients.proxy = proxy;
        self
    }

    /// Where the stores are, as far as the environment names addresses.
    pub fn endpoints(&self) -> Endpoints {
        let url = |names: &[&str]| names.iter().find_map(|name| Url::parse(self.get(name)?).ok());
        let azure = url(&["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"]);
        let emulator = || self.is_emulated().then(|| Url::parse(EMULATOR).expect("an address"));
        Endpoints {
            s3: url(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]),
            gcs: url(&["GOOGLE_BASE_URL"]),
            azure: azure.or_else(emulator),
            azure_account: self.azure_account().map(str::to_owned),
        }
    }

    /// Whether addresses of such a store can be signed, as far as the environment tells.
    pub(crate) fn can_sign(&self, kind: StoreKind) -> bool {
        let can = match kind {
            StoreKind::S3 => !self.is_on("AWS_SKIP_SIGNATURE"),
            StoreKind::Gcs => {
                !self.is_on("GOOGLE_SKIP_SIGNATURE") && self.get("GOOGLE_BEARER_TOKEN").is_none()
            }
            StoreKind::Azure => self.has_any(AZURE_SIGNERS) && !self.is_on("AZURE_SKIP_SIGNATURE"),
        };
        can && self.missing(kind).is_none()
    }

    /// The store of a bucket; where an address is given, one that signs for just that address.
    ///
    /// # Errors
    /// When the environment has too little for it.
    pub(crate) fn store(
        &self,
        bucket: &Bucket,
        address: Option<&StoreAddress>,
    ) -> Result<Arc<dyn Store>, StoreError> {
        let root = address.map(|it| it.root.clone()).unwrap_or_default();
        let name = (bucket.clone(), root);
        if let Some(store) = self.lock().get(&name) {
            return Ok(Arc::clone(store));
        }
        if let Some(missing) = self.missing(bucket.kind) {
            return Err(StoreError(missing.to_owned()));
        }
        let made = match bucket.kind {
            StoreKind::S3 => self.s3(&bucket.name, address),
            StoreKind::Gcs => self.gcs(&bucket.name),
            StoreKind::Azure => self.azure(&bucket.name),
        };
        let store = made.map_err(|_| {
            let (kind, family) = (bucket.kind.scheme(), family(bucket.kind));
            StoreError(format!("what the environment says about {kind}:// ({family}) is no use"))
        })?;
        let mut kept = self.lock();
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        Ok(Arc::clone(kept.entry(name).or_insert(store)))
    }

    fn s3(&self, bucket: &str, address: Option<&StoreAddress>) -> Made {
        let mut builder = AmazonS3Builder::new().with_http_connector(self.clients.clone());
        for (key, value) in self.settings::<AmazonS3ConfigKey>("AWS_") {
            builder = builder.with_config(key, value);
        }
        if let Some(address) = address {
            builder = builder
                .with_config(AmazonS3ConfigKey::S3Endpoint, &address.root)
                .with_virtual_hosted_style_request(address.is_virtual);
            if let Some(region) = &address.region {
                builder = builder.with_region(region);
            }
        }
        if let Some((key, value)) = plain_http(self.endpoints().s3.as_ref()) {
            builder = builder.with_config(AmazonS3ConfigKey::Client(key), value);
        }
        let store = builder.with_bucket_name(bucket).with_retry(self.no_retries()).build()?;
        Ok(Arc::new(store))
    }

    fn gcs(&self, bucket: &str) -> Made {
        let mut builder =
            GoogleCloudStorageBuilder::new().with_http_connector(self.clients.clone());
        for (key, value) in self.settings::<GoogleConfigKey>("GOOGLE_") {
            builder = builder.with_config(key, value);
        }
        if let (false, Some(login)) = (self.has_any(GCS_ACCESS), self.google_login()) {
            builder = builder.with_application_credentials(login);
        }
        if let Some((key, value)) = plain_http(self.endpoints().gcs.as_ref()) {
            builder = builder.with_config(GoogleConfigKey::Client(key), value);
        }
        let store = builder.with_bucket_name(bucket).with_retry(self.no_retries()).build()?;
        Ok(Arc::new(store))
    }

    fn azure(&self, container: &str) -> Made {
        let mut builder = MicrosoftAzureBuilder::new().with_http_connector(self.clients.clone());
        for (key, value) in self.settings::<AzureConfigKey>("AZURE_") {
            builder = builder.with_config(key, value);
        }
        if let Some(account) = self.azure_account() {
            builder = builder.with_account(account);
        }
        if let Some((key, value)) = plain_http(self.endpoints().azure.as_ref()) {
            builder = builder.with_config(AzureConfigKey::Client(key), value);
        }
        let store = builder.with_container_name(container).with_retry(self.no_retries()).build()?;
        Ok(Arc::new(store))
    }

    /// What the environment sets, by the names that the stores' own readers know.
    fn settings<K: FromStr>(&self, prefix: &str) -> Vec<(K, &str)> {
        let ours = self.env.iter().filter(|(name, _)| name.starts_with(prefix));
        ours.filter_map(|(name, value)| {
            Some((name.to_ascii_lowercase().parse().ok()?, value.as_str()))
        })
        .collect()
    }

    fn no_retries(&self) -> RetryConfig {
        RetryConfig {
            max_retries: 0,
            retry_timeout: self.clients.timeout,
            ..RetryConfig::default()
        }
    }

    /// The key of the account of Azure; of several, the one that its client takes.
    pub(crate) fn azure_key(&self) -> Option<&str> {
        let names =
            ["AZURE_STORAGE_MASTER_KEY", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY"];
        names.into_iter().find_map(|name| self.get(name))
    }

    /// What is missing before such a store can be asked.
    pub(crate) fn missing(&self, kind: StoreKind) -> Option<&'static str> {
        match kind {
            StoreKind::S3 if !self.has_any(S3_ACCESS) => Some(
                "the environment has no credentials for s3:// (AWS_ACCESS_KEY_ID and \
                AWS_SECRET_ACCESS_KEY, or AWS_SKIP_SIGNATURE=true for public buckets)",
            ),
            StoreKind::Gcs if !self.has_any(GCS_ACCESS) && self.google_login().is_none() => Some(
                "the environment has no credentials for gs:// (GOOGLE_APPLICATION_CREDENTIALS, \
                or GOOGLE_SKIP_SIGNATURE=true for public buckets)",
            ),
            StoreKind::Azure if self.azure_account().is_none() && !self.is_emulated() => {
                Some("the environment names no account for az:// (AZURE_STORAGE_ACCOUNT_NAME)")
            }
            StoreKind::Azure if !self.has_any(AZURE_SIGNERS) && !self.has_any(AZURE_READERS) => {
                Some(
                    "the environment has no credentials for az:// (AZURE_STORAGE_ACCOUNT_KEY, or \
                    AZURE_SKIP_SIGNATURE=true for public containers)",
                )
            }
            StoreKind::S3 | StoreKind::Gcs | StoreKind::Azure => None,
        }
    }

    fn azure_account(&self) -> Option<&str> {
        let names = ["AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT"];
        names.into_iter().find_map(|name| self.get(name))
    }

    fn google_login(&self) -> Option<String> {
        let path = Path::new(self.get("HOME")?).join(GOOGLE_LOGIN);
        path.is_file().then(|| path.to_string_lossy().into_owned())
    }

    fn is_emulated(&self) -> bool {
        self.is_on("AZURE_STORAGE_USE_EMULATOR")
    }

    fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.get(name).is_some())
    }

    fn is_on(&self, name: &str) -> bool {
        let is_yes = |value: &str| ["1", "true", "on", "yes", "y"].contains(&value);
        self.get(name).is_some_and(|value| is_yes(&value.to_ascii_lowercase()))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(Bucket, String), Arc<dyn Store>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A store, or what its own builder says; that may name values, so nobody shows it.
type Made = Result<Arc<dyn Store>, object_store::Error>;

/// What the variables of a kind of store are called.
const fn family(kind: StoreKind) -> &'static str {
    match kind {
        StoreKind::S3 => "AWS_…",
        StoreKind::Gcs => "GOOGLE_…",
        StoreKind::Azure => "AZURE_…",
    }
}

/// Plain HTTP, where the environment's own address is one.
fn plain_http(endpoint: Option<&Url>) -> Option<(ClientConfigKey, &'static str)> {
    let is_plain = endpoint.is_some_and(|endpoint| endpoint.scheme() == "http");
    is_plain.then_some((ClientConfigKey::AllowHttp, "true"))
}
