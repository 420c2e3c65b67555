//! What can be wrong with a price book, each with its place in the file.

use std::fmt;

use serde::Serialize;

use crate::domain::money::MoneyError;
use crate::domain::suggest::{self, did_you_mean};

/// Why a text is no price book.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file has one or more problems; there is at least one.
    #[error("{origin}{}", summary(.problems))]
    Problems {
        /// The file, or `built-in`.
        origin: String,
        /// All that is wrong, in the order of the file.
        problems: Vec<Problem>,
    },
}

impl Error {
    /// All that is wrong, in the order of the file.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Problems { problems, .. } => problems,
        }
    }
}

/// A place in a file, both counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

impl Place {
    /// The place of a byte in a text.
    pub(crate) fn of(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            line: count(before.matches('\n').count() + 1),
            column: count(before[line_start..].chars().count() + 1),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.line, self.column)
    }
}

/// One thing that is wrong with a price book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub kind: ProblemKind,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.kind)
    }
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProblemKind {
    /// The file is no TOML.
    #[error("not valid TOML: {0}")]
    Syntax(String),
    /// A key that has no meaning here.
    #[error("unknown key {key:?}{}", did_you_mean(.suggestion))]
    UnknownKey {
        /// The key as written.
        key: String,
        /// The known key that looks most like it.
        suggestion: Option<String>,
    },
    /// A required key is missing.
    #[error("the key {0:?} is missing")]
    MissingKey(&'static str),
    /// The value has another type than it must have.
    #[error("{key:?} must be {expected}")]
    WrongType {
        /// The key as written.
        key: String,
        /// What it must be.
        expected: &'static str,
    },
    /// The value is no amount.
    #[error("{key:?}: {source}")]
    BadAmount {
        /// The key as written.
        key: String,
        /// Why it is no amount.
        source: MoneyError,
    },
    /// A price below zero.
    #[error("{0:?} is below zero")]
    Negative(String),
    /// The file was written for another version of this format.
    #[error("schema {0} is not known here; this version reads schema 1")]
    UnknownSchema(String),
    /// `like` names an entry that does not exist.
    #[error("like = {target:?} names no entry{}", did_you_mean(.suggestion))]
    UnknownLike {
        /// The name as written.
        target: String,
        /// The known entry that looks most like it.
        suggestion: Option<String>,
    },
    /// `like` leads back to where it started.
    #[error("like = {0:?} goes round in a circle")]
    LikeCircle(String),
}

/// The known word that looks most like `word`, if one does.
pub(crate) fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    suggest::closest(word, known).map(str::to_owned)
}

fn summary(problems: &[Problem]) -> String {
    let first = problems.first().map(|problem| format!(":{problem}")).unwrap_or_default();
    match problems.len().saturating_sub(1) {
        0 => first,
        more => format!("{first} (and {more} more)"),
    }
}
