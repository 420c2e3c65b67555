//! The request on the wire: JSON for a prompt alone, a form when there are references.

use reqwest::Body;
use reqwest::multipart::{Form, Part};
use serde::Serialize;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

use crate::domain::image::ImageKind;
use crate::domain::provider::Profile;
use crate::domain::request::{ImageRequest, LoadedReference, ReferenceContent};
use crate::ports::provider::ProviderError;

/// Bytes of a reference that are read at a time.
const CHUNK: usize = 64 * 1024;

/// The fields of a request. Size, quality, format and number are always said: a default of the
/// provider may be dearer.
#[derive(Debug, Serialize)]
pub(super) struct Fields<'a> {
    model: &'a str,
    prompt: &'a str,
    n: u8,
    size: &'a str,
    quality: &'a str,
    output_format: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    background: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    negative_prompt: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<&'static str>,
}

impl<'a> Fields<'a> {
    /// The fields of one image.
    pub(super) fn of(request: &'a ImageRequest, profile: &Profile) -> Self {
        let spec = &*request.spec;
        Self {
            model: &spec.model,
            prompt: &request.prompt,
            n: 1,
            size: &spec.size,
            quality: &spec.quality,
            output_format: &spec.format,
            background: spec.background.as_deref(),
            seed: spec.seed,
            negative_prompt: spec.negative_prompt.as_deref(),
            response_format: profile.response_format,
        }
    }

    /// The fields as a form, with the references and the mask as files.
    ///
    /// # Errors
    /// When one of them cannot be opened; nothing has been sent then.
    pub(super) async fn form(&self, request: &ImageRequest) -> Result<Form, ProviderError> {
        let text = |text: &str| text.to_owned();
        let mut form = Form::new()
            .text("model", text(self.model))
            .text("prompt", text(self.prompt))
            .text("n", self.n.to_string())
            .text("size", text(self.size))
            .text("quality", text(self.quality))
            .text("output_format", text(self.output_format));
        for (name, value) in [
            ("background", self.background.map(str::to_owned)),
            ("seed", self.seed.map(|seed| seed.to_string())),
            ("negative_prompt", self.negative_prompt.map(str::to_owned)),
            ("response_format", self.response_format.map(str::to_owned)),
        ] {
            if let Some(value) = value {
                form = form.text(name, value);
            }
        }
        let references = &request.references;
        let n_images = references.len() - usize::from(request.has_mask);
        for (n, reference) in references.iter().enumerate() {
            let (field, stem) = if n < n_images { ("image[]", "image") } else { ("mask", "mask") };
            form = form.part(field, part(reference, &format!("{stem}-{}", n + 1)).await?);
        }
        Ok(form)
    }
}

/// A file of a form; its bytes are read while they are sent, so that no row holds a copy.
async fn part(reference: &LoadedReference, stem: &str) -> Result<Part, ProviderError> {
    let length = reference.content.length();
    let body = match &reference.content {
        ReferenceContent::File { path, .. } => match File::open(path).await {
            Ok(file) => Body::wrap_stream(ReaderStream::with_capacity(file.take(length), CHUNK)),
            Err(source) => {
                let name = reference.reference.redacted().to_owned();
                return Err(ProviderError::NotSent { name, source });
            }
        },
        ReferenceContent::Memory(bytes) => Body::from(bytes.clone()),
        ReferenceContent::Unread => Body::from(""),
    };
    let kind = reference.kind;
    Ok(Part::stream_with_length(body, length)
        .file_name(format!("{stem}.{}", kind.extension()))
        .mime_str(mime(kind))
        .expect("the types are constants"))
}

const fn mime(kind: ImageKind) -> &'static str {
    match kind {
        ImageKind::Png => "image/png",
        ImageKind::Jpeg => "image/jpeg",
        ImageKind::Webp => "image/webp",
    }
}
