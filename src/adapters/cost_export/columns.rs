//! Under which names an export has what is needed, and how a line is made of it.

use std::sync::Arc;

use crate::adapters::cost_export::error::{Error, Problem};
use crate::domain::ledger::reconcile::export::Amount;
use crate::domain::ledger::reconcile::{Line, Place, When};
use crate::domain::sanitize::{cut, one_line};

/// The longest id, provider or model: the ledger has none that is longer.
const MOST_LETTERS: usize = 256;
/// How many names of columns an error lists.
const MOST_NAMES: usize = 30;
/// The longest name of a column that an error lists in full.
const MOST_NAME_LETTERS: usize = 40;

/// What a line of an export may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The id of the request.
    RequestId,
    /// When it was counted.
    Time,
    /// Where the span ends that a sum is about.
    EndTime,
    /// The model or line item.
    Model,
    /// How much.
    Amount,
    /// In which currency.
    Currency,
    /// The provider.
    Provider,
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 7] = [
        Self::RequestId,
        Self::Time,
        Self::EndTime,
        Self::Model,
        Self::Amount,
        Self::Currency,
        Self::Provider,
    ];

    /// Its usual names, the best one first; blanks, hyphens and capitals do not matter.
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Self::RequestId => &["request_id", "x_request_id", "id"],
            Self::Time => &["time", "timestamp", "created_at", "start_time", "date"],
            Self::EndTime => &["end_time"],
            Self::Model => &["model", "line_item"],
            Self::Amount => &["amount", "cost", "cost_usd", "amount_value", "total"],
            Self::Currency => &["currency", "amount_currency"],
            Self::Provider => &["provider"],
        }
    }

    /// The word for it on the command line.
    pub const fn word(self) -> &'static str {
        self.names()[0]
    }

    /// The field with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.word() == word)
    }
}

/// Names of columns that were given instead of the usual ones.
#[derive(Clone, Debug, Default)]
pub struct Columns(Vec<(Field, String)>);

impl Columns {
    /// Takes the column `name` for a field.
    pub fn give(&mut self, field: Field, name: &str) {
        self.0.push((field, plain(name)));
    }

    /// The one of `names` that has a field: the given one, else the best of the usual ones.
    pub(super) fn find(&self, field: Field, names: &[String]) -> Option<usize> {
        let position = |wanted: &str| names.iter().position(|name| name == wanted);
        match self.0.iter().rev().find(|(given, _)| *given == field) {
            Some((_, name)) => position(name),
            None => field.names().iter().find_map(|name| position(name)),
        }
    }
}

/// A name of a column as it is compared.
pub(super) fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace([' ', '-'], "_")
}

/// The error for a column that is missing, with those that are there.
pub(super) fn missing(field: Field, names: &[String]) -> Error {
    let shown = names.iter().take(MOST_NAMES);
    let shown: Vec<String> =
        shown.map(|name| cut(&one_line(name), MOST_NAME_LETTERS).into_owned()).collect();
    Error::NoColumn { field: field.word(), found: shown.join(", ") }
}

/// What a line says, as text; what is empty is not said.
#[derive(Clone, Debug, Default)]
pub(super) struct Cells<'a>([&'a str; Field::ALL.len()]);

impl<'a> Cells<'a> {
    pub(super) fn set(&mut self, field: Field, text: &'a str) {
        self.0[field as usize] = text.trim();
    }

    fn get(&self, field: Field) -> Option<&'a str> {
        Some(self.0[field as usize]).filter(|text| !text.is_empty())
    }

    /// Foreign text, fit for every terminal that will ever show it.
    fn text(&self, field: Field) -> Option<Arc<str>> {
        self.get(field).map(|text| one_line(&cut(text, MOST_LETTERS)).into())
    }

    /// The line that these cells make.
    pub(super) fn line(&self, place: Place) -> Result<Line, Error> {
        self.checked(place).map_err(|problem| problem.at(place))
    }

    fn checked(&self, place: Place) -> Result<Line, Problem> {
        if let Some(currency) = self.get(Field::Currency)
            && !currency.eq_ignore_ascii_case("usd")
        {
            return Err(Problem::Currency(cut(&one_line(currency), MOST_NAME_LETTERS).into()));
        }
        let amount = self.get(Field::Amount).ok_or(Problem::Lacks("amount"))?;
        let start = When::parse(self.get(Field::Time).ok_or(Problem::Lacks("time"))?)?;
        let request_id = self.text(Field::RequestId);
        let when = match self.get(Field::EndTime) {
            // A request has a moment; only a sum is about a span.
            Some(end) if request_id.is_none() => {
                let end = When::parse(end)?.start();
                if end <= start.start() {
                    return Err(Problem::Backwards);
                }
                When::Within(start.start(), end)
            }
            Some(_) | None => start,
        };
        Ok(Line {
            place,
            request_id,
            provider: self.text(Field::Provider),
            model: self.text(Field::Model),
            when,
            amount: Amount::parse(amount)?,
        })
    }
}
