//! CSV: finds the end of a record and the places of its cells in one walk that knows quotes.
//!
//! The walk reads as the `csv` crate does (a test compares them), but keeps where each cell
//! stands, copies nothing, and never needs more than one record at hand.

use std::num::NonZeroU32;

use memchr::{memchr, memchr_iter};

use crate::adapters::rows::cells::{Cell, Place};
use crate::adapters::rows::limits::MAX_COLUMNS;

/// What the walk found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Split {
    /// A whole record.
    Record(Extent),
    /// The record goes on behind the bytes at hand.
    Incomplete,
    /// The input ends within a cell whose quote opened at this byte.
    Unclosed(usize),
}

/// One record among the bytes at hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Bytes of the record without its line end.
    pub(crate) text_len: usize,
    /// Bytes with its line end.
    pub(crate) len: usize,
    /// Line ends in it, the last one included.
    pub(crate) n_lines: u64,
    /// What was found of its cells.
    pub(crate) form: Form,
}

/// What was found of a record's cells, in few bytes: many records are read ahead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form {
    /// Cells in it; those beyond the limit are counted but not kept.
    pub(crate) n_cells: u32,
    /// The first byte that stands behind a closing quote and should not.
    pub(crate) stray: Option<NonZeroU32>,
    /// Whether a cell has doubled quotes.
    pub(crate) has_doubled: bool,
}

impl Extent {
    /// Nothing.
    pub(crate) const EMPTY: Self = Self {
        text_len: 0,
        len: 0,
        n_lines: 0,
        form: Form { n_cells: 0, stray: None, has_doubled: false },
    };
}

/// Walks over the record at the start of `bytes`; `is_ended` when nothing comes behind them.
pub(crate) fn split(bytes: &[u8], is_ended: bool, delimiter: u8, cells: &mut Vec<Cell>) -> Split {
    cells.clear();
    let marks = Marks::new(delimiter);
    let mut extent = Extent::default();
    let mut at = 0;
    loop {
        let start = at;
        let mut cell = Cell { place: Place::Source, ..Cell::default() };
        let (text_start, text_end);
        if bytes.get(at) == Some(&b'"') {
            let Some(close) = closing_quote(bytes, at + 1, &mut cell) else {
                return if is_ended { Split::Unclosed(start) } else { Split::Incomplete };
            };
            if close + 1 == bytes.len() && !is_ended {
                return Split::Incomplete;
            }
            extent.n_lines += count_lines(&bytes[start..close]);
            extent.form.has_doubled |= cell.place == Place::Doubled;
            (text_start, text_end) = (start + 1, close);
            at = close + 1;
        } else {
            (text_start, text_end) = (start, usize::MAX);
        }
        let found = marks.find(bytes, at);
        if found.is_none() && !is_ended {
            return Split::Incomplete;
        }
        let end = found.unwrap_or(bytes.len());
        if text_end != usize::MAX && end > at && extent.form.stray.is_none() {
            extent.form.stray = NonZeroU32::new(narrow(at));
        }
        cell.raw_start = narrow(start);
        cell.raw_end = narrow(end);
        cell.text_start = narrow(text_start);
        cell.text_end = narrow(text_end.min(end));
        extent.form.n_cells += 1;
        if cells.len() <= MAX_COLUMNS {
            cells.push(cell);
        }
        if found.is_some() && bytes[end] == delimiter {
            at = end + 1;
            continue;
        }
        return finish(bytes, is_ended, end, extent);
    }
}

/// Writes the text of a cell with doubled quotes as it is meant.
pub(crate) fn undouble(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = memchr(b'"', rest.as_bytes()) {
        out.push_str(&rest[..=at]);
        rest = rest[at + 1..].strip_prefix('"').unwrap_or(&rest[at + 1..]);
    }
    out.push_str(rest);
}

