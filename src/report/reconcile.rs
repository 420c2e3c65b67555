//! A reconciliation for people and for machines.

use std::fmt::Write;

use serde::Serialize;

use crate::domain::ledger::reconcile::{Change, Class, DaySum, Finding};
use crate::domain::money::NanoUsd;
use crate::domain::sanitize::{cut, one_line};
use crate::report::ledger::document;
use crate::report::ledger_entries;
use crate::report::tables::{Column, TableLook, table};
use crate::report::words;

/// How many findings without a consequence are listed of each class; the rest is counted.
const MOST_LISTED: usize = 10;
/// The longest foreign text in a line.
const MOST_LETTERS: usize = 60;

/// Columns of a finding.
const COLUMNS: [&str; 16] = [
    "class",
    "confidence",
    "day",
    "rid",
    "run",
    "provider",
    "model",
    "outcome",
    "note",
    "held",
    "committed",
    "billed",
    "provider_request_id",
    "place",
    "lines",
    "reason",
];

/// A reconciliation and what was done with it.
#[derive(Clone, Debug, Serialize)]
pub struct Report<'a> {
    /// The name of the export's file.
    pub file: &'a str,
    /// Its lines.
    pub lines: u64,
    /// Whether it says that there is more than it holds.
    pub is_partial: bool,
    /// The zone of the days.
    pub zone: &'a str,
    /// Whether the provider's figure is within what is booked on every day.
    pub is_within: bool,
    /// Whether what is proposed was to be written.
    pub is_applied: bool,
    /// What was written.
    pub written: &'a [Change],
    /// What was proposed, and was not written because the ledger says something else by now.
    pub left_out: &'a [Change],
    /// The days.
    pub days: &'a [DaySum],
    /// What was found.
    pub findings: &'a [Finding],
}

/// An error about a file.
#[derive(Debug, thiserror::Error)]
#[error("{file}")]
pub struct InFile<E: std::error::Error + 'static> {
    /// The file, as it was named.
    pub file: String,
    /// What is wrong with it.
    pub source: E,
}

/// The reconciliation as a document.
pub fn json(report: &Report<'_>) -> String {
    document(report)
}

/// The findings as lines of CSV under a head.
pub fn csv(findings: &[Finding]) -> String {
    fn text(value: Option<impl ToString>) -> String {
        value.map_or_else(String::new, |value| value.to_string())
    }
    let rows = findings.iter().map(|it| {
        vec![
            it.class.to_string(),
            text(it.confidence),
            it.day.to_string(),
            text(it.rid),
            text(it.run),
            text(it.provider.as_deref()),
            text(it.model.as_deref()),
            text(it.outcome),
            text(it.note),
            it.held.to_string(),
            it.committed.to_string(),
            text(it.billed),
            text(it.provider_request_id.as_deref()),
            text(it.place),
            it.lines.to_string(),
            it.reason.to_owned(),
        ]
    });
    ledger_entries::csv(COLUMNS.map(str::to_owned).into(), rows)
}

/// The days as a table; then what should be written or was, what is held, and the rest.
pub fn text(look: TableLook, report: &Report<'_>) -> String {
    let mut text = days(look, report.days);
    let file = short(report.file);
    for change in report.written {
        let _ = writeln!(text, "Written   {}", written(change));
    }
    for change in report.left_out {
        let rid = change.rid();
        let _ = writeln!(text, "Left out  {rid}: the ledger says something else of it by now");
    }
    let proposed = report.findings.iter().filter(|finding| finding.change.is_some());
    let mut n_proposed = 0;
    for (finding, change) in proposed.filter_map(|it| it.change.as_ref().map(|change| (it, change)))
    {
        n_proposed += 1;
        let _ = writeln!(text, "Proposed  {}", proposal(finding, change, &file));
    }
    for finding in report.findings.iter().filter(|it| it.held > NanoUsd::ZERO && !proposes(it)) {
        let _ = writeln!(text, "Held      {}", held(finding, &file));
    }
    let rest = [Class::OnlyTheirs, Class::OnlyOurs, Class::Unclear, Class::AmountDiffers];
    for class in rest {
        let of_class =
            |it: &&Finding| it.class == class && it.held == NanoUsd::ZERO && it.change.is_none();
        list(&mut text, class, report.findings.iter().filter(of_class), &file);
    }
    let matched = report.findings.iter().filter(|it| it.class == Class::Matched);
    let (n, sum) = count_and_sum(matched);
    if n > 0 {
        let (attempts, sum) = (words::count(n, "attempt"), words::dollars(sum));
        let _ = writeln!(text, "Matched   {attempts}, {sum}");
    }
    text.push_str(&verdict(report));
    text.push_str(&last_line(report, n_proposed, &file));
    text
}

fn days(look: TableLook, days: &[DaySum]) -> String {
    let mut columns = vec![Column::Words("day")];
    let numbers = ["limit", "committed", "held", "provider", "difference"];
    columns.extend(numbers.map(Column::Numbers));
    columns.push(Column::Words("note"));
    let mut rows = Vec::new();
    for day in days {
        let note = match (day.is_beyond, day.confidence) {
            (true, Some(_)) => "BEYOND, by day only",
            (true, None) => "BEYOND",
            (false, Some(_)) => "by day only",
            (false, None) => "",
        };
        let limit = day.limit.map_or_else(String::new, words::dollars);
        let sums = [day.committed, day.held, day.billed, day.difference].map(exact);
        let mut row = vec![day.day.to_string(), limit];
        row.extend(sums);
        row.push(note.to_owned());
        rows.push(row);
        for model in &day.models {
            let difference = model.committed.nanos().saturating_sub(model.billed.nanos());
            let difference = NanoUsd::from_nanos(difference);
            rows.push(vec![
                String::new(),
                String::new(),
                exact(model.committed),
                String::new(),
                exact(model.billed),
                exact(difference),
                short(&model.model),
            ]);
        }
    }
    table(look, &columns, &rows)
}

