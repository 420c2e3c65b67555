//! The formats of stores, delivery networks and tokens. A parameter alone is no signature: each
//! format is known by those that only stand together in it.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use url::Url;

use super::decode::{claims, epoch, hex_epoch, json_epoch, policy};
use super::{Lifetime, Owned, Parameters};
use crate::domain::sigv4;

/// Who signed, in formats with `Signature` and `Expires`: S3 of old, Google's storage of old and
/// its delivery, CloudFront, and Alibaba's storage of old.
const SIGNERS: [&str; 5] =
    ["awsaccesskeyid", "googleaccessid", "keyname", "key-pair-id", "ossaccesskeyid"];

/// Names of tokens of the kind `st=…~exp=…~hmac=…`.
const TILDE_TOKENS: [&str; 5] = ["hdnts", "hdnea", "hdntl", "__token__", "__cld_token__"];

/// What belongs to a signature with a date and a life, behind the name of its vendor.
const DATED_PARTS: [&str; 6] =
    ["algorithm", "credential", "date", "expires", "signedheaders", "signature"];

/// What Amazon's own clients write beside it.
const AMAZON_EXTRAS: [&str; 4] =
    ["x-amz-security-token", "x-amz-content-sha256", "x-amz-checksum-mode", "x-amz-user-agent"];

/// What belongs to a signature with `Signature` and the name of who signed.
const SIGNED_BY_NAME: [&str; 6] =
    ["signature", "expires", "policy", "hash-algorithm", "urlprefix", "x-amz-security-token"];

/// What belongs to a token of Bunny, beside those countries that it may name.
const BUNNY: [&str; 5] = ["token", "bcdn_token", "expires", "token_path", "token_ver"];

/// What a token of the kind `st=…~exp=…~hmac=…` may say without choosing an object: one with data
/// of an application is not understood.
const TILDE_FIELDS: [&str; 6] = ["ip", "st", "exp", "acl", "url", "hmac"];

/// Endings of paths that name an image by themselves.
const IMAGE_ENDINGS: [&str; 6] = [".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif"];

/// Stores: signatures with a date and a life, and the older ones with an end.
pub(super) fn read_stores(parameters: &Parameters, life: &mut Lifetime, owned: &mut Owned) {
    for prefix in ["x-amz", "x-goog", "x-oss"] {
        let name = |part: &str| format!("{prefix}-{part}");
        if parameters.has(&name("signature")) || parameters.has(&name("algorithm")) {
            let (date, seconds) = (name("date"), name("expires"));
            let begin = parameters.earliest(&date, sigv4::parse_time);
            read_dated(begin, parameters.get(&seconds), life);
        }
        if parameters.has(&name("signature")) {
            DATED_PARTS.iter().for_each(|part| owned.add(parameters, &name(part)));
        }
    }
    if parameters.has("x-amz-signature") {
        AMAZON_EXTRAS.iter().for_each(|name| owned.add(parameters, name));
        owned.add_where(parameters, |name, value| name == "x-id" && value == "GetObject");
    }
    if parameters.has("x-amz-security-token") {
        life.may_end_early = true;
    }
    let is_signed_by = |name: &&str| parameters.has(name);
    if parameters.has("signature") && SIGNERS.iter().any(is_signed_by) {
        life.ends(parameters.earliest("expires", epoch));
        SIGNED_BY_NAME.iter().chain(&SIGNERS).for_each(|name| owned.add(parameters, name));
    }
}

/// A signature that is good for some seconds from a time on.
fn read_dated(begin: Option<Timestamp>, seconds: Option<&str>, life: &mut Lifetime) {
    let most = sigv4::LONGEST_LIFE.as_secs();
    let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    // More digits than a number has room for are too long a life as well.
    let seconds = seconds.filter(is_number).map(|text| text.parse().unwrap_or(u64::MAX));
    if seconds.is_some_and(|seconds| seconds > most) {
        life.unusable = Some("is signed for more than 7 days, which stores refuse");
    }
    let end = begin.zip(seconds).and_then(|(begin, seconds)| {
        let seconds = i64::try_from(seconds.min(most)).ok()?;
        begin.checked_add(SignedDuration::from_secs(seconds)).ok()
    });
    life.ends(end);
    life.begins(begin.and_then(|begin| begin.checked_sub(sigv4::SKEW).ok()));
}

