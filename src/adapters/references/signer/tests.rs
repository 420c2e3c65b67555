//! Tests of signatures for the user's own buckets.

use std::collections::BTreeMap;

use super::*;
use crate::domain::signed_url::lifetime;
use crate::domain::sigv4::{Credentials, VerifyError, parse_time, verify};

const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const MINUTES: Duration = Duration::from_mins(15);

fn signer(env: &[(&str, &str)], buckets: &[&str]) -> StoreSigner {
    let env: BTreeMap<String, String> =
        env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let buckets = buckets.iter().map(|text| text.parse().expect("a bucket")).collect();
    StoreSigner::new(Arc::new(Stores::of_environment(&env, MINUTES)), buckets)
}

fn s3() -> Vec<(&'static str, &'static str)> {
    vec![
        ("AWS_ACCESS_KEY_ID", KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:8120"),
    ]
}

/// Judges a signed address by our own reading of the rules, at the moment when it was signed.
fn judge(signed: &Url, secret: &str) -> Result<(), VerifyError> {
    let credentials = Credentials {
        access_key_id: KEY_ID.to_owned(),
        secret_access_key: secret.to_owned(),
        session_token: None,
    };
    let date = signed.query_pairs().find(|(name, _)| name == "X-Amz-Date").expect("a date").1;
    let host = &signed[url::Position::BeforeHost..url::Position::AfterPort];
    let query = signed.query().expect("a query");
    verify(&credentials, host, signed.path(), query, parse_time(&date).expect("a time"))
}

#[tokio::test]
async fn an_address_of_a_bucket_is_signed_as_it_is_written() {
    let signer = signer(&s3(), &["s3://bucket", "s3://x.y"]);
    for (old, region) in [
        ("https://bucket.s3.amazonaws.com/a/k.png?X-Amz-Signature=old", "eu-central-1"),
        ("https://bucket.s3.us-west-2.amazonaws.com/a/k.png", "us-west-2"),
        ("https://s3.us-west-2.amazonaws.com/bucket/a/k.png", "us-west-2"),
        ("https://s3-us-west-2.amazonaws.com/bucket/a/k.png", "us-west-2"),
        ("https://x.y.s3.us-west-2.amazonaws.com/k.png", "us-west-2"),
        ("http://127.0.0.1:8120/bucket/a/k.png?X-Amz-Signature=old", "eu-central-1"),
        ("http://127.0.0.1:8120/bucket/a%20b+c%2Bd/%C3%A4(1)~.png", "eu-central-1"),
        ("https://bucket.s3.amazonaws.com/100%25/a%3Fb%23c.png", "eu-central-1"),
    ] {
        assert!(signer.can_refresh(old), "{old}");
        let new = signer.refresh(old, MINUTES).await.expect(old);
        let new = Url::parse(&new).expect("an address");
        assert!(same_object(&Url::parse(old).expect(old), &new), "{old} {new}");
        assert_eq!(judge(&new, SECRET), Ok(()), "{new}");
        assert_eq!(judge(&new, "another"), Err(VerifyError::Mismatch), "{new}");
        let query = new.query().expect("a query");
        assert!(query.contains(&format!("%2F{region}%2Fs3%2F")), "{query}");
        assert!(query.contains("X-Amz-Expires=900&"), "{query}");
    }
}

#[tokio::test]
async fn no_signature_lives_for_more_than_seven_days_row_93() {
    let signer = signer(&s3(), &["s3://bucket"]);
    let old = "https://bucket.s3.amazonaws.com/k.png";
    let new = signer.refresh(old, Duration::from_hours(24 * 30)).await.expect("signed");
    assert!(new.contains("X-Amz-Expires=604800&"), "{new}");
    let new = Url::parse(&new).expect("an address");
    assert_eq!(lifetime(&new).unusable, None);
    assert_eq!(judge(&new, SECRET), Ok(()));
}

#[tokio::test]
async fn containers_of_azure_are_signed_with_the_key_of_the_account() {
    let env = [
        ("AZURE_STORAGE_ACCOUNT_NAME", "account"),
        ("AZURE_STORAGE_ACCOUNT_KEY", "Q0FOQVJZLXNlY3JldC0wMTIzNDU2Nzg5"),
    ];
    let signer = signer(&env, &["az://box"]);
    let old = "https://account.blob.core.windows.net/box/a/k.png?sv=1&sig=old";
    let new = signer.refresh(old, Duration::from_hours(2)).await.expect("signed");
    assert!(new.starts_with("https://account.blob.core.windows.net/box/a/k.png?"), "{new}");
    let life = lifetime(&Url::parse(&new).expect("an address"));
    let (begin, end) = life.not_before.zip(life.expires).expect("a begin and an end");
    assert_eq!(end.duration_since(begin).as_secs(), 2 * 60 * 60, "{new}");
    assert!(life.is_signed && life.unusable.is_none(), "{new}");
    assert!(!new.contains("old"), "{new}");
}

/// The value of one parameter.
fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

#[tokio::test]
async fn odd_names_of_azure_are_signed_as_they_are_read() {
    let key = "Q0FOQVJZLXNlY3JldC0wMTIzNDU2Nzg5";
    let env = [("AZURE_STORAGE_ACCOUNT_NAME", "account"), ("AZURE_STORAGE_ACCOUNT_KEY", key)];
    let signer = signer(&env, &["az://box"]);
    let root = "https://account.blob.core.windows.net/box";
    let sign = async |name: &str| {
        let new = signer.refresh(&format!("{root}/{name}"), MINUTES).await.expect(name);
        Url::parse(&new).expect("an address")
    };
    // For a plain name there is only one way, so the client's signature must be ours.
    let plain = sign("a/k.png").await;
    let ours = sign_anew(&plain, "account/box/a/k.png", key).expect("signed");
    assert_eq!(parameter(&ours, "sig"), parameter(&plain, "sig"));
    let odd = sign("a%20b/%C3%A4.png").await;
    let ours = sign_anew(&odd, "account/box/a b/ä.png", key).expect("signed");
    assert_eq!(parameter(&ours, "sig"), parameter(&odd, "sig"));
    let encoded = sign_anew(&odd, "account/box/a%20b/%C3%A4.png", key).expect("signed");
    assert_ne!(parameter(&encoded, "sig"), parameter(&odd, "sig"));
    assert_eq!(lifetime(&ours), lifetime(&odd));
    let lent = Url::parse(&format!("{odd}&skoid=1")).expect("an address");
    assert_eq!(sign_anew(&lent, "account/box/k", key), None);
    assert_eq!(sign_anew(&odd, "account/box/k", "no base64!"), None);
}

#[tokio::test]
async fn what_cannot_be_signed_is_known_before_it_is_asked() {
    let with = |more: &[(&'static str, &'static str)]| [s3(), more.to_vec()].concat();
    let old = "https://bucket.s3.amazonaws.com/k.png";
    for (env, buckets, url) in [
        (with(&[]), &["s3://other"][..], old),
        (with(&[]), &[], old),
        (with(&[]), &["s3://bucket"], "https://x.example/bucket/k.png"),
        (with(&[]), &["s3://bucket"], "s3://bucket/k.png"),
        (with(&[]), &["s3://bucket"], "no address"),
        (with(&[("AWS_SKIP_SIGNATURE", "true")]), &["s3://bucket"], old),
        (vec![], &["s3://bucket"], old),
        // Google's storage signs for one host only.
        (
            vec![("GOOGLE_APPLICATION_CREDENTIALS", "x")],
            &["gs://bucket"],
            "https://bucket.storage.googleapis.com/k.png",
        ),
        (
            vec![("GOOGLE_BEARER_TOKEN", "x")],
            &["gs://bucket"],
            "https://storage.googleapis.com/bucket/k.png",
        ),
        (
            vec![("AZURE_STORAGE_ACCOUNT_NAME", "a"), ("AZURE_STORAGE_SAS_TOKEN", "sv=1&sig=2")],
            &["az://box"],
            "https://a.blob.core.windows.net/box/k.png",
        ),
    ] {
        let signer = signer(&env, buckets);
        assert!(!signer.can_refresh(url), "{url} {buckets:?}");
        assert_eq!(signer.refresh(url, MINUTES).await, Err(RefreshError::NoRefresher), "{url}");
    }
}

#[tokio::test]
async fn an_address_of_a_version_is_not_signed_as_one_of_the_newest_row_95() {
    let s3 = signer(&s3(), &["s3://bucket"]);
    let dated = "X-Amz-Date=20260102T030400Z&X-Amz-Expires=5&X-Amz-Signature=s";
    let root = "https://bucket.s3.amazonaws.com/k.png";
    for query in [
        format!("versionId=V1&{dated}"),
        format!("{dated}&response-content-type=image%2Fpng"),
        format!("{dated}&partNumber=1"),
        format!("{dated}&X-Amz-Signature=t"),
        "versionId=V1".to_owned(),
    ] {
        let old = format!("{root}?{query}");
        assert!(!s3.can_refresh(&old), "{old}");
        assert_eq!(s3.refresh(&old, MINUTES).await, Err(RefreshError::NoRefresher), "{old}");
    }
    for query in
        [dated, "x-id=GetObject&X-Amz-Signature=s", "AWSAccessKeyId=A&Signature=s&Expires=1"]
    {
        assert!(s3.can_refresh(&format!("{root}?{query}")), "{query}");
    }
    let key = "Q0FOQVJZLXNlY3JldC0wMTIzNDU2Nzg5";
    let env = [("AZURE_STORAGE_ACCOUNT_NAME", "account"), ("AZURE_STORAGE_ACCOUNT_KEY", key)];
    let azure = signer(&env, &["az://box"]);
    let root = "https://account.blob.core.windows.net/box/k.png?sv=1&sig=s&se=2026-01-02";
    assert!(azure.can_refresh(root));
    for more in ["versionid=2026-01-01", "snapshot=2026-01-01", "rsct=image%2Fpng"] {
        assert!(!azure.can_refresh(&format!("{root}&{more}")), "{more}");
    }
    let google = signer(&[("GOOGLE_APPLICATION_CREDENTIALS", "x")], &["gs://bucket"]);
    let root = "https://storage.googleapis.com/bucket/k.png?X-Goog-Signature=s";
    assert!(google.can_refresh(root));
    assert!(!google.can_refresh(&format!("{root}&generation=7")));
}

#[tokio::test]
async fn a_failed_signature_tells_no_secret() {
    let env =
        [("GOOGLE_SERVICE_ACCOUNT_KEY", "{\"private_key\":\"CANARY\",\"client_email\":\"c\"}")];
    let signer = signer(&env, &["gs://bucket"]);
    let old = "https://storage.googleapis.com/bucket/k.png?X-Goog-Signature=CANARY";
    let told = signer.refresh(old, MINUTES).await.expect_err("no key").to_string();
    assert!(told.starts_with("gs://bucket cannot be signed for"), "{told}");
    assert!(!told.contains("CANARY"), "{told}");
}
