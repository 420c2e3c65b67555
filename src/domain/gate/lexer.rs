//! The characters of a gate with their columns, and the numbers among them.

use super::expression::PICO;
use super::parser::ParseError;

/// Digits that a number of a gate may have on either side of its point.
const MAX_DIGITS: usize = 12;

/// A place in the text of a gate.
#[derive(Debug)]
pub(super) struct Cursor {
    chars: Vec<char>,
    at: usize,
}

/// A number exactly as written.
#[derive(Clone, Debug)]
pub(super) struct Number {
    /// The column of its first digit.
    pub(super) column: usize,
    /// Its text without `_`.
    pub(super) text: String,
    digits: i128,
    n_fraction_digits: u32,
}

impl Cursor {
    pub(super) fn new(text: &str) -> Self {
        Self { chars: text.chars().collect(), at: 0 }
    }

    /// The column of the next character, counted from 1.
    pub(super) fn column(&self) -> usize {
        self.at + 1
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.chars.len()
    }

    pub(super) fn skip_blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    /// Takes `wanted` if it comes next.
    pub(super) fn eat(&mut self, wanted: &str) -> bool {
        let comes = wanted.chars().eq(self.chars[self.at..].iter().copied().take(wanted.len()));
        if comes {
            self.at += wanted.len();
        }
        comes
    }

    /// Takes the characters for which `belongs` holds.
    pub(super) fn take(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let start = self.at;
        while self.peek().is_some_and(&belongs) {
            self.at += 1;
        }
        self.chars[start..self.at].iter().collect()
    }

    /// The characters for which `belongs` holds, not taken.
    pub(super) fn look(&self, belongs: impl Fn(char) -> bool) -> String {
        self.chars[self.at..].iter().copied().take_while(|next| belongs(*next)).collect()
    }

    /// The text between two columns, the second not included.
    pub(super) fn between(&self, start: usize, end: usize) -> String {
        self.chars[start - 1..end - 1].iter().collect()
    }

    /// Goes back to a column.
    pub(super) fn rewind(&mut self, column: usize) {
        self.at = column - 1;
    }

    /// An error at the next character.
    pub(super) fn error(&self, message: impl Into<String>) -> ParseError {
        ParseError { column: self.column(), message: message.into() }
    }

    /// Takes a text in quotation marks, which come next.
    pub(super) fn quoted(&mut self) -> Result<String, ParseError> {
        let start = self.column();
        self.at += 1;
        let text = self.take(|next| next != '"');
        if self.eat("\"") {
            Ok(text)
        } else {
            Err(ParseError { column: start, message: "this quotation mark is not closed".into() })
        }
    }

    /// Takes a number: digits, with `_` between them and a fraction if wanted.
    pub(super) fn number(&mut self) -> Result<Option<Number>, ParseError> {
        let column = self.column();
        if !self.peek().is_some_and(|next| next.is_ascii_digit()) {
            return Ok(None);
        }
        let mut text = self.take(|next| next.is_ascii_digit() || next == '_');
        text.retain(|digit| digit != '_');
        let has_fraction = self.peek() == Some('.')
            && self.chars.get(self.at + 1).is_some_and(char::is_ascii_digit);
        let mut fraction = String::new();
        if has_fraction {
            self.at += 1;
            fraction = self.take(|next| next.is_ascii_digit());
        }
        let too_long = || ParseError {
            column,
            message: format!(
                "this number has more than {MAX_DIGITS} digits on one side of its point"
            ),
        };
        let significant = fraction.trim_end_matches('0');
        if text.trim_start_matches('0').len() > MAX_DIGITS || significant.len() > MAX_DIGITS {
            return Err(too_long());
        }
        let digits = format!("{text}{significant}").parse().map_err(|_| too_long())?;
        let n_fraction_digits = u32::try_from(significant.len()).map_err(|_| too_long())?;
        if has_fraction {
            text = format!("{text}.{fraction}");
        }
        Ok(Some(Number { column, text, digits, n_fraction_digits }))
    }
}

impl Number {
    /// The number times `numerator / denominator` in 10^-12, or an error when that is not exact.
    pub(super) fn exactly(&self, numerator: i128, denominator: i128) -> Result<i128, ParseError> {
        let product =
            self.digits.checked_mul(numerator).and_then(|digits| digits.checked_mul(PICO));
        let divisor = denominator * 10_i128.pow(self.n_fraction_digits);
        product
            .filter(|product| product % divisor == 0)
            .map(|product| product / divisor)
            .ok_or_else(|| ParseError {
                column: self.column,
                message: "this number has too many digits".to_owned(),
            })
    }

    /// The number as a whole one, if it is.
    pub(super) fn whole(&self) -> Option<u64> {
        if self.text.contains('.') { None } else { u64::try_from(self.digits).ok() }
    }
}
