//! Small copies of pictures for reports: JPEG, decoded within limits.

use std::io::{self, Cursor};
use std::path::Path;

use base64_simd::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageError, ImageReader, Limits};

/// The most memory that decoding may take: a picture of 64 megapixels.
const MAX_DECODED: u64 = 512 << 20;

/// The quality of the copies, of 100.
const QUALITY: u8 = 80;

/// A picture as an address that holds a small copy of it, at most `side` pixels wide and high.
///
/// # Errors
/// When it cannot be read or is no picture.
pub fn thumbnail(path: &Path, side: u32) -> io::Result<String> {
    let picture = decode(path).map_err(io::Error::other)?.thumbnail(side, side);
    let mut bytes = Cursor::new(Vec::new());
    let encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
    // JPEG knows no transparency: what is transparent is shown on white.
    picture.write_with_encoder_on_white(encoder)?;
    Ok(format!("data:image/jpeg;base64,{}", STANDARD.encode_to_string(bytes.into_inner())))
}

/// What decoding may take.
pub(super) fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODED);
    limits
}

/// A picture, decoded within limits.
pub(super) fn decode(path: &Path) -> Result<DynamicImage, ImageError> {
    let mut reader = ImageReader::open(path)?.with_guessed_format()?;
    reader.limits(limits());
    reader.decode()
}

/// What is transparent, on white.
trait OnWhite {
    fn write_with_encoder_on_white(
        self,
        encoder: JpegEncoder<&mut Cursor<Vec<u8>>>,
    ) -> io::Result<()>;
}

impl OnWhite for DynamicImage {
    fn write_with_encoder_on_white(
        self,
        encoder: JpegEncoder<&mut Cursor<Vec<u8>>>,
    ) -> io::Result<()> {
        let mut flat = self.to_rgba8();
        for pixel in flat.pixels_mut() {
            let alpha = u32::from(pixel.0[3]);
            for part in &mut pixel.0[..3] {
                let mixed = (u32::from(*part) * alpha + 255 * (255 - alpha)) / 255;
                *part = u8::try_from(mixed).unwrap_or(u8::MAX);
            }
        }
        let flat = DynamicImage::ImageRgba8(flat).to_rgb8();
        flat.write_with_encoder(encoder).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_small_and_what_is_no_picture_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.png");
        let picture =
            image::RgbaImage::from_fn(300, 100, |x, _| image::Rgba([9, 9, 9, (x % 2) as u8]));
        picture.save(&path).expect("a picture");
        let copy = thumbnail(&path, 64).expect("a copy");
        let bytes = copy.strip_prefix("data:image/jpeg;base64,").expect("an address of data");
        let bytes = STANDARD.decode_to_vec(bytes).expect("base64");
        let size = imagesize::blob_size(&bytes).expect("a JPEG");
        assert_eq!((size.width, size.height), (64, 21));
        std::fs::write(&path, "<svg/>").expect("a file");
        assert!(thumbnail(&path, 64).is_err());
    }
}
