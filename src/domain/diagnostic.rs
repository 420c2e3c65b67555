//! Diagnostics: one fault of the input as a picture can be drawn of it, and the tally of many.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::domain::reference::redact_queries;
use crate::domain::sanitize::one_line;

/// The most characters of a source line that are shown on either side of a fault's start.
const CONTEXT_CHARS: usize = 60;

/// One fault of the input: what, where, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The kind of fault, such as `row.variants`.
    pub code: &'static str,
    /// What must hold, or what was found.
    pub title: String,
    /// The input's name as the user gave it; `<stdin>` for standard input.
    pub file: String,
    /// Line of the fault, counted from 1; 0 when the fault is the whole file's.
    pub line: u64,
    /// Character of the line at which the fault starts, counted from 1.
    pub column: u64,
    /// The data record's number, counted from 1.
    pub row_number: Option<u64>,
    /// The row's name, when it has a readable one.
    pub scene_id: Option<String>,
    /// The column's name.
    pub column_name: Option<String>,
    /// The source line around the fault, sanitized, without queries of addresses.
    pub snippet: String,
    /// The bytes of the snippet that are at fault.
    pub span: Range<usize>,
    /// Why they are at fault.
    pub label: String,
    /// Further facts, one line each.
    pub notes: Vec<String>,
    /// What to do, as one sentence without a period.
    pub fix: String,
}

impl Diagnostic {
    /// A fault of a whole file.
    pub fn of_file(code: &'static str, file: &str, title: String, fix: String) -> Self {
        Self {
            code,
            title: one_line(&title).into_owned(),
            file: file.to_owned(),
            line: 0,
            column: 0,
            row_number: None,
            scene_id: None,
            column_name: None,
            snippet: String::new(),
            span: 0..0,
            label: String::new(),
            notes: Vec::new(),
            fix: one_line(&fix).into_owned(),
        }
    }

    /// Adds the picture: the line of `source` in which `span` starts.
    ///
    /// `source` starts at `line` and, in that line, after `before` characters. A span that goes
    /// over several lines is cut to the first.
    #[must_use]
    pub fn with_source(mut self, source: &str, span: Range<usize>, line: u64, before: u64) -> Self {
        let start = floor_boundary(source, span.start.min(source.len()));
        let end = floor_boundary(source, span.end.clamp(start, source.len()));
        let head = &source[..start];
        let line_start = head.rfind('\n').map_or(0, |at| at + 1);
        let line_end = source[start..].find('\n').map_or(source.len(), |at| start + at);
        let line_end = line_start + source[line_start..line_end].trim_end_matches('\r').len();
        let end = end.min(line_end).max(start);
        self.line = line + head.bytes().filter(|byte| *byte == b'\n').count() as u64;
        let in_line = source[line_start..start].chars().count() as u64;
        self.column = 1 + in_line + if line_start == 0 { before } else { 0 };
        let left = redact_queries(&source[line_start..start]).into_owned();
        let middle = redact_queries(&source[start..end]).into_owned();
        let right = redact_queries(&source[end..line_end.max(end)]).into_owned();
        let left = cut_left(&one_line(&left));
        let middle = crate::domain::sanitize::cut(&one_line(&middle), CONTEXT_CHARS).into_owned();
        let right = crate::domain::sanitize::cut(&one_line(&right), CONTEXT_CHARS).into_owned();
        self.span = left.len()..left.len() + middle.len();
        self.snippet = left + &middle + &right;
        self
    }
}

/// Many bad rows: the first in full, the others counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BadRowTally {
    /// The first bad row's first fault.
    pub first: Option<Diagnostic>,
    /// How many rows are bad.
    pub n_rows: u64,
    /// The bad rows but the first, by the column of their first fault (or by its code).
    pub others: BTreeMap<String, u64>,
}

