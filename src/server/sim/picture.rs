//! The pictures that the rehearsal server sends: real, and each another one.

use crate::domain::image::sides;
use crate::domain::sim::Oddity;
use crate::domain::sim::paint::{MAX_SIDE, PaintSpec, paint, paint_blank, paint_padded};
use crate::server::sim::ask::Ask;

/// The side of a picture whose size is no `WIDTHxHEIGHT`.
const DEFAULT_SIDE: u32 = 1_024;

/// The side of a picture whose file has a wanted length.
const SMALL_SIDE: u32 = 64;

/// Characters of the prompt that are painted.
const SHOWN_CHARS: usize = 12;

/// The `k`-th picture of the `nth` request with this content. With a wanted length it is small and
/// filled up; no file is shorter than its picture.
pub(super) fn picture(ask: &Ask, nth: u32, k: u64, n_bytes: Option<usize>) -> Vec<u8> {
    let shown: String = ask.prompt.chars().take(SHOWN_CHARS).collect();
    let (width, height) = match n_bytes {
        Some(_) => (SMALL_SIDE, SMALL_SIDE),
        None => sides(&ask.size).unwrap_or((DEFAULT_SIDE, DEFAULT_SIDE)),
    };
    let spec = PaintSpec {
        lines: vec![shown, format!("#{nth}.{k}"), ask.size.clone()],
        width: width.min(MAX_SIDE),
        height: height.min(MAX_SIDE),
        hue_seed: ask.digest().rotate_left(7) ^ (u64::from(nth) << 8) ^ k,
    };
    match n_bytes {
        None => paint(&spec),
        Some(n_bytes) => {
            const CHUNK_FRAME: usize = 12;
            let bare = paint(&spec);
            let n_padding = n_bytes.saturating_sub(bare.len() + CHUNK_FRAME);
            if n_padding == 0 { bare } else { paint_padded(&spec, n_padding) }
        }
    }
}

/// The same with something wrong in it.
pub(super) fn odd_picture(
    ask: &Ask,
    oddity: Oddity,
    nth: u32,
    k: u64,
    n_bytes: Option<usize>,
) -> Vec<u8> {
    let (width, height) = sides(&ask.size).unwrap_or((DEFAULT_SIDE, DEFAULT_SIDE));
    let (width, height) = (width.min(MAX_SIDE), height.min(MAX_SIDE));
    match oddity {
        Oddity::CutOff => {
            let mut bytes = picture(ask, nth, k, n_bytes);
            bytes.truncate(bytes.len() / 2);
            bytes
        }
        Oddity::Blank => paint_blank(width, height),
        Oddity::Small => {
            let size = format!("{}x{}", (width / 2).max(1), (height / 2).max(1));
            picture(&Ask { size, ..ask.clone() }, nth, k, None)
        }
        Oddity::Twin => picture(ask, 1, 1, n_bytes),
    }
}
