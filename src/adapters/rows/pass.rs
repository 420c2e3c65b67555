//! The first pass: every record is checked once, and the good ones are indexed.

use std::fs::File;

use crate::adapters::rows::ahead::{Found, for_each_record};
use crate::adapters::rows::bad_row::BadRow;
use crate::adapters::rows::build::{brief, name_of};
use crate::adapters::rows::cells::Record;
use crate::adapters::rows::check::{Checked, check};
use crate::adapters::rows::columns::Columns;
use crate::adapters::rows::decode::{Decoder, no_text};
use crate::adapters::rows::error::Error;
use crate::adapters::rows::finder::{Finder, Lost};
use crate::adapters::rows::index::RowIndex;
use crate::adapters::rows::limits::{MAX_FAULTS_PER_ROW, MAX_RECORDS};
use crate::adapters::rows::problem::{Problem, Whereabouts};
use crate::adapters::rows::seen::{Seen, Twin};
use crate::adapters::rows::stream::Stream;
use crate::domain::cell::CellFault;
use crate::domain::column::Field;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::row::RowBrief;
use crate::domain::sanitize::{cut, one_line};

/// Takes a good row, or objects to it.
pub type OnRow<'a> = dyn FnMut(RowBrief<'_>) -> Result<(), Objection> + 'a;

/// Why whoever takes the rows declines one that is well-formed.
#[derive(Clone, Debug)]
pub struct Objection {
    /// The column at fault.
    pub field: Field,
    /// What is wrong with it.
    pub fault: CellFault,
}

/// What the first pass works with.
pub(crate) struct Pass<'s> {
    /// The input's name.
    pub(crate) file: &'s str,
    /// The records, before the first data record.
    pub(crate) stream: Stream<File>,
    /// What decodes them.
    pub(crate) decoder: Decoder,
    /// What reads earlier records again.
    pub(crate) finder: Finder,
    /// The columns; in JSON they come to light on the way.
    pub(crate) columns: &'s mut Columns,
}

/// Buffers that are used for record after record, so that good rows cost no allocation.
#[derive(Default)]
struct Buffers {
    problems: Vec<Problem>,
    filled: String,
    name: String,
}

impl Pass<'_> {
    /// Reads all records and hands each to one of the two.
    pub(crate) fn run(
        self,
        on_row: &mut OnRow<'_>,
        on_bad: &mut dyn FnMut(BadRow),
    ) -> Result<RowIndex, Error> {
        let Self { file, stream, decoder, finder, columns } = self;
        let mut checker = Checker {
            file,
            decoder,
            finder,
            columns,
            index: RowIndex::default(),
            seen: Seen::default(),
            buffers: Buffers::default(),
        };
        let mut number = 0;
        for_each_record(file, stream, |found| {
            number += 1;
            if number > MAX_RECORDS {
                let title = format!("{file} has more than {MAX_RECORDS} rows");
                return Err(Error::of_file("input.rows", file, title, "split the input"));
            }
            if let Some(bad) = checker.record(number, found, on_row)? {
                checker.index.add_bad(number);
                on_bad(bad);
            }
            Ok(())
        })?;
        checker.index.shrink();
        Ok(checker.index)
    }
}

/// What checks record after record.
struct Checker<'s> {
    file: &'s str,
    decoder: Decoder,
    finder: Finder,
    columns: &'s mut Columns,
    index: RowIndex,
    seen: Seen,
    buffers: Buffers,
}

