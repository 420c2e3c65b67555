//! The append-only record of a run.

use std::fmt::Debug;
use std::io;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::event::Stamped;

/// Why the journal could not be written; spending stops then.
#[derive(Debug, thiserror::Error)]
#[error("failed to write the journal {path}")]
pub struct JournalError {
    /// The file concerned.
    pub path: String,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// Keeps the events of a run in their order.
#[async_trait]
pub trait JournalStore: Debug + Send {
    /// Appends events; they are durable when this returns.
    ///
    /// # Errors
    /// When the disk refuses; nothing may be sent after that.
    async fn append(&mut self, events: &[Stamped]) -> Result<(), JournalError>;

    /// How long an event may wait for company before it is kept.
    fn linger(&self) -> Duration {
        Duration::ZERO
    }
}