/// An amount with all its digits: differences may be small.
fn exact(amount: NanoUsd) -> String {
    amount.dollars().to_string()
}

fn short(text: &str) -> String {
    cut(&one_line(text), MOST_LETTERS).into_owned()
}

const fn proposes(finding: &Finding) -> bool {
    finding.change.is_some()
}

fn written(change: &Change) -> String {
    match change {
        Change::Resolve { rid, held, amount, .. } => {
            format!("resolve {rid}: {} was held, it cost {}", exact(*held), exact(*amount))
        }
        Change::Adjust { rid, amount, on, .. } => {
            format!("adjust {rid}: {} on {on}", exact(*amount))
        }
    }
}

fn proposal(finding: &Finding, change: &Change, file: &str) -> String {
    let confidence = finding.confidence.map_or("", |confidence| confidence.word());
    let billed = exact(finding.billed.unwrap_or_default());
    let what = match change {
        Change::Resolve { held, amount, .. } => {
            format!("{} held, cost {}", exact(*held), exact(*amount))
        }
        Change::Adjust { amount, on, .. } => {
            let committed = exact(finding.committed);
            format!("{committed} booked, {billed} billed, adjust {on} by {}", exact(*amount))
        }
    };
    let (attempt, source) = (attempt(finding), source(finding, file));
    format!("{attempt}, {confidence}: {what}; {}{source}", finding.reason)
}

fn held(finding: &Finding, file: &str) -> String {
    let (attempt, held, source) = (attempt(finding), exact(finding.held), source(finding, file));
    format!("{attempt}: {held} held; {}{source}", finding.reason)
}

/// An attempt with what became of it, and why.
fn attempt(finding: &Finding) -> String {
    let rid = finding.rid.map_or_else(String::new, |rid| rid.to_string());
    let outcome = finding.outcome.map_or("", |outcome| outcome.word());
    let note = finding.note.map_or_else(String::new, |note| format!(" ({note})"));
    format!("{rid} {outcome}{note}")
}

/// Where the export speaks of a finding.
fn source(finding: &Finding, file: &str) -> String {
    let Some(place) = finding.place else { return String::new() };
    let id = finding.provider_request_id.as_deref().map(short);
    let id = id.map_or_else(String::new, |id| format!(", {id}"));
    format!(" ({file} {place}{id})")
}

fn list<'a>(
    text: &mut String,
    class: Class,
    findings: impl Iterator<Item = &'a Finding> + Clone,
    file: &str,
) {
    for finding in findings.clone().take(MOST_LISTED) {
        let amount = exact(finding.billed.unwrap_or(finding.committed));
        let rid = finding.rid.map_or_else(String::new, |rid| format!(" {rid}"));
        let model = finding.model.as_deref().map(short);
        let model = model.map_or_else(String::new, |model| format!(" {model}"));
        let (day, reason) = (finding.day, finding.reason);
        let source = source(finding, file);
        let _ = writeln!(text, "{:9} {day} {amount}{model}{rid}: {reason}{source}", head(class));
    }
    let n = findings.clone().count();
    if n > MOST_LISTED {
        let (_, sum) = count_and_sum(findings.skip(MOST_LISTED));
        let (more, sum) = (n - MOST_LISTED, words::dollars(sum));
        let _ = writeln!(text, "{:9} and {more} more, {sum}", head(class));
    }
}

const fn head(class: Class) -> &'static str {
    match class {
        Class::OnlyTheirs => "Theirs",
        Class::OnlyOurs => "Ours",
        Class::Unclear => "Unclear",
        Class::Matched
        | Class::AmountDiffers
        | Class::UnknownBilled
        | Class::ReleasedBilled
        | Class::StillHeld
        | Class::NotBilled => "Differs",
    }
}

fn count_and_sum<'a>(findings: impl Iterator<Item = &'a Finding>) -> (u64, NanoUsd) {
    findings.fold((0, NanoUsd::ZERO), |(n, sum), finding| {
        (n + 1, sum.saturating_add(finding.billed.unwrap_or(finding.committed)))
    })
}

fn verdict(report: &Report<'_>) -> String {
    let beyond: Vec<String> = report
        .days
        .iter()
        .filter(|day| day.is_beyond)
        .map(|day| {
            let more = NanoUsd::from_nanos(day.difference.nanos().saturating_neg());
            format!("{} by {}", day.day, exact(more))
        })
        .collect();
    match beyond.len() {
        0 => "Within    the provider's figure is within what is booked on every day\n".to_owned(),
        n => {
            let days = beyond.iter().take(MOST_LISTED).cloned().collect::<Vec<_>>().join(", ");
            let more = n.saturating_sub(MOST_LISTED);
            let more = if more > 0 { format!(" and {more} more days") } else { String::new() };
            format!("BEYOND    the provider's figure is above what is booked: {days}{more}\n")
        }
    }
}

fn last_line(report: &Report<'_>, n_proposed: u64, file: &str) -> String {
    let changes = words::count(n_proposed, "change");
    match (report.is_applied, n_proposed) {
        (true, _) if !report.written.is_empty() => {
            format!("Wrote {}\n", words::count(report.written.len() as u64, "change"))
        }
        (false, 1..) => {
            format!("Nothing is written yet: the same with --apply books {changes} of {file}\n")
        }
        (true | false, _) => "Nothing to write\n".to_owned(),
    }
}
