//! The records of an input one after the other, each within the limit, from any place on.

use std::io::{self, Read, Seek};
use std::ops::Range;

use memchr::memchr;

use crate::adapters::rows::cells::Cell;
use crate::adapters::rows::csv_split::{Extent, Split, blank_lines, split};
use crate::adapters::rows::json_scan::{Scan, is_blank, scan_value};
use crate::adapters::rows::limits::MAX_RECORD_BYTES;
use crate::adapters::rows::window::{Fill, Window};
use crate::domain::row_format::RowFormat;

/// How many bytes behind a fault are kept for its picture.
const PICTURE_BYTES: usize = 512;

/// Why the records cannot be told apart any further.
#[derive(Debug)]
pub(crate) enum StreamFault {
    /// The input cannot be read.
    Io(io::Error),
    /// A fault that the user must mend.
    Input(Box<InputFault>),
}

/// A fault of the input's form, with what is needed to draw it.
#[derive(Debug)]
pub(crate) struct InputFault {
    /// The code of the diagnostic.
    pub(crate) code: &'static str,
    /// What must hold.
    pub(crate) title: String,
    /// Why the span is at fault.
    pub(crate) label: &'static str,
    /// What to do.
    pub(crate) fix: &'static str,
    /// The input around the fault.
    pub(crate) source: String,
    /// The bytes of `source` that are at fault.
    pub(crate) span: Range<usize>,
    /// The line at which `source` starts.
    pub(crate) line: u64,
    /// Characters before `source` in that line.
    pub(crate) before: u64,
}

impl From<io::Error> for StreamFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Where in a JSON array the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ArrayPlace {
    Start,
    First,
    Element,
    Between,
    End,
}

/// The records of an input.
#[derive(Debug)]
pub(crate) struct Stream<R> {
    window: Window<R>,
    format: RowFormat,
    /// Line of the window's start, counted from 1.
    line: u64,
    /// Characters of that line before the window's start; counted in JSON arrays only, since the
    /// records of the other formats start lines.
    before: u64,
    place: ArrayPlace,
    /// The record at the window's start, which the next step consumes.
    extent: Extent,
    cells: Vec<Cell>,
}

impl<R: Read> Stream<R> {
    /// The records of `input`, whose next byte has the place `offset` and starts `line`.
    pub(crate) const fn new(input: R, format: RowFormat, offset: u64, line: u64) -> Self {
        Self {
            window: Window::new(input, offset),
            format,
            line,
            before: 0,
            place: ArrayPlace::Start,
            extent: Extent::EMPTY,
            cells: Vec::new(),
        }
    }

    /// Place in the input of the record.
    pub(crate) const fn offset(&self) -> u64 {
        self.window.offset()
    }

    /// Line at which the record starts.
    pub(crate) const fn line(&self) -> u64 {
        self.line
    }

    /// Characters of that line before the record.
    pub(crate) const fn before(&self) -> u64 {
        self.before
    }

    /// What was found of the record's form.
    pub(crate) const fn extent(&self) -> Extent {
        self.extent
    }

    /// The record's bytes and, in CSV, its cells.
    pub(crate) fn parts(&mut self) -> (&[u8], &mut Vec<Cell>) {
        (&self.window.bytes()[..self.extent.text_len], &mut self.cells)
    }

    /// Goes to the next record; false when there is none.
    pub(crate) fn step(&mut self) -> Result<bool, StreamFault> {
        let extent = std::mem::take(&mut self.extent);
        if self.format == RowFormat::Json {
            self.pass(extent.len);
            return self.step_array();
        }
        self.leave(extent);
        while self.skip_blank_lines()? {
            let found = match self.format.delimiter() {
                Some(delimiter) => self.step_cells(delimiter)?,
                None => self.step_line()?,
            };
            if found {
                return Ok(true);
            }
            // A line of tabs is as blank as one of spaces.
            let blank = std::mem::take(&mut self.extent);
            self.leave(blank);
        }
        Ok(false)
    }

    fn leave(&mut self, extent: Extent) {
        self.window.consume(extent.len);
        self.line += extent.n_lines;
    }

