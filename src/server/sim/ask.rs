//! What a request asks for, from JSON or from a form.

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Multipart};
use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use serde_json::Value;

/// The most bytes of a request: sixteen references and a mask.
const MAX_REQUEST: usize = 512 << 20;

/// The most images of one request.
const MAX_IMAGES: u64 = 10;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) model: String,
    pub(super) prompt: String,
    pub(super) size: String,
    pub(super) quality: String,
    pub(super) format: String,
    pub(super) n: u64,
    /// Input images, the mask not counted.
    pub(super) n_references: u64,
}

impl Ask {
    /// Reads a request to an endpoint; what is wrong with it is said in one sentence.
    pub(super) async fn read(request: Request<Body>) -> Result<Self, String> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if kind.is_some_and(|kind| kind.starts_with("multipart/form-data")) {
            return Self::from_form(request).await;
        }
        let body = to_bytes(request.into_body(), MAX_REQUEST).await.map_err(|it| it.to_string())?;
        let json: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        let text = |key: &str| json[key].as_str().map(str::to_owned);
        let n_references = json["images"].as_array().map_or(0, Vec::len) as u64;
        let n = match json.get("n").filter(|n| !n.is_null()) {
            None => 1,
            Some(n) => n.as_u64().ok_or("n is no whole number")?,
        };
        Self::of(&text, n, n_references)
    }

    async fn from_form(request: Request<Body>) -> Result<Self, String> {
        let mut form =
            Multipart::from_request(request, &()).await.map_err(|error| error.body_text())?;
        let mut texts = Vec::new();
        let mut n_references = 0;
        while let Some(field) = form.next_field().await.map_err(|error| error.body_text())? {
            let name = field.name().unwrap_or_default().to_owned();
            if field.file_name().is_some() {
                let bytes = field.bytes().await.map_err(|error| error.body_text())?;
                if bytes.is_empty() {
                    return Err(format!("{name} is an empty file"));
                }
                n_references += u64::from(name != "mask");
            } else {
                texts.push((name, field.text().await.map_err(|error| error.body_text())?));
            }
        }
        let text =
            |key: &str| texts.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
        let n = match text("n") {
            None => 1,
            Some(n) => n.parse().map_err(|_| "n is no whole number".to_owned())?,
        };
        Self::of(&text, n, n_references)
    }

    fn of(
        text: &dyn Fn(&str) -> Option<String>,
        n: u64,
        n_references: u64,
    ) -> Result<Self, String> {
        if !(1..=MAX_IMAGES).contains(&n) {
            return Err(format!("n must be 1 to {MAX_IMAGES}"));
        }
        let needed = |key: &str| text(key).ok_or(format!("{key} is missing"));
        Ok(Self {
            model: needed("model")?,
            prompt: needed("prompt")?,
            size: text("size").unwrap_or_else(|| "1024x1024".to_owned()),
            quality: text("quality").unwrap_or_else(|| "medium".to_owned()),
            format: text("output_format").unwrap_or_else(|| "png".to_owned()),
            n,
            n_references,
        })
    }

    /// A number that equal requests share.
    pub(super) fn digest(&self) -> u64 {
        crate::domain::sim::SimKey::row_of(&format!(
            "{}\n{}\n{}\n{}\n{}\n{}",
            self.model, self.prompt, self.size, self.quality, self.n, self.n_references
        ))
    }
}
