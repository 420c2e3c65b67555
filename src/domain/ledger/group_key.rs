//! What the entries of a ledger can be summed by.

use std::fmt;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde::{Serialize, Serializer};

use crate::domain::ledger::entries::Entry;

/// What stands before the name of a tag.
const TAG: &str = "tag:";

/// What entries can be summed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupKey {
    /// The civil day on which the money was booked.
    Day,
    /// The week of that day, from Monday, as ISO 8601 counts it.
    Week,
    /// The month of that day.
    Month,
    /// The run.
    Run,
    /// The model.
    Model,
    /// The provider.
    Provider,
    /// A tag of the row: `V` for a tag `K=V`, and `yes` for a tag that is just `K`.
    Tag(Arc<str>),
    /// Whether the run sent a canary share only: `yes` or `no`.
    Canary,
    /// What became of the attempt.
    Outcome,
}

impl GroupKey {
    /// How each key is written, with a tag named `K`.
    pub const WORDS: [&str; 9] =
        ["day", "week", "month", "run", "model", "provider", "tag:K", "canary", "outcome"];

    /// The key that is written like this.
    pub fn from_word(text: &str) -> Option<Self> {
        Some(match text {
            "day" => Self::Day,
            "week" => Self::Week,
            "month" => Self::Month,
            "run" => Self::Run,
            "model" => Self::Model,
            "provider" => Self::Provider,
            "canary" => Self::Canary,
            "outcome" => Self::Outcome,
            _ => Self::Tag(text.strip_prefix(TAG).filter(|name| !name.is_empty())?.into()),
        })
    }

    /// The text of an entry for this key; days are those of `zone`.
    pub fn text_of(&self, entry: &Entry, zone: &TimeZone) -> String {
        let date = || entry.on.unwrap_or_else(|| zone.to_datetime(entry.time).date());
        let text = match self {
            Self::Day => Some(date().to_string()),
            Self::Week => {
                let week = date().iso_week_date();
                Some(format!("{}-W{:02}", week.year(), week.week()))
            }
            Self::Month => Some(date().strftime("%Y-%m").to_string()),
            Self::Run => entry.run.map(|run| run.to_string()),
            Self::Model => entry.model.as_deref().map(str::to_owned),
            Self::Provider => entry.provider.as_deref().map(str::to_owned),
            Self::Tag(name) => entry.tags.iter().find_map(|tag| value_of(tag, name)),
            Self::Canary => entry.canary.map(|canary| if canary { "yes" } else { "no" }.to_owned()),
            Self::Outcome => Some(entry.outcome.word().to_owned()),
        };
        text.unwrap_or_else(|| "(none)".to_owned())
    }
}

/// What a tag says about `name`; nothing when it is another tag.
fn value_of(tag: &str, name: &str) -> Option<String> {
    let rest = tag.strip_prefix(name)?;
    match rest.strip_prefix('=') {
        Some(value) => Some(value.to_owned()),
        None => rest.is_empty().then(|| "yes".to_owned()),
    }
}

impl fmt::Display for GroupKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day => out.pad("day"),
            Self::Week => out.pad("week"),
            Self::Month => out.pad("month"),
            Self::Run => out.pad("run"),
            Self::Model => out.pad("model"),
            Self::Provider => out.pad("provider"),
            Self::Tag(name) => write!(out, "{TAG}{name}"),
            Self::Canary => out.pad("canary"),
            Self::Outcome => out.pad("outcome"),
        }
    }
}

impl Serialize for GroupKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
