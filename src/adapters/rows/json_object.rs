//! JSON: turns one object into cells, the batch lines of a provider's own format included.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::adapters::rows::cells::{Cell, Place};
use crate::adapters::rows::columns::{ColumnError, Columns, NO_COLUMN, Slots};
use crate::adapters::rows::json_scan::{Scan, compact, scan_value};
use crate::adapters::rows::limits::{MAX_COLUMN_NAME_CHARS, MAX_COLUMNS};
use crate::adapters::rows::problem::Problem;
use crate::domain::cell::CellFault;
use crate::domain::column::N_FIELDS;

/// The end of the address of a batch line that asks for new images.
const GENERATIONS: &str = "/images/generations";
const CODE: &str = "row.json";

/// The members of an object in their order, as they stand in the source.
pub(crate) struct Members<'a>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> serde::Deserialize<'a> for Members<'a> {
    fn deserialize<D: Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'a> Visitor<'a> for InOrder {
            type Value = Members<'a>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Members<'a>, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &'a RawValue>()? {
                    members.push((Cow::Owned(name), value));
                }
                Ok(Members(members))
            }
        }
        from.deserialize_map(InOrder)
    }
}

/// Buffers for the cells of one object, used again for the next.
#[derive(Debug)]
pub(crate) struct ObjectCells {
    /// The cells by column.
    pub(crate) cells: Vec<Cell>,
    /// Decoded texts.
    pub(crate) scratch: String,
    /// Which column each field is in.
    pub(crate) slots: Slots,
}

impl Default for ObjectCells {
    fn default() -> Self {
        Self { cells: Vec::new(), scratch: String::new(), slots: [NO_COLUMN; N_FIELDS] }
    }
}

impl ObjectCells {
    /// Reads one object; new names become columns. False when there is nothing to check further.
    pub(crate) fn read(
        &mut self,
        columns: &mut Columns,
        source: &str,
        problems: &mut Vec<Problem>,
    ) -> bool {
        self.cells.clear();
        self.scratch.clear();
        self.slots = [NO_COLUMN; N_FIELDS];
        let members = match parse(source) {
            Ok(members) => members,
            Err(problem) => {
                problems.push(*problem);
                return false;
            }
        };
        let members = match unpack_batch_line(members, source) {
            Ok(members) => members,
            Err(problem) => {
                problems.push(*problem);
                return false;
            }
        };
        for (name, value) in &members.0 {
            if let Err(problem) = self.take(columns, source, name, value) {
                problems.push(*problem);
            }
        }
        self.cells.resize(columns.list().len().max(self.cells.len()), Cell::default());
        true
    }

    fn take(
        &mut self,
        columns: &mut Columns,
        source: &str,
        name: &str,
        value: &RawValue,
    ) -> Result<(), Box<Problem>> {
        let span = place_of(source, value.get());
        let fault = |title: String, fix: &'static str| {
            Box::new(Problem {
                span: span.clone(),
                column: Some(crate::domain::sanitize::cut(name, 40).into_owned()),
                fault: CellFault::new("row.column", title, "here", fix),
            })
        };
        let column = columns.find_or_add(name).map_err(|error| match error {
            ColumnError::TooMany => {
                fault(format!("more than {MAX_COLUMNS} columns"), "use fewer names")
            }
            ColumnError::NameTooLong => fault(
                format!("a column's name must have at most {MAX_COLUMN_NAME_CHARS} characters"),
                "shorten the name",
            ),
        })?;
        if self.cells.len() <= column {
            self.cells.resize(column + 1, Cell::default());
        }
        if self.cells[column].raw_end > 0 {
            return Err(fault(format!("\"{name}\" stands twice in one row"), "remove one of them"));
        }
        let field = columns.list()[column].field;
        self.cells[column] = self
            .decode(value.get(), span.start, field.is_some_and(|it| it.is_list()))
            .map_err(|label| {
                Box::new(Problem {
                    span: span.clone(),
                    column: Some(name.to_owned()),
                    fault: CellFault::new(
                        CODE,
                        "a text must be valid JSON",
                        label,
                        "correct the text",
                    ),
                })
            })?;
        let given = self.cells[column].place != Place::Absent;
        if let Some(field) = field.filter(|_| given) {
            let slot = &mut self.slots[field as usize];
            if *slot != NO_COLUMN {
                let other = &columns.list()[usize::from(*slot)].name;
                let title = format!("\"{other}\" and \"{name}\" are two names of one column");
                return Err(fault(title, "keep one of them"));
            }
            *slot = u16::try_from(column).expect("there are at most MAX_COLUMNS columns");
        }
        Ok(())
    }

    fn decode(&mut self, raw: &str, start: usize, is_list: bool) -> Result<Cell, &'static str> {
        let narrow = |at: usize| u32::try_from(at).expect("a record is far smaller than 4 GiB");
        let mut cell = Cell {
            raw_start: narrow(start),
            raw_end: narrow(start + raw.len()),
            text_start: narrow(start),
            text_end: narrow(start + raw.len()),
            place: Place::Source,
            is_nested: false,
        };
        let scratch_start = self.scratch.len();
        match raw.as_bytes().first() {
            Some(b'n') => cell.place = Place::Absent,
            Some(b'"') if memchr::memchr(b'\\', raw.as_bytes()).is_none() => {
                cell.text_start += 1;
                cell.text_end -= 1;
                return Ok(cell);
            }
            Some(b'"') => {
                let text: String = serde_json::from_str(raw).map_err(|_| "no valid text")?;
                self.scratch.push_str(&text);
            }
            Some(b'[' | b'{') => {
                if !(is_list && self.join(raw)) {
                    compact(raw, &mut self.scratch);
                    cell.is_nested = !(is_list && raw.starts_with('['));
                }
            }
            _ => return Ok(cell),
        }
        if cell.place != Place::Absent {
            cell.place = Place::Scratch;
            cell.text_start = narrow(scratch_start);
            cell.text_end = narrow(self.scratch.len());
        }
        Ok(cell)
    }

    /// Writes an array of texts as a cell of CSV would have it, when that is possible.
    fn join(&mut self, raw: &str) -> bool {
        let Ok(items) = serde_json::from_str::<Vec<String>>(raw) else { return false };
        let plain = |item: &String| {
            !item.is_empty() && !item.contains('|') && !item.trim_start().starts_with('[')
        };
        let joins = items.iter().all(plain);
        if joins {
            self.scratch.push_str(&items.join("|"));
        }
        joins
    }
}

