//! Writes bad rows in the input's own columns and format, with a reason: mend and feed back.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;

use crate::adapters::rows::bad_row::BadRow;
use crate::adapters::rows::cells::Cell;
use crate::adapters::rows::columns::ERROR_COLUMN;
use crate::adapters::rows::csv_split::{Split, split};
use crate::adapters::rows::json_object::parse;
use crate::adapters::rows::source::RecordShape;
use crate::domain::row_format::RowFormat;
use crate::domain::sanitize::no_formula;

/// Writes bad rows to a temporary file that takes its name once it is whole.
#[derive(Debug)]
pub struct RejectedWriter {
    out: BufWriter<tempfile::NamedTempFile>,
    path: PathBuf,
    shape: RecordShape,
    /// The `error` column of the input itself, whose cells are ours to replace.
    error_column: Option<usize>,
    n_rows: u64,
}

impl RejectedWriter {
    /// Starts a file of bad rows of an input with the given shape.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn create(path: &Path, shape: &RecordShape) -> io::Result<Self> {
        let mut writer = Self::without_head(path, shape)?;
        match shape.format {
            RowFormat::Csv | RowFormat::Tsv => writer.table_row(&shape.header, ERROR_COLUMN)?,
            RowFormat::Json => writer.out.write_all(b"[")?,
            RowFormat::Jsonl => {}
        }
        Ok(writer)
    }

    fn without_head(path: &Path, shape: &RecordShape) -> io::Result<Self> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let temporary =
            tempfile::Builder::new().prefix(".rejected-").suffix(".tmp").tempfile_in(folder)?;
        Ok(Self {
            out: BufWriter::new(temporary),
            path: path.to_owned(),
            shape: shape.clone(),
            error_column: shape.columns.find(ERROR_COLUMN),
            n_rows: 0,
        })
    }

    /// Starts with what is in a file of bad rows of the same input already; without one, as
    /// [`Self::create`].
    ///
    /// # Errors
    /// When the file cannot be read, or the folder not be written to.
    pub fn extend(path: &Path, shape: &RecordShape) -> io::Result<Self> {
        let mut earlier = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Self::create(path, shape);
            }
            Err(error) => return Err(error),
        };
        let mut writer = Self::without_head(path, shape)?;
        if shape.format == RowFormat::Json {
            // The end of the list goes; it is written anew behind the last row.
            let mut text = String::new();
            earlier.read_to_string(&mut text)?;
            let list = text.trim_end().trim_end_matches(']').trim_end();
            writer.out.write_all(list.as_bytes())?;
            writer.n_rows = u64::from(list != "[");
        } else {
            io::copy(&mut earlier, &mut writer.out)?;
        }
        Ok(writer)
    }

    /// Adds one bad row.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, bad: &BadRow) -> io::Result<()> {
        let error = bad.error_text();
        match self.shape.format {
            RowFormat::Csv | RowFormat::Tsv => self.table_row(&bad.source, &error)?,
            RowFormat::Json => {
                self.out.write_all(if self.n_rows == 0 { b"\n" } else { b",\n" })?;
                self.object(&bad.source, &error)?;
            }
            RowFormat::Jsonl => {
                self.object(&bad.source, &error)?;
                self.out.write_all(b"\n")?;
            }
        }
        self.n_rows += 1;
        Ok(())
    }

    /// Ends the file, syncs it and gives it its name; returns how many rows it has.
    ///
    /// # Errors
    /// When it cannot be written; the file that had the name before is then untouched.
    pub fn finish(mut self) -> io::Result<u64> {
        if self.shape.format == RowFormat::Json {
            self.out.write_all(if self.n_rows == 0 { b"]\n" } else { b"\n]\n" })?;
        }
        let temporary = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        temporary.as_file().sync_all()?;
        let mode = fs::metadata(&self.path).ok().map(|known| known.permissions());
        if let Some(mode) = mode {
            temporary.as_file().set_permissions(mode)?;
        }
        temporary.persist(&self.path).map_err(|error| error.error)?;
        Ok(self.n_rows)
    }

    /// The record's own bytes with our cell behind them, or in the place of an earlier one.
    fn table_row(&mut self, source: &[u8], error: &str) -> io::Result<()> {
        let delimiter = self.shape.format.delimiter().unwrap_or(b',');
        let cell = quoted(&no_formula(error));
        let n_columns = self.shape.columns.list().len();
        let mut cells = Vec::new();
        let n_cells = match split(source, true, delimiter, &mut cells) {
            Split::Record(extent) => extent.form.n_cells as usize,
            Split::Incomplete | Split::Unclosed(_) => n_columns,
        };
        let is_header = error == ERROR_COLUMN;
        match self.error_column.and_then(|column| cells.get(column)).map(raw_range) {
            Some(_) if is_header => self.out.write_all(source)?,
            Some(range) => {
                self.out.write_all(&source[..range.start])?;
                self.out.write_all(cell.as_bytes())?;
                self.out.write_all(&source[range.end..])?;
            }
            None => {
                self.out.write_all(source)?;
                // Cells that are missing are made up for, so that ours stands in its column.
                for _ in n_cells..=n_columns.max(n_cells) {
                    self.out.write_all(&[delimiter])?;
                }
                self.out.write_all(cell.as_bytes())?;
            }
        }
        self.out.write_all(b"\n")
    }

    fn object(&mut self, source: &[u8], error: &str) -> io::Result<()> {
        let text = String::from_utf8_lossy(source);
        let mut members: Vec<(&str, String)> = Vec::new();
        let parsed = parse(&text).ok();
        match &parsed {
            Some(parsed) => members.extend(
                parsed
                    .0
                    .iter()
                    .filter(|(name, _)| name.trim().to_lowercase() != ERROR_COLUMN)
                    .map(|(name, value)| (name.as_ref(), value.get().to_owned())),
            ),
            // What is no object cannot carry a reason; it is kept as it was beside one.
            None => match serde_json::from_str::<&RawValue>(&text) {
                Ok(value) => members.push(("row", value.get().to_owned())),
                Err(_) => members.push(("line", json_text(&text))),
            },
        }
        members.push((ERROR_COLUMN, json_text(error)));
        self.out.write_all(b"{")?;
        for (index, (name, value)) in members.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(self.out, "{comma}{}: {value}", json_text(name))?;
        }
        self.out.write_all(b"}")
    }
}

