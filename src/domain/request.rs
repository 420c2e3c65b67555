//! What a provider is asked for, and the identity of that work.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::domain::digest::Sha256Digest;
use crate::domain::ids::SceneId;
use crate::domain::image::{ImageKind, sides};
use crate::domain::reference::Reference;
use crate::domain::row::{Row, RowOptions};
use crate::domain::signed_url::lifetime;

/// The version of the canonical request text; it is part of every digest.
const IDENTITY_VERSION: &str = "imagemill-work/1";

/// Room for the canonical text of a common request.
const CANONICAL: usize = 1 << 10;

/// The versions of the texts that tell the same request in other rows and other runs.
const TWIN_VERSION: &str = "imagemill-twin/1";
const ASK_VERSION: &str = "imagemill-ask/1";

/// The first characters of query parameters that sign an address or date its signature.
const SIGNATURE_PARAMETERS: &[&str] = &["x-amz-", "x-goog-"];

/// Whole names of query parameters that sign an address or date its signature.
const SIGNATURE_NAMES: &[&str] = &[
    "signature",
    "expires",
    "policy",
    "key-pair-id",
    "awsaccesskeyid",
    "googleaccessid",
    "keyname",
    "se",
    "sig",
    "sv",
    "sp",
    "st",
    "sr",
    "spr",
    "token",
    "exp",
    "ex",
    "is",
    "hm",
    "hdnts",
    "hdnea",
];

/// What is asked of the provider, apart from the prompt and the references.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSpec {
    /// The provider.
    pub provider: Arc<str>,
    /// The model.
    pub model: Arc<str>,
    /// The size, always explicit.
    pub size: Arc<str>,
    /// The quality, always explicit.
    pub quality: Arc<str>,
    /// The file format, always explicit.
    pub format: Arc<str>,
    /// The background, if asked for.
    pub background: Option<String>,
    /// The seed, if asked for.
    pub seed: Option<u64>,
    /// What the image must not show.
    pub negative_prompt: Option<String>,
}

impl ImageSpec {
    /// A specification that says nothing.
    pub(crate) fn unsaid() -> Self {
        let nothing: Arc<str> = "".into();
        Self {
            provider: Arc::clone(&nothing),
            model: Arc::clone(&nothing),
            size: Arc::clone(&nothing),
            quality: Arc::clone(&nothing),
            format: nothing,
            background: None,
            seed: None,
            negative_prompt: None,
        }
    }

    /// The pixels of its size; nothing when the size is the provider's own word.
    pub fn pixels(&self) -> Option<u64> {
        let (width, height) = sides(&self.size)?;
        Some(u64::from(width) * u64::from(height))
    }

    /// The run's settings with what the row sets for itself laid over them.
    ///
    /// The run's own value is shared, not copied, when the row sets none.
    pub fn for_row(run: &Self, row: &RowOptions) -> Self {
        let pick = |own: &Option<String>, run: &Arc<str>| {
            own.as_deref().map_or_else(|| Arc::clone(run), Arc::from)
        };
        Self {
            provider: pick(&row.provider, &run.provider),
            model: pick(&row.model, &run.model),
            size: pick(&row.size, &run.size),
            quality: pick(&row.quality, &run.quality),
            format: pick(&row.format, &run.format),
            background: row.background.clone().or_else(|| run.background.clone()),
            seed: row.seed.or(run.seed),
            negative_prompt: row.negative_prompt.clone().or_else(|| run.negative_prompt.clone()),
        }
    }
}

/// A reference whose bytes have been read and checked.
#[derive(Clone, PartialEq, Eq)]
pub struct LoadedReference {
    /// Where it came from.
    pub reference: Reference,
    /// What its magic bytes say it is.
    pub kind: ImageKind,
    /// The SHA-256 of its bytes.
    pub sha256: Sha256Digest,
    /// Where its bytes are.
    pub content: ReferenceContent,
}

/// The bytes of a reference: many rows share one file instead of each holding a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceContent {
    /// A file that nobody changes, named by its digest.
    File {
        /// Where it is.
        path: Arc<Path>,
        /// Its length in bytes.
        length: u64,
    },
    /// In memory.
    Memory(Bytes),
    /// Nowhere: a rehearsal keeps none.
    Unread,
}

impl ReferenceContent {
    /// The length in bytes; none for what was not read.
    pub fn length(&self) -> u64 {
        match self {
            Self::File { length, .. } => *length,
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Unread => 0,
        }
    }
}

impl fmt::Debug for LoadedReference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "LoadedReference({:?}, {} bytes)", self.reference, self.content.length())
    }
}

