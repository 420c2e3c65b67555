//! Reads single records again by their place, in any order.

use std::fs::File;

use crate::adapters::rows::cells::Record;
use crate::adapters::rows::columns::Columns;
use crate::adapters::rows::decode::Decoder;
use crate::adapters::rows::problem::Problem;
use crate::adapters::rows::stream::{Stream, StreamFault};
use crate::domain::row_format::RowFormat;

/// What reads a record again.
#[derive(Debug)]
pub(crate) struct Finder {
    stream: Stream<File>,
    decoder: Decoder,
    /// The columns as this finder meets them; in JSON they may be more from record to record.
    columns: Columns,
    problems: Vec<Problem>,
}

/// Why a record was not found again.
#[derive(Debug)]
pub(crate) enum Lost {
    /// Its bytes are others now.
    Changed,
    /// The input cannot be read.
    Io(std::io::Error),
}

impl Finder {
    /// A finder over an input of its own, which stands at its first byte.
    pub(crate) fn new(input: File, format: RowFormat, columns: Columns) -> Self {
        Self {
            stream: Stream::new(input, format, 0, 1),
            decoder: Decoder::new(format, &columns),
            columns,
            problems: Vec::new(),
        }
    }

    /// Hands the record at a place (offset, line, checksum) to `then`.
    pub(crate) fn find<T>(
        &mut self,
        place: (u64, u64, u32),
        then: impl FnOnce(&Record<'_>) -> Option<T>,
    ) -> Result<T, Lost> {
        let (offset, line, check) = place;
        match self.stream.jump(offset, line) {
            Ok(true) if self.stream.offset() == offset => {}
            Ok(_) | Err(StreamFault::Input(_)) => return Err(Lost::Changed),
            Err(StreamFault::Io(error)) => return Err(Lost::Io(error)),
        }
        let form = self.stream.extent().form;
        let (bytes, cells) = self.stream.parts();
        if crc32c::crc32c(bytes) != check {
            return Err(Lost::Changed);
        }
        let source = std::str::from_utf8(bytes).map_err(|_| Lost::Changed)?;
        self.problems.clear();
        let record =
            self.decoder.decode(&mut self.columns, source, cells, form, &mut self.problems);
        record.and_then(|record| then(&record)).ok_or(Lost::Changed)
    }
}
