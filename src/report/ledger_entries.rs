//! The entries of a ledger and sums of them, for people and for machines.

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::domain::ledger::entries::{Entry, Group, total};
use crate::domain::ledger::group_key::GroupKey;
use crate::domain::money::NanoUsd;
use crate::domain::sanitize::one_line;
use crate::report::ledger::document;
use crate::report::tables::{Column, TableLook, table};
use crate::report::words;

/// Columns of a group, beside its keys.
const GROUP_COLUMNS: [&str; 7] =
    ["attempts", "settled", "released", "open", "cost", "held", "worst_case"];

/// Columns of an entry.
const ENTRY_COLUMNS: [&str; 17] = [
    "time",
    "on",
    "rid",
    "run",
    "row",
    "variant",
    "attempt",
    "provider",
    "model",
    "outcome",
    "note",
    "max",
    "cost",
    "held",
    "provider_request_id",
    "tags",
    "canary",
];

/// Sums as a table, with their total in the last line.
pub fn group_table(look: TableLook, keys: &[GroupKey], groups: &[Group], all: &[Entry]) -> String {
    if groups.is_empty() {
        return "No entries\n".to_owned();
    }
    let names: Vec<String> = keys.iter().map(|key| one_line(&key.to_string()).into()).collect();
    let mut columns: Vec<Column<'_>> = names.iter().map(|name| Column::Words(name)).collect();
    let numbers = ["attempts", "settled", "released", "open", "cost", "held", "worst case", "in %"];
    columns.extend(numbers.map(Column::Numbers));
    let mut rows: Vec<Vec<String>> = groups.iter().map(group_cells).collect();
    let mut last = Group { keys: vec![String::new(); keys.len()], ..total(all) };
    if let Some(first) = last.keys.first_mut() {
        *first = "total".to_owned();
    }
    rows.push(group_cells(&last));
    table(look, &columns, &rows)
}

fn group_cells(group: &Group) -> Vec<String> {
    let mut cells: Vec<String> = group.keys.iter().map(|key| one_line(key).into_owned()).collect();
    let counts = [group.attempts, group.settled, group.released, group.open];
    cells.extend(counts.map(|count| count.to_string()));
    cells.extend([group.cost, group.held, group.worst_case].map(words::dollars));
    let percent = group.percent_of_worst_case();
    cells.push(percent.map_or("-".to_owned(), |percent| percent.to_string()));
    cells
}

/// Sums as one document.
pub fn groups_json(keys: &[GroupKey], groups: &[Group], all: &[Entry]) -> String {
    #[derive(Serialize)]
    struct Groups<'a> {
        by: &'a [GroupKey],
        groups: &'a [Group],
        total: Group,
    }
    document(&Groups { by: keys, groups, total: total(all) })
}

/// Sums as lines of CSV under a head.
pub fn groups_csv(keys: &[GroupKey], groups: &[Group]) -> String {
    let head = keys.iter().map(ToString::to_string);
    let head = head.chain(GROUP_COLUMNS.map(str::to_owned));
    let rows = groups.iter().map(|group| {
        let mut cells = group.keys.clone();
        let counts = [group.attempts, group.settled, group.released, group.open];
        cells.extend(counts.map(|count| count.to_string()));
        cells.extend([group.cost, group.held, group.worst_case].map(|sum| sum.to_string()));
        cells
    });
    csv(head.collect(), rows)
}

/// One entry a line, with what was spent so far.
pub fn register(entries: &[Entry], zone: &TimeZone) -> String {
    let mut text = String::new();
    let mut spent = NanoUsd::ZERO;
    for entry in entries {
        spent = spent.saturating_add(entry.cost);
        let time = zone.to_datetime(entry.time).strftime("%Y-%m-%d %H:%M:%S").to_string();
        let time = entry.on.map_or(time, |day| format!("{day}         "));
        let run = entry.run.map_or_else(String::new, |run| run.alias());
        let place = match (entry.row, entry.variant, entry.attempt) {
            (Some(row), Some(variant), Some(attempt)) => format!("{row}.{variant}#{attempt}"),
            _ => String::new(),
        };
        let money = match entry.held {
            NanoUsd::ZERO => words::dollars(entry.cost),
            held => format!("({})", words::dollars(held)),
        };
        let model = entry.model.as_deref().unwrap_or_default();
        let rid = entry.rid.map_or_else(String::new, |rid| rid.to_string());
        let line = format!(
            "{time} {run:8} {place:>8} {:16} {:8} {:12} {money:>9} {:>9} {rid}",
            one_line(model),
            entry.outcome,
            entry.note.unwrap_or_default(),
            words::dollars(spent),
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Entries as one document.
pub fn entries_json(entries: &[Entry]) -> String {
    #[derive(Serialize)]
    struct Entries<'a> {
        entries: &'a [Entry],
        total: Group,
    }
    document(&Entries { entries, total: total(entries) })
}

/// Anything as lines of JSON.
pub fn ndjson<T: Serialize>(lines: &[T]) -> String {
    let line = |line: &T| serde_json::to_string(line).expect("plain values serialize") + "\n";
    lines.iter().map(line).collect()
}

/// Entries as lines of CSV under a head.
pub fn entries_csv(entries: &[Entry]) -> String {
    fn text(value: Option<impl ToString>) -> String {
        value.map_or_else(String::new, |value| value.to_string())
    }
    let rows = entries.iter().map(|entry| {
        vec![
            entry.time.to_string(),
            text(entry.on),
            text(entry.rid),
            text(entry.run),
            text(entry.row),
            text(entry.variant),
            text(entry.attempt),
            text(entry.provider.as_deref()),
            text(entry.model.as_deref()),
            entry.outcome.to_string(),
            text(entry.note),
            entry.max.to_string(),
            entry.cost.to_string(),
            entry.held.to_string(),
            text(entry.provider_request_id.as_deref()),
            entry.tags.join("|"),
            text(entry.canary),
        ]
    });
    csv(ENTRY_COLUMNS.map(str::to_owned).into(), rows)
}

pub(super) fn csv(head: Vec<String>, rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in std::iter::once(head).chain(rows) {
        let cells: Vec<_> = row.iter().map(|cell| plain_cell(cell)).collect();
        writer.write_record(cells.iter().map(|cell| cell.as_bytes())).expect("memory takes it");
    }
    String::from_utf8(writer.into_inner().expect("memory takes it")).expect("cells are text")
}

/// A cell that no spreadsheet takes for a formula. Numbers stay numbers.
fn plain_cell(cell: &str) -> std::borrow::Cow<'_, str> {
    let starts_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let is_number = cell.parse::<NanoUsd>().is_ok();
    match starts_formula && !is_number {
        true => format!("'{cell}").into(),
        false => cell.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula_and_a_number_stays_one() {
        for (cell, expect) in
            [("=1+1", "'=1+1"), ("@a", "'@a"), ("-x", "'-x"), ("-0.12", "-0.12"), ("a=b", "a=b")]
        {
            assert_eq!(plain_cell(cell), expect);
        }
    }
}