impl Checker<'_> {
    fn record(
        &mut self,
        number: u64,
        found: Found<'_>,
        on_row: &mut OnRow<'_>,
    ) -> Result<Option<BadRow>, Error> {
        let Buffers { problems, filled, name } = &mut self.buffers;
        problems.clear();
        let Found { place, source, cells } = found;
        let whereabouts =
            Whereabouts { file: self.file, number, line: place.line, before: place.before };
        let source = match source {
            Ok(source) => source,
            Err(bytes) => {
                let n_valid = bytes.utf8_chunks().next().map_or(0, |chunk| chunk.valid().len());
                problems.push(no_text(n_valid, self.columns, cells));
                let text = String::from_utf8_lossy(bytes);
                return Ok(Some(bad_row(whereabouts, problems, &text, bytes, None)));
            }
        };
        let bytes = source.as_bytes();
        let decoded = self.decoder.decode(self.columns, source, cells, place.form, problems);
        let Some(record) = decoded else {
            return Ok(Some(bad_row(whereabouts, problems, source, bytes, None)));
        };
        let checked = check(&record, filled, problems);
        if problems.is_empty() {
            let name = name_of(&record, &checked, name);
            let twin = self
                .seen
                .find_twin(name, &self.index, &mut self.finder)
                .map_err(|lost| read_error(self.file, lost))?;
            match twin {
                Some(twin) => problems.push(twin_problem(&record, &checked, name, &twin)),
                None => match on_row(brief(number, &checked, name, filled)) {
                    Ok(()) => {
                        self.seen.add(name, self.index.len());
                        self.index.add(place.offset, place.line, place.check);
                        return Ok(None);
                    }
                    Err(Objection { field, fault }) => problems.push(match record.field(field) {
                        Some((column, _)) => Problem::of_cell(&record, column, fault),
                        None => Problem::of_record(None, fault),
                    }),
                },
            }
        }
        let scene_id = record.field(Field::SceneId).map(|(_, text)| text);
        Ok(Some(bad_row(whereabouts, problems, source, bytes, scene_id)))
    }
}

/// The problem of two rows with the same name or the same file name.
fn twin_problem(record: &Record<'_>, checked: &Checked<'_>, name: &str, twin: &Twin) -> Problem {
    let Twin { name: other, line, number } = twin;
    let shown = |name: &str| cut(&one_line(name), 40).into_owned();
    let fault = if name != other {
        CellFault::new(
            "output.collision",
            "two rows would write the same file on Windows and macOS",
            format!("line {line} (row {number}) is \"{}\"", shown(other)),
            "give one of them another scene_id",
        )
    } else if checked.scene_id.is_some() {
        CellFault::new(
            "row.duplicate",
            format!("two rows are called \"{}\"", shown(name)),
            format!("also line {line} (row {number})"),
            "give one of them another scene_id",
        )
    } else {
        CellFault::new(
            "row.duplicate",
            "two rows without a scene_id are the same",
            format!("the same as line {line} (row {number})"),
            "give each row a scene_id, or ask for more variants in one row",
        )
    };
    match record.field(Field::SceneId) {
        Some((column, _)) => Problem::of_cell(record, column, fault),
        None => Problem::of_record(None, fault),
    }
}

fn read_error(file: &str, lost: Lost) -> Error {
    match lost {
        Lost::Io(source) => Error::io("read", file)(source),
        Lost::Changed => {
            let title = format!("{file} was changed while it was read");
            Error::of_file("input.changed", file, title, "start again when it is complete")
        }
    }
}

fn bad_row(
    place: Whereabouts<'_>,
    problems: &[Problem],
    source: &str,
    bytes: &[u8],
    scene_id: Option<&str>,
) -> BadRow {
    let scene_id = scene_id.filter(|name| !name.trim().is_empty()).map(shown_name);
    let draw = |problem: &Problem| problem.draw(place, source, scene_id.as_deref());
    let (first, others) = problems.split_first().expect("a bad row has a problem");
    BadRow {
        number: place.number,
        line: place.line,
        first: draw(first),
        others: others.iter().take(MAX_FAULTS_PER_ROW).map(draw).collect::<Vec<Diagnostic>>(),
        scene_id,
        source: bytes.to_vec(),
    }
}

fn shown_name(name: &str) -> String {
    cut(&one_line(name), 60).into_owned()
}