/// One image wanted from a provider.
#[derive(Clone, Debug)]
pub struct ImageRequest {
    /// The row that wants it.
    pub scene_id: SceneId,
    /// Which of the row's images, counted from 1.
    pub variant: u8,
    /// The prompt as it is sent.
    pub prompt: Arc<str>,
    /// The rest of what is asked.
    pub spec: Arc<ImageSpec>,
    /// The input images in their order; a mask comes last.
    pub references: Arc<[LoadedReference]>,
    /// Whether the last of them is a mask.
    pub has_mask: bool,
}

/// The identity of the work of one variant (v1).
///
/// It is the SHA-256 of a canonical text: one `name=JSON value` line each for row id, prompt,
/// variant, provider, origin of the base URL, model, size, quality, format, seed, the further
/// parameters, each reference without its signature parameters, and whether the run is
/// simulated. Gates, limits, concurrency and the canary share are not part of it.
pub fn work_identity(
    row: &Row,
    variant: u8,
    spec: &ImageSpec,
    base_url_origin: Option<&str>,
    simulated: bool,
) -> Sha256Digest {
    let mut canonical = Canonical::new(IDENTITY_VERSION);
    canonical.line("row", row.scene_id.as_str());
    canonical.asked(&row.prompt, variant, spec, base_url_origin);
    for reference in row.references.iter().chain(&row.options.mask) {
        canonical.line("reference", without_signature(reference));
    }
    canonical.line("simulated", simulated);
    canonical.digest()
}

/// What makes two rows ask for the same (`imagemill-twin/1`): all that [`work_identity`] looks at
/// but their names, and how many images they ask for.
pub fn twin_identity(
    row: &Row,
    spec: &ImageSpec,
    base_url_origin: Option<&str>,
    simulated: bool,
) -> Sha256Digest {
    let mut canonical = Canonical::new(TWIN_VERSION);
    canonical.asked(&row.prompt, row.variants.get(), spec, base_url_origin);
    for reference in &row.references {
        canonical.line("reference", object_of(reference));
    }
    canonical.line("mask", row.options.mask.as_ref().map(object_of));
    canonical.line("simulated", simulated);
    canonical.digest()
}

/// What an address opens, by all that it says: only where it is signed as is known of some signer,
/// the signature is left out.
fn object_of(reference: &Reference) -> String {
    let is_signed = |text: &String| Url::parse(text).is_ok_and(|url| lifetime(&url).is_signed);
    match reference {
        Reference::Url(text) if !is_signed(text) => text.clone(),
        Reference::Url(_) | Reference::Local(_) => without_signature(reference),
    }
}

/// What makes two images the answer to the same request (`imagemill-ask/1`), whatever row of
/// whatever run asks: prompt, variant, what else is asked of whom, the bytes of its references, and
/// whether the money is simulated.
pub fn ask_identity(
    prompt: &str,
    variant: u8,
    spec: &ImageSpec,
    base_url_origin: Option<&str>,
    references: &mut dyn Iterator<Item = Sha256Digest>,
    has_mask: bool,
    simulated: bool,
) -> Sha256Digest {
    let mut canonical = Canonical::new(ASK_VERSION);
    canonical.asked(prompt, variant, spec, base_url_origin);
    for sha256 in references {
        canonical.line("reference", sha256);
    }
    canonical.line("has_mask", has_mask);
    canonical.line("simulated", simulated);
    canonical.digest()
}

/// The address without the query parameters that only sign it; a path as it is.
pub fn without_signature(reference: &Reference) -> String {
    let text = match reference {
        Reference::Local(path) => return path.clone(),
        Reference::Url(text) => text,
    };
    let Some((base, query)) = text.split_once('?') else { return text.clone() };
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
            !SIGNATURE_PARAMETERS.iter().any(|prefix| name.starts_with(prefix))
                && !SIGNATURE_NAMES.contains(&name.as_str())
        })
        .collect();
    if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) }
}

/// A text of `name=JSON value` lines; JSON keeps line breaks out of values.
struct Canonical(Vec<u8>);

impl Canonical {
    fn new(version: &str) -> Self {
        let mut text = Vec::with_capacity(CANONICAL);
        text.extend_from_slice(version.as_bytes());
        text.push(b'\n');
        Self(text)
    }

