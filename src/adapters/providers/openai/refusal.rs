//! What an answer without success means: by its structured code first, its status second, and
//! never by its text.
//!
//! Codes and shapes: the vendor's SDK types and help pages, and the bodies of compatible servers
//! (an error may be an object, a string or a list; a code may be a number; FastAPI servers say
//! `detail`).

use std::time::Duration;

use serde_json::Value;

use crate::domain::failure::{Charge, Denial, FailureClass, RefusalStage};
use crate::domain::redact::{code_word, redact};

/// The account cannot pay: waiting does not help, whatever the status says.
const BILLING: &[&str] = &[
    "credit_balance_exhausted",
    "organization_usage_limit_exceeded",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "usage_limit_reached",
];

/// The key or the account is not accepted.
const CREDENTIALS: &[&str] =
    &["invalid_api_key", "account_deactivated", "invalid_organization", "mismatched_organization"];

/// There is no such model.
const NOT_FOUND: &[&str] = &["model_not_found", "deployment_not_found"];

/// The content policy stepped in.
const MODERATION: &[&str] =
    &["moderation_blocked", "content_policy_violation", "image_content_policy_violation"];

/// What the body of an answer says about an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ErrorBody {
    /// Whether the body has the shape of an error at all.
    pub(super) is_structured: bool,
    code: Option<String>,
    kind: Option<String>,
    param: Option<String>,
    message: Option<String>,
    stage: Option<RefusalStage>,
}

/// What the headers of an answer say about another try.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RetryHeaders {
    /// How long to wait.
    pub(super) after: Option<Duration>,
    /// Whether another try makes sense at all, when the provider says so.
    pub(super) makes_sense: Option<bool>,
}

impl ErrorBody {
    /// Reads the body of an answer; whatever it is, something comes of it.
    pub(super) fn read(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).map_or_else(|_| Self::default(), |value| Self::of(&value))
    }

    /// Reads a parsed body.
    pub(super) fn of(value: &Value) -> Self {
        // Some servers wrap the whole body into a list of one.
        let value = match value {
            Value::Array(list) => list.first().unwrap_or(value),
            Value::Object(_)
            | Value::String(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Number(_) => value,
        };
        let error = value.get("error").filter(|error| !error.is_null());
        match (error, value.get("detail")) {
            (Some(Value::Object(_)), _) => Self::of_object(&value["error"]),
            (Some(Value::String(text)), _) => Self {
                is_structured: true,
                // sd.cpp: the string is a word, and the text stands beside it.
                code: code_word(text).map(str::to_owned),
                message: text_of(value.get("message")).or_else(|| Some(text.clone())),
                ..Self::default()
            },
            (Some(other), _) => {
                Self { is_structured: true, message: Some(other.to_string()), ..Self::default() }
            }
            (None, Some(detail)) => {
                let message = text_of(Some(detail)).unwrap_or_else(|| detail.to_string());
                Self { is_structured: true, message: Some(message), ..Self::default() }
            }
            (None, None) => Self::default(),
        }
    }

    fn of_object(error: &Value) -> Self {
        let stage = ["moderation_stage", "moderation_details"].iter().find_map(|key| {
            let place = error.get(*key)?;
            text_of(Some(place)).or_else(|| text_of(place.get("moderation_stage")))
        });
        Self {
            is_structured: true,
            code: word_of(error.get("code")),
            kind: word_of(error.get("type")),
            param: word_of(error.get("param")),
            message: text_of(error.get("message")),
            stage: stage.map(|stage| match stage.as_str() {
                "input" => RefusalStage::Input,
                "output" => RefusalStage::Output,
                _ => RefusalStage::Unsaid,
            }),
        }
    }

    /// Whether its code, or else its type, is one of these.
    fn is_one_of(&self, words: &[&str]) -> bool {
        [&self.code, &self.kind].into_iter().flatten().any(|word| words.contains(&word.as_str()))
    }

    /// What it says in one line; secrets that it echoes are left out.
    pub(super) fn detail(&self, secrets: &[&str]) -> Option<String> {
        let word = self.code.as_deref().or(self.kind.as_deref());
        let word = word.map(|word| match &self.param {
            Some(param) => format!("{word} ({param})"),
            None => word.to_owned(),
        });
        let message = self.message.as_deref().map(|text| redact(text, secrets));
        match (word.map(|word| redact(&word, secrets)), message.filter(|text| !text.is_empty())) {
            (Some(word), Some(text)) if text != word => Some(format!("{word}: {text}")),
            (Some(word), _) => Some(word),
            (None, message) => message,
        }
    }
}

