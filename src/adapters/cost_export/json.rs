//! An export as JSON: one array, one object a line, or pages of costs with days in them.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::adapters::cost_export::columns::{Cells, Columns, Field, missing, plain};
use crate::adapters::cost_export::error::{Error, Problem};
use crate::adapters::cost_export::read::Lines;
use crate::domain::ledger::reconcile::Place;

/// The members of an object as they stand in the source, so that no number becomes a float.
type Object<'a> = BTreeMap<String, &'a RawValue>;

/// Reads any number of documents, one behind the other; whether the last page says that there are
/// more of them.
pub(super) fn read(text: &str, columns: &Columns, lines: &mut Lines) -> Result<bool, Error> {
    let mut export = Reader { columns, lines, record: 0 };
    let mut has_more = false;
    for value in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
        let value = value.map_err(|error| {
            let place = Place::Line(error.line() as u64);
            Problem::Form(format!("it is no JSON: {error}")).at(place)
        })?;
        if value.get().starts_with('[') {
            export.array(value, None)?;
            continue;
        }
        let page = export.object(value)?;
        match page.get("data") {
            Some(data) => {
                export.array(data, None)?;
                has_more = page.get("has_more").is_some_and(|it| it.get() == "true");
            }
            None => export.one(&page, None)?,
        }
    }
    Ok(has_more)
}

/// The span of a day of costs, which its results do not repeat.
#[derive(Clone, Copy)]
struct Span<'a> {
    start: Option<&'a str>,
    end: Option<&'a str>,
}

struct Reader<'a> {
    columns: &'a Columns,
    lines: &'a mut Lines,
    /// The number of the last record of costs.
    record: u64,
}

impl Reader<'_> {
    fn form(&self, problem: &str) -> Error {
        Problem::Form(problem.to_owned()).at(Place::Record(self.record + 1))
    }

    fn object<'a>(&self, value: &'a RawValue) -> Result<Object<'a>, Error> {
        serde_json::from_str(value.get()).map_err(|_| self.form("it is no JSON object"))
    }

    fn array(&mut self, value: &RawValue, span: Option<Span<'_>>) -> Result<(), Error> {
        let values: Vec<&RawValue> =
            serde_json::from_str(value.get()).map_err(|_| self.form("it is no JSON array"))?;
        for value in values {
            let object = self.object(value)?;
            self.one(&object, span)?;
        }
        Ok(())
    }

    /// A record of costs, or a day with such records in it.
    fn one(&mut self, object: &Object<'_>, span: Option<Span<'_>>) -> Result<(), Error> {
        if let (Some(results), None) = (object.get("results"), span) {
            let text = |name: &str| object.get(name).map(|value| value.get());
            let span = Span { start: text("start_time"), end: text("end_time") };
            return self.array(results, Some(span));
        }
        self.record += 1;
        let place = Place::Record(self.record);
        let names: Vec<String> = object.keys().map(|name| plain(name)).collect();
        let values: Vec<&RawValue> = object.values().copied().collect();
        let mut texts: Vec<(Field, String)> = Vec::new();
        if let Some(span) = span {
            let of_span = [(Field::Time, span.start), (Field::EndTime, span.end)];
            texts.extend(
                of_span.into_iter().filter_map(|(field, it)| Some((field, plain_text(it?)))),
            );
        }
        for field in Field::ALL {
            let Some(value) = self.columns.find(field, &names).map(|at| values[at]) else {
                continue;
            };
            if field == Field::Amount && value.get().starts_with('{') {
                // An amount with its currency.
                let amount = self.object(value)?;
                let inner = [(Field::Amount, "value"), (Field::Currency, "currency")];
                texts.extend(inner.into_iter().filter_map(|(field, name)| {
                    Some((field, plain_text(amount.get(name)?.get())))
                }));
                continue;
            }
            texts.push((field, plain_text(value.get())));
        }
        for field in [Field::Amount, Field::Time] {
            if !texts.iter().any(|(is, _)| *is == field) {
                return Err(match self.record {
                    1 => missing(field, &names),
                    _ => Problem::Lacks(field.word()).at(place),
                });
            }
        }
        let mut cells = Cells::default();
        texts.iter().for_each(|(field, text)| cells.set(*field, text));
        let line = cells.line(place)?;
        self.lines.push(line)
    }
}

/// What a value says: the content of a string, nothing for `null`, else its source.
fn plain_text(source: &str) -> String {
    match source {
        "null" => String::new(),
        text if text.starts_with('"') => serde_json::from_str(text).unwrap_or_default(),
        text => text.to_owned(),
    }
}
