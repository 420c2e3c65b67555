//! What became of each row, as tables in the run's folder: the input's own columns and ours.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::adapters::ledger::read::run_attempts;
use crate::adapters::output::picture::RESULTS;
use crate::adapters::output::sums::Sums;
use crate::adapters::output::tables::{TableFile, free_name};
use crate::adapters::rows::{RowIndex, RowSource};
use crate::commands::failure::{Failure, store_failure};
use crate::commands::ledger_access::ledger_exists;
use crate::commands::run::going_on::rows::Works;
use crate::commands::run::rejected_file::is_same_file;
use crate::commands::run::result_columns::{head, is_error};
use crate::commands::world::World;
use crate::domain::batch::Batch;
use crate::domain::history::{History, NoNames, RowResult};
use crate::domain::reference::redact_queries;
use crate::domain::settings::{RowsInput, RunSettings};
use crate::exit::Exit;
use crate::ports::rows::RowReader;

/// Whether a row stands in a table.
type Wanted = fn(&RowResult) -> bool;

/// The tables: every row, those that failed in whole or in part, and those that were refused.
const TABLES: [(&str, Wanted); 3] = [
    (RESULTS, |_| true),
    ("failed.csv", |row| row.outcome.is_some_and(|it| it.is_error())),
    ("refused.csv", |row| row.outcome.is_some_and(|it| it.word() == "refused")),
];

/// What the tables are made of.
struct Results<'a> {
    world: &'a World,
    settings: &'a RunSettings,
    batch: &'a Batch,
    source: &'a RowSource,
    index: &'a Arc<RowIndex>,
}

impl Results<'_> {
    /// Writes them, and the sums of all files of the run. Returns the tables of rows that did not
    /// end well, each with its number of rows.
    fn write(
        &self,
        (folder, ledger): (&Path, &Path),
        mut history: History,
    ) -> Result<Vec<(PathBuf, u64)>, Failure> {
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
        let tables = self.tables(folder, &history)?;
        let mut told = Vec::new();
        for ((name, _), table) in TABLES.into_iter().zip(tables) {
            let path = self.place(folder, name, &before).map_err(failed)?;
            let n_rows = table.n_rows();
            if name == TABLES[0].0 || n_rows > 0 {
                let digest = table.finish(&path).map_err(failed)?;
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                sums.add(&name, digest);
            }
            if name != TABLES[0].0 && n_rows > 0 {
                told.push((path, n_rows));
            }
        }
        sums.write(folder).map_err(|error| Failure::new(Exit::Environment, error))?;
        Ok(told)
    }

    fn tables(&self, folder: &Path, history: &History) -> Result<Vec<TableFile>, Failure> {
        let Self { settings, batch, source, index, .. } = *self;
        let failed = |error: io::Error| Failure::new(Exit::Environment, error);
        let invalid = |error| Failure::new(Exit::Invalid, error);
        let names: Vec<&str> = source.shape().columns().collect();
        let has_name = source.shape().has_scene_ids();
        let head = head(&names, has_name);
        let tables = TABLES.iter().map(|_| TableFile::begin(folder, &head));
        let mut tables = tables.collect::<io::Result<Vec<_>>>().map_err(failed)?;
        let mut reader =
            source.reader(index).map_err(|error| Failure::new(Exit::Environment, error))?;
        Works { settings, batch, source, index }.each(|position, row, works| {
            let result = history.result(&row.scene_id, works);
            let raw = reader.raw(position).map_err(invalid)?;
            let own = raw.into_iter().filter(|(name, _)| !is_error(name));
            // Tables are handed on: an address opens nothing in them.
            let mut cells: Vec<String> = own.map(|it| redact_queries(&it.1).into_owned()).collect();
            cells.extend((!has_name).then(|| row.scene_id.as_str().to_owned()));
            cells.extend([
                result.word().to_owned(),
                result.files.join("|"),
                result.cost.to_string(),
                result.attempts.to_string(),
                result.error.clone().unwrap_or_default(),
            ]);
            for ((_, wants), table) in TABLES.iter().zip(&mut tables) {
                if wants(&result) {
                    table.row(&cells).map_err(failed)?;
                }
            }
            Ok(())
        })?;
        Ok(tables)
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

/// Writes what became of each row; returns the tables of rows that did not end well.
pub(super) fn write(
    world: &World,
    settings: &RunSettings,
    batch: &Batch,
    source: Option<&RowSource>,
    index: &Arc<RowIndex>,
    places: (&Path, &Path),
    history: History,
) -> Result<Vec<(PathBuf, u64)>, Failure> {
    let Some(source) = source else { return Ok(Vec::new()) };
    Results { world, settings, batch, source, index }.write(places, history)
}
