//! What a person opens for references, by `--allow-refs-from`.

use std::fmt;
use std::str::FromStr;

/// Hosts and networks that references may come from although the gate refuses them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowList {
    entries: Vec<String>,
}

/// Why a text is neither a network nor a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a network such as 127.0.0.0/8 nor a host such as refs.example")]
pub struct AllowError(pub String);

impl FromStr for AllowList {
    type Err = AllowError;

    /// Reads networks and hosts, separated by commas.
    fn from_str(text: &str) -> Result<Self, AllowError> {
        let entries = text.split(',').map(str::trim).filter(|it| !it.is_empty());
        Ok(Self { entries: entries.map(str::to_owned).collect() })
    }
}

impl fmt::Display for AllowList {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.entries.join(","))
    }
}
