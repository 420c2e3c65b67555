//! The sidecar (v1): the JSON file beside each image, enough to audit it and to repeat its request.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::domain::digest::Sha256Digest;
use crate::domain::ids::{AttemptId, RunId};
use crate::domain::image::ImageKind;
use crate::domain::look::Flaws;
use crate::domain::money::NanoUsd;
use crate::domain::request::ImageSpec;

/// The name and version of the format.
pub const SCHEMA: &str = "imagemill.sidecar/1";

/// Everything that is kept about one image.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sidecar {
    /// The name and version of the format.
    pub schema: Cow<'static, str>,
    /// The run that made the image.
    pub run_id: RunId,
    /// The attempt that paid for it; its settlement in the ledger has the same `rid`.
    pub rid: AttemptId,
    /// The row.
    pub scene_id: String,
    /// Which of the row's images, counted from 1.
    pub variant: u8,
    /// The identity of the work.
    pub work: Sha256Digest,
    /// The prompt as it was sent.
    pub prompt: String,
    /// The rest of what was asked.
    pub request: ImageSpec,
    /// The input images: redacted name and SHA-256.
    pub references: Vec<SidecarReference>,
    /// What the image cost, in USD.
    pub amount: NanoUsd,
    /// Where that figure comes from.
    pub cost_source: String,
    /// Whether the money is only simulated.
    pub simulated: bool,
    /// The provider's own name for the request.
    pub provider_request_id: Option<String>,
    /// The image file, relative to the run's folder.
    pub file: String,
    /// What it is, by its magic bytes.
    pub kind: ImageKind,
    /// Its length in bytes.
    pub n_bytes: u64,
    /// The SHA-256 of its bytes.
    pub sha256: Sha256Digest,
    /// Width in pixels, as its header says.
    pub width: Option<u32>,
    /// Height in pixels, as its header says.
    pub height: Option<u32>,
    /// What a look at it found wrong: `undecodable`, `wrong-size`, `blank`.
    #[serde(default)]
    pub flaws: Flaws,
    /// The image that it is a copy of, where it is one; that one was paid for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_of: Option<String>,
    /// When the answer was complete, RFC 3339 UTC.
    pub finished_at: String,
}

/// One input image of the request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SidecarReference {
    /// Where it came from, without a query.
    pub name: String,
    /// The SHA-256 of its bytes; left out where the process that had read them has died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256Digest>,
}
