//! Reading ahead: a thread of its own finds the records of an input and sums them up, while those
//! before them are checked. Blocks of records go back and forth, so memory is bounded.

use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use crate::adapters::rows::cells::Cell;
use crate::adapters::rows::csv_split::Form;
use crate::adapters::rows::error::Error;
use crate::adapters::rows::stream::{Stream, StreamFault};

/// Blocks that are filled and not yet taken: some milliseconds of work, so that neither side
/// stands still when the other one has to wait for a processor.
const MAX_WAITING: usize = 12;
/// All blocks: those that wait, the one being filled and the one being checked.
const N_BLOCKS: usize = MAX_WAITING + 2;
/// Bytes of records at which a block is full: it still fits into the caches beside its cells.
const BLOCK_BYTES: usize = 128 * 1024;
/// Records at which a block is full, for inputs of tiny records.
const BLOCK_RECORDS: usize = 2 * 1024;
/// Cells at which a block is full, for inputs of tiny cells.
const BLOCK_CELLS: usize = 16 * 1024;

/// One record as it was found.
#[derive(Debug)]
pub(crate) struct Found<'b> {
    /// Where it stands.
    pub(crate) place: &'b FoundPlace,
    /// It without the line end, or its bytes when they are no text.
    pub(crate) source: Result<&'b str, &'b [u8]>,
    /// In CSV, its cells.
    pub(crate) cells: &'b mut [Cell],
}

/// Where a record stands, in the input and in its block.
#[derive(Debug)]
pub(crate) struct FoundPlace {
    /// Place in the input.
    pub(crate) offset: u64,
    /// Line at which it starts.
    pub(crate) line: u64,
    /// Characters of that line before it.
    pub(crate) before: u64,
    /// The checksum of its bytes.
    pub(crate) check: u32,
    /// What was found of its cells.
    pub(crate) form: Form,
    bytes_end: u32,
    cells_end: u32,
}

