//! What became of each row, as tables in the run's folder: the input's own columns and ours.

use std::io;
use std::path::{Path, PathBuf};

use crate::adapters::ledger::read::run_attempts;
use crate::adapters::output::sums::Sums;
use crate::adapters::output::tables::free_name;
use crate::commands::failure::{Failure, store_failure};
use crate::commands::ledger_access::ledger_exists;
use crate::commands::run::rejected_file::is_same_file;
use crate::commands::run::result_rows::{Results, TABLES};
use crate::domain::history::{History, NoNames};
use crate::domain::picture::SceneResult;
use crate::domain::settings::RowsInput;
use crate::exit::Exit;

/// What was written.
#[derive(Default)]
pub(super) struct Written {
    /// The tables of rows that did not end well, each with its number of rows.
    pub(super) not_well: Vec<(PathBuf, u64)>,
    /// What became of each row.
    pub(super) rows: Vec<SceneResult>,
}

impl Results<'_> {
    /// Writes them, and the sums of all files of the run.
    pub(super) fn write(
        &self,
        (folder, ledger): (&Path, &Path),
        mut history: History,
    ) -> Result<Written, Failure> {
        let failed = |error: io::Error| Failure::new(Exit::Environment, error);
        // What was cleared up by hand stands in the ledger alone.
        let is_open = history.may_be_cleared_up() && ledger_exists(ledger);
        if let Some(run) = history.run.filter(|_| is_open) {
            history.catch_up(&run_attempts(ledger, run).map_err(store_failure)?, &NoNames);
        }
        let before = Sums::of(folder);
        let mut sums = Sums::default();
        for (file, digest) in history.digests() {
            sums.add(file, digest);
        }
        let (tables, rows) = self.tables(folder, &history)?;
        let mut not_well = Vec::new();
        for ((name, _), table) in TABLES.into_iter().zip(tables) {
            let path = self.place(folder, name, &before).map_err(failed)?;
            let n_rows = table.n_rows();
            if name == TABLES[0].0 || n_rows > 0 {
                let digest = table.finish(&path).map_err(failed)?;
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                sums.add(&name, digest);
            }
            if name != TABLES[0].0 && n_rows > 0 {
                not_well.push((path, n_rows));
            }
        }
        sums.write(folder).map_err(|error| Failure::new(Exit::Environment, error))?;
        Ok(Written { not_well, rows })
    }

    /// Where a table goes. One of an earlier process is taken away, unless somebody has edited it
    /// or it is what is read now.
    fn place(&self, folder: &Path, name: &str, before: &Sums) -> io::Result<PathBuf> {
        let path = folder.join(name);
        let is_input = match &self.settings.rows {
            RowsInput::File(rows) => is_same_file(&self.world.path(rows), &path),
            RowsInput::Stdin => false,
        };
        if is_input {
            return Ok(free_name(&path));
        }
        match path.exists() {
            true if before.knows(folder, name) => std::fs::remove_file(&path)?,
            true => std::fs::rename(&path, free_name(&path))?,
            false => {}
        }
        Ok(path)
    }
}
