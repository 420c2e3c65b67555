//! Paints a small real PNG with large letters on a colored ground, row by row: a picture is a few
//! different rows, each repeated many times, so that even a large one takes about a millisecond.

use std::borrow::Cow;

use font8x8::UnicodeFonts;
use png::chunk::ChunkType;
use png::{BitDepth, ColorType, DeflateCompression, Encoder, Filter};

use crate::domain::sim::SimKey;

/// The longest side that is painted; larger wishes are cut down to it.
pub const MAX_SIDE: u32 = 4_096;
/// The side of a reference picture in pixels: small, and large enough for its number.
const REFERENCE_SIDE: u32 = 64;
/// Pixels of a letter's side before it is enlarged.
const GLYPH: u32 = 8;
/// Pixels in a byte: two bits each, four colors.
const PIXELS_PER_BYTE: u32 = 4;
/// Cells of the checkered sign under the text, in both directions.
const SIGN_CELLS: u32 = 5;

/// The type of a chunk that fills a file up: ancillary, private, safe to copy (PNG specification
/// 5.4), so that every viewer passes over it.
const PADDING: ChunkType = ChunkType(*b"imPd");

/// What is on a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaintSpec {
    /// The text, one entry a line, in letters as large as they fit.
    pub lines: Vec<String>,
    /// Width in pixels, from 1 to [`MAX_SIDE`].
    pub width: u32,
    /// Height in pixels, from 1 to [`MAX_SIDE`].
    pub height: u32,
    /// Decides the color of the ground and the sign under the text.
    pub hue_seed: u64,
}

/// Paints a picture as the bytes of a PNG file.
pub fn paint(spec: &PaintSpec) -> Vec<u8> {
    paint_padded(spec, 0)
}

/// Paints a picture whose file has so many bytes more, in a part that viewers pass over.
pub fn paint_padded(spec: &PaintSpec, n_padding: usize) -> Vec<u8> {
    // Fast deflate and the difference to the row above: repeated rows become runs of zeros.
    encode(spec, DeflateCompression::FdeflateUltraFast, Filter::Up, n_padding)
}

/// Paints a picture without compression: larger, and the same bytes whatever the compressor's
/// version, which is what a committed file needs.
pub fn paint_plain(spec: &PaintSpec) -> Vec<u8> {
    encode(spec, DeflateCompression::NoCompression, Filter::NoFilter, 0)
}

/// Paints a picture that is black all over.
pub fn paint_blank(width: u32, height: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width, height);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::One);
    let mut writer = encoder.write_header().expect("a buffer takes a valid header");
    let n_bytes = width.div_ceil(8) as usize * height as usize;
    writer.write_image_data(&vec![0; n_bytes]).expect("the pixels fill the picture exactly");
    writer.finish().expect("a buffer takes the end of the file");
    file
}

/// What is on the reference picture of a row: its number on a ground that the seed and the row
/// decide.
pub fn reference_spec(id: &str, seed: u64) -> PaintSpec {
    let number = id.rsplit('-').next().unwrap_or(id);
    PaintSpec {
        lines: vec!["REF".to_owned(), number.to_owned()],
        width: REFERENCE_SIDE,
        height: REFERENCE_SIDE,
        hue_seed: SimKey::row_of(id) ^ seed,
    }
}

/// The reference picture of a row as the bytes of a PNG file.
pub fn paint_reference(id: &str, seed: u64) -> Vec<u8> {
    paint_plain(&reference_spec(id, seed))
}

fn encode(
    spec: &PaintSpec,
    compression: DeflateCompression,
    filter: Filter,
    n_padding: usize,
) -> Vec<u8> {
    let canvas = Canvas::of(spec);
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, canvas.width, canvas.height);
    encoder.set_color(ColorType::Indexed);
    encoder.set_depth(BitDepth::Two);
    encoder.set_palette(Cow::Owned(palette(spec.hue_seed)));
    encoder.set_deflate_compression(compression);
    encoder.set_filter(filter);
    let mut writer = encoder.write_header().expect("a buffer takes a valid header");
    writer.write_image_data(&canvas.pixels()).expect("the pixels fill the picture exactly");
    if n_padding > 0 {
        let padding = vec![0x5a; n_padding];
        writer.write_chunk(PADDING, &padding).expect("a buffer takes a chunk");
    }
    writer.finish().expect("a buffer takes the end of the file");
    file
}

/// A place in the palette.
#[derive(Clone, Copy)]
enum Ink {
    Ground = 0,
    Frame = 1,
    Text = 2,
    Sign = 3,
}

/// The layout of a picture, in pixels.
struct Canvas<'a> {
    lines: &'a [String],
    width: u32,
    height: u32,
    seed: u64,
    /// How much a letter is enlarged; nothing when no letter fits.
    scale: u32,
    /// Where the first line begins.
    text_top: u32,
    /// From one line to the next.
    line_height: u32,
    /// The side of a cell of the sign, and where the sign begins.
    cell: u32,
    sign_top: u32,
}