/// Delivery networks and hosts of files.
pub(super) fn read_delivery(
    url: &Url,
    parameters: &Parameters,
    life: &mut Lifetime,
    owned: &mut Owned,
) {
    let mut own = |names: &[&str]| names.iter().for_each(|name| owned.add(parameters, name));
    if parameters.has("policy") && parameters.has("key-pair-id") {
        life.ends(None);
        parameters.all("policy").filter_map(policy).for_each(|it| read_policy(&it, life));
        own(&["policy", "key-pair-id", "signature", "hash-algorithm"]);
    }
    // Cloudflare's images; what has a version beside it is Azure's.
    if parameters.has("sig") && parameters.has("exp") && !parameters.has("sv") {
        life.ends(parameters.earliest("exp", epoch));
        own(&["sig", "exp"]);
    }
    if parameters.has("signature") && parameters.has("expires_at") {
        life.ends(parameters.earliest("expires_at", epoch));
        own(&["signature", "expires_at"]);
    }
    if parameters.has("ex") && parameters.has("is") && parameters.has("hm") {
        life.ends(parameters.earliest("ex", hex_epoch));
        own(&["ex", "is", "hm"]);
    }
    if parameters.has("oe") && parameters.has("oh") {
        life.ends(parameters.earliest("oe", hex_epoch));
        own(&["oe", "oh"]);
    }
    read_opaque_tokens(url, parameters, life, &mut own);
}

/// Tokens that say nothing by themselves. They belong to a signature only where the path names the
/// object: elsewhere the token may be what names it.
fn read_opaque_tokens(
    url: &Url,
    parameters: &Parameters,
    life: &mut Lifetime,
    own: &mut impl FnMut(&[&str]),
) {
    let path = url.path().to_ascii_lowercase();
    let has_bunny_token = parameters.has("token") || parameters.has("bcdn_token");
    if has_bunny_token && parameters.has("expires") {
        life.ends(parameters.earliest("expires", epoch));
        if IMAGE_ENDINGS.iter().any(|ending| path.ends_with(ending)) {
            own(&BUNNY);
        }
    }
    let is_supabase = path.contains("/object/sign/");
    let is_firebase = parameters.get("alt") == Some("media");
    if parameters.has("token") && (is_supabase || is_firebase) {
        life.ends(None);
        if is_supabase || path.contains("/o/") {
            own(&["token"]);
        }
    }
}

/// The conditions of a policy about time.
fn read_policy(policy: &Value, life: &mut Lifetime) {
    let statements = match policy.get("Statement") {
        Some(Value::Array(statements)) => statements.as_slice(),
        Some(statement) => std::slice::from_ref(statement),
        None => &[],
    };
    for condition in statements.iter().filter_map(|statement| statement.get("Condition")) {
        let time = |name: &str| {
            let value = condition.get(name)?.get("AWS:EpochTime")?;
            json_epoch(value)
        };
        life.ends(time("DateLessThan"));
        life.begins(time("DateGreaterThan"));
    }
}

/// Tokens that say by themselves when they end, whatever the parameter is called.
pub(super) fn read_tokens(parameters: &Parameters, life: &mut Lifetime, owned: &mut Owned) {
    let is_tilde = |name: &str, value: &str| {
        TILDE_TOKENS.contains(&name) || (value.contains("exp=") && value.contains("~hmac="))
    };
    for (name, value) in &parameters.0 {
        if is_tilde(name, value) {
            let field = |wanted: &str| {
                let fields = value.split('~').filter_map(|field| field.split_once('='));
                fields.filter(|(name, _)| *name == wanted).filter_map(|(_, it)| epoch(it)).min()
            };
            life.ends(field("exp"));
            life.begins(field("st"));
        }
    }
    owned.add_where(parameters, |name, value| is_tilde(name, value) && only_signs(value));
    for claims in parameters.values().filter_map(claims) {
        life.ends(claims.get("exp").and_then(json_epoch));
        life.begins(claims.get("nbf").and_then(json_epoch));
    }
}

/// Whether every field of a token is one that chooses no object.
fn only_signs(token: &str) -> bool {
    token
        .split('~')
        .all(|field| field.split_once('=').is_some_and(|(name, _)| TILDE_FIELDS.contains(&name)))
}

/// Whether a part of a path is a token and nothing else.
pub(super) fn is_token_part(pairs: &[(String, String)]) -> bool {
    let is_bunny = |(name, _): &(String, String)| BUNNY.contains(&name.as_str());
    match pairs {
        [(name, value)] if TILDE_TOKENS.contains(&name.as_str()) => only_signs(value),
        [(name, _), ..] if name == "bcdn_token" => pairs.iter().all(is_bunny),
        _ => false,
    }
}