impl BadRowTally {
    /// Counts one bad row by its first fault.
    pub fn add(&mut self, diagnostic: &Diagnostic) {
        self.n_rows += 1;
        if self.first.is_none() {
            self.first = Some(diagnostic.clone());
            return;
        }
        // A hostile input can have a fault in each of a thousand columns, which is still bounded.
        let name = diagnostic.column_name.as_deref().unwrap_or(diagnostic.code);
        match self.others.get_mut(name) {
            Some(count) => *count += 1,
            None => {
                self.others.insert(name.to_owned(), 1);
            }
        }
    }

    /// The other bad rows in words: `and 41 more bad rows: variants 40, prompt 1`.
    pub fn others_in_words(&self) -> Option<String> {
        let mut kinds: Vec<(&String, &u64)> = self.others.iter().collect();
        kinds.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), (*name).clone()));
        let total: u64 = kinds.iter().map(|(_, count)| **count).sum();
        if total == 0 {
            return None;
        }
        let words: Vec<String> =
            kinds.iter().map(|(name, count)| format!("{} {count}", one_line(name))).collect();
        let rows = if total == 1 { "row" } else { "rows" };
        Some(format!("and {total} more bad {rows}: {}", words.join(", ")))
    }
}

/// The last characters of a text, with `…` before them when some were left out.
fn cut_left(text: &str) -> String {
    let n_chars = text.chars().count();
    if n_chars <= CONTEXT_CHARS {
        return text.to_owned();
    }
    let kept = text.chars().skip(n_chars - CONTEXT_CHARS + 1);
    std::iter::once('…').chain(kept).collect()
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(source: &str, span: Range<usize>) -> Diagnostic {
        Diagnostic::of_file("row.x", "rows.csv", "t".to_owned(), "f".to_owned())
            .with_source(source, span, 7, 0)
    }

    #[test]
    fn the_picture_shows_the_line_of_the_fault() {
        for (source, span, line, column, shown) in [
            ("a,bad,c", 2..5, 7, 3, "bad"),
            ("é,bad,c\r\n", 3..6, 7, 3, "bad"),
            ("a,\"x\ny\",bad\n", 8..11, 8, 4, "bad"),
            ("a,\"x\ny\",bad", 2..7, 7, 3, "\"x"),
            ("a,", 2..2, 7, 3, ""),
            ("a\u{1b},bad", 3..6, 7, 4, "bad"),
        ] {
            let drawn = picture(source, span);
            assert_eq!((drawn.line, drawn.column), (line, column), "{source:?}");
            assert_eq!(&drawn.snippet[drawn.span.clone()], shown, "{source:?}");
        }
    }

    #[test]
    fn a_long_line_is_cut_on_both_sides_and_keeps_its_column() {
        let source = format!("{},bad,{}", "x".repeat(500), "y".repeat(500));
        let drawn = picture(&source, 501..504);
        assert_eq!(drawn.column, 502);
        assert_eq!(&drawn.snippet[drawn.span.clone()], "bad");
        assert!(drawn.snippet.chars().count() <= 3 * CONTEXT_CHARS);
        assert!(drawn.snippet.starts_with('…') && drawn.snippet.ends_with('…'));
    }

    #[test]
    fn a_signature_is_never_shown() {
        let drawn = picture("https://x/a?sig=SECRET,bad,https://x/b?sig=SECRET", 23..26);
        assert!(!drawn.snippet.contains("SECRET"), "{}", drawn.snippet);
    }

    #[test]
    fn other_bad_rows_are_counted_by_column() {
        let mut tally = BadRowTally::default();
        let mut fault = picture("a,bad", 2..5);
        for (name, n_rows) in [("variants", 41), ("prompt", 1)] {
            fault.column_name = Some(name.to_owned());
            (0..n_rows).for_each(|_| tally.add(&fault));
        }
        assert_eq!(tally.n_rows, 42);
        let words = tally.others_in_words().expect("others");
        assert_eq!(words, "and 41 more bad rows: variants 40, prompt 1");
    }
}
