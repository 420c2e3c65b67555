//! Buckets of servers that others wrote. `tests/peers/buckets.py` starts them, writes one image
//! into each, and runs this test with their addresses; without them there is nothing to ask.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use imagemill::adapters::references::buckets::BucketReferences;
use imagemill::adapters::references::cache::ContentCache;
use imagemill::adapters::references::signer::StoreSigner;
use imagemill::adapters::references::stores::Stores;
use imagemill::adapters::system::TokioClock;
use imagemill::domain::digest::Sha256Digest;
use imagemill::domain::reference::Reference;
use imagemill::domain::signed_url::lifetime;
use imagemill::ports::clock::Clock;
use imagemill::ports::references::{FailedTry, ReferenceError, ReferenceSource, UrlRefresher};
use url::Url;

/// The name of the image in every bucket, and how it stands in an address.
const KEY: &str = "in/ä b+c (1).png";
const KEY_IN_ADDRESS: &str = "in/%C3%A4%20b+c%20(1).png";

const TIMEOUT: Duration = Duration::from_secs(10);

type Env = BTreeMap<String, String>;

/// The environment of this process, as far as the stores take it; nothing when no server runs.
#[expect(clippy::disallowed_methods, reason = "whoever starts the servers says where they are")]
fn peer(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn env(pairs: &[(&str, String)]) -> Env {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn reader(env: &Env, folder: &Path) -> BucketReferences {
    let stores = Arc::new(Stores::of_environment(env, TIMEOUT));
    BucketReferences::new(stores, ContentCache::in_folder(folder.to_owned()), TIMEOUT)
}

fn signer(env: &Env, bucket: &str) -> StoreSigner {
    let buckets = vec![bucket.parse().expect("a bucket")];
    StoreSigner::new(Arc::new(Stores::of_environment(env, TIMEOUT)), buckets)
}

async fn fetch(env: &Env, address: &str) -> Result<Sha256Digest, FailedTry> {
    let folder = tempfile::tempdir().expect("a folder");
    let reference = Reference::parse(address).expect(address);
    let fetched = reader(env, folder.path()).fetch(&reference).await?;
    Ok(fetched.loaded.sha256)
}

/// A plain request, as anybody may send it: the status, and the digest of what came.
async fn get(address: &str) -> (u16, Sha256Digest) {
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build();
    let answer = client.expect("a client").get(address).send().await.expect("an answer");
    let status = answer.status().as_u16();
    (status, Sha256Digest::of(&answer.bytes().await.expect("a body")))
}

async fn reads(env: &Env, bucket: &str, image: Sha256Digest) {
    let got = fetch(env, &format!("{bucket}/{KEY}")).await;
    assert_eq!(got.expect(bucket), image, "{bucket}");
    let gone = fetch(env, &format!("{bucket}/none.png")).await.expect_err("no such object");
    assert!(matches!(gone.error, ReferenceError::Answered { status: 404, .. }), "{gone:?}");
}

async fn s3(url: &str, image: Sha256Digest) {
    let env = env(&[
        ("AWS_ENDPOINT_URL", url.to_owned()),
        ("AWS_ACCESS_KEY_ID", "peer".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "peer-secret".to_owned()),
    ]);
    reads(&env, "s3://refs", image).await;
    let old = format!("{url}/refs/{KEY_IN_ADDRESS}?X-Amz-Signature=old");
    let new = signer(&env, "s3://refs").refresh(&old, TIMEOUT).await.expect("signed");
    assert_eq!(get(&new).await, (200, image), "{new}");
}

async fn azure(url: &str, key: &str, image: Sha256Digest) {
    let with = |key: &str| {
        env(&[
            ("AZURE_STORAGE_ENDPOINT", url.to_owned()),
            ("AZURE_STORAGE_ACCOUNT_NAME", "devstoreaccount1".to_owned()),
            ("AZURE_STORAGE_ACCOUNT_KEY", key.to_owned()),
        ])
    };
    let env = with(key);
    reads(&env, "az://refs", image).await;
    let denied = fetch(&with("b3RoZXI="), &format!("az://refs/{KEY}")).await.expect_err("no key");
    assert!(matches!(denied.error, ReferenceError::Answered { status: 403, .. }), "{denied:?}");

    let signer = signer(&env, "az://refs");
    let old = format!("{url}/refs/plain.png?sv=1&sig=old");
    let odd = format!("{url}/refs/{KEY_IN_ADDRESS}?sv=1&sig=old");
    for old in [&old, &odd] {
        let lasting = signer.refresh(old, TIMEOUT * 60).await.expect("signed");
        assert_eq!(get(&lasting).await, (200, image), "{lasting}");
    }
    // This server looks at its clock: what we read in the address is what it does.
    let clock = TokioClock::live();
    let short = signer.refresh(&old, Duration::from_secs(2)).await.expect("signed");
    assert_eq!(get(&short).await, (200, image), "{short}");
    let end = lifetime(&Url::parse(&short).expect("an address")).expires.expect("an end");
    let rest = Duration::try_from(end.duration_since(clock.now())).unwrap_or_default();
    clock.sleep(rest + Duration::from_secs(1)).await;
    assert_eq!(get(&short).await.0, 403, "{short}");
    let again = signer.refresh(&short, TIMEOUT * 60).await.expect("signed");
    assert_eq!(get(&again).await, (200, image), "{again}");
}

async fn gcs(url: &str, account: &str, image: Sha256Digest) {
    let public =
        [("GOOGLE_BASE_URL", url.to_owned()), ("GOOGLE_SKIP_SIGNATURE", "true".to_owned())];
    reads(&env(&public), "gs://refs", image).await;
    // It cannot be signed for here, since signatures name the real host; but they are made.
    let env = env(&[("GOOGLE_SERVICE_ACCOUNT_KEY", account.to_owned())]);
    let old = "https://storage.googleapis.com/refs/in/a%20b.png?X-Goog-Signature=old";
    let new = signer(&env, "gs://refs").refresh(old, Duration::from_hours(999)).await;
    let new = Url::parse(&new.expect("signed")).expect("an address");
    let life = lifetime(&new);
    assert!(life.is_signed && life.unusable.is_none() && life.expires.is_some(), "{new}");
    assert!(new.as_str().contains("X-Goog-Expires=604800&"), "{new}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[expect(clippy::print_stdout, reason = "whoever starts the servers looks for it")]
async fn buckets_of_others_are_read_and_signed_for() {
    let Some(path) = peer("PEER_IMAGE") else { return };
    let image = Sha256Digest::of(&std::fs::read(path).expect("the image"));
    let of = |name: &str| peer(name).expect(name);
    s3(&of("PEER_S3"), image).await;
    azure(&of("PEER_AZURE"), &of("PEER_AZURE_KEY"), image).await;
    gcs(&of("PEER_GCS"), &of("PEER_GCS_ACCOUNT"), image).await;
    println!("figures: buckets of three servers were read");
}
