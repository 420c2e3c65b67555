//! Why the folder of a run cannot be used.

use std::io;
use std::path::{Path, PathBuf};

/// Why a run cannot have a folder.
#[derive(Debug, thiserror::Error)]
pub enum RunFolderError {
    /// The same run is there already, and is not at work.
    #[error("{} already holds this run (same rows, same request settings)", folder.display())]
    AlreadyRun {
        /// The folder of that run.
        folder: PathBuf,
    },
    /// The same run is at work in another process.
    #[error("the same run is at work in {}", folder.display())]
    Busy {
        /// The folder of that run.
        folder: PathBuf,
    },
    /// Two folders hold the same run.
    #[error("{} and {} hold the same run", folder.display(), other.display())]
    Twice {
        /// One of them.
        folder: PathBuf,
        /// Another.
        other: PathBuf,
    },
    /// The file system refused.
    #[error("failed to use {}", path.display())]
    Io {
        /// The path concerned.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

pub(super) fn at(path: &Path, source: io::Error) -> RunFolderError {
    RunFolderError::Io { path: path.to_owned(), source }
}
