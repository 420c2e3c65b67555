//! Decodes one record of any format into cells, with the buffers that this takes.

use crate::adapters::rows::cells::{Cell, Place, Record};
use crate::adapters::rows::columns::{Columns, NO_COLUMN, Slots};
use crate::adapters::rows::csv_split::{Form, undouble};
use crate::adapters::rows::json_object::ObjectCells;
use crate::adapters::rows::problem::Problem;
use crate::domain::cell::CellFault;
use crate::domain::column::N_FIELDS;
use crate::domain::row_format::RowFormat;

/// What turns records into cells.
#[derive(Debug)]
pub(crate) struct Decoder {
    format: RowFormat,
    object: ObjectCells,
    scratch: String,
    slots: Slots,
}

impl Decoder {
    /// A decoder for an input with the given columns, which are all there are in CSV.
    pub(crate) fn new(format: RowFormat, columns: &Columns) -> Self {
        let is_table = format.delimiter().is_some();
        Self {
            format,
            object: ObjectCells::default(),
            scratch: String::new(),
            slots: if is_table { columns.slots() } else { [NO_COLUMN; N_FIELDS] },
        }
    }

    /// Decodes a record; nothing when its cells cannot be told, which is a problem.
    #[inline]
    pub(crate) fn decode<'a>(
        &'a mut self,
        columns: &'a mut Columns,
        source: &'a str,
        cells: &'a mut [Cell],
        form: Form,
        problems: &mut Vec<Problem>,
    ) -> Option<Record<'a>> {
        match self.format {
            RowFormat::Csv | RowFormat::Tsv => {
                self.decode_cells(columns, source, cells, form, problems)
            }
            RowFormat::Json | RowFormat::Jsonl => {
                if !self.object.read(columns, source, problems) {
                    return None;
                }
                let ObjectCells { cells, scratch, slots } = &self.object;
                Some(Record { source, scratch, cells, slots, columns, is_object: true })
            }
        }
    }

    #[inline]
    fn decode_cells<'a>(
        &'a mut self,
        columns: &'a Columns,
        source: &'a str,
        cells: &'a mut [Cell],
        form: Form,
        problems: &mut Vec<Problem>,
    ) -> Option<Record<'a>> {
        if let Some(stray) = form.stray {
            let stray = stray.get() as usize;
            let title = "a quoted cell must end with its closing quote";
            let fix = "write a quote within a cell twice (\"\")";
            let fault = CellFault::new("row.quote", title, "text after the quote", fix);
            problems.push(Problem { span: stray..stray + 1, column: None, fault });
        }
        let n_columns = columns.list().len();
        if form.n_cells as usize != n_columns {
            problems.push(wrong_count(cells, form.n_cells, n_columns, source.len()));
            return None;
        }
        if form.has_doubled {
            self.undouble_cells(source, cells);
        }
        let Self { scratch, slots, .. } = self;
        Some(Record { source, scratch, cells, slots, columns, is_object: false })
    }

    fn undouble_cells(&mut self, source: &str, cells: &mut [Cell]) {
        let narrow = |at: usize| u32::try_from(at).expect("a record is far smaller than 4 GiB");
        self.scratch.clear();
        for cell in cells.iter_mut().filter(|cell| cell.place == Place::Doubled) {
            let start = self.scratch.len();
            undouble(&source[cell.text_start as usize..cell.text_end as usize], &mut self.scratch);
            cell.place = Place::Scratch;
            cell.text_start = narrow(start);
            cell.text_end = narrow(self.scratch.len());
        }
    }
}

/// The problem of a record that is no text, with the column in which it stops being one.
pub(crate) fn no_text(valid_up_to: usize, columns: &Columns, cells: &[Cell]) -> Problem {
    let at = cells.iter().position(|cell| (cell.raw_end as usize) > valid_up_to);
    let column = at.and_then(|at| columns.list().get(at)).map(|column| column.name.clone());
    let fix = "save the file as UTF-8";
    let fault = CellFault::new("row.utf8", "a row must be UTF-8 text", "not UTF-8", fix);
    Problem { span: valid_up_to..valid_up_to + '\u{fffd}'.len_utf8(), column, fault }
}

fn wrong_count(cells: &[Cell], n_cells: u32, n_columns: usize, end: usize) -> Problem {
    let cells_word = if n_cells == 1 { "cell" } else { "cells" };
    let title = format!("the row has {n_cells} {cells_word}, but the header has {n_columns}");
    let (span, label, fix) = match cells.get(n_columns) {
        Some(first) => {
            let fix = "put a cell with a comma in it between quotes";
            (first.raw_start as usize..first.raw_end as usize, "one cell too many", fix)
        }
        None => (end..end, "cells are missing here", "write every cell, empty ones too"),
    };
    Problem { span, column: None, fault: CellFault::new("row.cells", title, label, fix) }
}