/// The length of the line ends and blank lines at the start of `bytes`, and how many they are.
///
/// Nothing when it cannot be told yet whether the line is blank.
pub(crate) fn blank_lines(bytes: &[u8], is_ended: bool) -> Option<(usize, u64)> {
    let (mut len, mut n_lines) = (0, 0);
    loop {
        let blanks = bytes[len..].iter().take_while(|byte| **byte == b' ').count();
        match bytes.get(len + blanks) {
            None if is_ended => return Some((len + blanks, n_lines)),
            None if blanks == 0 => return Some((len, n_lines)),
            None => return if len > 0 { Some((len, n_lines)) } else { None },
            Some(b'\n') => len += blanks + 1,
            Some(b'\r') => match bytes.get(len + blanks + 1) {
                None if !is_ended => return if len > 0 { Some((len, n_lines)) } else { None },
                Some(b'\n') => len += blanks + 2,
                _ => len += blanks + 1,
            },
            Some(_) => return Some((len, n_lines)),
        }
        n_lines += 1;
    }
}

/// Line ends in a text: `\n`, `\r\n`, or a lone `\r`.
pub(crate) fn count_lines(bytes: &[u8]) -> u64 {
    let feeds = memchr_iter(b'\n', bytes).count();
    let lone = memchr_iter(b'\r', bytes).filter(|at| bytes.get(at + 1) != Some(&b'\n')).count();
    (feeds + lone) as u64
}

/// The bytes that end a cell, searched eight at a time: cells are too short for a vector search
/// to pay for its start.
struct Marks {
    delimiter: u8,
    spread: [u64; 3],
}

impl Marks {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);

    const fn new(delimiter: u8) -> Self {
        let spread =
            [Self::ONES * delimiter as u64, Self::ONES * b'\n' as u64, Self::ONES * b'\r' as u64];
        Self { delimiter, spread }
    }

    fn find(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        while let Some(word) = bytes[at..].first_chunk::<8>() {
            let word = u64::from_le_bytes(*word);
            // The lowest high bit is that of the first byte that equals one of the marks.
            let hits = self.spread.iter().fold(0, |hits, spread| {
                let apart = word ^ spread;
                hits | (apart.wrapping_sub(Self::ONES) & !apart)
            }) & Self::HIGHS;
            if hits != 0 {
                return Some(at + hits.trailing_zeros() as usize / 8);
            }
            at += 8;
        }
        let is_mark = |byte: &u8| *byte == self.delimiter || matches!(byte, b'\n' | b'\r');
        bytes[at..].iter().position(is_mark).map(|found| at + found)
    }
}

fn closing_quote(bytes: &[u8], from: usize, cell: &mut Cell) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr(b'"', &bytes[at..])?;
        if bytes.get(at + 1) != Some(&b'"') {
            return Some(at);
        }
        cell.place = Place::Doubled;
        at += 2;
    }
}

fn finish(bytes: &[u8], is_ended: bool, end: usize, mut extent: Extent) -> Split {
    extent.text_len = end;
    extent.len = match (bytes.get(end), bytes.get(end + 1)) {
        (None, _) => end,
        (Some(b'\r'), None) if !is_ended => return Split::Incomplete,
        (Some(b'\r'), Some(b'\n')) => end + 2,
        (Some(_), _) => end + 1,
    };
    extent.n_lines += u64::from(extent.len > end);
    Split::Record(extent)
}

