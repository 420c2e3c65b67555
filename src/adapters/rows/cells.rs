//! Cells: where the cells of one record stand, without copying them.

use crate::adapters::rows::columns::{Columns, NO_COLUMN, Slots};
use crate::domain::column::Field;

/// Where the text of a cell stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// The record has no such cell.
    #[default]
    Absent,
    /// In the source, as it is.
    Source,
    /// In the source between quotes, with doubled quotes; `Source` or `Scratch` once decoded.
    Doubled,
    /// In the scratch space, decoded.
    Scratch,
}

/// One cell of a record as ranges of bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cell {
    /// The cell with its quotes in the source.
    pub(crate) raw_start: u32,
    /// End of the same.
    pub(crate) raw_end: u32,
    /// The cell's text.
    pub(crate) text_start: u32,
    /// End of the same.
    pub(crate) text_end: u32,
    /// Where the text stands.
    pub(crate) place: Place,
    /// Whether the value is a JSON array or object, which most columns do not take.
    pub(crate) is_nested: bool,
}

/// One record with its cells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    /// The bytes of the record as they stand in the input, without a line end.
    pub(crate) source: &'a str,
    /// Decoded texts.
    pub(crate) scratch: &'a str,
    /// The cells by column.
    pub(crate) cells: &'a [Cell],
    /// Which column each field is in.
    pub(crate) slots: &'a Slots,
    /// The columns of the input.
    pub(crate) columns: &'a Columns,
    /// Whether it is a JSON object, whose cells can be nested.
    pub(crate) is_object: bool,
}

impl<'a> Record<'a> {
    /// The text of the cell in a column; empty when the record has none.
    #[inline]
    pub(crate) fn text(&self, column: usize) -> &'a str {
        let Some(cell) = self.cells.get(column) else { return "" };
        let range = cell.text_start as usize..cell.text_end as usize;
        match cell.place {
            Place::Absent => "",
            Place::Source | Place::Doubled => &self.source[range],
            Place::Scratch => &self.scratch[range],
        }
    }

    /// The column of a field that the record has and that is not empty.
    #[inline]
    pub(crate) fn given(&self, field: Field) -> Option<usize> {
        let cell = self.cells.get(usize::from(self.slots[field as usize]))?;
        (cell.text_start < cell.text_end).then(|| usize::from(self.slots[field as usize]))
    }

    /// The column and text of a field; nothing when the record does not have it.
    #[inline]
    pub(crate) fn field(&self, field: Field) -> Option<(usize, &'a str)> {
        let column = self.slots[field as usize];
        (column != NO_COLUMN).then(|| (usize::from(column), self.text(usize::from(column))))
    }
}
