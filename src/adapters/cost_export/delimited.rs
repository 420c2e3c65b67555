//! An export as comma-separated values under a head.

use crate::adapters::cost_export::columns::{Cells, Columns, Field, missing, plain};
use crate::adapters::cost_export::error::{Error, Problem};
use crate::adapters::cost_export::read::Lines;
use crate::domain::ledger::reconcile::Place;

pub(super) fn read(text: &str, columns: &Columns, lines: &mut Lines) -> Result<(), Error> {
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let head = reader.headers().map_err(|error| broken(&error, text, Cursor::default()))?;
    let names: Vec<String> = head.iter().map(plain).collect();
    let found = Field::ALL.map(|field| (field, columns.find(field, &names)));
    for (field, index) in found {
        if index.is_none() && matches!(field, Field::Amount | Field::Time) {
            return Err(missing(field, &names));
        }
    }
    let mut record = csv::StringRecord::new();
    let mut cursor = Cursor::default();
    while reader.read_record(&mut record).map_err(|error| broken(&error, text, cursor))? {
        cursor = cursor.advanced(text, record.position());
        let place = Place::Line(cursor.line);
        let mut cells = Cells::default();
        for (field, index) in found {
            if let Some(text) = index.and_then(|index| record.get(index)) {
                cells.set(field, text);
            }
        }
        lines.push(cells.line(place)?)?;
    }
    Ok(())
}

/// A place in the text: so many bytes, and which line that is.
#[derive(Clone, Copy)]
struct Cursor {
    byte: usize,
    line: u64,
}

impl Default for Cursor {
    fn default() -> Self {
        Self { byte: 0, line: 1 }
    }
}

impl Cursor {
    /// Goes on to the first letter of a record, whose own position may be at the end of the line
    /// before it, or on a line without anything.
    fn advanced(self, text: &str, position: Option<&csv::Position>) -> Self {
        let bytes = text.as_bytes();
        let byte = position.and_then(|position| usize::try_from(position.byte()).ok());
        let mut byte = byte.unwrap_or(self.byte).clamp(self.byte, bytes.len());
        while matches!(bytes.get(byte), Some(b'\r' | b'\n')) {
            byte += 1;
        }
        let ends = bytes[self.byte..byte].iter().filter(|byte| **byte == b'\n').count();
        Self { byte, line: self.line + ends as u64 }
    }
}

fn broken(error: &csv::Error, text: &str, cursor: Cursor) -> Error {
    let place = Place::Line(cursor.advanced(text, error.position()).line);
    let problem = if let csv::ErrorKind::UnequalLengths { expected_len, len, .. } = error.kind() {
        format!("it has {len} cells, and the head has {expected_len}")
    } else {
        "it is no line of CSV".to_owned()
    };
    Problem::Form(problem).at(place)
}