/// Reads the members of an object, however deep they are, without recursion.
pub(crate) fn parse(source: &str) -> Result<Members<'_>, Box<Problem>> {
    let whole = |label: &'static str, fix: &'static str| {
        Box::new(Problem {
            span: 0..source.len().min(1),
            column: None,
            fault: CellFault::new(CODE, "a row must be one JSON object", label, fix),
        })
    };
    let trimmed = source.trim_start();
    if let Scan::TooDeep(at) = scan_value(trimmed.as_bytes()) {
        let at = at + source.len() - trimmed.len();
        let fault = CellFault::new(
            CODE,
            "a row is nested too deeply",
            "one level too deep",
            "write the row as a plain object",
        );
        return Err(Box::new(Problem { span: at..at + 1, column: None, fault }));
    }
    if !trimmed.starts_with('{') {
        return Err(whole("no object", "write the row as {\"prompt\": \"…\"}"));
    }
    serde_json::from_str(source).map_err(|error| {
        let before: usize =
            source.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let at = (before + error.column().saturating_sub(1)).min(source.len());
        let (label, fix) = match error.classify() {
            serde_json::error::Category::Eof => (
                "the object is not closed",
                "write each object on one line, or wrap all objects in [ ]",
            ),
            serde_json::error::Category::Io
            | serde_json::error::Category::Syntax
            | serde_json::error::Category::Data => ("no valid JSON", "correct the syntax"),
        };
        let fault = CellFault::new(CODE, "a row must be one JSON object", label, fix);
        Box::new(Problem { span: at..source.len().min(at + 1), column: None, fault })
    })
}

/// Takes the members of `body` for the row's own when the object is a batch line.
fn unpack_batch_line<'a>(outer: Members<'a>, source: &'a str) -> Result<Members<'a>, Box<Problem>> {
    let member = |name: &str| outer.0.iter().find(|(one, _)| one == name).map(|(_, value)| *value);
    let (Some(body), Some(url)) = (member("body"), member("url")) else { return Ok(outer) };
    if !body.get().starts_with('{') {
        return Ok(outer);
    }
    let problem = |name: &str, value: &RawValue, title: &'static str| {
        Box::new(Problem {
            span: place_of(source, value.get()),
            column: Some(name.to_owned()),
            fault: CellFault::new("row.url", title, "another kind of request", "remove the line"),
        })
    };
    let is_text = |value: &RawValue, check: &dyn Fn(&str) -> bool| {
        serde_json::from_str::<String>(value.get()).is_ok_and(|text| check(&text))
    };
    if !is_text(url, &|url| url.ends_with(GENERATIONS)) {
        return Err(problem("url", url, "only batch lines for /v1/images/generations are rows"));
    }
    if let Some(method) = member("method").filter(|it| !is_text(it, &|it| it == "POST")) {
        return Err(problem("method", method, "only batch lines with method POST are rows"));
    }
    let inner: Members<'a> = serde_json::from_str(body.get())
        .map_err(|_| problem("body", body, "the body of a batch line must be one JSON object"))?;
    let mut members = Vec::with_capacity(outer.0.len() + inner.0.len());
    members.extend(
        outer.0.into_iter().filter(|(name, _)| !["method", "url", "body"].contains(&name.as_ref())),
    );
    for (name, value) in inner.0 {
        let name = if name == "output_format" { Cow::Borrowed("format") } else { name };
        members.push((name, value));
    }
    Ok(Members(members))
}

/// Where a part of the source stands in it.
fn place_of(source: &str, part: &str) -> std::ops::Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(source.as_ptr() as usize);
    let start = start.min(source.len());
    start..(start + part.len()).min(source.len())
}
