//! A note beside a ledger's folder that says that real money was kept in it: who deletes the folder
//! deletes today's expenses, and a new ledger in its place would allow them once more.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::adapters::ledger::segment::write_new;
use crate::domain::ledger::Money;
use crate::ports::ledger::StoreError;

/// Leaves the note, unless it is there. Where it cannot be left, the ledger is kept all the same.
pub(super) fn leave_note(root: &Path, money: Money, description: &str) {
    let Some(note) = note(root).filter(|note| money == Money::Real && !note.exists()) else {
        return;
    };
    let _ = write_new(&note, description.as_bytes());
}

/// Refuses to make a ledger where one of real money has been.
pub(super) fn expect_no_note(root: &Path, money: Money) -> Result<(), StoreError> {
    let Some(note) = note(root).filter(|note| money == Money::Real && note.exists()) else {
        return Ok(());
    };
    let said: Option<serde_json::Value> =
        fs::read(&note).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let made = said.as_ref().and_then(|said| said["created"].as_str()).unwrap_or("some time ago");
    Err(StoreError::Gone { path: root.to_owned(), made: made.to_owned(), note })
}

/// Where the note stands: beside the folder, hidden, with its name.
fn note(root: &Path) -> Option<PathBuf> {
    let root: io::Result<PathBuf> = fs::canonicalize(root);
    let root = root.ok()?;
    let name = root.file_name()?.to_str()?;
    Some(root.with_file_name(format!(".{name}.kept")))
}
