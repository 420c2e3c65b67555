//! What shows a run while it is at work, and once it has ended.

use std::path::PathBuf;

use crate::commands::failure::Failure;
use crate::commands::run::reports::Reports;
use crate::commands::world::World;
use crate::report::progress::ProgressKind;
use crate::report::words;

/// What shows a run while it is at work, and once it has ended.
pub(super) struct Shows {
    pub(super) progress: ProgressKind,
    pub(super) reports: Reports,
}

impl Shows {
    /// Says where the rows are that did not end well. What goes wrong with their tables is a
    /// warning: the journal has it all, and the same command writes them anew.
    pub(super) fn tell(&self, world: &World, tables: Result<Vec<(PathBuf, u64)>, Failure>) {
        match tables {
            Ok(tables) if matches!(self.progress, ProgressKind::Bar | ProgressKind::Lines) => {
                for (path, n_rows) in tables {
                    let path = path.strip_prefix(&world.invocation.cwd).unwrap_or(&path).display();
                    let rows = words::count(n_rows, "row");
                    world.printer.say(&format!("{rows} did not end well: {path}"));
                }
            }
            Ok(_) => {}
            Err(failure) => {
                let text = format!("the tables of results cannot be written: {failure}");
                world.printer.warn(&text);
            }
        }
    }
}
