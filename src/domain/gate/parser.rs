//! From text to a gate, by hand, so that every error has its column and says what to write.

use super::clauses::parse_clauses;
use super::expression::{Aggregation, Amount, Gate, Limit, Matcher, Operator, PICO};
use super::lexer::Cursor;
use super::limit::{Expected, parse_limit};
use super::metric::{CUSTOM_PREFIX, Kind, Metric, NAMED, Unit};
use crate::domain::percent::Percent;

/// Where and why a text is no gate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("col {column}: {message}")]
pub struct ParseError {
    /// The column, counted in characters from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

/// How like a known word an unknown one must be to be suggested (1 is the same).
const LIKENESS: f64 = 0.8;

/// Characters of a tag's value that need no quotation marks.
pub(super) fn is_bare(next: char) -> bool {
    next.is_alphanumeric() || matches!(next, '_' | '.' | '/' | ':' | '-' | '*')
}

/// The word among `known` that is most like `word`, if one is.
pub(super) fn suggestion<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let likeness = |candidate: &'a str| (strsim::jaro_winkler(word, candidate), candidate);
    let best = known.into_iter().map(likeness).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness >= LIKENESS).map(|(_, candidate)| candidate)
}

pub(super) fn parse(text: &str) -> Result<Gate, ParseError> {
    let mut cursor = Cursor::new(text);
    cursor.skip_blanks();
    if cursor.is_at_end() {
        return Err(cursor.error("a gate is expected, such as errors rate < 5%"));
    }
    let (metric, metric_name) = parse_metric(&mut cursor)?;
    let selector = parse_selector(&mut cursor)?;
    cursor.skip_blanks();
    let aggregation = parse_aggregation(&mut cursor, metric, &metric_name)?;
    let operator = parse_operator(&mut cursor)?;
    cursor.skip_blanks();
    let start = cursor.column();
    let expected = Expected { metric, name: &metric_name, unit: metric.unit_of(aggregation) };
    let limit = parse_limit(&mut cursor, &expected)?;
    let limit_text = cursor.between(start, cursor.column());
    if let (Limit::Fixed(Amount(pico)), Kind::Rate, Unit::Ratio) =
        (limit, metric.kind(), expected.unit)
        && pico > PICO
    {
        return Err(ParseError { column: start, message: "a rate is never above 100%".into() });
    }
    let clauses = parse_clauses(&mut cursor)?;
    Ok(Gate {
        text: text.to_owned(),
        metric,
        metric_name,
        selector,
        aggregation,
        operator,
        limit,
        limit_text,
        clauses,
    })
}

/// Characters of words: tags, aggregations, clauses.
pub(super) fn is_word(next: char) -> bool {
    next.is_ascii_alphanumeric() || next == '_'
}

fn parse_metric(cursor: &mut Cursor) -> Result<(Metric, String), ParseError> {
    let start = cursor.column();
    let name = cursor.take(|next| is_word(next) || next == '.' || next == '-');
    let error = |message: String| ParseError { column: start, message };
    if name.is_empty() {
        return Err(error("a metric is expected, such as errors or latency".into()));
    }
    if let Some(metric) = Metric::named(&name) {
        return Ok((metric, name));
    }
    let known = || NAMED.iter().map(|metric| metric.name());
    Err(error(match suggestion(&name, known()) {
        Some(likely) => format!("unknown metric '{name}'; did you mean '{likely}'?"),
        None => {
            let all: Vec<&str> = known().collect();
            format!("unknown metric '{name}'; use one of: {}, {CUSTOM_PREFIX}NAME", all.join(", "))
        }
    }))
}

