//! The rows of the tables of results, from what a run has done and what its rows ask for now.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::adapters::output::picture::RESULTS;
use crate::adapters::output::tables::TableFile;
use crate::adapters::rows::{RowIndex, RowSource};
use crate::commands::failure::Failure;
use crate::commands::run::result_columns::{head, is_error};
use crate::commands::run::works::Works;
use crate::commands::world::World;
use crate::domain::batch::Batch;
use crate::domain::history::{History, RowResult};
use crate::domain::ids::SceneId;
use crate::domain::picture::{SceneResult, in_table};
use crate::domain::reference::redact_queries;
use crate::domain::row::Row;
use crate::domain::settings::RunSettings;
use crate::exit::Exit;

/// Whether a row stands in a table.
pub(super) type Wanted = fn(&RowResult) -> bool;

/// The tables: every row, those that failed in whole or in part, and those that were refused.
pub(super) const TABLES: [(&str, Wanted); 3] = [
    (RESULTS, |_| true),
    ("failed.csv", |row| row.outcome.is_some_and(|it| it.is_error())),
    ("refused.csv", |row| row.outcome.is_some_and(|it| it.word() == "refused")),
];

/// What the tables are made of.
pub(super) struct Results<'a> {
    pub(super) world: &'a World,
    pub(super) settings: &'a RunSettings,
    pub(super) batch: &'a Batch,
    pub(super) source: &'a RowSource,
    pub(super) index: &'a Arc<RowIndex>,
    /// Rows for which nothing was sent, since they ask for the same as others.
    pub(super) twins: &'a BTreeSet<SceneId>,
}

impl Results<'_> {
    /// Begins the tables and writes every row; returns them with what became of each row.
    pub(super) fn tables(
        &self,
        folder: &Path,
        history: &History,
    ) -> Result<(Vec<TableFile>, Vec<SceneResult>), Failure> {
        let Self { settings, batch, source, index, twins, .. } = *self;
        let failed = |error: io::Error| Failure::new(Exit::Environment, error);
        let invalid = |error| Failure::new(Exit::Invalid, error);
        let names: Vec<&str> = source.shape().columns().collect();
        let has_name = source.shape().has_scene_ids();
        let head = head(&names, has_name);
        let tables = TABLES.iter().map(|_| TableFile::begin(folder, &head));
        let mut tables = tables.collect::<io::Result<Vec<_>>>().map_err(failed)?;
        let mut rows = Vec::new();
        let mut reader =
            source.reader(index).map_err(|error| Failure::new(Exit::Environment, error))?;
        let works = Works { settings, batch, source, index };
        for position in 0..index.len() {
            let (row, raw) = reader.read_whole(position).map_err(invalid)?;
            let is_twin = twins.contains(&row.scene_id);
            let result = history.result(&row.scene_id, &works.identities(position, &row), is_twin);
            let own = raw.into_iter().filter(|(name, _)| !is_error(name));
            // Tables are handed on: an address opens nothing in them.
            let redacted = |(_, text): (String, String)| match redact_queries(&text) {
                Cow::Borrowed(_) => text,
                Cow::Owned(redacted) => redacted,
            };
            let mut cells: Vec<String> = own.map(redacted).collect();
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
            rows.push(shown(&row, result));
        }
        Ok((tables, rows))
    }
}

/// A row as reports show it.
fn shown(row: &Row, result: RowResult) -> SceneResult {
    SceneResult {
        scene_id: in_table(row.scene_id.as_str()),
        outcome: result.word().to_owned(),
        files: result.files,
        cost: result.cost,
        attempts: result.attempts,
        error: result.error,
    }
}