    fn step_cells(&mut self, delimiter: u8) -> Result<bool, StreamFault> {
        loop {
            let is_ended = self.window.is_ended();
            match split(self.window.bytes(), is_ended, delimiter, &mut self.cells) {
                Split::Record(extent) if extent.text_len > MAX_RECORD_BYTES => {
                    return Err(self.too_long(delimiter));
                }
                Split::Record(extent) => {
                    self.extent = extent;
                    return Ok(true);
                }
                Split::Unclosed(at) => return Err(self.unclosed(at)),
                Split::Incomplete => self.more(|stream| stream.too_long(delimiter))?,
            }
        }
    }

    fn step_line(&mut self) -> Result<bool, StreamFault> {
        let mut searched = 0;
        loop {
            let bytes = self.window.bytes();
            let found = memchr(b'\n', &bytes[searched..]).map(|at| searched + at);
            if found.is_none() && !self.window.is_ended() {
                searched = bytes.len();
                self.more(|stream| stream.too_long(b'\n'))?;
                continue;
            }
            let end = found.unwrap_or(bytes.len());
            let text_len = bytes[..end].trim_ascii_end().len();
            if text_len > MAX_RECORD_BYTES {
                return Err(self.too_long(b'\n'));
            }
            let (len, n_lines) = (end + usize::from(found.is_some()), u64::from(found.is_some()));
            self.extent = Extent { text_len, len, n_lines, ..Extent::default() };
            return Ok(text_len > 0);
        }
    }

    fn step_array(&mut self) -> Result<bool, StreamFault> {
        while let Some(byte) = self.skip_blanks()? {
            match (self.place, byte) {
                (ArrayPlace::Start, b'[') => self.enter(ArrayPlace::First),
                (ArrayPlace::First, b']') | (ArrayPlace::Between, b']') => {
                    self.enter(ArrayPlace::End);
                }
                (ArrayPlace::Between, b',') => self.enter(ArrayPlace::Element),
                (ArrayPlace::First | ArrayPlace::Element, b']' | b',' | b'}') => {
                    return Err(self.syntax("a row is missing here", "remove the extra mark"));
                }
                (ArrayPlace::First | ArrayPlace::Element, _) => return self.element(),
                (ArrayPlace::Start, _) => {
                    return Err(self.syntax("the array should start here", "start it with ["));
                }
                (ArrayPlace::Between, _) => {
                    return Err(self.syntax("neither , nor ]", "put a comma between the rows"));
                }
                (ArrayPlace::End, _) => {
                    return Err(self.syntax("behind the array", "remove what follows the ]"));
                }
            }
        }
        match self.place {
            ArrayPlace::Start | ArrayPlace::End => Ok(false),
            ArrayPlace::First | ArrayPlace::Element | ArrayPlace::Between => {
                Err(self.syntax("the input ends here", "is the file cut off? the ] is missing"))
            }
        }
    }

    fn element(&mut self) -> Result<bool, StreamFault> {
        loop {
            match scan_value(self.window.bytes()) {
                Scan::Whole(len) if len > MAX_RECORD_BYTES => return Err(self.too_long(b'\n')),
                Scan::Whole(len) => {
                    self.place = ArrayPlace::Between;
                    self.extent = Extent { text_len: len, len, ..Extent::default() };
                    return Ok(true);
                }
                Scan::TooDeep(at) => {
                    let mut fault = self.fault(at, 1);
                    fault.title = "a row is nested too deeply".to_owned();
                    fault.label = "one level too deep";
                    fault.fix = "write the row as a plain object";
                    return Err(StreamFault::Input(Box::new(fault)));
                }
                Scan::Incomplete if self.window.is_ended() => {
                    return Err(self.syntax("the row is not closed", "is the file cut off?"));
                }
                Scan::Incomplete => self.more(|stream| stream.too_long(b'\n'))?,
            }
        }
    }

    fn skip_blank_lines(&mut self) -> Result<bool, StreamFault> {
        if self.window.bytes().first().is_some_and(|byte| *byte > b' ') {
            return Ok(true);
        }
        loop {
            match blank_lines(self.window.bytes(), self.window.is_ended()) {
                Some((0, _)) if !self.window.bytes().is_empty() => return Ok(true),
                Some((0, _)) if self.window.is_ended() => return Ok(false),
                Some((0, _)) | None => self.more(|stream| stream.too_long(b'\n'))?,
                Some((len, n_lines)) => {
                    self.window.consume(len);
                    self.line += n_lines;
                }
            }
        }
    }