fn parse_selector(cursor: &mut Cursor) -> Result<Vec<Matcher>, ParseError> {
    let mut selector = Vec::new();
    if !cursor.eat("{") {
        return Ok(selector);
    }
    loop {
        cursor.skip_blanks();
        let tag = cursor.take(|next| is_word(next) || next == '.' || next == '-');
        if tag.is_empty() {
            return Err(cursor.error("a tag is expected, such as provider=openai"));
        }
        cursor.skip_blanks();
        let negated = cursor.eat("!=");
        if !negated && !cursor.eat("=") {
            return Err(cursor.error(format!("'=' or '!=' is expected after the tag '{tag}'")));
        }
        cursor.skip_blanks();
        let is_quoted = cursor.peek() == Some('"');
        let value = if is_quoted { cursor.quoted()? } else { cursor.take(is_bare) };
        if value.is_empty() && !is_quoted {
            return Err(cursor.error(format!("a value is expected for the tag '{tag}'")));
        }
        let has_wildcards = !is_quoted && value.contains('*');
        selector.push(Matcher { tag, negated, value, has_wildcards });
        cursor.skip_blanks();
        if cursor.eat("}") {
            return Ok(selector);
        }
        if !cursor.eat(",") {
            return Err(cursor.error("',' or '}' is expected in the selector"));
        }
    }
}

fn parse_aggregation(
    cursor: &mut Cursor,
    metric: Metric,
    name: &str,
) -> Result<Aggregation, ParseError> {
    let start = cursor.column();
    let kind = metric.kind();
    let error = |message: String| ParseError { column: start, message };
    if cursor.peek() == Some('{') {
        return Err(error("a selector stands right behind the metric, without a blank".into()));
    }
    let choices = kind.aggregations().join(", ");
    let word = cursor.take(is_word);
    if word.is_empty() {
        return kind.default_aggregation().ok_or_else(|| {
            error(format!("{name} ({}) needs an aggregation; use one of: {choices}", kind.word()))
        });
    }
    let plain = [
        Aggregation::Rate,
        Aggregation::Count,
        Aggregation::Sum,
        Aggregation::Average,
        Aggregation::Min,
        Aggregation::Max,
        Aggregation::Median,
        Aggregation::Value,
    ];
    let aggregation = if word == "p" {
        // Any percentile stands for all until the metric is known to have some.
        if !kind.aggregations().contains(&"p(N)") {
            return Err(error(does_not_apply("p", metric, name)));
        }
        parse_percentile(cursor, start)?
    } else {
        let found = plain.into_iter().find(|aggregation| aggregation.word() == word);
        found.ok_or_else(|| {
            error(match word.strip_prefix('p').map(str::parse::<u64>) {
                Some(Ok(number)) => {
                    format!("unknown aggregation '{word}'; did you mean 'p({number})'?")
                }
                Some(Err(_)) | None => {
                    format!("unknown aggregation '{word}'; use one of: {choices}")
                }
            })
        })?
    };
    if kind.allows(aggregation) {
        Ok(aggregation)
    } else {
        Err(error(does_not_apply(&word, metric, name)))
    }
}

fn does_not_apply(word: &str, metric: Metric, name: &str) -> String {
    let kind = metric.kind();
    let choices = kind.aggregations().join(", ");
    format!("'{word}' does not apply to {name} ({}); use one of: {choices}", kind.word())
}

fn parse_percentile(cursor: &mut Cursor, start: usize) -> Result<Aggregation, ParseError> {
    if !cursor.eat("(") {
        return Err(cursor.error("'(' is expected, as in p(95)"));
    }
    let Some(number) = cursor.number()? else {
        return Err(cursor.error("a number is expected, as in p(95)"));
    };
    if !cursor.eat(")") {
        return Err(cursor.error("')' is expected, as in p(95)"));
    }
    let percent = number.text.parse::<Percent>().ok().filter(|percent| !percent.is_whole());
    percent.map(Aggregation::Percentile).ok_or_else(|| ParseError {
        column: start,
        message: "percentile must be between 0 and 100, exclusive; use min or max".into(),
    })
}

fn parse_operator(cursor: &mut Cursor) -> Result<Operator, ParseError> {
    cursor.skip_blanks();
    // Longer signs come first, for each begins with a shorter one.
    for operator in [
        Operator::AtMost,
        Operator::AtLeast,
        Operator::Equal,
        Operator::NotEqual,
        Operator::Less,
        Operator::Greater,
    ] {
        if cursor.eat(operator.sign()) {
            return Ok(operator);
        }
    }
    let meant = match cursor.look(|next| "=<>!".contains(next)).as_str() {
        "=<" => "; did you mean '<='?",
        "=>" => "; did you mean '>='?",
        "=" => "; did you mean '=='?",
        _ => "",
    };
    Err(cursor.error(format!("one of < <= > >= == != is expected{meant}")))
}
