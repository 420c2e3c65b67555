//! Which object of a bucket an address of HTTP names, so that the bucket's owner can sign it anew.

use url::{Host, Url};

use crate::domain::fetch::{Bucket, StoreKind};
use crate::domain::uri;

/// The host of Google's storage.
const GOOGLE_HOST: &str = "storage.googleapis.com";

/// Where the stores of the user's own environment are, beside the vendors' own hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// What speaks the language of S3.
    pub s3: Option<Url>,
    /// What speaks that of Google's storage.
    pub gcs: Option<Url>,
    /// The root of an account of Azure's storage.
    pub azure: Option<Url>,
    /// The account of Azure whose containers are meant.
    pub azure_account: Option<String>,
}

impl Endpoints {
    fn of(&self, kind: StoreKind) -> Option<&Url> {
        match kind {
            StoreKind::S3 => self.s3.as_ref(),
            StoreKind::Gcs => self.gcs.as_ref(),
            StoreKind::Azure => self.azure.as_ref(),
        }
    }
}

/// An object in a bucket, and how its address was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreAddress {
    /// The bucket.
    pub bucket: Bucket,
    /// The object's name, decoded.
    pub key: String,
    /// What stands before the bucket's name, or before the key when the host names the bucket;
    /// without a slash at its end.
    pub root: String,
    /// Whether the host names the bucket.
    pub is_virtual: bool,
    /// The region, when the host says it.
    pub region: Option<String>,
}

/// The object that an address names, when it lies in one of these buckets.
pub fn address_of(url: &Url, buckets: &[Bucket], endpoints: &Endpoints) -> Option<StoreAddress> {
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    buckets.iter().find_map(|bucket| {
        let own = endpoints.of(bucket.kind).and_then(|root| at_endpoint(url, bucket, root));
        own.or_else(|| at_vendor(url, bucket, endpoints))
    })
}

/// An object at a store of the user's own environment.
fn at_endpoint(url: &Url, bucket: &Bucket, root: &Url) -> Option<StoreAddress> {
    if url.scheme() != root.scheme() || port_of(url) != port_of(root) {
        return None;
    }
    let prefix = root.path().trim_end_matches('/');
    let rest = url.path().strip_prefix(prefix)?;
    if url.host() == root.host() {
        let root = format!("{}{prefix}", origin(url));
        return in_path(rest, bucket, root, None);
    }
    let is_bucket = bucket.kind == StoreKind::S3 && prefix.is_empty();
    let host = domain_of(url)?.strip_prefix(&bucket.name)?.strip_prefix('.')?;
    (is_bucket && Some(host) == domain_of(root)).then(|| in_host(url, bucket, None))?
}

/// An object at the hosts of a vendor.
fn at_vendor(url: &Url, bucket: &Bucket, endpoints: &Endpoints) -> Option<StoreAddress> {
    if url.port().is_some() {
        return None;
    }
    let host = domain_of(url)?;
    let below = host.strip_prefix(&bucket.name).and_then(|rest| rest.strip_prefix('.'));
    match bucket.kind {
        StoreKind::S3 => match (region_of(host), below.and_then(region_of)) {
            (Some(region), _) => in_path(url.path(), bucket, origin(url), region),
            (None, Some(region)) => in_host(url, bucket, region),
            (None, None) => None,
        },
        StoreKind::Gcs if host == GOOGLE_HOST => in_path(url.path(), bucket, origin(url), None),
        StoreKind::Gcs if below == Some(GOOGLE_HOST) => in_host(url, bucket, None),
        StoreKind::Gcs => None,
        StoreKind::Azure => {
            let account = endpoints.azure_account.as_deref()?;
            let is_account = host.strip_suffix(".blob.core.windows.net") == Some(account);
            is_account.then(|| in_path(url.path(), bucket, origin(url), None))?
        }
    }
}

/// The path begins with the bucket's name.
fn in_path(
    path: &str,
    bucket: &Bucket,
    root: String,
    region: Option<String>,
) -> Option<StoreAddress> {
    let (name, key) = path.strip_prefix('/')?.split_once('/')?;
    if uri::decode(name) != bucket.name.as_bytes() {
        return None;
    }
    let (bucket, key) = (bucket.clone(), key_of(key)?);
    Some(StoreAddress { bucket, key, root, is_virtual: false, region })
}

/// The host begins with the bucket's name.
fn in_host(url: &Url, bucket: &Bucket, region: Option<String>) -> Option<StoreAddress> {
    let (bucket, key) = (bucket.clone(), key_of(url.path().strip_prefix('/')?)?);
    Some(StoreAddress { bucket, key, root: origin(url), is_virtual: true, region })
}

/// The name of an object by the end of a path.
fn key_of(path: &str) -> Option<String> {
    String::from_utf8(uri::decode(path)).ok().filter(|key| !key.is_empty())
}

/// Whether a host is one of S3 itself, and the region that it names, if it names one.
fn region_of(host: &str) -> Option<Option<String>> {
    let host = host.strip_suffix(".cn").unwrap_or(host).strip_suffix(".amazonaws.com")?;
    let region = match host {
        "s3" | "s3-accelerate" => return Some(None),
        _ => host
            .strip_prefix("s3.dualstack.")
            .or_else(|| host.strip_prefix("s3."))
            .or_else(|| host.strip_prefix("s3-"))?,
    };
    let is_region = region.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-');
    let is_site = region.starts_with("website");
    (is_region && !region.is_empty() && !is_site).then(|| Some(region.to_owned()))
}

fn domain_of(url: &Url) -> Option<&str> {
    match url.host()? {
        Host::Domain(name) => Some(name),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    }
}