    fn skip_blanks(&mut self) -> Result<Option<u8>, StreamFault> {
        loop {
            let bytes = self.window.bytes();
            let found = bytes.iter().position(|byte| !is_blank(*byte));
            let byte = found.map(|at| bytes[at]);
            self.pass(found.unwrap_or(bytes.len()));
            if byte.is_some() || self.window.is_ended() {
                return Ok(byte);
            }
            self.window.fill()?;
        }
    }

    fn enter(&mut self, place: ArrayPlace) {
        self.place = place;
        self.pass(1);
    }

    /// Consumes bytes of a JSON array and counts their lines and characters.
    fn pass(&mut self, len: usize) {
        let bytes = &self.window.bytes()[..len];
        let last = memchr::memrchr(b'\n', bytes);
        if last.is_some() {
            self.line += memchr::memchr_iter(b'\n', bytes).count() as u64;
            self.before = 0;
        }
        let tail = &bytes[last.map_or(0, |at| at + 1)..];
        self.before += tail.iter().filter(|byte| **byte & 0xc0 != 0x80).count() as u64;
        self.window.consume(len);
    }

    fn more(&mut self, full: impl Fn(&Self) -> StreamFault) -> Result<(), StreamFault> {
        match self.window.fill()? {
            Fill::More | Fill::Ended => Ok(()),
            Fill::Full => Err(full(self)),
        }
    }

    fn too_long(&self, delimiter: u8) -> StreamFault {
        if delimiter != b'\n'
            && let Split::Unclosed(at) =
                split(self.window.bytes(), true, delimiter, &mut Vec::new())
        {
            return self.unclosed(at);
        }
        let mut fault = self.fault(0, 1);
        fault.code = "input.record_size";
        fault.title = format!("a row must have at most {MAX_RECORD_BYTES} bytes (1 MiB)");
        fault.label = "this row starts here and is longer";
        fault.fix = "are line ends missing? write each row on a line of its own";
        StreamFault::Input(Box::new(fault))
    }

    fn unclosed(&self, at: usize) -> StreamFault {
        let mut fault = self.fault(at, 1);
        fault.code = "input.quote";
        fault.title = "a quoted cell is never closed".to_owned();
        fault.label = "this quote is left open";
        fault.fix = "close the cell with a quote, and write a quote within a cell twice";
        StreamFault::Input(Box::new(fault))
    }

    fn syntax(&self, label: &'static str, fix: &'static str) -> StreamFault {
        let mut fault = self.fault(0, 1);
        fault.label = label;
        fault.fix = fix;
        StreamFault::Input(Box::new(fault))
    }

    fn fault(&self, at: usize, len: usize) -> InputFault {
        let bytes = self.window.bytes();
        let end = bytes.len().min(at + PICTURE_BYTES);
        let head = String::from_utf8_lossy(&bytes[..at.min(end)]).into_owned();
        let tail = String::from_utf8_lossy(&bytes[at.min(end)..end]);
        let start = head.len();
        InputFault {
            code: "input.json",
            title: "the input is no JSON array of rows".to_owned(),
            label: "",
            fix: "",
            source: head + &tail,
            span: start..start + len,
            line: self.line,
            before: self.before,
        }
    }
}

