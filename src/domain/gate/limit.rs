//! The right side of a gate: literals with their units, and the baseline.

use super::expression::{Amount, Limit, PICO, Term};
use super::lexer::{Cursor, Number};
use super::metric::{Metric, Unit};
use super::parser::ParseError;
use crate::domain::money::NanoUsd;

/// What a limit is compared with.
pub(super) struct Expected<'a> {
    pub(super) metric: Metric,
    /// The metric as it is written.
    pub(super) name: &'a str,
    /// What its value is counted in.
    pub(super) unit: Unit,
}

/// Reads what stands behind the operator.
pub(super) fn parse_limit(
    cursor: &mut Cursor,
    expected: &Expected<'_>,
) -> Result<Limit, ParseError> {
    if !cursor.eat("baseline") {
        let start = cursor.column();
        let literal = parse_literal(cursor, expected)?;
        end_of_word(cursor)?;
        if literal.unit == Written::Points {
            let message = "'pp' only follows 'baseline +' or 'baseline -'".into();
            return Err(ParseError { column: start, message });
        }
        return literal.fit(expected).map(Limit::Fixed);
    }
    let end = cursor.column();
    cursor.skip_blanks();
    let term = if cursor.eat("*") {
        cursor.skip_blanks();
        let Some(factor) = cursor.number()? else {
            return Err(cursor.error("a number is expected after 'baseline *'"));
        };
        Term::Times(Amount(factor.exactly(1, 1)?))
    } else {
        let plus = cursor.eat("+");
        if !plus && !cursor.eat("-") {
            cursor.rewind(end);
            end_of_word(cursor)?;
            return Ok(Limit::Baseline(Term::Same));
        }
        cursor.skip_blanks();
        let literal = parse_literal(cursor, expected)?;
        end_of_word(cursor)?;
        let amount = literal.fit(expected)?;
        if plus { Term::Plus(amount) } else { Term::Minus(amount) }
    };
    end_of_word(cursor)?;
    Ok(Limit::Baseline(term))
}

/// How a literal was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Plain,
    Percent,
    Points,
    Dollars,
    Time,
    Size,
}

/// A value as written.
struct Literal {
    column: usize,
    negative: bool,
    number: Number,
    unit: Written,
    /// The unit's own text.
    suffix: &'static str,
    /// One of the unit, in base units, as a fraction.
    scale: (i128, i128),
}

/// Units by their text; a text that begins another comes behind it.
pub(super) const SUFFIXES: [(&str, Written, (i128, i128)); 11] = [
    ("%", Written::Percent, (1, 100)),
    ("pp", Written::Points, (1, 100)),
    ("ms", Written::Time, (1, 1000)),
    ("s", Written::Time, (1, 1)),
    ("m", Written::Time, (60, 1)),
    ("h", Written::Time, (3600, 1)),
    ("d", Written::Time, (86_400, 1)),
    ("KiB", Written::Size, (1 << 10, 1)),
    ("MiB", Written::Size, (1 << 20, 1)),
    ("GiB", Written::Size, (1 << 30, 1)),
    ("B", Written::Size, (1, 1)),
];

fn parse_literal(cursor: &mut Cursor, expected: &Expected<'_>) -> Result<Literal, ParseError> {
    let column = cursor.column();
    let negative = cursor.eat("-");
    if negative && expected.unit != Unit::SignedRatio {
        let message = format!("{} is never below zero", expected.name);
        return Err(ParseError { column, message });
    }
    let is_money = cursor.eat("$");
    let Some(number) = cursor.number()? else {
        return Err(cursor.error(if is_money {
            "an amount is expected after '$'"
        } else {
            "a value is expected, such as 5%, 30s, $10 or 3"
        }));
    };
    if is_money {
        let (unit, suffix, scale) = (Written::Dollars, "$", (1, 1));
        return Ok(Literal { column, negative, number, unit, suffix, scale });
    }
    let found = SUFFIXES.into_iter().find(|(suffix, ..)| cursor.eat(suffix));
    let (suffix, unit, scale) = found.unwrap_or(("", Written::Plain, (1, 1)));
    Ok(Literal { column, negative, number, unit, suffix, scale })
}

/// Nothing may stick to the end of a value.
pub(super) fn end_of_word(cursor: &Cursor) -> Result<(), ParseError> {
    if cursor.peek().is_none_or(char::is_whitespace) {
        return Ok(());
    }
    let rest = cursor.look(|next| !next.is_whitespace());
    Err(cursor.error(format!("unexpected '{rest}' right behind the value")))
}

impl Literal {
    /// The amount, if it is of the expected unit.
    fn fit(&self, expected: &Expected<'_>) -> Result<Amount, ParseError> {
        let error = |message: String| Err(ParseError { column: self.column, message });
        let text = &self.number.text;
        let amount = match (expected.unit, self.unit) {
            (Unit::Ratio | Unit::SignedRatio, Written::Plain) => {
                let pico = self.number.exactly(1, 1)?;
                if pico > PICO {
                    return error(format!("a ratio must be 0..1 or carry %: {text}%?"));
                }
                pico
            }
            (Unit::Time, Written::Plain) => {
                return error(format!("a unit is required: {text}s or {text}ms?"));
            }
            (Unit::Money, Written::Plain) => {
                return error(format!("a currency is required: ${text}?"));
            }
            (Unit::Money, Written::Dollars) => match text.parse::<NanoUsd>() {
                Ok(amount) => i128::from(amount.nanos()) * PICO_PER_NANO,
                Err(why) => return error(why.to_string()),
            },
            (Unit::Size, Written::Plain)
            | (Unit::Count | Unit::Number, Written::Plain)
            | (Unit::Ratio | Unit::SignedRatio, Written::Percent | Written::Points)
            | (Unit::Time, Written::Time)
            | (Unit::Size, Written::Size) => self.number.exactly(self.scale.0, self.scale.1)?,
            // What a custom metric is counted in, only its command knows.
            (Unit::Number, _) if expected.metric == Metric::Custom => {
                self.number.exactly(self.scale.0, self.scale.1)?
            }
            (unit, written) => {
                return error(format!(
                    "unit '{}' is {}, but this metric is {}",
                    self.suffix,
                    written.noun(),
                    unit.noun()
                ));
            }
        };
        Ok(Amount(if self.negative { -amount } else { amount }))
    }
}

/// Parts of the smallest amount in a nano-dollar or a nanosecond.
pub(super) const PICO_PER_NANO: i128 = 1000;

impl Written {
    const fn noun(self) -> &'static str {
        match self {
            Self::Plain => "a number",
            Self::Percent | Self::Points => "a ratio",
            Self::Dollars => "a currency",
            Self::Time => "a time",
            Self::Size => "a size",
        }
    }
}
