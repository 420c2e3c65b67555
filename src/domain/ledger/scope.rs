//! What a limit applies to.

use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::domain::ids::RunId;

/// What a limit applies to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LimitScope {
    /// Every day of the ledger's zone.
    Day,
    /// Any 24 hours.
    Window,
    /// What one model costs, every day.
    Model(Arc<str>),
    /// Every run, over all its days.
    EveryRun,
    /// One run, over all its days.
    Run(RunId),
    /// The worst case of every single image.
    Image,
}

impl LimitScope {
    /// The word for the scope in a line of the ledger.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Window => "24h",
            Self::Model(_) => "model",
            Self::EveryRun => "every-run",
            Self::Run(_) => "run",
            Self::Image => "image",
        }
    }

    /// The scope with this word, and the model or run that it names; nothing when they do not fit
    /// each other or the word is unknown.
    pub fn from_word(word: &str, model: Option<&str>, run: Option<RunId>) -> Option<Self> {
        match (word, model, run) {
            ("day", None, None) => Some(Self::Day),
            ("24h", None, None) => Some(Self::Window),
            ("model", Some(model), None) => Some(Self::Model(model.into())),
            ("every-run", None, None) => Some(Self::EveryRun),
            ("run", None, Some(run)) => Some(Self::Run(run)),
            ("image", None, None) => Some(Self::Image),
            _ => None,
        }
    }
}

/// As it stands after "a limit per" or "$10.00 per".
impl fmt::Display for LimitScope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day => out.pad("day"),
            Self::Window => out.pad("24 hours"),
            Self::Model(model) => write!(out, "day of model {model}"),
            Self::EveryRun => out.pad("run"),
            Self::Run(run) => write!(out, "run {}", run.alias()),
            Self::Image => out.pad("image"),
        }
    }
}

/// The word under `scope`, and the model or run beside it.
impl Serialize for LimitScope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("scope", self.word())?;
        match self {
            Self::Model(model) => map.serialize_entry("model", model)?,
            Self::Run(run) => map.serialize_entry("run", run)?,
            Self::Day | Self::Window | Self::EveryRun | Self::Image => {}
        }
        map.end()
    }
}