impl<R: Read + Seek> Stream<R> {
    /// Goes to the record that starts at `offset`, which lies at `line`.
    pub(crate) fn jump(&mut self, offset: u64, line: u64) -> Result<bool, StreamFault> {
        self.window.jump(offset)?;
        self.extent = Extent::default();
        self.line = line;
        self.place = ArrayPlace::Element;
        self.step()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(format: RowFormat, text: &str) -> Result<Vec<(u64, u64, String)>, String> {
        let mut stream = Stream::new(text.as_bytes(), format, 0, 1);
        let mut found = Vec::new();
        loop {
            match stream.step() {
                Ok(false) => return Ok(found),
                Ok(true) => {
                    let (line, before) = (stream.line(), stream.before());
                    let text = String::from_utf8_lossy(stream.parts().0).into_owned();
                    found.push((line, before + 1, text));
                }
                Err(StreamFault::Input(fault)) => {
                    return Err(format!("{}:{}: {}", fault.line, fault.before + 1, fault.label));
                }
                Err(StreamFault::Io(error)) => panic!("{error}"),
            }
        }
    }

    fn check(format: RowFormat, text: &str, expect: &[(u64, u64, &str)]) {
        let expect: Vec<_> = expect
            .iter()
            .map(|(line, column, text)| (*line, *column, (*text).to_owned()))
            .collect();
        assert_eq!(lines(format, text), Ok(expect), "{text:?}");
    }

    #[test]
    fn records_know_their_lines() {
        check(RowFormat::Csv, "", &[]);
        check(RowFormat::Csv, "\n\n  \n", &[]);
        check(
            RowFormat::Csv,
            "a,b\r\n\r\n\"x\ny\",1\n   \nc,d",
            &[(1, 1, "a,b"), (3, 1, "\"x\ny\",1"), (6, 1, "c,d")],
        );
        check(
            RowFormat::Jsonl,
            "\n{}\r\n\t\n  {\"a\":1}  \n",
            &[(2, 1, "{}"), (4, 1, "  {\"a\":1}")],
        );
        check(
            RowFormat::Json,
            "[ {\"ä\": 1}, {\n}\n, 3 ]\n",
            &[(1, 3, "{\"ä\": 1}"), (1, 13, "{\n}"), (3, 3, "3")],
        );
        check(RowFormat::Json, " [] ", &[]);
        check(RowFormat::Json, "", &[]);
    }

    #[test]
    fn faults_of_form_name_their_place() {
        for (format, text, expect) in [
            (RowFormat::Json, "{}", "1:1: the array should start here"),
            (RowFormat::Json, "[\n1 2]", "2:3: neither , nor ]"),
            (RowFormat::Json, "[1,\n]", "2:1: a row is missing here"),
            (RowFormat::Json, "[1] x", "1:5: behind the array"),
            (RowFormat::Json, "[1,\n", "2:1: the input ends here"),
            (RowFormat::Json, "[{\"a\":", "1:2: the row is not closed"),
            (RowFormat::Csv, "a\n\"b\nc", "2:1: this quote is left open"),
        ] {
            assert_eq!(lines(format, text), Err(expect.to_owned()), "{text:?}");
        }
        let deep = format!("[{}", "[".repeat(200_000));
        assert_eq!(lines(RowFormat::Json, &deep), Err("1:2: one level too deep".to_owned()));
    }

    /// A gigabyte of one byte, which exists nowhere.
    struct Gigabyte {
        head: &'static [u8],
        left: u64,
    }

    impl Read for Gigabyte {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if !self.head.is_empty() {
                return self.head.read(buffer);
            }
            let count = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
            buffer[..count].fill(b'x');
            self.left -= count as u64;
            Ok(count)
        }
    }

    #[test]
    fn a_line_of_a_gigabyte_is_an_error_long_before_it_is_read() {
        for (format, head, expect) in [
            (RowFormat::Csv, &b"prompt\nok\n"[..], "this row starts here and is longer"),
            (RowFormat::Csv, b"prompt\nok\n\"", "this quote is left open"),
            (RowFormat::Jsonl, b"{}\n{}\n", "this row starts here and is longer"),
            (RowFormat::Json, b"[1\n,\n\"", "this row starts here and is longer"),
            (RowFormat::Json, b"[1\n,\n", "this row starts here and is longer"),
        ] {
            let size = 1 << 30;
            let mut stream = Stream::new(Gigabyte { head, left: size }, format, 0, 1);
            let fault = loop {
                match stream.step() {
                    Ok(true) => {}
                    Ok(false) => panic!("an end"),
                    Err(StreamFault::Input(fault)) => break fault,
                    Err(StreamFault::Io(error)) => panic!("{error}"),
                }
            };
            assert_eq!((fault.label, fault.line), (expect, 3), "{format} {head:?}");
            assert!(fault.source.len() <= MAX_RECORD_BYTES + PICTURE_BYTES);
            assert!(stream.window.bytes().len() <= 2 * MAX_RECORD_BYTES);
        }
    }
}
