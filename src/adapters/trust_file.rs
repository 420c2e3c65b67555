//! The project's config files that the user trusts, each as it was when that was said.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::adapters::output::files::{private_folder, write_whole};
use crate::domain::digest::Sha256Digest;

/// The name and version of the format.
pub const SCHEMA: &str = "imagemill.trust/1";

/// The file in the user's state folder.
const FILE: &str = "trusted.json";

/// Why the list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// It cannot be read or written.
    #[error("{} cannot be used", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is not as this version writes it.
    #[error("{} is no list that this version wrote", path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
}

/// The list.
#[derive(Debug)]
pub struct Trust {
    path: PathBuf,
    files: BTreeMap<PathBuf, String>,
}

/// The list as it is kept.
#[derive(Serialize, Deserialize)]
struct Document {
    schema: String,
    /// The SHA-256 of each file, by its full path.
    files: BTreeMap<PathBuf, String>,
}

impl Trust {
    /// Reads the list; an empty one when there is none.
    ///
    /// # Errors
    /// When it is there and cannot be used: nothing is trusted by accident.
    pub fn read(folder: &Path) -> Result<Self, TrustError> {
        let path = folder.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { path, files: BTreeMap::new() });
            }
            Err(source) => return Err(TrustError::Io { path, source }),
        };
        match serde_json::from_slice::<Document>(&text) {
            Ok(document) if document.schema == SCHEMA => Ok(Self { path, files: document.files }),
            Ok(_) | Err(_) => Err(TrustError::Format { path }),
        }
    }

    /// Whether a file is trusted with exactly these bytes.
    pub fn covers(&self, file: &Path, bytes: &[u8]) -> bool {
        let known = self.files.get(&full(file));
        known.is_some_and(|digest| *digest == Sha256Digest::of(bytes).to_string())
    }

    /// Trusts a file as it is.
    ///
    /// # Errors
    /// When the list cannot be written.
    pub fn add(&mut self, file: &Path, bytes: &[u8]) -> Result<(), TrustError> {
        self.files.insert(full(file), Sha256Digest::of(bytes).to_string());
        self.write()
    }

    /// Trusts a file no more; whether it was trusted.
    ///
    /// # Errors
    /// When the list cannot be written.
    pub fn remove(&mut self, file: &Path) -> Result<bool, TrustError> {
        let was = self.files.remove(&full(file)).is_some();
        self.write().map(|()| was)
    }

    fn write(&self) -> Result<(), TrustError> {
        let at = |source| TrustError::Io { path: self.path.clone(), source };
        if let Some(folder) = self.path.parent() {
            private_folder(folder).map_err(at)?;
        }
        let document = Document { schema: SCHEMA.to_owned(), files: self.files.clone() };
        let mut text = serde_json::to_string_pretty(&document).expect("plain values serialize");
        text.push('\n');
        write_whole(&self.path, text.as_bytes()).map_err(|error| at(io::Error::other(error)))
    }
}

/// The path without detours, so that a file has one name.
fn full(file: &Path) -> PathBuf {
    fs::canonicalize(file).unwrap_or_else(|_| file.to_owned())
}