fn raw_range(cell: &Cell) -> Range<usize> {
    cell.raw_start as usize..cell.raw_end as usize
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A cell between quotes when it needs them.
fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\t', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::rows::{ReadOptions, RowSource};

    /// What is written of the bad rows of an input, and of those of what was written.
    fn rejected(format: RowFormat, text: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rejected");
        let options = ReadOptions { format: Some(format), ..ReadOptions::default() };
        let mut source =
            RowSource::from_reader(text.as_bytes(), "rows", &options).expect("a source");
        let mut bad_rows = Vec::new();
        source.index(&mut |_| Ok(()), &mut |bad| bad_rows.push(bad)).expect("an index");
        let mut writer = RejectedWriter::create(&path, source.shape()).expect("a writer");
        for bad in &bad_rows {
            writer.write(bad).expect("written");
        }
        assert!(!path.exists(), "the file has its name only when it is whole");
        assert_eq!(writer.finish().expect("finished"), bad_rows.len() as u64);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
        fs::read_to_string(&path).expect("a file")
    }

    fn check(format: RowFormat, text: &str, expect: &str) {
        let first = rejected(format, text);
        assert_eq!(first, expect, "{text:?}");
        assert_eq!(rejected(format, &first), expect, "fed back: {text:?}");
    }

    #[test]
    fn bad_rows_of_tables_keep_their_own_bytes() {
        let error = "\"variants: variants must be a whole number from 1 to 10 (not a number)\"";
        let error = error.trim_matches('"');
        check(
            RowFormat::Csv,
            "id,prompt,n\r\na,\"x, \"\"y\"\"\",nine\r\nb,ok,1\r\nc,=1+1,zwei\r\n",
            &format!(
                "id,prompt,n,error\na,\"x, \"\"y\"\"\",nine,{}\nc,=1+1,zwei,{}\n",
                error.replacen("variants", "n", 1),
                error.replacen("variants", "n", 1)
            ),
        );
        check(
            RowFormat::Tsv,
            "prompt\tvariants\na, b\t0\n",
            "prompt\tvariants\terror\n\
             a, b\t0\tvariants: variants must be a whole number from 1 to 10 (out of range)\n",
        );
    }

    #[test]
    fn the_reason_stands_in_its_column_even_when_cells_are_missing() {
        let text = rejected(RowFormat::Csv, "prompt,n,color\na\n");
        let reason = "\"the row has 1 cell, but the header has 3 (cells are missing here)\"";
        assert_eq!(text, format!("prompt,n,color,error\na,,,{reason}\n"));
    }

    #[test]
    fn bad_rows_of_json_keep_their_members() {
        let error = "n: variants must be a whole number from 1 to 10 (not a number)";
        check(
            RowFormat::Jsonl,
            "{\"prompt\":\"a\",\"n\":\"x\",\"k\": {\"a\" : [1.50]}}\n{\"prompt\":\"b\"}\n",
            &format!(
                "{{\"prompt\": \"a\", \"n\": \"x\", \"k\": {{\"a\" : [1.50]}}, \
                 \"error\": \"{error}\"}}\n"
            ),
        );
        check(
            RowFormat::Json,
            "[{\"prompt\":\"a\",\"n\":\"x\"},\n{\"prompt\":\"c\",\"n\":true}]",
            &format!(
                "[\n{{\"prompt\": \"a\", \"n\": \"x\", \"error\": \"{error}\"}},\n\
                 {{\"prompt\": \"c\", \"n\": true, \"error\": \"{error}\"}}\n]\n"
            ),
        );
        check(RowFormat::Json, "[]", "[]\n");
    }

    #[test]
    fn what_is_no_object_is_kept_beside_its_reason() {
        let text = rejected(RowFormat::Jsonl, "{\"a\n[1]\n");
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("json")).collect();
        assert_eq!(lines[0]["line"], "{\"a");
        assert_eq!(lines[1]["row"][0], 1);
    }
}
