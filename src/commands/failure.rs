//! How a command fails: an exit, an error, and one hint.

use std::error::Error;
use std::fmt;

use crate::exit::Exit;
use crate::ports::ledger::StoreError;

/// A failure on its way to the user.
#[derive(Debug)]
pub struct Failure {
    /// The exit.
    pub exit: Exit,
    /// What went wrong.
    pub error: Box<dyn Error + Send + Sync>,
    /// What to do about it.
    pub hint: Option<String>,
    /// A picture of it that is shown instead of the error's own text.
    pub picture: Option<String>,
    /// The good and the bad rows of the input, once they are counted.
    pub rows: Option<(u64, u64)>,
}

impl Failure {
    /// A failure with an exit and an error.
    pub fn new(exit: Exit, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { exit, error: error.into(), hint: None, picture: None, rows: None }
    }

    /// With something to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With the good and the bad rows of the input.
    #[must_use]
    pub fn with_rows(mut self, n_good: u64, n_bad: u64) -> Self {
        self.rows = Some((n_good, n_bad));
        self
    }

    /// With a picture of it.
    #[must_use]
    pub fn with_picture(mut self, picture: String) -> Self {
        self.picture = Some(picture);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, out)
    }
}

/// A file that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action} {path}")]
pub struct FileError {
    /// What was tried, such as `read`.
    pub action: &'static str,
    /// The file.
    pub path: String,
    /// What the system said.
    #[source]
    pub source: std::io::Error,
}

/// A store's error with the exit that it means.
pub(super) fn store_failure(error: StoreError) -> Failure {
    let exit = match &error {
        StoreError::WrongMoney { .. } | StoreError::OtherZone { .. } | StoreError::Gone { .. } => {
            Exit::Invalid
        }
        StoreError::Io { .. } => Exit::Environment,
        StoreError::Corrupt { .. }
        | StoreError::Rule { .. }
        | StoreError::Missing { .. }
        | StoreError::Replaced { .. }
        | StoreError::Description { .. }
        | StoreError::Poisoned => Exit::Bug,
    };
    if let StoreError::OtherZone { kept, .. } = &error {
        let hint = format!("a ledger's zone cannot be changed: put {kept} back into that file");
        return Failure::new(exit, error).with_hint(hint);
    }
    if let StoreError::Gone { note, .. } = &error {
        let hint = format!(
            "put it back from a copy; or, when nothing that it held counts any more, delete {}",
            note.display()
        );
        return Failure::new(exit, error).with_hint(hint);
    }
    let failure = Failure::new(exit, error);
    if exit == Exit::Bug {
        failure
            .with_hint("nothing is spent until the ledger is sound again: imagemill ledger check")
    } else if exit == Exit::Invalid {
        failure.with_hint("name another ledger with --ledger DIR")
    } else {
        failure
    }
}
