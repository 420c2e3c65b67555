//! The texts in which signed addresses hold times: numbers, policies, tokens.

use jiff::Timestamp;
use serde_json::Value;

/// Seconds do not reach so far before the year 5138, so a larger number counts milliseconds.
const MOST_SECONDS: i64 = 100_000_000_000;

/// A number of seconds since 1970, or of milliseconds when it is too large for seconds.
pub(super) fn epoch(text: &str) -> Option<Timestamp> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    at(text.parse().ok()?)
}

/// A number of seconds since 1970 in hexadecimal digits.
pub(super) fn hex_epoch(text: &str) -> Option<Timestamp> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Timestamp::from_second(i64::from_str_radix(text, 16).ok()?).ok()
}

/// A number of JSON, or a text of digits.
pub(super) fn json_epoch(value: &Value) -> Option<Timestamp> {
    match value.as_str() {
        Some(text) => epoch(text),
        None => at(value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))?),
    }
}

fn at(number: i64) -> Option<Timestamp> {
    if number > MOST_SECONDS {
        Timestamp::from_millisecond(number).ok()
    } else {
        Timestamp::from_second(number).ok()
    }
}

/// The claims of a token of three base64url parts; its signature is not looked at.
pub(super) fn claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || signature.is_empty() {
        return None;
    }
    json_object(&base64(header)?)?;
    json_object(&base64(payload)?)
}

/// The JSON of a policy; `-`, `_` and `~` stand in it for `+`, `=` and `/`.
pub(super) fn policy(text: &str) -> Option<Value> {
    let plain: String = text
        .chars()
        .map(|letter| match letter {
            '-' => '+',
            '_' => '=',
            '~' => '/',
            other => other,
        })
        .collect();
    json_object(&standard(&plain)?)
}

fn base64(text: &str) -> Option<Vec<u8>> {
    standard(&text.replace('-', "+").replace('_', "/"))
}

/// Base64 with or without the signs that fill it up.
fn standard(text: &str) -> Option<Vec<u8>> {
    base64_simd::STANDARD_NO_PAD.decode_to_vec(text.trim_end_matches('=')).ok()
}

fn json_object(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok().filter(Value::is_object)
}
