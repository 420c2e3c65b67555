//! Signed addresses of S3 (Signature Version 4 in the query): signs them, and checks them as a
//! store does. Source: "Authenticating Requests: Using Query Parameters" of the S3 API reference.

use std::fmt;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;

use crate::domain::digest::Sha256Digest;
use crate::domain::hex::write_hex;
use crate::domain::uri;

/// The longest life that stores accept; the signer of a store does not always check it.
pub const LONGEST_LIFE: Duration = Duration::from_hours(7 * 24);

/// How far ahead of its own clock a store lets the clock of a signer be.
const SKEW: SignedDuration = SignedDuration::from_mins(15);

/// The name of the method.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// How the time of a signature is written.
const TIME: &str = "%Y%m%dT%H%M%SZ";

/// Who signs.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The public name of the key.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: String,
    /// What goes along with a key that is only temporary.
    pub session_token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Credentials({})", self.access_key_id)
    }
}

/// Why a store would refuse an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// A parameter is missing, is there twice or cannot be read.
    #[error("the parameter {0} is missing or malformed")]
    Malformed(&'static str),
    /// It is signed by a key that nobody knows.
    #[error("the access key is unknown")]
    UnknownKey,
    /// It was signed for longer than stores accept.
    #[error("the life is not between 1 second and 7 days")]
    Life,
    /// It is signed in the future.
    #[error("the address is not valid yet")]
    NotYetValid,
    /// Its time is over.
    #[error("the address has expired")]
    Expired,
    /// It is signed for something else, or by another key.
    #[error("the signature does not match")]
    Mismatch,
}

/// The query that lets whoever has it read one object. `host` has the port where the address has
/// one; `path` is that of the address, percent-encoded. A life above seven days becomes seven days.
pub fn presign(
    credentials: &Credentials,
    region: &str,
    host: &str,
    path: &str,
    time: Timestamp,
    expires: Duration,
) -> String {
    let scope = format!("{}/{region}/s3/aws4_request", date_of(time));
    let seconds = expires.min(LONGEST_LIFE).as_secs().max(1);
    let mut pairs = vec![
        ("X-Amz-Algorithm".to_owned(), ALGORITHM.to_owned()),
        ("X-Amz-Credential".to_owned(), format!("{}/{scope}", credentials.access_key_id)),
        ("X-Amz-Date".to_owned(), written(time)),
        ("X-Amz-Expires".to_owned(), seconds.to_string()),
        ("X-Amz-SignedHeaders".to_owned(), "host".to_owned()),
    ];
    if let Some(token) = &credentials.session_token {
        pairs.push(("X-Amz-Security-Token".to_owned(), token.clone()));
    }
    let query = canonical_query(&pairs);
    let text = text_to_sign(&query, host, path, &written(time), &scope);
    let signature = signer(credentials, &scope, &text).finalize().into_bytes();
    format!("{query}&X-Amz-Signature={}", Hex(&signature))
}

