//! The header of a table: its names become columns, and its faults are told with a fix.

use crate::adapters::rows::cells::{Cell, Record};
use crate::adapters::rows::columns::{ColumnError, Columns, NO_COLUMN};
use crate::adapters::rows::decode::{Decoder, no_text};
use crate::adapters::rows::error::Error;
use crate::adapters::rows::limits::{MAX_COLUMN_NAME_CHARS, MAX_COLUMNS};
use crate::adapters::rows::stream::Stream;
use crate::domain::cell::CellFault;
use crate::domain::column::{Field, N_FIELDS, closest};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::row_format::RowFormat;
use crate::domain::sanitize::{cut, one_line};

/// The most column names that are listed in a fault.
const MAX_LISTED: usize = 20;

/// A header as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    /// Its bytes without the line end.
    pub(crate) source: Vec<u8>,
    /// The columns it names.
    pub(crate) columns: Columns,
}

/// Reads the header that the stream stands at.
pub(crate) fn read<R: std::io::Read>(
    stream: &mut Stream<R>,
    format: RowFormat,
    name: &str,
) -> Result<Header, Error> {
    let (line, extent) = (stream.line(), stream.extent());
    let (bytes, cells) = stream.parts();
    let bytes = bytes.to_vec();
    if extent.form.n_cells as usize > MAX_COLUMNS {
        let title = format!("{name} has {} columns", extent.form.n_cells);
        let fix = format!("use at most {MAX_COLUMNS} columns");
        return Err(Error::of_file("input.columns", name, title, &fix));
    }
    let drawn = |source: &str, cell: &Cell, fault: CellFault| {
        let span = cell.raw_start as usize..cell.raw_end as usize;
        let (title, fix) = (fault.title.into_owned(), fault.fix.into_owned());
        let mut drawn =
            Diagnostic::of_file(fault.code, name, title, fix).with_source(source, span, line, 0);
        drawn.label = fault.label.into_owned();
        Error::Input(Box::new(drawn))
    };
    let source = match std::str::from_utf8(&bytes) {
        Ok(source) => source,
        Err(error) => {
            let problem = no_text(error.valid_up_to(), &Columns::default(), &[]);
            let source = String::from_utf8_lossy(&bytes);
            let at = u32::try_from(problem.span.start).unwrap_or_default();
            let cell = Cell { raw_start: at, raw_end: at + 3, ..Cell::default() };
            return Err(drawn(&source, &cell, problem.fault));
        }
    };
    let columns = name_columns(source, cells, extent, format, &drawn)?;
    if columns.slots()[Field::Prompt as usize] == NO_COLUMN {
        return Err(no_prompt(name, &columns));
    }
    Ok(Header { source: bytes, columns })
}

fn name_columns(
    source: &str,
    cells: &mut [Cell],
    extent: crate::adapters::rows::csv_split::Extent,
    format: RowFormat,
    drawn: &dyn Fn(&str, &Cell, CellFault) -> Error,
) -> Result<Columns, Error> {
    const CODE: &str = "input.column";
    // The names are cells of a record whose columns have no names yet.
    let mut blank = Columns::default();
    for _ in 0..extent.form.n_cells {
        let _ = blank.add("");
    }
    let mut decoder = Decoder::new(format, &blank);
    let mut problems = Vec::new();
    let record: Option<Record<'_>> =
        decoder.decode(&mut blank, source, cells, extent.form, &mut problems);
    if let Some(problem) = problems.pop() {
        let at = |at: usize| u32::try_from(at).unwrap_or_default();
        let (start, end) = (at(problem.span.start), at(problem.span.end));
        let cell = Cell { raw_start: start, raw_end: end, ..Cell::default() };
        return Err(drawn(source, &cell, problem.fault));
    }
    let record = record.expect("a record without problems has cells");
    let mut columns = Columns::default();
    let mut owners: [Option<String>; N_FIELDS] = Default::default();
    for (index, cell) in record.cells.iter().enumerate() {
        let text = record.text(index);
        let shown = cut(&one_line(text), 40).into_owned();
        if columns.find(text).is_some() {
            let title = format!("two columns are called \"{}\"", shown.trim());
            let fix = "remove or rename one of them";
            return Err(drawn(source, cell, CellFault::new(CODE, title, "the second one", fix)));
        }
        columns.add(text).map_err(|error| {
            let label = match error {
                ColumnError::TooMany => "too many columns",
                ColumnError::NameTooLong => "too long",
            };
            let title =
                format!("a column's name must have at most {MAX_COLUMN_NAME_CHARS} characters");
            drawn(source, cell, CellFault::new(CODE, title, label, "shorten the name"))
        })?;
        let Some(field) = columns.list()[index].field else { continue };
        if let Some(first) = owners[field as usize].replace(shown.trim().to_owned()) {
            let title = format!("\"{first}\" and \"{}\" are two names of one column", shown.trim());
            let label = format!("both mean {}", field.name());
            return Err(drawn(
                source,
                cell,
                CellFault::new(CODE, title, label, "keep one of them"),
            ));
        }
    }
    Ok(columns)
}

fn no_prompt(name: &str, columns: &Columns) -> Error {
    let names: Vec<&str> = columns.list().iter().map(|column| column.name.as_str()).collect();
    let own = columns.list().iter().filter(|column| column.field.is_none());
    let fix = match closest("prompt", own.map(|column| column.name.as_str())) {
        Some(near) => format!("rename \"{near}\" to \"prompt\""),
        None if names.len() == 1 && names[0].contains(';') => {
            "separate the cells by commas or tabs, not by semicolons".to_owned()
        }
        None if names.iter().any(|name| name.contains(' ') || name.is_empty()) => {
            "start the file with a header line that names the columns, such as \
             scene_id,prompt,variants"
                .to_owned()
        }
        None => "add a column \"prompt\"".to_owned(),
    };
    let title = format!("{name} has no column \"prompt\"");
    let mut listed: Vec<String> =
        names.iter().take(MAX_LISTED).map(|name| cut(&one_line(name), 60).into_owned()).collect();
    if names.len() > MAX_LISTED {
        listed.push(format!("and {} more", names.len() - MAX_LISTED));
    }
    let mut fault = Diagnostic::of_file("input.column", name, title, fix);
    fault.notes.push(format!("its columns: {}", listed.join(", ")));
    Error::Input(Box::new(fault))
}
