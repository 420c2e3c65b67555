//! Answers in the provider's shape.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};

use crate::domain::price::TokenUsage;
use crate::ports::clock::Clock;

/// The header with the server's name for the request.
const REQUEST_ID: &str = "x-request-id";

/// How long a connection lives on after half an answer.
const BEFORE_THE_CUT: Duration = Duration::from_millis(20);

/// Marks an answer after which the connection is closed without sending it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut;

/// An answer of JSON.
pub(super) fn json_answer(status: u16, request_id: &str, body: &Value) -> Response<Body> {
    whole(status, request_id, "application/json", body.to_string())
}

/// An error in the provider's shape.
pub(super) fn error(
    status: u16,
    request_id: &str,
    code: &str,
    message: &str,
    details: Option<Value>,
) -> Response<Body> {
    let mut error = json!({
        "message": message,
        "type": "image_generation_user_error",
        "param": null,
        "code": code,
    });
    if let Some(details) = details {
        error["moderation_details"] = details;
    }
    json_answer(status, request_id, &json!({ "error": error }))
}

/// Too many requests.
pub(super) fn throttled(request_id: &str, wait: Duration) -> Response<Body> {
    let mut response = error(429, request_id, "rate_limit_exceeded", "slow down", None);
    let headers = response.headers_mut();
    if let Ok(value) = wait.as_secs().max(u64::from(!wait.is_zero())).to_string().parse() {
        headers.insert(RETRY_AFTER, value);
    }
    if let Ok(value) = wait.as_millis().to_string().parse() {
        headers.insert("retry-after-ms", value);
    }
    response
}

/// An answer that leads elsewhere.
pub(super) fn redirect(request_id: &str) -> Response<Body> {
    let mut response = whole(307, request_id, "text/plain", String::new());
    let elsewhere = "http://127.0.0.1:9/v1/images/generations";
    response.headers_mut().insert(LOCATION, elsewhere.parse().expect("a constant"));
    response
}

/// A page of a proxy.
pub(super) fn page(request_id: &str) -> Response<Body> {
    whole(200, request_id, "text/html", "<html><body>Welcome to the proxy</body></html>".to_owned())
}

/// An answer that is never sent: the connection is closed.
pub(super) fn cut() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Cut);
    response
}

/// The body of an answer with images.
pub(super) fn images_body(
    images: &[Vec<u8>],
    format: &str,
    size: &str,
    quality: &str,
    usage: Option<&TokenUsage>,
) -> String {
    let n_bytes: usize = images.iter().map(|image| image.len() / 3 * 4 + 64).sum();
    let mut text = String::with_capacity(n_bytes + 512);
    text.push_str("{\"created\":1764547200,\"data\":[");
    for (n, image) in images.iter().enumerate() {
        if n > 0 {
            text.push(',');
        }
        text.push_str("{\"b64_json\":\"");
        base64_simd::STANDARD.encode_append(image, &mut text);
        text.push_str("\"}");
    }
    let rest = json!({ "output_format": format, "size": size, "quality": quality });
    text.push_str("],");
    text.push_str(rest.to_string().trim_start_matches('{').trim_end_matches('}'));
    if let Some(usage) = usage {
        text.push_str(",\"usage\":");
        text.push_str(&usage_json(usage).to_string());
    }
    text.push('}');
    text
}

fn usage_json(usage: &TokenUsage) -> Value {
    let input = usage.text_in + usage.image_in;
    let output = usage.text_out + usage.image_out;
    json!({
        "input_tokens": input,
        "input_tokens_details": { "text_tokens": usage.text_in, "image_tokens": usage.image_in },
        "output_tokens": output,
        "output_tokens_details": { "text_tokens": usage.text_out, "image_tokens": usage.image_out },
        "total_tokens": input + output,
    })
}

/// An answer that breaks off in its middle: its length is announced, and half of it is sent.
pub(super) fn truncated(request_id: &str, text: String, clock: Arc<dyn Clock>) -> Response<Body> {
    let n_bytes = text.len();
    let mut half = Bytes::from(text);
    half.truncate(n_bytes / 2);
    // The half is on its way before the connection ends.
    let broken = async move {
        clock.sleep(BEFORE_THE_CUT).await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))
    };
    let stream = stream::once(async move { Ok(half) }).chain(stream::once(broken));
    let mut response = head(200, request_id, "application/json", Body::from_stream(stream));
    response.headers_mut().insert(CONTENT_LENGTH, n_bytes.into());
    response
}

/// An answer that is complete.
pub(super) fn whole(status: u16, request_id: &str, kind: &str, text: String) -> Response<Body> {
    head(status, request_id, kind, Body::from(text))
}

fn head(status: u16, request_id: &str, kind: &str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).expect("statuses are constants");
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, kind.parse().expect("types are constants"));
    if let Ok(value) = request_id.parse() {
        headers.insert(REQUEST_ID, value);
    }
    response
}
