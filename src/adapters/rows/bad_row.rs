//! Bad rows: what is wrong with a record, with its bytes so that it can be mended.

use crate::domain::diagnostic::Diagnostic;
use crate::domain::sanitize;

/// The most characters of the text in the `error` column.
const MAX_ERROR_CHARS: usize = 500;

/// One record that cannot be run.
#[derive(Clone, Debug)]
pub struct BadRow {
    /// Its number among the data records, counted from 1.
    pub number: u64,
    /// The line at which it starts, counted from 1.
    pub line: u64,
    /// Its name, when it has a readable one.
    pub scene_id: Option<String>,
    /// What is wrong with it; the first fault stands for the row.
    pub first: Diagnostic,
    /// Further faults, as far as they are told.
    pub others: Vec<Diagnostic>,
    /// Its bytes as they stand in the input, without the line end.
    pub source: Vec<u8>,
}

impl BadRow {
    /// All faults on one line, for the `error` column.
    pub fn error_text(&self) -> String {
        let words = |fault: &Diagnostic| match (fault.column_name.as_deref(), fault.label.as_str())
        {
            (Some(column), "") => format!("{column}: {}", fault.title),
            (Some(column), label) => format!("{column}: {} ({label})", fault.title),
            (None, "") => fault.title.clone(),
            (None, label) => format!("{} ({label})", fault.title),
        };
        let all: Vec<String> =
            std::iter::once(&self.first).chain(&self.others).map(words).collect();
        sanitize::cut(&sanitize::one_line(&all.join("; ")), MAX_ERROR_CHARS).into_owned()
    }
}
