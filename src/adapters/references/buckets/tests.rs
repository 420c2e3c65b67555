//! Tests of buckets against canned answers.

use std::collections::BTreeMap;

use super::*;
use crate::adapters::references::canned::Canned;
use crate::domain::uri;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x02\0\0\0\x03\x08\x02\0\0\0";
const CANARY: &str = "CANARY-secret-0123456789";
const TIMEOUT: Duration = Duration::from_millis(400);

/// Answers as they come from a store.
const DATED: &str = "last-modified: Wed, 21 Oct 2015 07:28:00 GMT\r\netag: \"a\"\r\n";

fn references(folder: &tempfile::TempDir, env: &[(&str, &str)]) -> BucketReferences {
    let env: BTreeMap<String, String> =
        env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let stores = Arc::new(Stores::of_environment(&env, TIMEOUT));
    assert!(!format!("{stores:?}").contains("CANARY"), "its values are not shown");
    let cache = ContentCache::in_folder(folder.path().join("cache"));
    BucketReferences::new(stores, cache, TIMEOUT)
}

/// The environments of one server that plays every kind of store.
fn environments(url: &str) -> [(&'static str, Vec<(&'static str, &str)>); 3] {
    // A key of Azure is base64.
    let azure_key = "Q0FOQVJZLXNlY3JldC0wMTIzNDU2Nzg5";
    [
        (
            "s3://bucket/a/k.png",
            vec![
                ("AWS_ENDPOINT_URL", url),
                ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
                ("AWS_SECRET_ACCESS_KEY", CANARY),
            ],
        ),
        ("gs://bucket/a/k.png", vec![("GOOGLE_BASE_URL", url), ("GOOGLE_BEARER_TOKEN", CANARY)]),
        (
            "az://bucket/a/k.png",
            vec![
                ("AZURE_STORAGE_ENDPOINT", url),
                ("AZURE_STORAGE_ACCOUNT_NAME", "account"),
                ("AZURE_STORAGE_ACCOUNT_KEY", azure_key),
            ],
        ),
    ]
}

fn url(text: &str) -> Reference {
    Reference::Url(text.to_owned())
}

#[tokio::test]
async fn objects_are_read_from_every_kind_of_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Canned::with("200 OK", DATED, PNG).await;
    for (address, env) in environments(&server.url) {
        let got = references(&folder, &env).fetch(&url(address)).await.expect(address);
        assert_eq!(got.n_received, PNG.len() as u64, "{address}");
        let asked = server.asked().pop().expect("a request");
        let path = asked.strip_prefix("GET ").and_then(|it| it.split_once(" HTTP/1.1\r\n"));
        let path = uri::decode(path.expect("a request").0);
        assert_eq!(path, b"/bucket/a/k.png", "{address}: {asked}");
        assert!(asked.contains("authorization: "), "{address}: {asked}");
    }
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn failed_answers_are_told_by_status_alone_and_asked_for_once() {
    let echo = format!("<Error><Code>No</Code><Message>{CANARY}</Message></Error>");
    for (line, status, next) in [
        ("404 Not Found", 404, NextTry::Never),
        ("403 Forbidden", 403, NextTry::Never),
        ("401 Unauthorized", 401, NextTry::Never),
        ("400 Bad Request", 400, NextTry::Never),
        ("429 Too Many Requests", 429, NextTry::MayHeal(None)),
        ("500 Internal Server Error", 500, NextTry::MayHeal(None)),
        ("503 Slow Down", 503, NextTry::MayHeal(None)),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Canned::with(line, DATED, echo.as_bytes()).await;
        for (address, env) in environments(&server.url) {
            let failed = references(&folder, &env).fetch(&url(address)).await.expect_err(line);
            let expect = format!("reference {address} was answered with {status}");
            assert_eq!(failed.error.to_string(), expect);
            assert_eq!(failed.next, next, "{address} {line}");
            let all = format!("{failed:?} {:?}", failed.error);
            assert!(!all.contains("CANARY"), "{all}");
        }
        assert_eq!(server.asked().len(), 3, "no try is repeated underneath");
    }
}

#[tokio::test]
async fn broken_connections_may_heal_and_wrong_places_do_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let silent = Canned::answering(Vec::new()).await;
    let short = b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\
        last-modified: Wed, 21 Oct 2015 07:28:00 GMT\r\netag: \"a\"\r\n\r\n\x89PNG"
        .to_vec();
    let broken = Canned::answering(short).await;
    let elsewhere = Canned::with("301 Moved", "", b"").await;
    let huge = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{DATED}\r\n", MAX_BYTES + 1);
    let huge = Canned::answering(huge.into_bytes()).await;
    for (server, part, heals) in [
        ("http://127.0.0.1:9", "no connection to the store", true),
        (&silent.url, "within 400ms", true),
        (&broken.url, "the connection to the store broke", true),
        (&elsewhere.url, "the store sent us elsewhere", false),
        (&huge.url, "more than 20971520 bytes", false),
    ] {
        for (address, env) in environments(server) {
            let failed = references(&folder, &env).fetch(&url(address)).await.expect_err(part);
            let told = failed.error.to_string();
            assert!(told.contains(part), "{address}: {told}");
            assert_eq!(failed.next == NextTry::MayHeal(None), heals, "{address}: {told}");
        }
    }
    let kept = folder.path().join("cache").read_dir().map_or(0, Iterator::count);
    assert_eq!(kept, 0, "nothing half-received stays");
}

