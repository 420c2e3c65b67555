//! Facts about a picture that its own bytes tell.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::domain::digest::Sha256Digest;

/// The picture formats that imagemill takes and keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageKind {
    /// Portable network graphics.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP.
    Webp,
}

impl ImageKind {
    /// What the first bytes say; twelve are enough.
    ///
    /// Sources: PNG specification 5.2, JPEG's SOI marker followed by a marker byte, and the
    /// RIFF header of the WebP container specification.
    pub fn from_magic(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if bytes.starts_with(b"\xff\xd8\xff") {
            Some(Self::Jpeg)
        } else if bytes.len() >= 12 && &bytes[..4] == b"RIFF" && &bytes[8..12] == b"WEBP" {
            Some(Self::Webp)
        } else {
            None
        }
    }

    /// The file extension, without its point.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Webp => "webp",
        }
    }
}

impl fmt::Display for ImageKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.extension())
    }
}

/// Width and height of a size such as `1024x768`; nothing for the provider's own words.
pub fn sides(size: &str) -> Option<(u32, u32)> {
    let (width, height) = size.split_once('x')?;
    let side = |text: &str| text.parse::<u32>().ok().filter(|side| *side > 0);
    Some((side(width)?, side(height)?))
}

/// One image that has its final name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredImage {
    /// The file, relative to the run's folder.
    pub path: PathBuf,
    /// What it is.
    pub kind: ImageKind,
    /// Its length in bytes.
    pub n_bytes: u64,
    /// The SHA-256 of its bytes.
    pub sha256: Sha256Digest,
    /// Width and height in pixels, as the header says.
    pub pixels: Option<(u32, u32)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magic_bytes_decide() {
        let check = |bytes: &[u8], kind| assert_eq!(ImageKind::from_magic(bytes), kind);
        check(b"\x89PNG\r\n\x1a\n....", Some(ImageKind::Png));
        check(b"\xff\xd8\xff\xe0", Some(ImageKind::Jpeg));
        check(b"RIFF\x10\0\0\0WEBPVP8 ", Some(ImageKind::Webp));
        check(b"RIFF\x10\0\0\0WAVE", None);
        check(b"<svg xmlns=", None);
        check(b"", None);
    }
}