    fn line(&mut self, name: &str, value: impl Serialize) {
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b'=');
        serde_json::to_writer(&mut self.0, &value).expect("plain values serialize");
        self.0.push(b'\n');
    }

    /// Prompt, number, and what is asked of whom.
    fn asked(&mut self, prompt: &str, variant: u8, spec: &ImageSpec, origin: Option<&str>) {
        self.line("prompt", prompt);
        self.line("variant", variant);
        self.line("provider", &*spec.provider);
        self.line("base_url_origin", origin);
        self.line("model", &*spec.model);
        self.line("size", &*spec.size);
        self.line("quality", &*spec.quality);
        self.line("format", &*spec.format);
        self.line("seed", spec.seed);
        self.line("background", &spec.background);
        self.line("negative_prompt", &spec.negative_prompt);
    }

    fn digest(self) -> Sha256Digest {
        Sha256Digest::of(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::row::{CanaryChoice, Variants};

    use super::*;

    fn spec() -> ImageSpec {
        ImageSpec {
            provider: "sim".into(),
            model: "sim-1".into(),
            size: "1024x1024".into(),
            quality: "medium".into(),
            format: "png".into(),
            background: None,
            seed: None,
            negative_prompt: None,
        }
    }

    fn row() -> Row {
        Row {
            number: 1,
            line: 2,
            scene_id: SceneId::new("BATCH-001"),
            prompt: "product on clean bg #1".to_owned(),
            variants: Variants::ONE,
            references: vec![Reference::Url("https://a.example/x.png?w=2&sig=abc".to_owned())],
            options: RowOptions::default(),
            canary: CanaryChoice::Auto,
            extra: Vec::new(),
        }
    }

    /// The digest is format v1: it may never change for the same work.
    #[test]
    fn the_identity_of_work_is_pinned() {
        let digest = work_identity(&row(), 1, &spec(), None, true);
        assert_eq!(
            digest.to_string(),
            "f6b434c8bbbfe50ea8af3502a6b3997b7601291b13794dff49c23fd72a78cd22"
        );
    }

    #[test]
    fn identity_ignores_place_and_signature_but_not_content() {
        let base = work_identity(&row(), 1, &spec(), None, true);
        let mut moved = row();
        moved.number = 7;
        moved.line = 99;
        moved.references = vec![Reference::Url("https://a.example/x.png?w=2&sig=zzz".to_owned())];
        assert_eq!(work_identity(&moved, 1, &spec(), None, true), base);
        let mut other = row();
        other.prompt.push('!');
        assert_ne!(work_identity(&other, 1, &spec(), None, true), base);
        assert_ne!(work_identity(&row(), 2, &spec(), None, true), base);
        assert_ne!(work_identity(&row(), 1, &spec(), None, false), base);
        assert_ne!(work_identity(&row(), 1, &spec(), Some("http://127.0.0.1"), true), base);
    }

    #[test]
    fn twins_ask_for_the_same_by_another_name() {
        let twin = |row: &Row, spec: &ImageSpec| twin_identity(row, spec, None, true);
        let (base, mut other) = (twin(&row(), &spec()), row());
        other.scene_id = SceneId::new("BATCH-002");
        assert_eq!(twin(&other, &spec()), base);
        let of = |query: &str| {
            let address = format!("https://s.blob.core.windows.net/b/x.png?{query}");
            twin(&Row { references: vec![Reference::Url(address)], ..row() }, &spec())
        };
        let signed = "sv=2021-08-06&se=2030-01-01T00:00:00Z&sr=b&sp=r&sig=";
        assert_eq!(of(&format!("{signed}a")), of(&format!("{signed}b")), "signed twice");
        assert_ne!(of("token=CAT"), of("token=DOG"), "nobody knows that these are signatures");
        let mut more = row();
        more.variants = Variants::try_from(2).expect("valid");
        assert_ne!(twin(&more, &spec()), base);
        let mut masked = row();
        masked.options.mask = masked.references.pop();
        assert_ne!(twin(&masked, &spec()), base);
        assert_ne!(twin(&row(), &ImageSpec { seed: Some(1), ..spec() }), base);
    }

    /// The digest is format v1: images that were kept are found by it for ever.
    #[test]
    fn the_identity_of_a_request_is_pinned_and_knows_references_by_their_bytes() {
        let ask = |bytes: &[u8], has_mask| {
            let mut references = std::iter::once(Sha256Digest::of(bytes));
            ask_identity("a cow", 1, &spec(), None, &mut references, has_mask, true)
        };
        assert_eq!(
            ask(b"x", false).to_string(),
            "319f3f727a9966ba68820ecf53ae7cb6867a67cd7c2703faf1669ebc88586d5d"
        );
        assert_ne!(ask(b"y", false), ask(b"x", false));
        assert_ne!(ask(b"x", true), ask(b"x", false));
    }

    #[test]
    fn signature_parameters_are_left_out() {
        let check = |url: &str, expect: &str| {
            assert_eq!(without_signature(&Reference::Url(url.to_owned())), expect);
        };
        check("https://b/x?X-Amz-Date=1&X-Amz-Signature=2", "https://b/x");
        check("https://b/x?v=2&X-Goog-Expires=3&w=1", "https://b/x?v=2&w=1");
        check("https://b/x", "https://b/x");
    }
}