fn narrow(at: usize) -> u32 {
    u32::try_from(at).expect("a window is far smaller than 4 GiB")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All records of a text as cells, one byte more at a time, so that every cut is tried.
    fn records(text: &[u8], step: usize) -> Option<Vec<Vec<String>>> {
        let (mut records, mut cells) = (Vec::new(), Vec::new());
        let (mut start, mut end) = (0, 0);
        loop {
            let is_ended = end == text.len();
            let bytes = &text[start..end];
            if let Some((len @ 1.., _)) = blank_lines(bytes, is_ended) {
                start += len;
                continue;
            }
            if bytes.is_empty() && is_ended {
                return Some(records);
            }
            match split(bytes, is_ended, b',', &mut cells) {
                Split::Record(extent) if !bytes.is_empty() => {
                    let text_of = |cell: &Cell| {
                        let range = cell.text_start as usize..cell.text_end as usize;
                        let text = String::from_utf8_lossy(&bytes[range]).into_owned();
                        let mut out = String::new();
                        match cell.place {
                            Place::Doubled => undouble(&text, &mut out),
                            Place::Source | Place::Scratch | Place::Absent => out = text,
                        }
                        out
                    };
                    if extent.form.stray.is_some() {
                        return None;
                    }
                    records.push(cells.iter().map(text_of).collect());
                    start += extent.len;
                }
                Split::Unclosed(_) => return None,
                Split::Record(_) | Split::Incomplete => end = (end + step).min(text.len()),
            }
        }
    }

    fn reference(text: &[u8]) -> Vec<Vec<String>> {
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
        let lossy = |cell: &[u8]| String::from_utf8_lossy(cell).into_owned();
        let rows = reader.byte_records().map(|record| record.expect("in memory"));
        let rows = rows.map(|record| record.iter().map(lossy).collect::<Vec<_>>());
        // Lines of blanks alone are empty to us and a cell to the other reader.
        rows.filter(|cells| cells.len() != 1 || !cells[0].chars().all(|one| one == ' ')).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn the_walk_reads_as_the_csv_crate(
            text in "[ab \"\",,\r\n\u{e9}]{0,40}",
            step in 1..9_usize,
        ) {
            if let Some(records) = records(text.as_bytes(), step) {
                let quoted_blank = text.contains("\"");
                let expect = reference(text.as_bytes());
                if quoted_blank {
                    let blank = |row: &Vec<String>| row.len() == 1 && row[0].trim() == "";
                    let left: Vec<_> = records.into_iter().filter(|row| !blank(row)).collect();
                    let right: Vec<_> = expect.into_iter().filter(|row| !blank(row)).collect();
                    prop_assert_eq!(left, right);
                } else {
                    prop_assert_eq!(records, expect);
                }
            }
        }
    }

    #[test]
    fn cells_keep_their_places() {
        let mut cells = Vec::new();
        let text = b"B-2,\"a dog, \"\"running\"\"\nfast\",nine,\r\nnext";
        let Split::Record(extent) = split(text, false, b',', &mut cells) else { panic!("whole") };
        assert_eq!((extent.form.n_cells, extent.n_lines, extent.form.stray), (4, 2, None));
        let raw = |cell: &Cell| &text[cell.raw_start as usize..cell.raw_end as usize];
        assert_eq!(raw(&cells[1]), b"\"a dog, \"\"running\"\"\nfast\"");
        assert_eq!(raw(&cells[2]), b"nine");
        assert_eq!(raw(&cells[3]), b"");
        assert_eq!(&text[extent.len..], b"next");
    }

    #[test]
    fn what_is_not_whole_is_told_apart() {
        let mut cells = Vec::new();
        for (text, is_ended, expect) in [
            ("a,\"b", false, Split::Incomplete),
            ("a,\"b", true, Split::Unclosed(2)),
            ("a,b", false, Split::Incomplete),
            ("a,b\r", false, Split::Incomplete),
            ("a,\"b\"", false, Split::Incomplete),
        ] {
            assert_eq!(split(text.as_bytes(), is_ended, b',', &mut cells), expect, "{text:?}");
        }
        let Split::Record(extent) = split(b"\"a\"b,c\n", false, b',', &mut cells) else {
            panic!("whole")
        };
        assert_eq!(extent.form.stray, NonZeroU32::new(3));
    }

    #[test]
    fn a_million_cells_are_counted_and_not_kept() {
        let mut cells = Vec::new();
        let text = ",".repeat(1_000_000);
        let Split::Record(extent) = split(text.as_bytes(), true, b',', &mut cells) else {
            panic!("whole")
        };
        assert_eq!(extent.form.n_cells, 1_000_001);
        assert!(cells.capacity() <= 4 * MAX_COLUMNS);
    }
}
