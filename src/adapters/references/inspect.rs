//! What a reference may be: a png, jpeg or webp of bounded size, told by its bytes alone.

use std::io;

use crate::domain::image::ImageKind;

/// The largest reference in bytes; providers take up to 50 MB, and a row has several.
pub const MAX_BYTES: u64 = 20 * 1024 * 1024;

/// The most pixels of a reference: beyond it lie only mistakes and decompression bombs.
pub const MAX_PIXELS: u64 = 64 * 1024 * 1024;

/// Why the bytes of a reference are not kept.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// There are more than allowed.
    #[error("more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The picture has more pixels than allowed.
    #[error("{pixels} pixels, more than {limit}")]
    TooManyPixels {
        /// Its pixels.
        pixels: u64,
        /// The limit in pixels.
        limit: u64,
    },
    /// They are no png, jpeg or webp.
    #[error("no png, jpeg or webp image")]
    NotAnImage,
    /// They cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Tells what kind of image begins with these bytes, and checks the size that its header says.
///
/// # Errors
/// When it is no image that is taken, or one of too many pixels.
pub fn check_image(head: &[u8]) -> Result<ImageKind, ContentError> {
    let kind = ImageKind::from_magic(head).ok_or(ContentError::NotAnImage)?;
    let size = imagesize::blob_size(head).map_err(|_| ContentError::NotAnImage)?;
    let pixels = (size.width as u64).saturating_mul(size.height as u64);
    if pixels > MAX_PIXELS {
        return Err(ContentError::TooManyPixels { pixels, limit: MAX_PIXELS });
    }
    Ok(kind)
}
