//! Rows that were rejected when their turn came, since a reference could not be used: they are
//! written beside the bad rows of the planning pass, in the input's own columns.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::adapters::rows::{self, RejectedWriter, RowSource};
use crate::cli::args::run::FormatArg;
use crate::commands::run::reference_objections::{Refused, RefusedRow, refusal};
use crate::commands::run::rejected_file::{settled_rejected_file, with_format};
use crate::commands::world::World;
use crate::domain::event::{RunEvent, Stamped};
use crate::domain::row::Outcome;
use crate::domain::settings::{OnBadRow, RunSettings};
use crate::pipeline::fetch::REFERENCE_ERROR;
use crate::pipeline::stop::with_sources;
use crate::ports::sink::EventSink;
use crate::report::ndjson::EventLines;
use crate::report::words;

/// Gathers the rows that are rejected on the way.
#[derive(Clone, Debug, Default)]
pub(super) struct LateRows(Arc<Mutex<Refused>>);

impl EventSink for LateRows {
    fn show(&mut self, events: &[Stamped]) {
        for stamped in events {
            if let RunEvent::RowFinished(row) = &stamped.event
                && row.outcome == Outcome::Rejected
                && row.error_kind == Some(REFERENCE_ERROR)
            {
                let reason = row.reason.clone().unwrap_or_default();
                self.0
                    .lock()
                    .expect("no holder panics")
                    .insert(row.row, RefusedRow { reference: None, reason });
            }
        }
    }
}

impl LateRows {
    /// The views of a run: this one, and what the format of the result asks for.
    pub(super) fn with_views(&self, world: &World, format: FormatArg) -> Vec<Box<dyn EventSink>> {
        let mut views: Vec<Box<dyn EventSink>> = vec![Box::new(self.clone())];
        if format == FormatArg::Ndjson {
            views.push(Box::new(EventLines::new(world.printer)));
        }
        views
    }

    /// Writes them where bad rows are written; what goes wrong is a warning, since the journal
    /// names them too.
    pub(super) fn write(
        &self,
        world: &World,
        settings: &RunSettings,
        source: Option<&mut RowSource>,
    ) {
        let late = std::mem::take(&mut *self.0.lock().expect("no holder panics"));
        let path = settings.rejected.as_ref().filter(|_| !late.is_empty());
        let (Some(path), Some(source)) = (path, source) else { return };
        let path = settled_rejected_file(&with_format(path, source.shape().format()));
        let n_late = words::count(late.len() as u64, "row");
        let counted = match settings.on_bad_row {
            OnBadRow::Stop => " (as an error; --on-bad-row skip goes on without such rows)",
            OnBadRow::Skip => "",
        };
        match write(world.path(&path), &late, source) {
            Ok(()) => world.printer.warn(&format!(
                "{n_late} rejected{counted} since a reference could not be used: {}",
                path.display()
            )),
            Err(problem) => world.printer.warn(&format!(
                "{n_late} rejected since a reference could not be used, and {} cannot be written: \
                 {problem}",
                path.display()
            )),
        }
    }
}

fn write(path: PathBuf, late: &Refused, source: &mut RowSource) -> Result<(), String> {
    let failed = |error: std::io::Error| error.to_string();
    let mut writer = RejectedWriter::extend(&path, source.shape()).map_err(failed)?;
    let mut problem = None;
    let read = source.index(
        &mut |brief| match late.get(&brief.number) {
            Some(refused) => Err(refusal(&brief, refused)),
            None => Ok(()),
        },
        &mut |bad| {
            if late.contains_key(&bad.number) && problem.is_none() {
                problem = writer.write(&bad).err();
            }
        },
    );
    match read {
        Ok(_) => {}
        Err(rows::Error::Input(diagnostic)) => return Err(diagnostic.title),
        Err(error @ rows::Error::Io { .. }) => return Err(with_sources(&error)),
    }
    match problem {
        Some(error) => Err(failed(error)),
        None => writer.finish().map(drop).map_err(failed),
    }
}
