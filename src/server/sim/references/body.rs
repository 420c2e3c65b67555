//! What is sent for a reference: pictures, and what only pretends to be one.

use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use png::Encoder;

use crate::domain::sim::paint::{paint_padded, paint_reference, reference_spec};
use crate::ports::clock::Clock;
use crate::server::sim::references::InFlight;

/// Whose pictures are sent: those that `seed` makes unless told otherwise.
const SEED: u64 = crate::domain::seed::DEFAULT_SEED;

/// Bytes that are handed on at a time.
const CHUNK: usize = 64 * 1024;

/// Between two bytes of a trickle: fast enough for every time-out between two reads.
const BETWEEN_BYTES: Duration = Duration::from_millis(200);

/// How long a connection lives on after half an answer.
const BEFORE_THE_CUT: Duration = Duration::from_millis(20);

/// The side of a picture that nobody could unpack: more than sixteen gigabytes of colors.
const BOMB_SIDE: u32 = 65_535;

/// What a chunk adds to its content in a file.
const CHUNK_FRAME: usize = 12;

/// The picture with this name; with a wanted length, filled up to it when it is shorter.
pub(super) fn picture(name: &str, n_bytes: Option<usize>) -> Vec<u8> {
    let id = name.strip_suffix(".png").unwrap_or(name);
    let Some(n_bytes) = n_bytes else { return paint_reference(id, SEED) };
    let spec = reference_spec(id, SEED);
    let bare = paint_padded(&spec, 0);
    let n_padding = n_bytes.saturating_sub(bare.len() + CHUNK_FRAME);
    if n_padding == 0 { bare } else { paint_padded(&spec, n_padding) }
}

/// A file whose header is right and whose pixels nobody wants.
pub(super) fn bomb() -> Vec<u8> {
    let mut file = Vec::new();
    let encoder = Encoder::new(&mut file, BOMB_SIDE, BOMB_SIDE);
    drop(encoder.write_header().expect("a buffer takes a valid header"));
    file
}

/// A page of HTML.
pub(super) const PAGE: &[u8] = b"<!doctype html><title>Sign in</title><p>Please sign in.";

/// A drawing that would ask another server.
pub(super) const DRAWING: &[u8] = b"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"64\" \
    height=\"64\"><image href=\"http://169.254.169.254/\"/></svg>";

/// Bytes in the form of gzip, without saving any.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let blocks = bytes.chunks(usize::from(u16::MAX));
    let last = blocks.len().saturating_sub(1);
    for (n, block) in blocks.enumerate() {
        let length = u16::try_from(block.len()).expect("blocks are that short");
        file.push(u8::from(n == last));
        file.extend_from_slice(&length.to_le_bytes());
        file.extend_from_slice(&(!length).to_le_bytes());
        file.extend_from_slice(block);
    }
    file.extend_from_slice(&crc32(bytes).to_le_bytes());
    let length = u32::try_from(bytes.len()).expect("pictures are small");
    file.extend_from_slice(&length.to_le_bytes());
    file
}

/// The checksum of RFC 1952.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..u8::BITS).fold(sum ^ u32::from(*byte), |sum, _| {
            if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 }
        })
    })
}

/// A body whose request is in flight until its last bytes are handed on.
pub(super) fn whole(bytes: Bytes, in_flight: InFlight) -> Body {
    Body::from_stream(stream::unfold(Some((bytes, in_flight)), async |rest| {
        let (mut bytes, in_flight) = rest?;
        let chunk = bytes.split_to(bytes.len().min(CHUNK));
        // Before the last bytes are sent: a client that has them may ask again at once.
        let rest = (!bytes.is_empty()).then_some((bytes, in_flight));
        Some((Ok::<_, Error>(chunk), rest))
    }))
}

/// A body that breaks off.
pub(super) fn broken(bytes: Bytes, in_flight: InFlight, clock: Arc<dyn Clock>) -> Body {
    Body::from_stream(stream::unfold(Some((bytes, in_flight)), move |rest| {
        let clock = Arc::clone(&clock);
        async move {
            let (bytes, in_flight) = rest?;
            if bytes.is_empty() {
                // What there is is on its way before the connection ends.
                clock.sleep(BEFORE_THE_CUT).await;
                return Some((Err(Error::from(ErrorKind::ConnectionAborted)), None));
            }
            Some((Ok(bytes), Some((Bytes::new(), in_flight))))
        }
    }))
}

/// A body of a byte now and then, for ever.
pub(super) fn trickle(bytes: Bytes, in_flight: InFlight, clock: Arc<dyn Clock>) -> Body {
    Body::from_stream(stream::unfold((0, in_flight), move |(at, in_flight)| {
        let (bytes, clock) = (bytes.clone(), Arc::clone(&clock));
        async move {
            clock.sleep(BETWEEN_BYTES).await;
            let at = at % bytes.len();
            Some((Ok::<_, Error>(bytes.slice(at..=at)), (at + 1, in_flight)))
        }
    }))
}

/// A body that begins like a picture and never ends.
pub(super) fn endless(bytes: Bytes, in_flight: InFlight) -> Body {
    let more = Bytes::from(vec![0x5a; CHUNK]);
    Body::from_stream(stream::unfold((bytes, in_flight), move |(next, in_flight)| {
        let more = more.clone();
        async move { Some((Ok::<_, Error>(next), (more, in_flight))) }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_have_the_wanted_length_and_their_own_bytes() {
        let small = picture("a.png", None);
        assert_ne!(small, picture("b.png", None));
        let large = picture("a.png", Some(5_000_000));
        assert_eq!(large.len(), 5_000_000);
        assert_ne!(large, picture("b.png", Some(5_000_000)));
        for file in [&small, &large, &picture("a.png", Some(1))] {
            let size = imagesize::blob_size(file).expect("a picture");
            assert_eq!((size.width, size.height), (64, 64));
        }
        let size = imagesize::blob_size(&bomb()).expect("a header");
        assert_eq!((size.width, size.height), (65_535, 65_535));
    }

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
