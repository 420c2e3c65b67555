//! Problems: faults of one record, before they are drawn.

use std::ops::Range;

use crate::adapters::rows::cells::Record;
use crate::domain::cell::CellFault;
use crate::domain::diagnostic::Diagnostic;

/// One fault of a record.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    /// The bytes of the record's source that are at fault.
    pub(crate) span: Range<usize>,
    /// The column, when the fault has one.
    pub(crate) column: Option<String>,
    /// What is wrong.
    pub(crate) fault: CellFault,
}

/// Where a record stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whereabouts<'a> {
    /// The input's name.
    pub(crate) file: &'a str,
    /// The record's number.
    pub(crate) number: u64,
    /// The line at which it starts.
    pub(crate) line: u64,
    /// Characters before it in that line.
    pub(crate) before: u64,
}

impl Problem {
    /// A fault of one cell.
    pub(crate) fn of_cell(record: &Record<'_>, column: usize, fault: CellFault) -> Self {
        let cell = record.cells.get(column).copied().unwrap_or_default();
        Self {
            span: cell.raw_start as usize..cell.raw_end as usize,
            column: record.columns.list().get(column).map(|column| column.name.clone()),
            fault,
        }
    }

    /// A fault of a record that has no cell to point at.
    pub(crate) fn of_record(column: Option<&str>, fault: CellFault) -> Self {
        Self { span: 0..1, column: column.map(str::to_owned), fault }
    }

    /// The picture of the fault.
    pub(crate) fn draw(
        &self,
        place: Whereabouts<'_>,
        source: &str,
        scene_id: Option<&str>,
    ) -> Diagnostic {
        let fault = &self.fault;
        let title = fault.title.clone().into_owned();
        let fix = fault.fix.clone().into_owned();
        let mut drawn = Diagnostic::of_file(fault.code, place.file, title, fix).with_source(
            source,
            self.span.clone(),
            place.line,
            place.before,
        );
        drawn.row_number = Some(place.number);
        drawn.scene_id = scene_id.map(str::to_owned);
        drawn.column_name.clone_from(&self.column);
        drawn.label = fault.label.clone().into_owned();
        drawn
    }
}
