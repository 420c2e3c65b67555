//! Looks at an image that was stored: whether it decodes, whether it shows anything, and what.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use image::{DynamicImage, ImageError, RgbaImage};
use image_hasher::{HashAlg, HasherConfig};

use crate::adapters::output::thumbs::decode;
use crate::domain::image::ImageKind;
use crate::domain::look::{Look, Sight};

/// How far the lightest and the darkest pixel of one color may lie apart, in steps of 256: lossy
/// formats leave a shimmer on a ground of one color.
const SHIMMER: u8 = 4;

/// Of so many pixels one may be what a lossy format made of nothing.
const PIXELS_PER_SPECK: u64 = 10_000;

/// The side to which a larger image is cut down before it is compared, in pixels.
const SIDE: u32 = 128;

/// Bytes at the end of a JPEG in which its end marker stands; others may put a few behind it.
const END: u64 = 4 << 10;

/// What a look at an image tells, and how it looks where that is compared; nothing where nobody can
/// look: the file cannot be read, the format has a part that this version does not know, or decoded
/// it would fill the memory.
pub fn sight(path: &Path, is_compared: bool) -> Option<Sight> {
    // The decoder makes up what is missing.
    if is_cut_off_jpeg(path).ok()? {
        return Some(Sight::Undecodable);
    }
    match decode(path) {
        Ok(picture) => Some(of_picture(picture, is_compared)),
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

/// Whether a file is a JPEG without its end.
fn is_cut_off_jpeg(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut start = [0; 3];
    if file.read_exact(&mut start).is_err() || ImageKind::from_magic(&start).is_none() {
        return Ok(false);
    }
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(END)))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    Ok(!end.windows(2).any(|marker| marker == [0xff, 0xd9]))
}

fn of_picture(picture: DynamicImage, is_compared: bool) -> Sight {
    let pixels = (picture.width(), picture.height());
    let small = match pixels.0 <= SIDE && pixels.1 <= SIDE {
        true => picture.to_rgba8(),
        false => picture.thumbnail_exact(SIDE, SIDE).into_rgba8(),
    };
    // What differs in the small copy differs in the picture; only a flat one is looked at whole.
    if is_flat(&small, 0) && is_flat(&picture.into_rgba8(), PIXELS_PER_SPECK) {
        return Sight::Blank(pixels);
    }
    Sight::Picture(pixels, is_compared.then(|| look(small)))
}

/// Whether a picture shows nothing: one color all over but for a speck in so many pixels, or
/// nothing that can be seen. A shape of one color on a transparent ground is a picture.
fn is_flat(picture: &RgbaImage, pixels_per_speck: u64) -> bool {
    let mut counts = [[0_u64; 256]; 4];
    for pixel in picture.pixels() {
        for (counts, part) in counts.iter_mut().zip(pixel.0) {
            counts[usize::from(part)] += 1;
        }
    }
    let n_pixels = u64::from(picture.width()) * u64::from(picture.height());
    let n_specks = n_pixels.checked_div(pixels_per_speck).unwrap_or(0);
    let [.., alpha] = &counts;
    if alpha[0] == n_pixels {
        return true;
    }
    counts.iter().all(|counts| {
        let least = first_beyond(counts, 0..=255, n_specks);
        let most = first_beyond(counts, (0..=255).rev(), n_specks);
        least.zip(most).is_none_or(|(least, most)| most.saturating_sub(least) <= SHIMMER)
    })
}

/// The first of some values that more pixels have, together with those before it, than are specks.
fn first_beyond(
    counts: &[u64; 256],
    mut values: impl Iterator<Item = u8>,
    n_specks: u64,
) -> Option<u8> {
    let mut n = 0;
    values.find(|value| {
        n += counts[usize::from(*value)];
        n > n_specks
    })
}

