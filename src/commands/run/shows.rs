//! What shows a run while it is at work, and once it has ended.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crate::adapters::rows::{RowIndex, RowSource};
use crate::commands::failure::Failure;
use crate::commands::run::reports::{Asks, Reports};
use crate::commands::run::result_rows::Results;
use crate::commands::run::results::Written;
use crate::commands::run::told::Told;
use crate::commands::run::works::spec_of;
use crate::commands::world::World;
use crate::domain::batch::Batch;
use crate::domain::ids::SceneId;
use crate::domain::picture::SceneResult;
use crate::domain::report::RunReport;
use crate::domain::row::Row;
use crate::domain::settings::RunSettings;
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
    fn tell(&self, world: &World, written: Result<Written, Failure>) -> Option<Vec<SceneResult>> {
        let Written { not_well, rows } = match written {
            Ok(written) => written,
            Err(failure) => {
                let text = format!("the tables of results cannot be written: {failure}");
                world.printer.warn(&text);
                return None;
            }
        };
        if matches!(self.progress, ProgressKind::Bar | ProgressKind::Lines) {
            for (path, n_rows) in not_well {
                let path = path.strip_prefix(&world.invocation.cwd).unwrap_or(&path).display();
                let rows = words::count(n_rows, "row");
                world.printer.say(&format!("{rows} did not end well: {path}"));
            }
        }
        Some(rows)
    }
}

/// A live run that has ended.
pub(super) struct Shown<'a> {
    pub(super) world: &'a World,
    pub(super) settings: &'a RunSettings,
    pub(super) batch: &'a Batch,
    pub(super) report: &'a RunReport,
    /// Rows for which nothing was sent, since they ask for the same as others.
    pub(super) twins: &'a BTreeSet<SceneId>,
}

impl Shown<'_> {
    /// Writes its tables, then its reports, into its folder; `places` are that and its ledger.
    pub(super) fn show(
        &self,
        shows: &Shows,
        source: Option<&RowSource>,
        index: &Arc<RowIndex>,
        places: (&Path, &Path),
        told: Told,
    ) {
        let Self { world, settings, batch, report, twins } = *self;
        let Told { history, picture } = told;
        let written = match source {
            Some(source) => {
                Results { world, settings, batch, source, index, twins }.write(places, history)
            }
            None => Ok(Written::default()),
        };
        let became = shows.tell(world, written);
        let asks = |position, row: &Row| spec_of(settings, batch, position, row);
        let rows = source.map(|it| (it, index, &asks as &Asks<'_>));
        shows.reports.of_run(world, report, places.0, (picture, became), rows);
    }
}
