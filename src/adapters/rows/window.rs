//! A bounded window over the bytes of an input: no record is ever buffered beyond the limit.

use std::io::{self, Read, Seek, SeekFrom};

use crate::adapters::rows::limits::MAX_RECORD_BYTES;

/// Bytes of one read while streaming: large enough that reads cost nothing beside parsing.
const STREAM_BYTES: usize = 256 * 1024;
/// Bytes of the first read after a jump: a few records, since the next jump may be far away.
const JUMP_BYTES: usize = 8 * 1024;
/// The largest window: a record of the largest size with its terminator and a look ahead.
const MAX_WINDOW_BYTES: usize = MAX_RECORD_BYTES + JUMP_BYTES;

/// What came of asking for more bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    /// There are more bytes than before.
    More,
    /// The input has ended.
    Ended,
    /// The window has its largest size already.
    Full,
}

/// The bytes of an input from a moving start on.
#[derive(Debug)]
pub(crate) struct Window<R> {
    input: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Place in the input of the byte at `start`.
    offset: u64,
    /// Bytes that the next read asks for at most.
    next_read: usize,
    is_ended: bool,
}

impl<R: Read> Window<R> {
    /// A window over `input`, whose next byte has the place `offset`.
    pub(crate) const fn new(input: R, offset: u64) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            offset,
            next_read: STREAM_BYTES,
            is_ended: false,
        }
    }

    /// The bytes at hand.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Place in the input of the first byte at hand.
    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether there is nothing behind the bytes at hand.
    pub(crate) const fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Drops the first `count` bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.end - self.start, "consumed bytes are at hand");
        self.start += count;
        self.offset += count as u64;
    }

    /// Reads more bytes behind those at hand.
    pub(crate) fn fill(&mut self) -> io::Result<Fill> {
        if self.is_ended {
            return Ok(Fill::Ended);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end >= MAX_WINDOW_BYTES {
            return Ok(Fill::Full);
        }
        let wanted = (self.end + self.next_read).min(MAX_WINDOW_BYTES);
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        self.next_read = (self.next_read * 2).min(STREAM_BYTES);
        let before = self.end;
        while self.end < wanted {
            match self.input.read(&mut self.buffer[self.end..wanted]) {
                Ok(0) => {
                    self.is_ended = true;
                    break;
                }
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(if self.end > before { Fill::More } else { Fill::Ended })
    }
}

impl<R: Read + Seek> Window<R> {
    /// Moves the window so that it starts at `offset`; cheap when that byte is at hand.
    pub(crate) fn jump(&mut self, offset: u64) -> io::Result<()> {
        let at_hand = offset.checked_sub(self.offset).and_then(|ahead| usize::try_from(ahead).ok());
        if let Some(ahead) = at_hand.filter(|ahead| *ahead < self.end - self.start) {
            self.consume(ahead);
            return Ok(());
        }
        let follows = self.offset + (self.end - self.start) as u64 == offset;
        self.start = 0;
        self.end = 0;
        self.offset = offset;
        if !follows {
            self.is_ended = false;
            self.next_read = JUMP_BYTES;
            self.input.seek(SeekFrom::Start(offset))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn a_window_never_grows_beyond_its_largest_size() {
        let mut window = Window::new(io::repeat(b'x'), 0);
        while window.fill().expect("no error") != Fill::Full {}
        assert!(window.buffer.capacity() <= 2 * MAX_WINDOW_BYTES);
        assert!(window.bytes().len() >= MAX_RECORD_BYTES);
    }

    #[test]
    fn jumps_land_where_they_should() {
        let data: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let mut window = Window::new(Cursor::new(&data), 0);
        for offset in [0_usize, 5, 6, 90_000, 3, 8_194, 99_999, 100_000, 0] {
            window.jump(offset as u64).expect("in memory");
            if window.bytes().is_empty() {
                window.fill().expect("in memory");
            }
            assert_eq!(window.offset(), offset as u64);
            assert_eq!(window.bytes().first(), data.get(offset), "{offset}");
        }
    }
}