/// How a picture looks: its mean color, and its hash on a ground that sets it off where it is
/// transparent.
fn look(mut picture: RgbaImage) -> Look {
    let (mut sums, mut n) = ([0_u64; 3], 0_u64);
    for pixel in picture.pixels().filter(|pixel| pixel.0[3] > 0) {
        n += 1;
        sums.iter_mut().zip(pixel.0).for_each(|(sum, part)| *sum += u64::from(part));
    }
    let color = sums.map(|sum| u8::try_from(sum / n.max(1)).unwrap_or(u8::MAX));
    let is_light = color.iter().map(|part| u32::from(*part)).sum::<u32>() > 3 * 127;
    let ground = if is_light { 0_u32 } else { 255 };
    for pixel in picture.pixels_mut() {
        let alpha = u32::from(pixel.0[3]);
        for part in &mut pixel.0[..3] {
            let mixed = (u32::from(*part) * alpha + ground * (255 - alpha)) / 255;
            *part = u8::try_from(mixed).unwrap_or(u8::MAX);
        }
        pixel.0[3] = 255;
    }
    Look { hash: hash(picture), color }
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
            assert_eq!(
                saved(name, |_, _| [0, 0, 0, 255]),
                Some(Sight::Blank((192, 128))),
                "{name}"
            );
            assert_eq!(
                saved(name, |_, _| [9, 99, 199, 255]),
                Some(Sight::Blank((192, 128))),
                "{name}"
            );
        }
        assert_eq!(saved("a.png", |x, y| [x as u8, y as u8, 7, 0]), Some(Sight::Blank((192, 128))));
    }

    #[test]
    fn a_shape_on_a_transparent_ground_and_a_faint_one_are_pictures() {
        let shape = saved("a.png", |x, _| [255, 255, 255, if x > 40 { 255 } else { 0 }]);
        assert!(matches!(shape, Some(Sight::Picture(..))), "{shape:?}");
        let faint = saved("a.png", |x, _| [if x > 40 { 250 } else { 255 }, 255, 255, 255]);
        assert!(matches!(faint, Some(Sight::Picture(..))), "{faint:?}");
    }

    #[test]
    fn the_same_picture_in_two_formats_looks_the_same_and_another_does_not() {
        let look = |name: &str, hue: u8, across: u32| match saved(name, |x, y| {
            let part = if (x / across + y / 16).is_multiple_of(2) { hue } else { 255 - hue };
            [part, x as u8, hue, 255]
        }) {
            Some(Sight::Picture(_, Some(look))) => look,
            other => panic!("{other:?}"),
        };
        let one = look("a.png", 40, 24);
        assert!(one.is_like(&look("a.jpg", 40, 24)) && one.is_like(&look("a.webp", 40, 24)));
        assert!(!one.is_like(&look("a.png", 40, 64)), "another pattern");
        assert!(!one.is_like(&look("a.png", 80, 24)), "another color");
    }

    #[test]
    fn fine_patterns_small_stars_and_thin_lines_are_pictures_and_a_speck_is_none() {
        let is_blank = |name: &str, pixel: &dyn Fn(u32, u32) -> [u8; 4]| {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join(name);
            let picture = RgbaImage::from_fn(1024, 1024, |x, y| Rgba(pixel(x, y)));
            picture.save(&path).expect("a picture");
            matches!(sight(&path, false), Some(Sight::Blank(_)))
        };
        let gray = |part: u8| [part, part, part, 255];
        assert!(!is_blank("a.png", &|x, y| gray(
            255 * u8::from((x / 4 + y / 4).is_multiple_of(2))
        )));
        assert!(!is_blank("a.png", &|x, y| gray(255 * u8::from(x % 50 == 7 && y % 50 == 9))));
        assert!(!is_blank("a.webp", &|x, _| gray(if x == 200 { 190 } else { 255 })));
        assert!(is_blank("a.webp", &|x, y| gray(255 * u8::from((x, y) == (7, 9)))));
    }

    #[test]
    fn shapes_on_a_transparent_ground_are_told_apart() {
        let shape = |inside: &dyn Fn(i32, i32) -> bool, part: u8| match saved("a.png", |x, y| {
            let is_inside = inside(x as i32 - 96, y as i32 - 64);
            [part, part, part, if is_inside { 255 } else { 0 }]
        }) {
            Some(Sight::Picture(_, Some(look))) => look,
            other => panic!("{other:?}"),
        };
        for part in [0, 255] {
            let circle = shape(&|x, y| x * x + y * y < 2_500, part);
            let bar = shape(&|x, y| x.abs() < 80 && y.abs() < 15, part);
            assert!(!circle.is_like(&bar), "{part}");
        }
    }

    #[test]
    fn a_jpeg_that_breaks_off_does_not_decode() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.jpg");
        let picture = image::RgbImage::from_fn(400, 400, |x, y| {
            image::Rgb([(x * y) as u8, (x ^ y) as u8, y as u8])
        });
        picture.save(&path).expect("a picture");
        assert!(matches!(sight(&path, false), Some(Sight::Picture((400, 400), None))));
        let whole = fs::read(&path).expect("a file");
        for percent in [10, 50, 95] {
            fs::write(&path, &whole[..whole.len() * percent / 100]).expect("a file");
            assert_eq!(sight(&path, false), Some(Sight::Undecodable), "{percent} %");
        }
        fs::write(&path, [&whole[..], &[0; 100]].concat()).expect("a file");
        assert!(matches!(sight(&path, false), Some(Sight::Picture(..))), "a few bytes behind it");
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
