//! Draws diagnostics: what is wrong, the line it is in, why, and what to do.

use std::fmt::Write;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::domain::diagnostic::{BadRowTally, Diagnostic};
use crate::domain::sanitize::{cut, one_line};
use crate::report::words;

/// Stands for the place of the fault until the picture is drawn; no foreign text has it, since
/// private characters are not in the input of the drawing.
const PLACE: char = '\u{f8ff}';
/// The most characters of a name in the line of the place.
const MAX_NAME_CHARS: usize = 60;
/// Columns that a picture may take: a snippet is shorter, so that nothing is cut twice.
const WIDTH: usize = 240;

/// What can be done about bad rows besides mending them.
#[derive(Clone, Copy, Debug, Default)]
pub struct TallyWays<'a> {
    /// How many rows `--on-bad-row skip` would go on with; 0 when it is not worth saying.
    pub n_good: u64,
    /// The file in which the bad rows are listed, if there is one.
    pub listed: Option<&'a str>,
}

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
pub fn render_tally(tally: &BadRowTally, ways: &TallyWays<'_>, with_color: bool) -> String {
    let Some(first) = &tally.first else { return String::new() };
    let mut first = first.clone();
    if ways.n_good > 0 {
        let rows = words::count(ways.n_good, "row");
        let skip = format!("or --on-bad-row skip to go on with the other {rows}");
        first.fix = format!("{}, {skip}", first.fix);
    }
    if let Some(file) = ways.listed {
        let bad = if tally.n_rows == 1 { "the bad one is" } else { "the bad ones are" };
        first.fix = format!("{} ({bad} listed in {file})", first.fix);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn bad_variants() -> Diagnostic {
        let title = "variants must be a whole number from 1 to 10".to_owned();
        let fix = "correct the cell".to_owned();
        let source = "BATCH-002,\"a dog, running\",nine,";
        let mut fault = Diagnostic::of_file("row.variants", "rows.csv", title, fix).with_source(
            source,
            27..31,
            3,
            0,
        );
        fault.row_number = Some(2);
        fault.scene_id = Some("BATCH-002".to_owned());
        fault.column_name = Some("variants".to_owned());
        fault.label = "not a number".to_owned();
        fault
    }

    #[test]
    fn a_bad_cell_is_drawn_with_its_place_and_a_fix() {
        let mut tally = BadRowTally::default();
        tally.add(&bad_variants());
        let ways = TallyWays { n_good: 99, listed: Some("rejected.csv") };
        let expect = "\
error[row.variants]: variants must be a whole number from 1 to 10
 --> rows.csv:3:28   row 2 (BATCH-002), column variants
  |
3 | BATCH-002,\"a dog, running\",nine,
  |                            ^^^^ not a number
fix: correct the cell, or --on-bad-row skip to go on with the other 99 rows \
(the bad one is listed in rejected.csv)
";
        assert_eq!(render_tally(&tally, &ways, false), expect);
        tally.add(&bad_variants());
        let drawn = render_tally(&tally, &TallyWays::default(), false);
        assert!(
            drawn.ends_with("fix: correct the cell\nand 1 more bad row: variants 1\n"),
            "{drawn}"
        );
    }

    #[test]
    fn a_fault_of_a_file_has_no_picture() {
        let title = "rows.csv has no column \"prompt\"".to_owned();
        let fix = "rename \"promt\" to \"prompt\"".to_owned();
        let mut fault = Diagnostic::of_file("input.column", "rows.csv", title, fix);
        fault.notes.push("its columns: scene_id, promt, variants, reference_url".to_owned());
        let expect = "\
error[input.column]: rows.csv has no column \"prompt\"
  its columns: scene_id, promt, variants, reference_url
fix: rename \"promt\" to \"prompt\"
";
        assert_eq!(render(&fault, false), expect);
    }

    #[test]
    fn foreign_text_cannot_reach_the_terminal() {
        let evil = "\u{1b}]52;c;aGk=\u{7}\u{202e}\n\u{f8ff}x";
        let mut fault = Diagnostic::of_file("row.x", evil, evil.to_owned(), evil.to_owned())
            .with_source(&format!("é,{evil},b"), 3..8, 7, 0);
        fault.scene_id = Some(evil.to_owned());
        fault.row_number = Some(1);
        fault.column_name = Some(evil.to_owned());
        fault.label = evil.to_owned();
        fault.notes.push(evil.to_owned());
        let drawn = render(&fault, false);
        let hazard = |one: &char| *one != '\n' && crate::domain::sanitize::is_hazard(*one);
        assert_eq!(drawn.chars().find(hazard), None, "{drawn:?}");
        assert_eq!(drawn.lines().count(), 7, "{drawn}");
    }

    #[test]
    fn an_empty_cell_gets_a_mark_and_color_is_a_choice() {
        let mut fault = bad_variants();
        fault.span = fault.snippet.len()..fault.snippet.len();
        assert!(
            render(&fault, false).contains("  |                                 ^ not a number")
        );
        assert!(!render(&fault, false).contains('\u{1b}'));
        let colored = render(&fault, true);
        assert!(colored.contains("\u{1b}[") && colored.contains("rows.csv:3:28   row 2"));
    }

    #[test]
    fn wide_and_long_lines_keep_the_mark_under_the_cell() {
        let source = format!("{},日本,bad,{}", "x".repeat(300), "y".repeat(300));
        let fault = Diagnostic::of_file("row.x", "r", "t".to_owned(), String::new()).with_source(
            &source,
            308..311,
            7,
            0,
        );
        let drawn = render(&fault, false);
        assert!(drawn.contains(" --> r:7:305\n"), "{drawn}");
        assert!(drawn.lines().all(|line| line.chars().count() < 200), "{drawn}");
        assert!(drawn.contains("bad,yyy"), "{drawn}");
    }
}
