//! The journal as a file of JSON lines, appended and synced in groups.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::spawn_blocking;

use crate::adapters::output::files::private_file;
use crate::adapters::output::places::JOURNAL;
use crate::adapters::output::replay::reopen;
use crate::domain::event::Stamped;
use crate::ports::journal::{JournalError, JournalStore};

/// How long an event waits for company: many share a sync then, and nobody notices.
const LINGER: Duration = Duration::from_millis(5);

/// A journal file.
#[derive(Debug)]
pub struct JournalFile {
    path: PathBuf,
    file: Option<File>,
}

impl JournalFile {
    /// Makes the journal of a new run.
    ///
    /// # Errors
    /// When there is one already, or the file system refuses.
    pub fn create(run_folder: &Path) -> Result<Self, JournalError> {
        let path = run_folder.join(JOURNAL);
        let file = private_file(OpenOptions::new().append(true).create_new(true))
            .open(&path)
            .map_err(|source| error(&path, source))?;
        Ok(Self { path, file: Some(file) })
    }

    /// Goes on with the journal of a run, after its first `whole` bytes.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn go_on(run_folder: &Path, whole: u64) -> Result<Self, JournalError> {
        let path = run_folder.join(JOURNAL);
        let file = reopen(run_folder, whole).map_err(|source| error(&path, source))?;
        Ok(Self { path, file: Some(file) })
    }
}

#[async_trait]
impl JournalStore for JournalFile {
    async fn append(&mut self, events: &[Stamped]) -> Result<(), JournalError> {
        let mut text = Vec::with_capacity(events.len() * 256);
        for event in events {
            serde_json::to_writer(&mut text, event)
                .map_err(|source| error(&self.path, source.into()))?;
            text.push(b'\n');
        }
        let Some(mut file) = self.file.take() else {
            return Err(error(&self.path, io::Error::other("an earlier write failed")));
        };
        // A failed write or sync leaves no file behind: nothing is believed after it.
        let done = spawn_blocking(move || {
            file.write_all(&text)?;
            file.sync_data()?;
            Ok(file)
        })
        .await
        .unwrap_or_else(|join| Err(io::Error::other(join)));
        self.file = Some(done.map_err(|source| error(&self.path, source))?);
        Ok(())
    }

    fn linger(&self) -> Duration {
        LINGER
    }
}

fn error(path: &Path, source: io::Error) -> JournalError {
    JournalError { path: path.display().to_string(), source }
}