fn port_of(url: &Url) -> Option<u16> {
    url.port_or_known_default()
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints() -> Endpoints {
        let url = |text: &str| Some(Url::parse(text).expect(text));
        Endpoints {
            s3: url("http://127.0.0.1:8120"),
            gcs: url("http://127.0.0.1:8110"),
            azure: url("http://127.0.0.1:10000/devstoreaccount1"),
            azure_account: Some("acc".to_owned()),
        }
    }

    fn find(url: &str, bucket: &str) -> Option<StoreAddress> {
        let bucket: Bucket = bucket.parse().expect(bucket);
        let other: Bucket = format!("{}://other", bucket.kind.scheme()).parse().expect("a bucket");
        address_of(&Url::parse(url).expect(url), &[other, bucket], &endpoints())
    }

    #[test]
    fn every_way_to_write_an_address_leads_to_its_bucket_and_key() {
        for (url, bucket, root, is_virtual) in [
            ("https://s3.amazonaws.com/b/a/k", "s3://b", "https://s3.amazonaws.com", false),
            ("https://b.s3.amazonaws.com/a/k", "s3://b", "https://b.s3.amazonaws.com", true),
            ("https://x.y.s3.amazonaws.com/a/k", "s3://x.y", "https://x.y.s3.amazonaws.com", true),
            ("http://127.0.0.1:8120/b/a/k?x=1", "s3://b", "http://127.0.0.1:8120", false),
            (
                "https://storage.googleapis.com/b/a/k",
                "gs://b",
                "https://storage.googleapis.com",
                false,
            ),
            (
                "https://b.storage.googleapis.com/a/k",
                "gs://b",
                "https://b.storage.googleapis.com",
                true,
            ),
            ("http://127.0.0.1:8110/b/a/k", "gs://b", "http://127.0.0.1:8110", false),
            (
                "https://acc.blob.core.windows.net/b/a/k",
                "az://b",
                "https://acc.blob.core.windows.net",
                false,
            ),
            (
                "http://127.0.0.1:10000/devstoreaccount1/b/a/k",
                "az://b",
                "http://127.0.0.1:10000/devstoreaccount1",
                false,
            ),
        ] {
            let found = find(url, bucket).expect(url);
            assert_eq!(found.bucket.to_string(), bucket, "{url}");
            assert_eq!(found.key, "a/k", "{url}");
            assert_eq!((found.root.as_str(), found.is_virtual), (root, is_virtual), "{url}");
        }
    }

    #[test]
    fn the_region_is_read_from_the_host() {
        for (host, region) in [
            ("s3.amazonaws.com", None),
            ("s3.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("s3-eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("s3.dualstack.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("s3.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
        ] {
            for url in [format!("https://{host}/bucket/k"), format!("https://bucket.{host}/k")] {
                let found = find(&url, "s3://bucket").expect(&url);
                assert_eq!(found.region.as_deref(), region, "{url}");
            }
        }
    }

    #[test]
    fn names_are_decoded_once() {
        for (path, key) in [
            ("a%20b.png", "a b.png"),
            ("a+b.png", "a+b.png"),
            ("a%2Bb.png", "a+b.png"),
            ("a%252Fb", "a%2Fb"),
            ("ä/%C3%A4", "ä/ä"),
            ("a%3Fb%23c", "a?b#c"),
        ] {
            let url = format!("https://b.s3.amazonaws.com/{path}");
            assert_eq!(find(&url, "s3://b").expect(path).key, key);
        }
        assert_eq!(find("https://b.s3.amazonaws.com/%ff", "s3://b"), None, "no text");
    }

    #[test]
    fn other_hosts_buckets_and_accounts_are_not_taken_for_ours() {
        for (url, bucket) in [
            ("https://s3.amazonaws.com/c/k", "s3://b"),
            ("https://s3.amazonaws.com/b", "s3://b"),
            ("https://s3.amazonaws.com/b/", "s3://b"),
            ("https://b.s3.amazonaws.com/", "s3://b"),
            ("https://bb.s3.amazonaws.com/k", "s3://b"),
            ("https://b.s3.amazonaws.com.evil.example/k", "s3://b"),
            ("https://b.s3.evil.amazonaws.com.example/k", "s3://b"),
            ("https://b.evil.amazonaws.com/k", "s3://b"),
            ("https://b.s3-website-eu-west-1.amazonaws.com/k", "s3://b"),
            ("https://s3.amazonaws.com:8443/b/k", "s3://b"),
            ("https://127.0.0.1:8120/b/k", "s3://b"),
            ("http://127.0.0.1:8121/b/k", "s3://b"),
            ("http://127.0.0.2:8120/b/k", "s3://b"),
            ("https://storage.googleapis.com/b/k", "s3://b"),
            ("https://evil-storage.googleapis.com/b/k", "gs://b"),
            ("https://other.blob.core.windows.net/b/k", "az://b"),
            ("http://127.0.0.1:10000/other/b/k", "az://b"),
            ("s3://b/k", "s3://b"),
        ] {
            assert_eq!(find(url, bucket), None, "{url}");
        }
    }

    #[test]
    fn a_bucket_may_stand_in_the_host_of_an_own_endpoint() {
        let endpoints = Endpoints {
            s3: Some(Url::parse("https://id.r2.example").expect("an address")),
            ..Endpoints::default()
        };
        let buckets = ["s3://b".parse().expect("a bucket")];
        for (url, is_virtual) in
            [("https://b.id.r2.example/k", true), ("https://id.r2.example/b/k", false)]
        {
            let found = address_of(&Url::parse(url).expect(url), &buckets, &endpoints).expect(url);
            assert_eq!((found.key.as_str(), found.is_virtual), ("k", is_virtual), "{url}");
        }
    }
}
