//! Identities: runs, rows, attempts.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The name of a row, unique in its batch; given by the user or derived from the row's content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SceneId(Arc<str>);

impl SceneId {
    /// Takes a name that a row reader has checked.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The name as it stands in the input.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SceneId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

/// The identity of one attempt (a UUIDv7), made before its reservation is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptId(Uuid);

impl AttemptId {
    /// Wraps a UUID made by the entropy port.
    pub const fn new(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// No attempt: a rehearsal's copy of an image has none that paid for it.
    pub const NONE: Self = Self(Uuid::nil());

    /// The last 62 bits, which are random in a UUIDv7.
    pub const fn low_bits(&self) -> u64 {
        self.0.as_u64_pair().1 & ((1 << 62) - 1)
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, out)
    }
}

impl FromStr for AttemptId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

/// The identity of one run: a UUIDv7, which sorts by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(Uuid);

impl RunId {
    /// Wraps a UUID made by the entropy port.
    pub const fn new(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The day of UTC on which it was made: a UUIDv7 begins with its milliseconds (RFC 9562, 5.7).
    pub fn day(&self) -> Date {
        let millis = i64::try_from(self.0.as_u64_pair().0 >> 16).unwrap_or_default();
        let at = Timestamp::from_millisecond(millis).unwrap_or_default();
        at.to_zoned(TimeZone::UTC).date()
    }

    /// A short name for people: the last eight hexadecimal digits, which are random.
    pub fn alias(&self) -> String {
        let hex = self.0.simple().to_string();
        hex[hex.len() - 8..].to_owned()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, out)
    }
}

impl FromStr for RunId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_id_has_a_short_alias_and_round_trips() {
        let run: RunId = "0192f0c1-2b3a-7c4d-8e5f-0123456789ab".parse().expect("a uuid");
        assert_eq!(run.alias(), "456789ab");
        assert_eq!(run.day().to_string(), "2024-11-03");
        assert_eq!(run.to_string().parse(), Ok(run));
    }
}