/// Judges the query of an address as a store does that knows one key and looks at its clock.
///
/// # Errors
/// When the store would refuse it; see [`VerifyError`].
pub fn verify(
    credentials: &Credentials,
    host: &str,
    path: &str,
    query: &str,
    now: Timestamp,
) -> Result<(), VerifyError> {
    let mut pairs = uri::query_pairs(query);
    let (algorithm, credential) =
        (one(&pairs, "X-Amz-Algorithm")?, one(&pairs, "X-Amz-Credential")?);
    let (date, life) = (one(&pairs, "X-Amz-Date")?, one(&pairs, "X-Amz-Expires")?);
    let signature = one(&pairs, "X-Amz-Signature")?;
    if algorithm != ALGORITHM {
        return Err(VerifyError::Malformed("X-Amz-Algorithm"));
    }
    if one(&pairs, "X-Amz-SignedHeaders")? != "host" {
        return Err(VerifyError::Malformed("X-Amz-SignedHeaders"));
    }
    let token = pairs.iter().find(|(name, _)| name == "X-Amz-Security-Token");
    if token.map(|(_, token)| token) != credentials.session_token.as_ref() {
        return Err(VerifyError::UnknownKey);
    }
    let begins = parse_time(&date).ok_or(VerifyError::Malformed("X-Amz-Date"))?;
    let (key_id, scope) =
        credential.split_once('/').ok_or(VerifyError::Malformed("X-Amz-Credential"))?;
    let words: Vec<&str> = scope.split('/').collect();
    let is_scope = matches!(words[..], [day, _, "s3", "aws4_request"] if date.starts_with(day));
    if !is_scope {
        return Err(VerifyError::Malformed("X-Amz-Credential"));
    }
    if key_id != credentials.access_key_id {
        return Err(VerifyError::UnknownKey);
    }
    let life: u64 = life.parse().map_err(|_| VerifyError::Malformed("X-Amz-Expires"))?;
    if life == 0 || life > LONGEST_LIFE.as_secs() {
        return Err(VerifyError::Life);
    }
    pairs.retain(|(name, _)| name != "X-Amz-Signature");
    let text = text_to_sign(&canonical_query(&pairs), host, path, &date, scope);
    let bytes = uri::from_hex(&signature).ok_or(VerifyError::Malformed("X-Amz-Signature"))?;
    let signed = signer(credentials, scope, &text).verify_slice(&bytes);
    signed.map_err(|_| VerifyError::Mismatch)?;
    if begins.duration_since(now) > SKEW {
        return Err(VerifyError::NotYetValid);
    }
    let age = now.duration_since(begins);
    if age.as_secs() >= i64::try_from(life).expect("at most seven days") {
        return Err(VerifyError::Expired);
    }
    Ok(())
}

/// Reads a time that is written as `20130524T000000Z`.
pub fn parse_time(text: &str) -> Option<Timestamp> {
    if text.len() != "20130524T000000Z".len() {
        return None;
    }
    let civil = jiff::civil::DateTime::strptime(TIME, text).ok()?;
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

fn written(time: Timestamp) -> String {
    time.strftime(TIME).to_string()
}

fn date_of(time: Timestamp) -> String {
    time.strftime("%Y%m%d").to_string()
}

/// The only parameter of a name.
fn one(pairs: &[(String, String)], name: &'static str) -> Result<String, VerifyError> {
    let mut values = pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value.clone()),
        _ => Err(VerifyError::Malformed(name)),
    }
}

/// Parameters by their names, all of them encoded in the one way that is signed.
fn canonical_query(pairs: &[(String, String)]) -> String {
    let encode = |text: &str| uri::encode(text.as_bytes(), "");
    let mut encoded: Vec<(String, String)> =
        pairs.iter().map(|(name, value)| (encode(name), encode(value))).collect();
    encoded.sort();
    let written: Vec<String> =
        encoded.iter().map(|(name, value)| format!("{name}={value}")).collect();
    written.join("&")
}

fn text_to_sign(query: &str, host: &str, path: &str, date: &str, scope: &str) -> String {
    let path = uri::encode(&uri::decode(path), "/");
    let request = format!("GET\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD");
    format!("{ALGORITHM}\n{date}\n{scope}\n{}", Sha256Digest::of(request.as_bytes()))
}

/// What has taken the text in and can now give or check its signature.
fn signer(credentials: &Credentials, scope: &str, text: &str) -> Hmac<Sha256> {
    let mut key = format!("AWS4{}", credentials.secret_access_key).into_bytes();
    for word in scope.split('/') {
        key = keyed(&key, word).finalize().into_bytes().to_vec();
    }
    keyed(&key, text)
}

