//! The request on the wire: JSON for a prompt alone, a form when there are references.

use std::io;
use std::path::Path;

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
        ReferenceContent::File { path, .. } => {
            let file = open(path, length).await.map_err(|it| not_sent(reference, it))?;
            Body::wrap_stream(ReaderStream::with_capacity(file.take(length), CHUNK))
        }
        ReferenceContent::Memory(bytes) => Body::from(bytes.clone()),
        ReferenceContent::Unread => {
            let problem = io::Error::new(io::ErrorKind::Unsupported, "it was never read");
            return Err(not_sent(reference, problem));
        }
    };
    let kind = reference.kind;
    Ok(Part::stream_with_length(body, length)
        .file_name(format!("{stem}.{}", kind.extension()))
        .mime_str(mime(kind))
        .expect("the types are constants"))
}

/// Opens a file that still has its length. A shorter one would break the request off when its head
/// has been sent, and nobody could say whether that is paid for.
async fn open(path: &Path, length: u64) -> io::Result<File> {
    let file = File::open(path).await?;
    let found = file.metadata().await?.len();
    if found != length {
        let problem = format!("it has {found} bytes, and had {length} when it was checked");
        return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    }
    Ok(file)
}

fn not_sent(reference: &LoadedReference, source: io::Error) -> ProviderError {
    ProviderError::NotSent { name: reference.reference.redacted().to_owned(), source }
}

const fn mime(kind: ImageKind) -> &'static str {
    match kind {
        ImageKind::Png => "image/png",
        ImageKind::Jpeg => "image/jpeg",
        ImageKind::Webp => "image/webp",
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use crate::domain::digest::Sha256Digest;
    use crate::domain::reference::Reference;

    use super::*;

    fn reference(content: ReferenceContent) -> LoadedReference {
        LoadedReference {
            reference: Reference::Url("https://a.example/x.png?sig=SECRET".to_owned()),
            kind: ImageKind::Png,
            sha256: Sha256Digest([0; 32]),
            content,
        }
    }

    #[tokio::test]
    async fn what_is_not_as_it_was_checked_is_not_sent() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("object");
        std::fs::write(&path, b"twelve bytes").expect("written");
        let file = |length| ReferenceContent::File { path: path.as_path().into(), length };
        part(&reference(file(12)), "image-1").await.expect("it is whole");
        let memory = ReferenceContent::Memory(Bytes::from_static(b"some"));
        part(&reference(memory), "image-1").await.expect("it is whole");
        let check = async |content: ReferenceContent, wanted: io::ErrorKind| {
            let error = part(&reference(content), "image-1").await.expect_err("not sent");
            assert!(!error.to_string().contains("SECRET"), "{error}");
            let ProviderError::NotSent { source, .. } = error else { panic!("{error}") };
            assert_eq!(source.kind(), wanted, "{source}");
        };
        check(file(13), io::ErrorKind::InvalidData).await;
        check(file(11), io::ErrorKind::InvalidData).await;
        check(ReferenceContent::Unread, io::ErrorKind::Unsupported).await;
        std::fs::remove_file(&path).expect("removed");
        check(file(12), io::ErrorKind::NotFound).await;
    }
}
