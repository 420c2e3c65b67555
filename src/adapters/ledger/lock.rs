//! The lock of the ledger, and who holds it: each holder writes its process and the time into the
//! file, so that those who wait can say whom they wait for. Nobody breaks the lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fail::fail_point;
use jiff::Timestamp;

use crate::adapters::ledger::files::io_error;
use crate::adapters::ledger::segment::{is_same_file, private, write_at_start};
use crate::adapters::system;
use crate::ports::ledger::{LockHolder, StoreError};

/// Its name in the ledger's folder.
const NAME: &str = "ledger.lock";

/// The most bytes of what a holder writes.
const MAX_TEXT: u64 = 64;

/// The lock of the ledger: a file of its own that is never deleted.
#[derive(Debug)]
pub(super) struct LockFile {
    path: PathBuf,
    file: Option<File>,
}

impl LockFile {
    pub(super) fn new(root: &Path) -> Self {
        Self { path: root.join(NAME), file: None }
    }

    /// Waits for the lock. A file that was deleted meanwhile locks nobody out, so it is opened
    /// again until the locked one is the one that others find.
    pub(super) fn take(&mut self) -> Result<(), StoreError> {
        reach()?;
        loop {
            let mut file = match self.file.take() {
                Some(file) => file,
                None => {
                    let mut options = OpenOptions::new();
                    let options = private(options.read(true).write(true).create(true));
                    options.open(&self.path).map_err(io_error("open", &self.path))?
                }
            };
            file.lock().map_err(io_error("lock", &self.path))?;
            if is_same_file(&file, &self.path).map_err(io_error("find", &self.path))? {
                // Without it those who wait cannot name us, which is no reason to fail.
                let _ = sign(&mut file);
                self.file = Some(file);
                return Ok(());
            }
        }
    }

    /// Takes the lock when it is free; whether it did. Only for who has had it before.
    pub(super) fn try_take(&mut self) -> Result<bool, StoreError> {
        let Some(mut file) = self.file.take() else { return Ok(false) };
        reach()?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                self.file = Some(file);
                return Ok(false);
            }
            Err(TryLockError::Error(error)) => return Err(io_error("lock", &self.path)(error)),
        }
        let is_found = is_same_file(&file, &self.path).map_err(io_error("find", &self.path))?;
        if is_found {
            let _ = sign(&mut file);
            self.file = Some(file);
        }
        Ok(is_found)
    }

    /// Gives the lock back; closing the file does it too when unlocking fails.
    pub(super) fn give_back(&mut self) {
        if self.file.as_ref().is_some_and(|file| file.unlock().is_err()) {
            self.file = None;
        }
    }
}

/// The moment before the lock is asked for.
fn reach() -> Result<(), StoreError> {
    fail_point!("ledger::lock", |_| Err(StoreError::Poisoned));
    Ok(())
}

/// Writes who holds the lock, and since when; always as many bytes.
fn sign(file: &mut File) -> io::Result<()> {
    let since = system::now().as_microsecond();
    let text = format!("{:>10} {since:>20}\n", std::process::id());
    write_at_start(file, text.as_bytes())
}

/// Who took the lock of the ledger last. Whoever waits for it waits for that one.
pub fn holder(root: &Path) -> Option<LockHolder> {
    let mut text = String::new();
    let file = File::open(root.join(NAME)).ok()?;
    file.take(MAX_TEXT).read_to_string(&mut text).ok()?;
    let mut words = text.split_whitespace();
    let pid = words.next()?.parse().ok()?;
    let since = Timestamp::from_microsecond(words.next()?.parse().ok()?).ok()?;
    let age = Duration::try_from(system::now().duration_since(since)).unwrap_or_default();
    Some(LockHolder { pid, age })
}