fn keyed(key: &[u8], text: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key may have any length");
    mac.update(text.as_bytes());
    mac
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(out, self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of the documentation's examples; it opens nothing.
    fn credentials() -> Credentials {
        Credentials {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: None,
        }
    }

    const HOST: &str = "examplebucket.s3.amazonaws.com";

    fn begins() -> Timestamp {
        "2013-05-24T00:00:00Z".parse().expect("a time")
    }

    fn query() -> String {
        let day = Duration::from_hours(24);
        presign(&credentials(), "us-east-1", HOST, "/test.txt", begins(), day)
    }

    #[test]
    fn the_documented_example_is_signed_as_documented() {
        let expect = "X-Amz-Algorithm=AWS4-HMAC-SHA256\
            &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
            &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
            &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        assert_eq!(query(), expect);
    }

    #[test]
    fn an_address_is_good_from_its_begin_to_its_end() {
        let at = |seconds: i64| begins() + SignedDuration::from_secs(seconds);
        let check = |seconds: i64, expect: Result<(), VerifyError>| {
            let got = verify(&credentials(), HOST, "/test.txt", &query(), at(seconds));
            assert_eq!(got, expect, "{seconds} s");
        };
        check(0, Ok(()));
        check(-900, Ok(()));
        check(-901, Err(VerifyError::NotYetValid));
        check(86_399, Ok(()));
        check(86_400, Err(VerifyError::Expired));
    }

    #[test]
    fn what_was_changed_after_it_was_signed_is_refused() {
        let check = |credentials: &Credentials, path: &str, query: &str, expect: VerifyError| {
            let got = verify(credentials, HOST, path, query, begins());
            assert_eq!(got, Err(expect), "{path}?{query}");
        };
        let (own, query) = (credentials(), query());
        let other_secret = Credentials { secret_access_key: "other".to_owned(), ..own.clone() };
        let other_key = Credentials { access_key_id: "AKIAOTHER".to_owned(), ..own.clone() };
        let temporary = Credentials { session_token: Some("token".to_owned()), ..own.clone() };
        check(&own, "/other.txt", &query, VerifyError::Mismatch);
        check(&other_secret, "/test.txt", &query, VerifyError::Mismatch);
        check(&other_key, "/test.txt", &query, VerifyError::UnknownKey);
        check(&temporary, "/test.txt", &query, VerifyError::UnknownKey);
        check(&own, "/test.txt", &query.replace("=86400", "=86401"), VerifyError::Mismatch);
        check(&own, "/test.txt", &query.replace("=86400", "=604801"), VerifyError::Life);
        check(&own, "/test.txt", &query.replace("=86400", "=0"), VerifyError::Life);
        check(&own, "/test.txt", &format!("{query}&a=b"), VerifyError::Mismatch);
        let twice = format!("{query}&X-Amz-Date=20130524T000000Z");
        check(&own, "/test.txt", &twice, VerifyError::Malformed("X-Amz-Date"));
        check(&own, "/test.txt", "", VerifyError::Malformed("X-Amz-Algorithm"));
        let short = query.replace("20130524T000000Z", "20130524");
        check(&own, "/test.txt", &short, VerifyError::Malformed("X-Amz-Date"));
    }

    #[test]
    fn a_life_beyond_seven_days_becomes_seven_days_row_93() {
        let month = Duration::from_hours(30 * 24);
        let query = presign(&credentials(), "us-east-1", HOST, "/a", begins(), month);
        assert!(query.contains("X-Amz-Expires=604800&"), "{query}");
        assert_eq!(verify(&credentials(), HOST, "/a", &query, begins()), Ok(()));
    }

    #[test]
    fn odd_names_and_temporary_keys_are_signed_too() {
        let temporary = Credentials { session_token: Some("a/b+c=".to_owned()), ..credentials() };
        for (signed, asked) in [("/b/ä b+c.png", "/b/%C3%A4%20b+c.png"), ("/b/%2b", "/b/+")] {
            let minute = Duration::from_secs(60);
            let query = presign(&temporary, "eu-west-1", HOST, signed, begins(), minute);
            assert_eq!(verify(&temporary, HOST, asked, &query, begins()), Ok(()), "{signed}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", credentials()), "Credentials(AKIAIOSFODNN7EXAMPLE)");
    }
}