/// Hands each record behind the stream's start to `then`, in their order.
///
/// Faults of the form are told once all records before them were handed over.
pub(crate) fn for_each_record<R: std::io::Read + Send>(
    file: &str,
    stream: Stream<R>,
    mut then: impl FnMut(Found<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    thread::scope(|scope| {
        // Our ends must be gone before the thread is waited for, or it would wait for us.
        let (full_in, full_out) = sync_channel(MAX_WAITING);
        let (empty_in, empty_out) = channel();
        for _ in 0..N_BLOCKS {
            empty_in.send(Block::default()).expect("the other end is still here");
        }
        thread::Builder::new()
            .name("rows".to_owned())
            .spawn_scoped(scope, move || fill_blocks(stream, &empty_out, &full_in))
            .map_err(Error::io("read", file))?;
        take_blocks(file, &full_out, &empty_in, &mut then)
    })
}

/// The reading side: ends with the input, or when the other side wants no more.
fn fill_blocks<R: std::io::Read>(
    mut stream: Stream<R>,
    empty: &Receiver<Block>,
    full: &SyncSender<Block>,
) {
    while let Ok(mut block) = empty.recv() {
        block.fill(&mut stream);
        let is_last = block.end.is_some();
        if full.send(block).is_err() || is_last {
            return;
        }
    }
}

/// The checking side: ends with the last block or the first error.
fn take_blocks(
    file: &str,
    full: &Receiver<Block>,
    empty: &Sender<Block>,
    then: &mut impl FnMut(Found<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    loop {
        let mut block = full.recv().expect("the reader sends a last block before it ends");
        block.hand_over(then)?;
        if let Some(end) = block.end {
            return end.map_err(|fault| Error::of_stream(file, fault));
        }
        // A reader that has filled its last block takes none back.
        let _ = empty.send(block);
    }
}

/// Some records, one behind the other.
#[derive(Debug, Default)]
struct Block {
    content: Content,
    records: Vec<FoundPlace>,
    cells: Vec<Cell>,
    /// How the input ended, in the last block.
    end: Option<Result<(), StreamFault>>,
}

/// The bytes of a block: a line feed stands behind each record, so that they are text as a whole
/// just when each of them is.
#[derive(Debug)]
enum Content {
    Text(String),
    Bytes(Vec<u8>),
}

impl Block {
    fn fill<R: std::io::Read>(&mut self, stream: &mut Stream<R>) {
        let mut bytes = std::mem::take(&mut self.content).into_bytes();
        bytes.clear();
        self.records.clear();
        self.cells.clear();
        while bytes.len() < BLOCK_BYTES
            && self.records.len() < BLOCK_RECORDS
            && self.cells.len() < BLOCK_CELLS
        {
            match stream.step() {
                Ok(true) => self.add(stream, &mut bytes),
                Ok(false) => self.end = Some(Ok(())),
                Err(fault) => self.end = Some(Err(fault)),
            }
            if self.end.is_some() {
                break;
            }
        }
        self.content = Content::of(bytes);
    }

    fn add<R: std::io::Read>(&mut self, stream: &mut Stream<R>, bytes: &mut Vec<u8>) {
        let (offset, line, before) = (stream.offset(), stream.line(), stream.before());
        let extent = stream.extent();
        let (source, cells) = stream.parts();
        bytes.extend_from_slice(source);
        self.cells.extend_from_slice(cells);
        self.records.push(FoundPlace {
            offset,
            line,
            before,
            check: crc32c::crc32c(source),
            form: extent.form,
            bytes_end: narrow(bytes.len()),
            cells_end: narrow(self.cells.len()),
        });
        bytes.push(b'\n');
    }

    fn hand_over(
        &mut self,
        then: &mut impl FnMut(Found<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (mut bytes_start, mut cells_start) = (0, 0);
        for place in &self.records {
            let (bytes_end, cells_end) = (place.bytes_end as usize, place.cells_end as usize);
            then(Found {
                place,
                source: self.content.record(bytes_start..bytes_end),
                cells: &mut self.cells[cells_start..cells_end],
            })?;
            (bytes_start, cells_start) = (bytes_end + 1, cells_end);
        }
        Ok(())
    }
}

impl Default for Content {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Content {
    fn of(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::Text(text),
            Err(error) => Self::Bytes(error.into_bytes()),
        }
    }

    fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    fn record(&self, place: Range<usize>) -> Result<&str, &[u8]> {
        match self {
            Self::Text(text) => Ok(&text[place]),
            Self::Bytes(bytes) => {
                std::str::from_utf8(&bytes[place.clone()]).map_err(|_| &bytes[place])
            }
        }
    }
}

fn narrow(at: usize) -> u32 {
    u32::try_from(at).expect("a block is far smaller than 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::row_format::RowFormat;

    /// Place, line and text of each record, and how the input ended.
    type Read = (Vec<(u64, u64, String)>, Result<(), Error>);

    fn records(text: &[u8]) -> Read {
        let mut found = Vec::new();
        let stream = Stream::new(text, RowFormat::Csv, 0, 1);
        let end = for_each_record("rows.csv", stream, |record| {
            let bytes = record.source.map_or_else(|bytes| bytes, str::as_bytes);
            assert_eq!(record.place.check, crc32c::crc32c(bytes));
            assert_eq!(record.source.is_ok(), std::str::from_utf8(bytes).is_ok());
            assert_eq!(record.cells.len(), record.place.form.n_cells as usize);
            let shown = String::from_utf8_lossy(bytes).into_owned();
            found.push((record.place.offset, record.place.line, shown));
            Ok(())
        });
        (found, end)
    }

    #[test]
    fn records_come_in_order_over_many_blocks() {
        let n_rows = 3 * BLOCK_RECORDS + 7;
        let text: String = (0..n_rows).map(|number| format!("{number:06},x\n")).collect();
        let (found, end) = records(text.as_bytes());
        assert!(end.is_ok());
        assert_eq!(found.len(), n_rows);
        for (number, (offset, line, shown)) in found.into_iter().enumerate() {
            assert_eq!((offset, line), (number as u64 * 9, number as u64 + 1));
            assert_eq!(shown, format!("{number:06},x"));
        }
    }

    #[test]
    fn a_character_cut_by_a_line_end_is_none() {
        // Without what is between them, the two records would be text together.
        let (found, end) = records(b"a,\xc3\n\xa9,b\n\xc3\xa9,c\n");
        assert!(end.is_ok());
        let shown: Vec<&str> = found.iter().map(|record| record.2.as_str()).collect();
        assert_eq!(shown, ["a,\u{fffd}", "\u{fffd},b", "\u{e9},c"]);
    }

    #[test]
    fn a_fault_comes_behind_the_records_before_it() {
        let (found, end) = records(b"a,b\nc,\"d\n");
        assert_eq!(found.len(), 1);
        assert!(matches!(end, Err(Error::Input(fault)) if fault.code == "input.quote"));
    }

    #[test]
    fn whoever_takes_the_records_can_stop() {
        let text = "a,b\n".repeat(20 * BLOCK_RECORDS);
        let stream = Stream::new(text.as_bytes(), RowFormat::Csv, 0, 1);
        let mut n_records = 0;
        let end = for_each_record("rows.csv", stream, |_| {
            n_records += 1;
            Err(Error::of_file("input.rows", "rows.csv", "enough".to_owned(), "stop"))
        });
        assert!(end.is_err());
        assert_eq!(n_records, 1);
    }
}
