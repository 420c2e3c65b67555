//! Looks at an image that was stored: whether it decodes, whether it shows anything, and what.

use std::io::ErrorKind;
use std::path::Path;

use image::{DynamicImage, ImageError, RgbaImage};
use image_hasher::{HashAlg, HasherConfig};

use crate::adapters::output::thumbs::decode;
use crate::domain::look::{Look, Sight};

/// How far the lightest and the darkest pixel of one color may lie apart, in steps of 256: lossy
/// formats leave a shimmer on a ground of one color.
const SHIMMER: u8 = 4;

/// The side to which a larger image is cut down before it is looked at, in pixels: what cannot be
/// seen then is nothing that a person would see.
const SIDE: u32 = 128;

/// What a look at an image tells, and how it looks where that is compared; nothing where nobody can
/// look: the file cannot be read, the format has a part that this version does not know, or decoded
/// it would fill the memory.
pub fn sight(path: &Path, is_compared: bool) -> Option<Sight> {
    match decode(path) {
        Ok(picture) => Some(of_pixels(small(picture), is_compared)),
        Err(ImageError::Decoding(_)) => Some(Sight::Undecodable),
        Err(ImageError::IoError(error)) => {
            let is_cut_off = matches!(
                error.kind(),
                ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput
            );
            is_cut_off.then_some(Sight::Undecodable)
        }
        Err(
            ImageError::Encoding(_)
            | ImageError::Parameter(_)
            | ImageError::Limits(_)
            | ImageError::Unsupported(_),
        ) => None,
    }
}

fn small(picture: DynamicImage) -> RgbaImage {
    if picture.width() <= SIDE && picture.height() <= SIDE {
        return picture.into_rgba8();
    }
    picture.thumbnail_exact(SIDE, SIDE).into_rgba8()
}

fn of_pixels(picture: RgbaImage, is_compared: bool) -> Sight {
    let (mut least, mut most, mut sums, mut n) = ([u8::MAX; 3], [0; 3], [0_u64; 3], 0_u64);
    for pixel in picture.pixels().filter(|pixel| pixel.0[3] > 0) {
        n += 1;
        for at in 0..3 {
            let part = pixel.0[at];
            least[at] = least[at].min(part);
            most[at] = most[at].max(part);
            sums[at] += u64::from(part);
        }
    }
    let is_flat = (0..3).all(|at| most[at].saturating_sub(least[at]) <= SHIMMER);
    // A shape of one color on a transparent ground is a picture.
    let is_filled = n == u64::from(picture.width()) * u64::from(picture.height());
    if n == 0 || (is_flat && is_filled) {
        return Sight::Blank;
    }
    let color = sums.map(|sum| u8::try_from(sum / n).unwrap_or(u8::MAX));
    Sight::Picture(is_compared.then(|| Look { hash: hash(picture), color }))
}

fn hash(picture: RgbaImage) -> u64 {
    let config = HasherConfig::with_bytes_type::<[u8; 8]>().hash_alg(HashAlg::Gradient);
    let hash = config.hash_size(8, 8).to_hasher().hash_image(&DynamicImage::ImageRgba8(picture));
    let bytes = hash.as_bytes().try_into().expect("8 x 8 bits are eight bytes");
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use image::Rgba;

    use super::*;

    fn saved(name: &str, pixel: impl Fn(u32, u32) -> [u8; 4]) -> Option<Sight> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        let picture = RgbaImage::from_fn(192, 128, |x, y| Rgba(pixel(x, y)));
        match name.ends_with(".jpg") {
            true => DynamicImage::ImageRgba8(picture).to_rgb8().save(&path),
            false => picture.save(&path),
        }
        .expect("a picture");
        sight(&path, true)
    }

    #[test]
    fn a_picture_of_one_color_is_blank_in_every_format() {
        for name in ["a.png", "a.jpg", "a.webp"] {
            assert_eq!(saved(name, |_, _| [0, 0, 0, 255]), Some(Sight::Blank), "{name}");
            assert_eq!(saved(name, |_, _| [9, 99, 199, 255]), Some(Sight::Blank), "{name}");
        }
        assert_eq!(saved("a.png", |x, y| [x as u8, y as u8, 7, 0]), Some(Sight::Blank));
    }

    #[test]
    fn a_shape_on_a_transparent_ground_and_a_faint_one_are_pictures() {
        let shape = saved("a.png", |x, _| [255, 255, 255, if x > 40 { 255 } else { 0 }]);
        assert!(matches!(shape, Some(Sight::Picture(_))), "{shape:?}");
        let faint = saved("a.png", |x, _| [if x > 40 { 250 } else { 255 }, 255, 255, 255]);
        assert!(matches!(faint, Some(Sight::Picture(_))), "{faint:?}");
    }

    #[test]
    fn the_same_picture_in_two_formats_looks_the_same_and_another_does_not() {
        let look = |name: &str, hue: u8, across: u32| match saved(name, |x, y| {
            let part = if (x / across + y / 16).is_multiple_of(2) { hue } else { 255 - hue };
            [part, x as u8, hue, 255]
        }) {
            Some(Sight::Picture(Some(look))) => look,
            other => panic!("{other:?}"),
        };
        let one = look("a.png", 40, 24);
        assert!(one.is_like(&look("a.jpg", 40, 24)) && one.is_like(&look("a.webp", 40, 24)));
        assert!(!one.is_like(&look("a.png", 40, 64)), "another pattern");
        assert!(!one.is_like(&look("a.png", 80, 24)), "another color");
    }

    #[test]
    fn what_is_cut_off_does_not_decode_and_what_is_not_there_is_not_judged() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.png");
        RgbaImage::from_fn(64, 64, |x, y| Rgba([(x * y) as u8, x as u8, y as u8, 255]))
            .save(&path)
            .expect("a picture");
        let whole = fs::read(&path).expect("a file");
        for n in [20, whole.len() / 2] {
            fs::write(&path, &whole[..n]).expect("a file");
            assert_eq!(sight(&path, false), Some(Sight::Undecodable), "{n} bytes");
        }
        fs::remove_file(&path).expect("a file");
        assert_eq!(sight(&path, true), None);
    }
}
