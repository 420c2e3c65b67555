//! The row reader of the second pass: rows by position, straight from the input.

use std::sync::Arc;

use crate::adapters::rows::build::{name_of, row};
use crate::adapters::rows::cells::Record;
use crate::adapters::rows::check::check;
use crate::adapters::rows::finder::{Finder, Lost};
use crate::adapters::rows::index::RowIndex;
use crate::domain::row::Row;
use crate::ports::rows::{RowReadError, RowReader};

/// The cells of a row as name and text.
type Cells = Vec<(String, String)>;

/// Reads the rows of an index again.
#[derive(Debug)]
pub struct FileRowReader {
    finder: Finder,
    index: Arc<RowIndex>,
}

impl FileRowReader {
    pub(crate) const fn new(finder: Finder, index: Arc<RowIndex>) -> Self {
        Self { finder, index }
    }

    /// The index that it reads by.
    pub fn index(&self) -> Arc<RowIndex> {
        Arc::clone(&self.index)
    }

    /// The row with its cells as name and text, read once.
    ///
    /// # Errors
    /// As [`RowReader::read`].
    pub fn read_whole(&mut self, position: u32) -> Result<(Row, Cells), RowReadError> {
        let place = self.place(position)?;
        let number = self.index.number(position);
        let found = self
            .finder
            .find(place, |record| Some((checked_row(record, number, place.1)?, cells(record))));
        found.map_err(lost(place.1))
    }

    fn place(&self, position: u32) -> Result<(u64, u64, u32), RowReadError> {
        self.index.place(position).ok_or(RowReadError::NoSuchRow(position))
    }
}

/// The row of a record, checked again; nothing when it is not what it was.
fn checked_row(record: &Record<'_>, number: u64, line: u64) -> Option<Row> {
    let (mut filled, mut name, mut problems) = (String::new(), String::new(), Vec::new());
    let checked = check(record, &mut filled, &mut problems);
    let name = name_of(record, &checked, &mut name);
    problems.is_empty().then(|| row(record, &checked, name, number, line))
}

/// Every column of a record with its text.
fn cells(record: &Record<'_>) -> Cells {
    let columns = record.columns.list().iter().enumerate();
    columns.map(|(at, column)| (column.name.clone(), record.text(at).to_owned())).collect()
}

fn lost(line: u64) -> impl FnOnce(Lost) -> RowReadError {
    move |lost| match lost {
        Lost::Changed => RowReadError::Changed { line },
        Lost::Io(source) => RowReadError::Io { line, source },
    }
}

impl RowReader for FileRowReader {
    fn read(&mut self, position: u32) -> Result<Row, RowReadError> {
        let place = self.place(position)?;
        let number = self.index.number(position);
        let found = self.finder.find(place, |record| checked_row(record, number, place.1));
        found.map_err(lost(place.1))
    }

    fn raw(&mut self, position: u32) -> Result<Vec<(String, String)>, RowReadError> {
        let place = self.place(position)?;
        let found = self.finder.find(place, |record| Some(cells(record)));
        found.map_err(lost(place.1))
    }
}