#[tokio::test]
async fn what_is_not_configured_says_what_is_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().to_str().expect("a path");
    let check = async |env: &[(&str, &str)], address: &str, part: &str| {
        let failed = references(&folder, env).fetch(&url(address)).await.expect_err(address);
        assert!(matches!(failed.error, ReferenceError::NoStore { .. }), "{failed:?}");
        assert!(failed.error.to_string().contains(part), "{}", failed.error);
        assert_eq!(failed.next, NextTry::Never);
    };
    let account = ("AZURE_STORAGE_ACCOUNT_NAME", "a");
    check(&[("HOME", home)], "s3://b/k", "AWS_ACCESS_KEY_ID").await;
    check(&[("HOME", home)], "gs://b/k", "GOOGLE_APPLICATION_CREDENTIALS").await;
    check(&[("HOME", home)], "az://b/k", "AZURE_STORAGE_ACCOUNT_NAME").await;
    check(&[account], "az://b/k", "AZURE_STORAGE_ACCOUNT_KEY").await;
    check(&[("AWS_ACCESS_KEY_ID", CANARY)], "s3://b/k", "(AWS_…) is no use").await;
    check(&[("GOOGLE_SERVICE_ACCOUNT_KEY", CANARY)], "gs://b/k", "(GOOGLE_…) is no use").await;
    check(&[account, ("AZURE_STORAGE_ACCOUNT_KEY", "no base64")], "az://b/k", "(AZURE_…)").await;
}

#[test]
fn names_of_objects_are_taken_as_they_stand() {
    let name =
        |text: &str| object_of(&url(text)).map(|(bucket, path)| (bucket.name, path.to_string()));
    let ok = |bucket: &str, key: &str| Ok((bucket.to_owned(), key.to_owned()));
    assert_eq!(name("s3://b/a/k.png"), ok("b", "a/k.png"));
    assert_eq!(name("S3://b/a%20b c?d#e.png"), ok("b", "a%20b c?d#e.png"));
    for bad in [
        "s3://b",
        "s3://b/",
        "s3://b//k",
        "s3://b/a//k",
        "s3://b/k/",
        "s3://b/../k",
        "s3://b/a/./k",
        "s3://../k",
        "s3://b:80/k",
        "s3://b%2f/k",
        "http://b/k",
    ] {
        assert!(name(bad).is_err(), "{bad}");
    }
}

/// Part of [`no_proxy_of_the_environment_is_asked_for_a_bucket_row_69`], and true in any
/// environment.
#[tokio::test]
async fn a_bucket_is_asked_straight_row_69() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Canned::with("200 OK", DATED, PNG).await;
    for (address, env) in environments(&server.url) {
        references(&folder, &env).fetch(&url(address)).await.expect(address);
    }
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn no_proxy_of_the_environment_is_asked_for_a_bucket_row_69() {
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    proxy.set_nonblocking(true).expect("it does not wait");
    let address = format!("http://{}", proxy.local_addr().expect("an address"));
    let program = std::env::current_exe().expect("this program");
    let mut child = std::process::Command::new(program);
    let inner = "adapters::references::buckets::tests::a_bucket_is_asked_straight_row_69";
    child.args(["--exact", inner]);
    for name in ["http_proxy", "https_proxy", "all_proxy"] {
        child.env(name, &address).env(name.to_uppercase(), &address);
    }
    child.env_remove("no_proxy").env_remove("NO_PROXY");
    let ran = child.output().expect("it starts");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
    assert!(proxy.accept().is_err(), "somebody has asked the proxy");
}

#[tokio::test]
async fn a_bucket_is_asked_through_the_proxy_that_the_user_names_row_69() {
    let folder = tempfile::tempdir().expect("a folder");
    let proxy = Canned::with("200 OK", DATED, PNG).await;
    for (address, env) in environments("http://store.invalid") {
        let env: BTreeMap<String, String> =
            env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let named = proxy.url.replace("http://", "http://me:CANARY@");
        let stores = Stores::of_environment(&env, TIMEOUT).through(Some(named));
        assert!(!format!("{stores:?}").contains("CANARY"), "its password is not shown");
        let cache = ContentCache::in_folder(folder.path().join("cache"));
        let references = BucketReferences::new(Arc::new(stores), cache, TIMEOUT);
        references.fetch(&url(address)).await.expect(address);
        let asked = proxy.asked().pop().expect("a request");
        assert!(asked.starts_with("GET http://store.invalid/"), "{asked}");
    }
    assert_eq!(proxy.asked().len(), 3);
}

#[tokio::test]
async fn a_store_sends_nobody_elsewhere_row_67() {
    let folder = tempfile::tempdir().expect("a folder");
    let other = Canned::with("200 OK", DATED, PNG).await;
    let location = format!("location: {}/bucket/a/k.png\r\n", other.url);
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"] {
        let server = Canned::with(status, &location, b"").await;
        for (address, env) in environments(&server.url) {
            references(&folder, &env).fetch(&url(address)).await.expect_err(address);
        }
    }
    assert_eq!(other.asked(), Vec::<String>::new());
}