/// The class of an answer whose status is no success.
pub(super) fn classify(status: u16, body: &ErrorBody, retry: RetryHeaders) -> FailureClass {
    let denied = |denial| FailureClass::Denied { status, denial };
    if (500..600).contains(&status) {
        return FailureClass::ServerError { status, retry_after: retry.after };
    }
    if body.is_one_of(BILLING) {
        return denied(Denial::Billing);
    }
    if body.is_one_of(CREDENTIALS) {
        return denied(Denial::Credentials);
    }
    if body.is_one_of(NOT_FOUND) {
        return denied(Denial::NotFound);
    }
    if body.is_one_of(MODERATION) {
        return refused(status, body);
    }
    match status {
        300..400 => denied(Denial::Redirect),
        401 | 403 => denied(Denial::Credentials),
        402 => denied(Denial::Billing),
        404 => denied(Denial::NotFound),
        429 if retry.makes_sense == Some(false) => denied(Denial::Final),
        429 => FailureClass::RateLimited { retry_after: retry.after },
        400 | 413 | 422 if body.is_structured => FailureClass::Invalid { status },
        _ => FailureClass::Unexpected { status },
    }
}

/// A refusal of the input is free: nothing was generated. Whether one of the output is, no
/// document says, so it keeps its hold.
pub(super) fn refused(status: u16, body: &ErrorBody) -> FailureClass {
    let stage = body.stage.unwrap_or(RefusalStage::Unsaid);
    let is_free = stage == RefusalStage::Input && matches!(status, 400 | 413 | 422);
    let charge = if is_free { Charge::Free } else { Charge::Unknown };
    FailureClass::Refused { status, stage, charge }
}

/// Whether a parsed answer with a success status says that the content policy stepped in.
pub(super) fn is_refusal(body: &ErrorBody) -> bool {
    body.is_one_of(MODERATION)
}

fn text_of(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(str::to_owned)
}

/// A short word, or a number as one.
fn word_of(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => code_word(text).map(str::to_owned),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// Every recorded shape of an error has its class.
    #[test]
    fn every_recorded_error_has_its_class() {
        let text = include_str!("../../../../fixtures/providers/openai/errors.json");
        let cases: Vec<Value> = serde_json::from_str(text).expect("a list of cases");
        assert!(cases.len() >= 30, "only {} cases", cases.len());
        for case in cases {
            let status = u16::try_from(case["status"].as_u64().expect("a status")).expect("small");
            let body = match case["body"].as_str() {
                Some(text) => ErrorBody::read(text.as_bytes()),
                None => ErrorBody::of(&case["body"]),
            };
            let retry = RetryHeaders {
                after: case["retry_after"].as_u64().map(Duration::from_secs),
                makes_sense: case["should_retry"].as_bool(),
            };
            let class = classify(status, &body, retry);
            assert_eq!(format!("{class:?}"), case["class"].as_str().expect("a class"), "{case}");
            let detail = body.detail(&["a prompt that nobody may see"]);
            assert_eq!(detail.as_deref(), case["detail"].as_str(), "{case}");
        }
    }

    #[test]
    fn text_never_decides() {
        let body = ErrorBody::read(
            br#"{"error":{"message":"insufficient_quota rate limit moderation_blocked 401"}}"#,
        );
        let class = classify(400, &body, RetryHeaders::default());
        assert_eq!(class, FailureClass::Invalid { status: 400 });
    }
}
