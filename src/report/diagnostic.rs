//! Draws diagnostics: what is wrong, the line it is in, why, and what to do.

use std::fmt::Write;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::domain::diagnostic::{BadRowTally, Diagnostic};
use crate::domain::sanitize::{cut, one_line};

/// Stands for the place of the fault until the picture is drawn; no foreign text has it, since
/// private characters are not in the input of the drawing.
const PLACE: char = '\u{f8ff}';
/// The most characters of a name in the line of the place.
const MAX_NAME_CHARS: usize = 60;
/// Columns that a picture may take: a snippet is shorter, so that nothing is cut twice.
const WIDTH: usize = 240;

/// Draws one diagnostic, with a line end behind the last line.
pub fn render(diagnostic: &Diagnostic, with_color: bool) -> String {
    let mut out = picture(diagnostic, with_color);
    for note in &diagnostic.notes {
        line(&mut out, format_args!("  {}", one_line(note)));
    }
    if !diagnostic.fix.is_empty() {
        line(&mut out, format_args!("fix: {}", one_line(&diagnostic.fix)));
    }
    out
}

/// Draws the first bad row and counts the others.
///
/// `n_good` is the number of rows that `--on-bad-row skip` would go on with; `listed_in` names
/// the file in which the bad rows are listed, if there will be one.
pub fn render_tally(
    tally: &BadRowTally,
    n_good: u64,
    listed_in: Option<&str>,
    with_color: bool,
) -> String {
    let Some(first) = &tally.first else { return String::new() };
    let mut first = first.clone();
    if n_good > 0 {
        let rows = if n_good == 1 { "row" } else { "rows" };
        let skip = format!("or --on-bad-row skip to go on with the other {n_good} {rows}");
        let listed = listed_in
            .map(|file| {
                let bad = if tally.n_rows == 1 { "the bad one is" } else { "the bad ones are" };
                format!(" ({bad} listed in {file})")
            })
            .unwrap_or_default();
        first.fix = format!("{}, {skip}{listed}", first.fix);
    }
    let mut out = render(&first, with_color);
    if let Some(others) = tally.others_in_words() {
        line(&mut out, format_args!("{others}"));
    }
    out
}

fn picture(diagnostic: &Diagnostic, with_color: bool) -> String {
    let renderer = if with_color { Renderer::styled() } else { Renderer::plain() };
    let title = one_line(&diagnostic.title);
    let heading = Level::ERROR.primary_title(title.as_ref()).id(diagnostic.code);
    if diagnostic.line == 0 {
        let report = &[annotate_snippets::Group::with_title(heading)];
        return renderer.term_width(WIDTH).render(report) + "\n";
    }
    let shown = diagnostic.snippet.replace(PLACE, "\u{fffd}");
    let label = one_line(&diagnostic.label);
    let path = PLACE.to_string();
    let first_line = usize::try_from(diagnostic.line).unwrap_or(usize::MAX);
    let marked = AnnotationKind::Primary.span(diagnostic.span.clone()).label(label.as_ref());
    let snippet = Snippet::source(shown.as_str())
        .line_start(first_line)
        .path(path.as_str())
        .fold(false)
        .annotation(marked);
    let drawn = renderer.term_width(WIDTH).render(&[heading.element(snippet)]);
    let mut out = String::with_capacity(drawn.len() + 80);
    for one in drawn.lines() {
        match one.split_once(PLACE) {
            Some((arrow, _)) => line(&mut out, format_args!("{arrow}{}", place(diagnostic))),
            None => line(&mut out, format_args!("{}", one.trim_end())),
        }
    }
    out
}

/// `rows.csv:3:28   row 2 (BATCH-002), column variants`
fn place(diagnostic: &Diagnostic) -> String {
    let name = |text: &str| cut(&one_line(text), MAX_NAME_CHARS).into_owned();
    let mut out =
        format!("{}:{}:{}", one_line(&diagnostic.file), diagnostic.line, diagnostic.column);
    let mut separator = "   ";
    if let Some(number) = diagnostic.row_number {
        let _ = write!(out, "{separator}row {number}");
        separator = ", ";
        if let Some(scene_id) = &diagnostic.scene_id {
            let _ = write!(out, " ({})", name(scene_id));
        }
    }
    if let Some(column) = &diagnostic.column_name {
        let _ = write!(out, "{separator}column {}", name(column));
    }
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}
