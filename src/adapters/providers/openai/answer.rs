//! What a successful answer says once its images are taken out: how many there were, and the bill.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use crate::adapters::providers::openai::refusal::{self, ErrorBody};
use crate::domain::failure::{Charge, FailureClass};
use crate::domain::ledger::CostSource;
use crate::domain::money::NanoUsd;
use crate::domain::price::{Quote, TokenUsage};

/// A successful answer without its images.
#[derive(Debug)]
pub(super) struct AnswerFrame<'a> {
    text: Cow<'a, str>,
    bill: Bill,
}

/// The part of an answer that every image needs; the rest is read when something is wrong.
#[derive(Debug, Deserialize)]
struct Bill {
    #[serde(default)]
    usage: Option<Value>,
}

impl<'a> AnswerFrame<'a> {
    /// Parses the JSON around the images; nothing when it is none. A mark of the byte order, bytes
    /// that are no UTF-8 and trailing zeros do not make an image that is paid for worthless.
    pub(super) fn parse(text: &'a [u8]) -> Option<Self> {
        let lossy = |_| String::from_utf8_lossy(text);
        let text = std::str::from_utf8(text).map_or_else(lossy, Cow::Borrowed);
        let json = json_in(&text);
        // A list would pass for the fields in their order.
        let bill = json.trim_start().starts_with('{').then(|| serde_json::from_str(json))?;
        // What is said twice is taken as any other reader takes it.
        let bill = bill.ok().or_else(|| {
            let usage = serde_json::from_str::<Value>(json).ok()?.get("usage").cloned();
            Some(Bill { usage })
        })?;
        Some(Self { text, bill })
    }

    /// What an answer with so many images cost, and how that is known.
    pub(super) fn charge(
        &self,
        quote: &Quote,
        n_images: usize,
        has_references: bool,
    ) -> (NanoUsd, CostSource) {
        quote.charge(self.usage(has_references).as_ref(), n_images)
    }

    /// Why there is no image in it, and what it says.
    pub(super) fn without_image(
        &self,
        status: u16,
        quote: &Quote,
        has_references: bool,
        secrets: &[&str],
    ) -> (FailureClass, Option<String>) {
        let value = serde_json::from_str(json_in(&self.text)).unwrap_or_default();
        let body = ErrorBody::of(&value);
        if body.is_structured {
            let class = match refusal::is_refusal(&body) {
                true => refusal::refused(status, &body),
                false => FailureClass::NoImage { charge: Charge::Unknown },
            };
            return (class, body.detail(secrets));
        }
        let class = FailureClass::NoImage { charge: self.known_charge(quote, has_references) };
        let has_url = value["data"][0]["url"].is_string();
        let detail = has_url.then(|| {
            "it has an address instead; this version takes only images in the answer itself"
                .to_owned()
        });
        (class, detail)
    }

    /// What it cost, when it reports that.
    fn known_charge(&self, quote: &Quote, has_references: bool) -> Charge {
        match self.usage(has_references) {
            Some(usage) => {
                let (amount, source) = quote.charge(Some(&usage), 1);
                Charge::Known(amount, source)
            }
            None => Charge::Unknown,
        }
    }

    /// The tokens that it reports. What is not itemized is taken for the dearer kind: output for
    /// image tokens, and input for image tokens where there are references.
    ///
    /// A report with a count that cannot be read, or without one for the output, is none: what is
    /// missing in it would be taken for free.
    fn usage(&self, has_references: bool) -> Option<TokenUsage> {
        let usage = self.bill.usage.as_ref()?.as_object()?;
        let (input, output) = (usage.get("input_tokens")?, usage.get("output_tokens")?);
        let (input, output) = (input.as_u64()?, output.as_u64().filter(|count| *count > 0)?);
        let details = usage.get("input_tokens_details");
        let text = detail(details, "text_tokens")?;
        let (text_in, image_in) = match (text, detail(details, "image_tokens")?) {
            (None, None) if has_references => (0, input),
            (None, None) => (input, 0),
            (text, image) => {
                let image = image.unwrap_or(0);
                // What neither of both claims is priced as well.
                let text = text.unwrap_or(0).max(input.saturating_sub(image));
                (text, image)
            }
        };
        let details = usage.get("output_tokens_details");
        let text_out = detail(details, "text_tokens")?.unwrap_or(0).min(output);
        let image_out = output - text_out;
        Some(TokenUsage { text_in, image_in, text_out, image_out })
    }
}

