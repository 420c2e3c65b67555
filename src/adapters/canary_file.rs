//! The share that `canary set` fixes: a small file in the project, `.imagemill/canary/`.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::adapters::output::error::RunFolderError;
use crate::adapters::output::files::write_whole;
use crate::domain::percent::Percent;

/// The name and version of the format.
const SCHEMA: &str = "imagemill.canary-share/1";

/// The share that the next runs send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingShare {
    /// The name and version of the format.
    pub schema: String,
    /// The share in percent.
    pub percent: Percent,
    /// The name of the canary, which salts the order.
    pub name: String,
    /// When it was set, RFC 3339 UTC.
    pub set_at: String,
}

/// Why the share cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CanaryFileError {
    /// The file cannot be read.
    #[error("failed to read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not one that this version wrote.
    #[error("{} is no canary share that this version wrote", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, where it is no JSON of ours.
        #[source]
        source: Option<serde_json::Error>,
    },
}

impl StandingShare {
    /// A share set now.
    pub fn new(percent: Percent, name: String, set_at: String) -> Self {
        Self { schema: SCHEMA.to_owned(), percent, name, set_at }
    }

    /// Reads the share of a project; nothing when none is set.
    ///
    /// # Errors
    /// When there is one that cannot be understood.
    pub fn read(project: &Path) -> Result<Option<Self>, CanaryFileError> {
        let path = place(project);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(CanaryFileError::Io { path, source }),
        };
        match serde_json::from_str::<Self>(&text) {
            Ok(share) if share.schema == SCHEMA => Ok(Some(share)),
            Ok(_) => Err(CanaryFileError::Invalid { path, source: None }),
            Err(source) => Err(CanaryFileError::Invalid { path, source: Some(source) }),
        }
    }

    /// Writes the share of a project.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write(&self, project: &Path) -> Result<(), RunFolderError> {
        let mut text = serde_json::to_string_pretty(self).expect("plain values serialize");
        text.push('\n');
        write_whole(&place(project), text.as_bytes())
    }
}

fn place(project: &Path) -> PathBuf {
    project.join(".imagemill").join("canary").join("share.json")
}