impl<'a> Canvas<'a> {
    fn of(spec: &'a PaintSpec) -> Self {
        let width = spec.width.clamp(1, MAX_SIDE);
        let height = spec.height.clamp(1, MAX_SIDE);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).max(1);
        let n_lines = count(spec.lines.len());
        let longest = count(spec.lines.iter().map(|line| line.chars().count()).max().unwrap_or(0));
        // One letter of margin on both sides; the text has the upper two thirds.
        let by_width = width / longest.saturating_add(1).saturating_mul(GLYPH);
        let by_height = height * 2 / 3 / n_lines.saturating_mul(GLYPH + 2);
        let fits = width >= GLYPH && height >= GLYPH;
        let scale = if fits { by_width.min(by_height).max(1) } else { 0 };
        let line_height = (GLYPH + 2) * scale;
        let text_top = scale * 2;
        let text_end = text_top.saturating_add(n_lines.saturating_mul(line_height));
        let room = height.saturating_sub(text_end);
        let cell = room.saturating_sub(scale) / (SIGN_CELLS + 1);
        let sign_top = text_end.saturating_add(cell / 2);
        Self {
            lines: &spec.lines,
            width,
            height,
            seed: spec.hue_seed,
            scale,
            text_top,
            line_height,
            cell,
            sign_top,
        }
    }

    /// All rows, packed and one after the other.
    fn pixels(&self) -> Vec<u8> {
        let bytes_per_row = self.width.div_ceil(PIXELS_PER_BYTE) as usize;
        let mut pixels = Vec::with_capacity(bytes_per_row * self.height as usize);
        let mut row = vec![0; bytes_per_row];
        let mut y = 0;
        while y < self.height {
            fill(&mut row, 0, self.width, Ink::Ground);
            let same = self.paint_row(&mut row, y);
            let end = y.saturating_add(same.max(1)).min(self.height);
            for _ in y..end {
                pixels.extend_from_slice(&row);
            }
            y = end;
        }
        pixels
    }

    /// Paints the row at `y`; says for how many rows from there the picture stays the same.
    fn paint_row(&self, row: &mut [u8], y: u32) -> u32 {
        let frame = (self.scale / 2).max(1);
        if y < frame || y >= self.height - frame.min(self.height) {
            fill(row, 0, self.width, Ink::Frame);
            return 1;
        }
        let side = frame.min(self.width);
        fill(row, 0, side, Ink::Frame);
        fill(row, self.width - side, self.width, Ink::Frame);
        let until_frame = self.height - frame - y;
        let same = if y < self.text_top {
            self.text_top - y
        } else {
            self.paint_text(row, y).or_else(|| self.paint_sign(row, y)).unwrap_or(1)
        };
        same.min(until_frame)
    }

    fn paint_text(&self, row: &mut [u8], y: u32) -> Option<u32> {
        if self.scale == 0 {
            return None;
        }
        let below = y - self.text_top;
        let line = self.lines.get((below / self.line_height) as usize)?;
        let in_line = below % self.line_height;
        let glyph_row = in_line / self.scale;
        let same = self.scale - in_line % self.scale;
        if glyph_row >= GLYPH {
            return Some(same);
        }
        let mut x = self.scale * GLYPH / 2;
        for letter in line.chars() {
            let bits = glyph(letter)[glyph_row as usize];
            for bit in (0..GLYPH).filter(|bit| bits >> bit & 1 == 1) {
                let from = x + bit * self.scale;
                fill(row, from.min(self.width), (from + self.scale).min(self.width), Ink::Text);
            }
            x = x.saturating_add(GLYPH * self.scale);
            if x >= self.width {
                break;
            }
        }
        Some(same)
    }

    /// A checkered sign, the same on its left and right half, from the bits of the seed.
    fn paint_sign(&self, row: &mut [u8], y: u32) -> Option<u32> {
        if self.cell == 0 {
            return None;
        }
        if y < self.sign_top {
            return Some(self.sign_top - y);
        }
        let cell_row = (y - self.sign_top) / self.cell;
        if cell_row >= SIGN_CELLS {
            return None;
        }
        let bits = mixed(self.seed ^ 0x51);
        let left = self.width.saturating_sub(SIGN_CELLS * self.cell) / 2;
        for column in 0..SIGN_CELLS {
            let mirrored = column.min(SIGN_CELLS - 1 - column);
            if bits >> (cell_row * SIGN_CELLS + mirrored) & 1 == 1 {
                let from = (left + column * self.cell).min(self.width);
                fill(row, from, (from + self.cell).min(self.width), Ink::Sign);
            }
        }
        Some(self.cell - (y - self.sign_top) % self.cell)
    }
}