/// The JSON in a text, without a mark of the byte order and trailing zeros.
fn json_in(text: &str) -> &str {
    const BYTE_ORDER_MARK: char = '\u{feff}';
    text.trim_start_matches(BYTE_ORDER_MARK).trim_end_matches('\0')
}

/// A count among details, if there is one; nothing when what is there is no count.
fn detail(details: Option<&Value>, key: &str) -> Option<Option<u64>> {
    match details.and_then(|details| details.get(key)) {
        None | Some(Value::Null) => Some(None),
        Some(count) => count.as_u64().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(text: &str, has_references: bool) -> Option<[u64; 4]> {
        let frame = AnswerFrame::parse(text.as_bytes()).expect("an object");
        let usage = frame.usage(has_references)?;
        Some([usage.text_in, usage.image_in, usage.text_out, usage.image_out])
    }

    #[test]
    fn what_is_no_part_of_the_answer_does_not_spoil_it() {
        let parses = |text: &[u8]| AnswerFrame::parse(text).is_some();
        assert!(parses(b"{\"data\":[]}"));
        assert!(parses(b"\xef\xbb\xbf{\"data\":[]}"));
        assert!(parses(b"{\"data\":[],\"note\":\"caf\xe9\"}"));
        assert!(parses(b"{\"data\":[]}\n\0\0"));
        assert!(parses(b" {\"usage\":null,\"usage\":{}}"));
        for text in ["", "[]", "[{}]", "{\"data\":[]", "data: {}", "<html>", "{}{}"] {
            assert!(!parses(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn usage_is_read_in_every_shape_and_never_too_small() {
        for (text, has_references, expect) in [
            (r#"{"data":[]}"#, false, None),
            (r#"{"usage":null}"#, false, None),
            (
                r#"{"usage":null,"usage":{"input_tokens":1,"output_tokens":2}}"#,
                false,
                Some([1, 0, 0, 2]),
            ),
            (
                r#"{"usage":{"input_tokens":12,"output_tokens":1767}}"#,
                false,
                Some([12, 0, 0, 1767]),
            ),
            (r#"{"usage":{"input_tokens":12,"output_tokens":1767}}"#, true, Some([0, 12, 0, 1767])),
            (
                r#"{"usage":{"input_tokens":50,"output_tokens":100,
                    "input_tokens_details":{"text_tokens":10,"image_tokens":40},
                    "output_tokens_details":{"image_tokens":90,"text_tokens":10}}}"#,
                true,
                Some([10, 40, 10, 90]),
            ),
            // Details that say less than the whole: the rest is not forgotten.
            (
                r#"{"usage":{"input_tokens":50,"output_tokens":100,
                    "input_tokens_details":{"image_tokens":40},
                    "output_tokens_details":{"image_tokens":10}}}"#,
                true,
                Some([10, 40, 0, 100]),
            ),
            // A report that cannot be read is none, whatever else stands in it.
            (r#"{"usage":{"input_tokens":0,"output_tokens":0}}"#, false, None),
            (r#"{"usage":{"input_tokens":10,"output_tokens":0}}"#, false, None),
            (r#"{"usage":{"prompt_tokens":5}}"#, false, None),
            (r#"{"usage":{"input_tokens":10}}"#, false, None),
            (r#"{"usage":{"output_tokens":1767}}"#, false, None),
            (r#"{"usage":{"input_tokens":10,"output_tokens":-5}}"#, false, None),
            (r#"{"usage":{"input_tokens":10,"output_tokens":"1767"}}"#, false, None),
            (r#"{"usage":{"input_tokens":10,"output_tokens":1767.0}}"#, false, None),
            (r#"{"usage":{"input_tokens":10,"output_tokens":1e5}}"#, false, None),
            (r#"{"usage":{"input_tokens":"ten","output_tokens":1767}}"#, false, None),
            (r#"{"usage":{"input_tokens":10,"output_tokens":99999999999999999999}}"#, false, None),
            (
                r#"{"usage":{"input_tokens":10,"output_tokens":1767,
                    "output_tokens_details":{"text_tokens":"all"}}}"#,
                false,
                None,
            ),
            (
                r#"{"usage":{"input_tokens":10,"output_tokens":1767,
                    "input_tokens_details":{"text_tokens":null,"image_tokens":-1}}}"#,
                false,
                None,
            ),
        ] {
            assert_eq!(usage(text, has_references), expect, "{text}");
        }
    }
}
