//! What a look at the surroundings of a run found, one finding for each thing looked at.

use serde::Serialize;

/// How good something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// As it should be.
    Ok,
    /// It works, and could be better.
    Warn,
    /// A run would fail.
    Fail,
}

impl Health {
    /// The word for people, in four letters.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at, such as `ledger`.
    pub name: &'static str,
    /// How good it is.
    pub health: Health,
    /// What was seen, in one line.
    pub text: String,
    /// What to do about it, in one line.
    pub fix: Option<String>,
}

impl Check {
    /// Something that is as it should be.
    pub fn ok(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, health: Health::Ok, text: text.into(), fix: None }
    }

    /// Something that works and could be better.
    pub fn warn(name: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, health: Health::Warn, text: text.into(), fix: Some(fix.into()) }
    }

    /// Something that would make a run fail.
    pub fn fail(name: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, health: Health::Fail, text: text.into(), fix: Some(fix.into()) }
    }
}
