//! What may stand behind the value of a gate: `abort=`, `after=`, `min=` and their like.

use std::time::Duration;

use super::expression::{Abort, After, Clauses, Evidence, Insufficient, Severity};
use super::lexer::Cursor;
use super::limit::{SUFFIXES, Written, end_of_word};
use super::parser::{ParseError, is_word, suggestion};
use crate::domain::percent::Percent;

/// The clauses by their names.
const CLAUSES: [&str; 10] = [
    "abort",
    "after",
    "min",
    "insufficient",
    "evidence",
    "confidence",
    "severity",
    "per",
    "window",
    "name",
];

/// Reads the clauses up to the end of the text.
pub(super) fn parse_clauses(cursor: &mut Cursor) -> Result<Clauses, ParseError> {
    let mut clauses = Clauses::default();
    let mut seen: Vec<String> = Vec::new();
    loop {
        cursor.skip_blanks();
        if cursor.is_at_end() {
            return Ok(clauses);
        }
        let start = cursor.column();
        let error = |message: String| Err(ParseError { column: start, message });
        let name = cursor.take(is_word);
        if name.is_empty() || !cursor.eat("=") {
            let rest = format!("{name}{}", cursor.look(|next| !next.is_whitespace()));
            let advice = match rest.to_ascii_lowercase().as_str() {
                "or" | "and" | "||" | "&&" => "; give one gate for each condition",
                _ => "",
            };
            return error(format!("unexpected '{rest}' after the value{advice}"));
        }
        if !CLAUSES.contains(&name.as_str()) {
            return error(match suggestion(&name, CLAUSES) {
                Some(likely) => format!("unknown clause '{name}='; did you mean '{likely}='?"),
                None => format!("unknown clause '{name}='; use one of: {}", CLAUSES.join(", ")),
            });
        }
        if seen.contains(&name) {
            return error(format!("'{name}=' is given twice"));
        }
        parse_clause(cursor, &name, &mut clauses)?;
        seen.push(name);
    }
}

fn parse_clause(cursor: &mut Cursor, name: &str, clauses: &mut Clauses) -> Result<(), ParseError> {
    match name {
        "abort" => {
            let words = [
                ("doomed", Abort::Doomed),
                ("likely", Abort::Likely),
                ("now", Abort::Now),
                ("never", Abort::Never),
            ];
            clauses.abort = Some(one_of(cursor, name, &words)?);
        }
        "after" => clauses.after = Some(parse_after(cursor)?),
        "min" => clauses.min = Some(whole(cursor, "min=20")?),
        "insufficient" => {
            let words = [
                ("hold", Insufficient::Hold),
                ("pass", Insufficient::Pass),
                ("fail", Insufficient::Fail),
            ];
            clauses.insufficient = Some(one_of(cursor, name, &words)?);
        }
        "evidence" => {
            let words = [("point", Evidence::Point), ("strong", Evidence::Strong)];
            clauses.evidence = Some(one_of(cursor, name, &words)?);
        }
        "confidence" => clauses.confidence = Some(parse_confidence(cursor)?),
        "severity" => {
            let words = [("error", Severity::Error), ("warn", Severity::Warn)];
            clauses.severity = Some(one_of(cursor, name, &words)?);
        }
        "per" => {
            let tag = cursor.look(is_word);
            if tag.is_empty() {
                return Err(cursor.error("a tag is expected, such as per=provider"));
            }
            clauses.per = Some(cursor.take(is_word));
        }
        "window" => {
            let start = cursor.column();
            let After::Time(window) = parse_after(cursor)? else {
                let message = "a time is expected, such as window=15m".into();
                return Err(ParseError { column: start, message });
            };
            clauses.window = Some(window);
        }
        _ => {
            let is_quoted = cursor.peek() == Some('"');
            let text =
                if is_quoted { cursor.quoted()? } else { cursor.take(|c| !c.is_whitespace()) };
            if text.is_empty() {
                return Err(cursor.error("a name is expected, such as name=errors"));
            }
            clauses.name = Some(text);
        }
    }
    end_of_word(cursor)
}

/// Takes one of the words of a clause.
fn one_of<T: Copy>(
    cursor: &mut Cursor,
    clause: &str,
    words: &[(&str, T)],
) -> Result<T, ParseError> {
    let written = cursor.look(|next| !next.is_whitespace());
    let Some((word, meaning)) = words.iter().find(|(word, _)| *word == written) else {
        let choices: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let choices = choices.join(", ");
        return Err(cursor.error(format!("'{clause}=' takes one of: {choices}; not '{written}'")));
    };
    cursor.eat(word);
    Ok(*meaning)
}

fn whole(cursor: &mut Cursor, example: &str) -> Result<u64, ParseError> {
    let error = cursor.error(format!("a whole number is expected, such as {example}"));
    cursor.number()?.and_then(|number| number.whole()).ok_or(error)
}

fn parse_after(cursor: &mut Cursor) -> Result<After, ParseError> {
    let number = whole(cursor, "20, 30s or 15m")?;
    let time =
        SUFFIXES.into_iter().find(|(suffix, unit, _)| *unit == Written::Time && cursor.eat(suffix));
    Ok(match time {
        None => After::Rows(number),
        Some((_, _, (_, 1000))) => After::Time(Duration::from_millis(number)),
        Some((_, _, (seconds, _))) => {
            let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
            After::Time(Duration::from_secs(number.saturating_mul(seconds)))
        }
    })
}

fn parse_confidence(cursor: &mut Cursor) -> Result<Percent, ParseError> {
    let error = cursor.error("a percentage below 100 is expected, such as confidence=95%");
    let number = cursor.number()?.ok_or_else(|| error.clone())?;
    if !cursor.eat("%") {
        return Err(cursor.error("'%' is expected, as in confidence=95%"));
    }
    number.text.parse().ok().filter(|percent: &Percent| !percent.is_whole()).ok_or(error)
}
