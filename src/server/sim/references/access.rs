//! Who may have a reference: whoever has an address that was signed for it, as in S3.
//!
//! An address is checked in full. A request that is signed in its header is believed when it names
//! the right key: its signature is not checked, for the key is public and opens a rehearsal only.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::{HeaderMap, Response, Uri};
use jiff::Timestamp;

use crate::domain::sigv4::{self, VerifyError};
use crate::domain::sim::store;
use crate::domain::uri::query_pairs;
use crate::server::sim::books::ReferenceStats;
use crate::server::sim::references::{problem, text_of};

/// How long an address lives that the server itself leads to.
const NEXT_LIFE: Duration = Duration::from_secs(60);

/// How a request was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Nobody asked for a signature, and there was none.
    Open,
    /// By an address that was signed.
    Address,
    /// By a signature in its header.
    Header,
}

/// Why a request is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It has no signature, and needs one.
    Unsigned,
    /// Its header names another key, or speaks another language.
    Header,
    /// Its address is not good; with the query.
    Address(VerifyError, String),
}

/// Judges a request.
pub(super) fn judge(
    uri: &Uri,
    headers: &HeaderMap,
    now: Timestamp,
    must_be_signed: bool,
) -> Result<Access, Refusal> {
    let query = uri.query().unwrap_or_default();
    if query_pairs(query).iter().any(|(name, _)| name.starts_with("X-Amz-")) {
        let host = text_of(headers, &HOST).unwrap_or_default();
        return sigv4::verify(&store::credentials(), host, uri.path(), query, now)
            .map(|()| Access::Address)
            .map_err(|error| Refusal::Address(error, query.to_owned()));
    }
    if let Some(header) = text_of(headers, &AUTHORIZATION) {
        let wanted = format!("AWS4-HMAC-SHA256 Credential={}/", store::PUBLIC_KEY);
        return if header.starts_with(&wanted) { Ok(Access::Header) } else { Err(Refusal::Header) };
    }
    if must_be_signed { Err(Refusal::Unsigned) } else { Ok(Access::Open) }
}

impl Refusal {
    /// The answer in the form of the store; it is counted.
    pub(super) fn answer(&self, now: Timestamp, stats: &mut ReferenceStats) -> Response<Body> {
        let (status, code, message, more) = match self {
            Self::Unsigned => (403, "AccessDenied", "Access Denied", String::new()),
            Self::Header | Self::Address(VerifyError::UnknownKey, _) => {
                let text = "The AWS Access Key Id you provided does not exist in our records.";
                (403, "InvalidAccessKeyId", text, String::new())
            }
            Self::Address(VerifyError::Expired, query) => {
                (403, "AccessDenied", "Request has expired", times(query, now))
            }
            Self::Address(VerifyError::NotYetValid, _) => {
                (403, "AccessDenied", "Request is not yet valid", String::new())
            }
            Self::Address(VerifyError::Mismatch, _) => {
                let text = "The request signature we calculated does not match the signature you \
                            provided. Check your key and signing method.";
                (403, "SignatureDoesNotMatch", text, String::new())
            }
            Self::Address(error @ (VerifyError::Malformed(_) | VerifyError::Life), _) => {
                (400, "AuthorizationQueryParametersError", &*error.to_string(), String::new())
            }
        };
        stats.refused(matches!(self, Self::Address(VerifyError::Expired, _)));
        problem(status, code, message, &more)
    }
}

/// When an address expired, as a store says it.
fn times(query: &str, now: Timestamp) -> String {
    let pairs = query_pairs(query);
    let value = |wanted: &str| {
        pairs.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value.as_str())
    };
    let life = value("X-Amz-Expires");
    let end = sigv4::parse_time(value("X-Amz-Date"))
        .zip(life.parse().ok())
        .map_or_else(String::new, |(begin, life)| shown(begin + Duration::from_secs(life)));
    let server_time = shown(now);
    format!(
        "<X-Amz-Expires>{life}</X-Amz-Expires><Expires>{end}</Expires>\
         <ServerTime>{server_time}</ServerTime>"
    )
}

fn shown(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A path that the server leads to, signed when the way there was.
pub(super) fn next(access: Access, headers: &HeaderMap, path: &str, now: Timestamp) -> String {
    match access {
        Access::Open => path.to_owned(),
        Access::Address | Access::Header => {
            let host = text_of(headers, &HOST).unwrap_or_default();
            format!("{path}?{}", store::presign(host, path, now, NEXT_LIFE))
        }
    }
}
