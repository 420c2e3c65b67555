//! The side file `tail`: what was last synced, written in place after each sync and never synced
//! itself. Without it the newest lines have nobody to vouch for them after a crash.
//!
//! It is no ledger: a side file that cannot be written or read stops nobody, and promises less.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::adapters::ledger::segment::{private, write_at_start};
use crate::domain::ledger::SegmentName;
use crate::domain::ledger::parse::LineError;
use crate::domain::ledger::promise::{BrokenPromise, MAX_PROMISE, Promise};
use crate::domain::ledger::scan::Position;
use crate::ports::ledger::StoreError;

/// Its name in the ledger's folder.
const NAME: &str = "tail";

/// The side file of one ledger, as one process uses it.
#[derive(Debug)]
pub(super) struct TailFile {
    path: PathBuf,
    file: Option<File>,
}

impl TailFile {
    pub(super) fn new(root: &Path) -> Self {
        Self { path: root.join(NAME), file: None }
    }

    /// What is promised; nothing when there is no side file, or it cannot be read. A reader without
    /// the ledger's lock must ask before it reads the segments: what is promised is there by then.
    pub(super) fn promise(&self) -> Option<Promise> {
        let mut bytes = Vec::with_capacity(MAX_PROMISE);
        let file = File::open(&self.path).ok()?;
        file.take(MAX_PROMISE as u64).read_to_end(&mut bytes).ok()?;
        Promise::decode(&bytes)
    }

    /// Promises what was just synced; only under the ledger's lock. One that cannot be written
    /// leaves an older promise, which is still true, or a torn one, which promises nothing.
    pub(super) fn write(&mut self, promise: &Promise) {
        if self.try_write(promise).is_err() {
            self.file = None;
        }
    }

    fn try_write(&mut self, promise: &Promise) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let mut options = OpenOptions::new();
                let options = private(options.write(true).create(true).truncate(false));
                self.file.insert(options.open(&self.path)?)
            }
        };
        write_at_start(file, promise.encode().as_bytes())
    }
}

/// Holds a promise about a segment against `bytes` of it, which stand at `from`; `whole` is where
/// its whole lines end.
pub(super) fn expect_kept(
    promise: Option<&Promise>,
    segment: (SegmentName, &Path),
    bytes: &[u8],
    from: Position,
    whole: u64,
) -> Result<(), StoreError> {
    let (name, path) = segment;
    let Some(promise) = promise.filter(|promise| promise.segment == name) else { return Ok(()) };
    promise.hold_against(bytes, from.offset, from.lines, whole).map_err(|broken| {
        let BrokenPromise { line, offset } = broken;
        StoreError::Corrupt { path: path.to_owned(), line, offset, source: LineError::Promised }
    })
}
