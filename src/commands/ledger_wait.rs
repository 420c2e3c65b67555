//! Steps that may wait for the ledger's lock before there is a run: they say for whom they wait.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};

use crate::adapters::ledger::lock::holder;
use crate::ports::ledger::{LOCK_PATIENCE, lock_wait};
use crate::report::printer::Printer;

/// Does a step on a ledger, and says who holds its lock when that takes long.
pub(super) fn patiently<T>(printer: Printer, root: &Path, step: impl FnOnce() -> T) -> T {
    std::thread::scope(|scope| {
        let (working, end) = channel::<()>();
        scope.spawn(move || {
            if end.recv_timeout(LOCK_PATIENCE) == Err(RecvTimeoutError::Timeout) {
                printer.warn(&lock_wait(holder(root)));
            }
        });
        let done = step();
        drop(working);
        done
    })
}
