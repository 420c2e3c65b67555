//! How references are fetched: how many at once, for how long, how often, and from where.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::domain::egress::AllowList;

/// What a run does about references.
#[derive(Clone, PartialEq, Eq)]
pub struct FetchSettings {
    /// The most fetches at once in all.
    pub concurrency: u32,
    /// The most fetches at once from one host.
    pub per_host: u32,
    /// How long one try may take, its body included.
    pub timeout: Duration,
    /// How often a fetch that may heal is tried again.
    pub retries: u32,
    /// How long an address must still live when its row is claimed.
    pub fresh_for: Duration,
    /// What is open although the gate refuses it.
    pub allowed: AllowList,
    /// The folder from which local references start, when it is not that of the rows file.
    pub base: Option<PathBuf>,
    /// Folders beside that of the rows file that local references may lie in.
    pub opened: Vec<PathBuf>,
    /// A proxy that the user has named; it is then what decides where requests go.
    pub proxy: Option<String>,
    /// Who signs addresses anew.
    pub refresh: RefreshSettings,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            concurrency: 4,
            per_host: 4,
            timeout: Duration::from_secs(10),
            retries: 2,
            fresh_for: Duration::from_secs(300),
            allowed: AllowList::default(),
            base: None,
            opened: Vec::new(),
            proxy: None,
            refresh: RefreshSettings::default(),
        }
    }
}

impl fmt::Debug for FetchSettings {
    /// The address of a proxy may have a password in it.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("FetchSettings")
            .field("concurrency", &self.concurrency)
            .field("per_host", &self.per_host)
            .field("timeout", &self.timeout)
            .field("retries", &self.retries)
            .field("fresh_for", &self.fresh_for)
            .field("allowed", &self.allowed)
            .field("opened", &self.opened)
            .field("has_proxy", &self.proxy.is_some())
            .field("refresh", &self.refresh)
            .finish()
    }
}

/// Who signs addresses anew.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RefreshSettings {
    /// A program and its arguments.
    pub command: Option<Vec<String>>,
    /// An address that is posted to.
    pub endpoint: Option<String>,
    /// Buckets that may be signed for.
    pub buckets: Vec<Bucket>,
}

impl fmt::Debug for RefreshSettings {
    /// Arguments and addresses may have a password or a token in them.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = self.command.as_ref().and_then(|words| words.first());
        out.debug_struct("RefreshSettings")
            .field("program", &program)
            .field("has_endpoint", &self.endpoint.is_some())
            .field("buckets", &self.buckets)
            .finish()
    }
}

impl RefreshSettings {
    /// Whether there is anybody to ask.
    pub fn is_none(&self) -> bool {
        self.command.is_none() && self.endpoint.is_none() && self.buckets.is_empty()
    }
}

/// What kind of store a bucket is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreKind {
    /// `s3://`, and whoever speaks its language.
    S3,
    /// `gs://`.
    Gcs,
    /// `az://`; a bucket is a container there.
    Azure,
}

impl StoreKind {
    /// The scheme of its addresses.
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gcs => "gs",
            Self::Azure => "az",
        }
    }

    /// The kind by the scheme of an address.
    pub fn of_scheme(scheme: &str) -> Option<Self> {
        let kinds = [Self::S3, Self::Gcs, Self::Azure];
        kinds.into_iter().find(|kind| scheme.eq_ignore_ascii_case(kind.scheme()))
    }
}

/// A bucket by its kind and name, written as `s3://name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bucket {
    /// What kind of store it is in.
    pub kind: StoreKind,
    /// Its name.
    pub name: String,
}

/// Why a text names no bucket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no bucket: s3://name, gs://name or az://name")]
pub struct BucketError(pub String);

impl FromStr for Bucket {
    type Err = BucketError;

    fn from_str(text: &str) -> Result<Self, BucketError> {
        let bad = || BucketError(text.to_owned());
        let (scheme, name) = text.split_once("://").ok_or_else(bad)?;
        let kind = StoreKind::of_scheme(scheme).ok_or_else(bad)?;
        let name = name.trim_end_matches('/');
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        if name.is_empty() || !name.chars().all(is_plain) {
            return Err(bad());
        }
        Ok(Self { kind, name: name.to_owned() })
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}://{}", self.kind.scheme(), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_show_no_secret() {
        let secret = |text: &str| Some(text.replace('*', "CANARY"));
        let settings = FetchSettings {
            proxy: secret("http://me:*@proxy.example"),
            refresh: RefreshSettings {
                command: Some(vec!["sign".to_owned(), "--key=CANARY".to_owned()]),
                endpoint: secret("https://sign.example/?token=*"),
                buckets: Vec::new(),
            },
            ..FetchSettings::default()
        };
        let shown = format!("{settings:?}");
        assert!(!shown.contains("CANARY"), "{shown}");
        assert!(shown.contains("has_proxy: true") && shown.contains("\"sign\""), "{shown}");
    }
}
