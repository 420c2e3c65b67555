//! What the ledger's side file promises: that a segment had these bytes, with this last line, when
//! they were last synced. It is what vouches for the newest lines, for which no later line does.
//!
//! The side file is not synced itself. It survives the death of a process; after a power loss it
//! may be an older one, which promises less, or a torn one, which promises nothing.

use crate::domain::ledger::parse::line_hash;
use crate::domain::ledger::record::{LineHash, SegmentName};

/// The name and version of the format; it stands at the beginning.
const HEAD: &str = "imagemill-tail/1";

/// The most bytes of a promise, its newline included.
pub const MAX_PROMISE: usize = 256;

/// Bytes of a segment that were synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The segment.
    pub segment: SegmentName,
    /// How many bytes of it.
    pub end: u64,
    /// The hash of the line that ends there.
    pub hash: LineHash,
}

/// A promise that a segment does not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenPromise {
    /// The first line that is not as it was promised, from 1.
    pub line: u64,
    /// Its offset.
    pub offset: u64,
}

impl Promise {
    /// The text of the side file.
    pub fn encode(&self) -> String {
        let text = format!("{HEAD} {} {} {}", self.segment, self.end, self.hash);
        let checksum = crc32c::crc32c(text.as_bytes());
        format!("{text} {checksum:08x}\n")
    }

    /// Reads the first line of a side file. One that is torn, or of another version, promises
    /// nothing. What stands behind the line is left of a longer one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let text = std::str::from_utf8(&bytes[..end]).ok()?;
        let (fields, checksum) = text.rsplit_once(' ')?;
        if format!("{:08x}", crc32c::crc32c(fields.as_bytes())) != checksum {
            return None;
        }
        let mut fields = fields.split(' ');
        if fields.next()? != HEAD {
            return None;
        }
        let segment = fields.next()?.parse().ok()?;
        let end = fields.next()?.parse().ok()?;
        let hash = line_hash(fields.next()?)?;
        Some(Self { segment, end, hash })
    }

    /// Holds the promise against its segment. `bytes` stand there at `from`, which has `lines`
    /// lines before it, and `whole` is where its whole lines end.
    ///
    /// # Errors
    /// When promised bytes are not there, or are not those that were written.
    pub fn hold_against(
        &self,
        bytes: &[u8],
        from: u64,
        lines: u64,
        whole: u64,
    ) -> Result<(), BrokenPromise> {
        if self.end <= from {
            // Those bytes were judged when they were read.
            return Ok(());
        }
        let newlines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        let index =
            |offset: u64| usize::try_from(offset - from).ok().filter(|at| *at <= bytes.len());
        let Some(read) = index(whole).map(|at| &bytes[..at]) else {
            return Err(BrokenPromise { line: lines + 1, offset: from });
        };
        let Some(promised) = index(self.end).filter(|at| *at <= read.len()).map(|at| &read[..at])
        else {
            return Err(BrokenPromise { line: lines + newlines(read) + 1, offset: whole });
        };
        let body = promised.strip_suffix(b"\n").unwrap_or(promised);
        let start = body.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if body.len() < promised.len() && LineHash::of(&body[start..]) == self.hash {
            return Ok(());
        }
        let line = lines + newlines(&promised[..start]) + 1;
        Err(BrokenPromise { line, offset: from + start as u64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: &[u8] = b"first\nsecond\nthird\n";

    fn promise(end: u64, last: &[u8]) -> Promise {
        let segment = "2026-11-21/0001.jsonl".parse().expect("a name");
        Promise { segment, end, hash: LineHash::of(last) }
    }

    #[test]
    fn a_promise_is_read_back_and_what_is_left_behind_it_is_not_read() {
        let promise = promise(13, b"second");
        let mut text = promise.encode().into_bytes();
        assert!(text.len() <= MAX_PROMISE);
        assert_eq!(Promise::decode(&text), Some(promise));
        text.extend_from_slice(b"0 left of a longer one\n");
        assert_eq!(Promise::decode(&text), Some(promise));
    }

    #[test]
    fn a_torn_or_changed_promise_promises_nothing() {
        let text = promise(13, b"second").encode().into_bytes();
        for length in 0..text.len() {
            assert_eq!(Promise::decode(&text[..length]), None, "{length}");
        }
        for at in 0..text.len() {
            let mut flipped = text.clone();
            flipped[at] ^= 0x20;
            assert_eq!(Promise::decode(&flipped), None, "byte {at}");
        }
        let newer = "imagemill-tail/2 2026-11-21/0001.jsonl 13 x";
        let newer = format!("{newer} {:08x}\n", crc32c::crc32c(newer.as_bytes()));
        assert_eq!(Promise::decode(newer.as_bytes()), None);
    }

    #[test]
    fn a_promise_is_kept_by_the_bytes_that_were_written_and_by_more_of_them() {
        for (end, last) in [(6, &b"first"[..]), (13, b"second"), (19, b"third")] {
            assert_eq!(promise(end, last).hold_against(BYTES, 0, 0, 19), Ok(()));
        }
        let later = &BYTES[6..];
        assert_eq!(promise(13, b"second").hold_against(later, 6, 1, 19), Ok(()));
        assert_eq!(promise(6, b"anything").hold_against(later, 6, 1, 19), Ok(()), "judged before");
    }

    #[test]
    fn missing_and_other_bytes_are_named_by_their_line() {
        let broken = |promise: Promise, bytes, whole| promise.hold_against(bytes, 0, 0, whole);
        let third = promise(19, b"third");
        assert_eq!(broken(third, BYTES, 13), Err(BrokenPromise { line: 3, offset: 13 }));
        assert_eq!(broken(third, &BYTES[..13], 13), Err(BrokenPromise { line: 3, offset: 13 }));
        let other = promise(13, b"other");
        assert_eq!(broken(other, BYTES, 19), Err(BrokenPromise { line: 2, offset: 6 }));
        let within = promise(12, b"second");
        assert_eq!(broken(within, BYTES, 19), Err(BrokenPromise { line: 2, offset: 6 }));
    }
}