/// Sets the pixels from `from` up to `to`.
fn fill(row: &mut [u8], from: u32, to: u32, ink: Ink) {
    let value = ink as u8;
    let mut x = from;
    while x < to {
        let byte = (x / PIXELS_PER_BYTE) as usize;
        if x.is_multiple_of(PIXELS_PER_BYTE) && x + PIXELS_PER_BYTE <= to {
            row[byte] = value * 0b0101_0101;
            x += PIXELS_PER_BYTE;
        } else {
            let shift = 6 - 2 * (x % PIXELS_PER_BYTE);
            row[byte] = row[byte] & !(0b11 << shift) | value << shift;
            x += 1;
        }
    }
}

/// The eight rows of a letter, the lowest bit on the left; a question mark for what has none.
fn glyph(letter: char) -> [u8; 8] {
    font8x8::BASIC_FONTS
        .get(letter)
        .or_else(|| font8x8::LATIN_FONTS.get(letter))
        .or_else(|| font8x8::GREEK_FONTS.get(letter))
        .or_else(|| font8x8::HIRAGANA_FONTS.get(letter))
        .or_else(|| font8x8::BASIC_FONTS.get('?'))
        .unwrap_or_default()
}

/// Ground, frame, text and sign as red, green and blue.
fn palette(seed: u64) -> Vec<u8> {
    let bits = mixed(seed);
    let byte = |shift: u32| (bits >> shift & 0xff) as u8;
    // A pale ground of any hue, so that dark letters are easy to read; 96^3 shades.
    let pale = |shift: u32| 152 + (u16::from(byte(shift)) * 96 / 256) as u8;
    let ground = [pale(0), pale(8), pale(16)];
    let darker = |part: u8, share: u16| (u16::from(part) * share / 16) as u8;
    let frame = ground.map(|part| darker(part, 8));
    let sign = ground.map(|part| darker(part, 12));
    [ground, frame, [24, 24, 32], sign].concat()
}

/// The finalizer of SplitMix64: neighboring seeds give unlike colors.
fn mixed(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::Cursor;

    use sha2::{Digest, Sha256};

    use super::*;
    use crate::domain::sim::SimKey;

    fn spec(id: &str, variant: u8, width: u32, height: u32) -> PaintSpec {
        PaintSpec {
            lines: vec![id.to_owned(), format!("v{variant}"), format!("{width}x{height}")],
            width,
            height,
            hue_seed: SimKey::row_of(id) ^ u64::from(variant),
        }
    }

    fn decoded(file: &[u8]) -> (u32, u32, Vec<u8>) {
        let mut reader = png::Decoder::new(Cursor::new(file)).read_info().expect("a header");
        let mut pixels = vec![0; reader.output_buffer_size().expect("small")];
        let info = reader.next_frame(&mut pixels).expect("pixels");
        (info.width, info.height, pixels)
    }

    #[test]
    fn every_size_is_a_picture_of_that_size() {
        let sizes =
            [(1, 1), (3, 7), (8, 8), (64, 64), (1024, 1024), (1536, 640), (333, 1000), (4096, 17)];
        for (width, height) in sizes {
            let spec = spec("BATCH-001", 2, width, height);
            let (fast, plain) = (paint(&spec), paint_plain(&spec));
            let (w, h, pixels) = decoded(&fast);
            assert_eq!((w, h), (width, height));
            assert_eq!((w, h, pixels), decoded(&plain), "{width}x{height}");
            let size = imagesize::blob_size(&fast).expect("a known format");
            assert_eq!((size.width, size.height), (width as usize, height as usize));
            assert_eq!(imagesize::image_type(&fast).expect("a type"), imagesize::ImageType::Png);
        }
    }

    #[test]
    fn a_wish_too_large_or_too_small_is_cut() {
        let size = |width, height| {
            let (w, h, _) = decoded(&paint(&spec("x", 1, width, height)));
            (w, h)
        };
        assert_eq!(size(0, 0), (1, 1));
        assert_eq!(size(5_000, 2), (4_096, 2));
    }

    #[test]
    fn the_pictures_of_the_standard_fixture_all_differ() {
        let mut digests = BTreeSet::new();
        for row in 1..=100 {
            for variant in 1..=(row - 1) % 3 + 1 {
                let spec = spec(&format!("BATCH-{row:03}"), variant as u8, 512, 512);
                digests.insert(Sha256::digest(paint(&spec)).to_vec());
            }
        }
        assert_eq!(digests.len(), 199);
    }

    #[test]
    fn odd_letters_and_long_lines_do_no_harm() {
        let lines = vec!["\u{1f600} äß Ωλ".to_owned(), "x".repeat(5_000), String::new()];
        let spec = PaintSpec { lines, width: 200, height: 100, hue_seed: 1 };
        assert_eq!(decoded(&paint(&spec)).0, 200);
        let none = PaintSpec { lines: Vec::new(), ..spec };
        assert_eq!(decoded(&paint(&none)).1, 100);
    }

    #[test]
    fn a_large_picture_is_a_small_file() {
        let file = paint(&spec("BATCH-001", 1, 1024, 1024));
        assert!(file.len() < 60_000, "{} bytes", file.len());
        assert_eq!(file, paint(&spec("BATCH-001", 1, 1024, 1024)));
    }
}
