//! The request on the wire: JSON for a prompt alone, a form when there are references.

use reqwest::Body;
use reqwest::multipart::{Form, Part};
use serde::Serialize;

use crate::domain::image::ImageKind;
use crate::domain::provider::Profile;
use crate::domain::request::{ImageRequest, LoadedReference};

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
    pub(super) fn form(&self, request: &ImageRequest) -> Form {
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
            form = form.part(field, part(reference, &format!("{stem}-{}", n + 1)));
        }
        form
    }
}

/// A file of a form; its bytes are shared, not copied.
fn part(reference: &LoadedReference, stem: &str) -> Part {
    let kind = reference.kind;
    let length = reference.bytes.len() as u64;
    Part::stream_with_length(Body::from(reference.bytes.clone()), length)
        .file_name(format!("{stem}.{}", kind.extension()))
        .mime_str(mime(kind))
        .expect("the types are constants")
}

const fn mime(kind: ImageKind) -> &'static str {
    match kind {
        ImageKind::Png => "image/png",
        ImageKind::Jpeg => "image/jpeg",
        ImageKind::Webp => "image/webp",
    }
}
