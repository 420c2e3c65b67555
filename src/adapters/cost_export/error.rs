//! Why a cost export was not read.

use std::io;

use crate::domain::ledger::reconcile::{Place, export};
use crate::domain::money::MoneyError;

/// Why a cost export was not read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read.
    #[error("failed to read it")]
    Io(#[from] io::Error),
    /// The file is larger than any that is read.
    #[error("it has more than {0} bytes")]
    TooLarge(u64),
    /// The file has more lines than are read.
    #[error("it has more than {0} lines of costs")]
    TooManyLines(usize),
    /// The file is no text.
    #[error("it is not in UTF-8")]
    NotText,
    /// The file holds no line of costs.
    #[error("it has no line of costs")]
    Empty,
    /// A column that is needed is missing.
    #[error("it has no column for the {field}; its columns are: {found}")]
    NoColumn {
        /// What is missing.
        field: &'static str,
        /// The columns that are there.
        found: String,
    },
    /// A line cannot be understood.
    #[error("{place}: {problem}")]
    Line {
        /// Where it stands.
        place: Place,
        /// What is wrong with it.
        problem: Problem,
    },
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Its amount is no amount.
    #[error(transparent)]
    Amount(#[from] MoneyError),
    /// Its time is no time.
    #[error(transparent)]
    Time(#[from] export::WhenError),
    /// It lacks something.
    #[error("it has no {0}")]
    Lacks(&'static str),
    /// Its money is not in dollars.
    #[error("its currency is {0:?}, and only usd is compared")]
    Currency(String),
    /// Its end is not behind its start.
    #[error("it ends before it starts")]
    Backwards,
    /// Its form is broken.
    #[error("{0}")]
    Form(String),
}

impl Problem {
    pub(super) fn at(self, place: Place) -> Error {
        Error::Line { place, problem: self }
    }
}
