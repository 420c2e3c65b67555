//! References: the input images of a row, by URL or by local path.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One input image of a row, checked for form only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reference {
    /// An address: `https`, `http`, `gs`, `s3` or `az`. It may carry a signature.
    Url(String),
    /// A path, relative to the rows file unless absolute.
    Local(String),
}

impl Reference {
    /// The address without its query and user part, or the path: fit for a terminal or a log.
    pub fn redacted(&self) -> &str {
        match self {
            Self::Url(url) => url.split(['?', '#']).next().unwrap_or_default(),
            Self::Local(path) => path,
        }
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.redacted(), out)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.redacted())
    }
}
