//! Reads the file, and tells CSV from JSON by its first letter.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::adapters::cost_export::columns::Columns;
use crate::adapters::cost_export::error::Error;
use crate::adapters::cost_export::{delimited, json};
use crate::domain::ledger::reconcile::{Export, Line};

/// The largest file that is read: it is held in memory, and a year of image costs is smaller.
pub const MAX_BYTES: u64 = 128 * 1024 * 1024;
/// The most lines of costs; each takes some 150 bytes of memory.
pub const MAX_LINES: usize = 500_000;

/// Reads an export; `columns` names columns that are not called as usual.
///
/// # Errors
/// When the file cannot be read, is too large, or has a line that cannot be understood.
pub fn read(path: &Path, columns: &Columns) -> Result<Export, Error> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::TooLarge(MAX_BYTES));
    }
    parse(&bytes, columns)
}

/// Reads an export from its bytes.
pub(super) fn parse(bytes: &[u8], columns: &Columns) -> Result<Export, Error> {
    let text = std::str::from_utf8(bytes).map_err(|_| Error::NotText)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = Lines::default();
    let is_partial = match text.trim_start().as_bytes().first() {
        Some(b'{' | b'[') => json::read(text, columns, &mut lines)?,
        Some(_) => {
            delimited::read(text, columns, &mut lines)?;
            false
        }
        None => return Err(Error::Empty),
    };
    if lines.0.is_empty() {
        return Err(Error::Empty);
    }
    Ok(Export { lines: lines.0, is_partial })
}

/// The lines so far, bounded.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<Line>);

impl Lines {
    pub(super) fn push(&mut self, line: Line) -> Result<(), Error> {
        if self.0.len() == MAX_LINES {
            return Err(Error::TooManyLines(MAX_LINES));
        }
        self.0.push(line);
        Ok(())
    }
}
