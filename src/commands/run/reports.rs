//! The reports of a run at its end: a live run's own page and document, and what was asked for.

use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::adapters::output::picture::{REPORT, read_picture, tell_plan};
use crate::adapters::output::run_folder::write_whole;
use crate::adapters::rows::{RowIndex, RowSource};
use crate::commands::failure::Failure;
use crate::commands::report::PAGE;
use crate::commands::report::prompts::tell_rows;
use crate::commands::report::write::ReportParts;
use crate::commands::world::World;
use crate::domain::event::Stamped;
use crate::domain::picture::{PictureBuilder, RunEnd, RunPicture};
use crate::domain::plan::Plan;
use crate::domain::report::RunReport;
use crate::domain::report_ask::{ReportAsk, ReportKind};
use crate::exit::Exit;
use crate::ports::sink::EventSink;

/// The reports that are asked for, and what a rehearsal tells of itself: it keeps no journal.
#[derive(Clone, Debug, Default)]
pub(super) struct Reports {
    asks: Vec<ReportAsk>,
    told: Arc<Mutex<PictureBuilder>>,
}

impl EventSink for Reports {
    fn show(&mut self, events: &[Stamped]) {
        let mut told = self.told.lock().expect("no holder panics");
        events.iter().for_each(|stamped| told.fold(stamped));
    }
}

impl Reports {
    pub(super) fn new(asks: Vec<ReportAsk>) -> Self {
        Self { asks, told: Arc::default() }
    }

    /// The view that a rehearsal needs for them.
    pub(super) fn view(&self) -> Option<Box<dyn EventSink>> {
        (!self.asks.is_empty()).then(|| Box::new(self.clone()) as Box<dyn EventSink>)
    }

    /// Writes those of a rehearsal.
    pub(super) fn of_rehearsal(
        &self,
        world: &World,
        plan: &Plan,
        report: &RunReport,
        rows: Option<(&RowSource, &Arc<RowIndex>)>,
    ) {
        if self.asks.is_empty() {
            return;
        }
        let told = std::mem::take(&mut *self.told.lock().expect("no holder panics"));
        let mut picture = told.finish(None);
        tell_plan(&mut picture, plan);
        self.write(world, picture, report, (Path::new("."), false), rows);
    }

    /// Writes those of a run of which nothing is left; its own are there already.
    pub(super) fn of_finished(
        &self,
        world: &World,
        report: &RunReport,
        folder: &Path,
        rows: Option<(&RowSource, &Arc<RowIndex>)>,
    ) {
        if !folder.join(REPORT).is_file() {
            return self.of_run(world, report, folder, rows);
        }
        match read_picture(folder) {
            Ok(picture) if !self.asks.is_empty() => {
                self.write(world, picture, report, (folder, false), rows);
            }
            Ok(_) => {}
            Err(error) => warn(world, &Failure::new(Exit::Environment, error)),
        }
    }

    /// Writes those of a live run, from its folder.
    pub(super) fn of_run(
        &self,
        world: &World,
        report: &RunReport,
        folder: &Path,
        rows: Option<(&RowSource, &Arc<RowIndex>)>,
    ) {
        let json = serde_json::to_string(report).expect("plain values serialize");
        let written = write_whole(&folder.join(REPORT), json.as_bytes());
        let picture =
            written.map_err(|error| Failure::new(Exit::Environment, error)).and_then(|()| {
                read_picture(folder).map_err(|error| Failure::new(Exit::Environment, error))
            });
        match picture {
            Ok(picture) => self.write(world, picture, report, (folder, true), rows),
            Err(failure) => warn(world, &failure),
        }
    }

    fn write(
        &self,
        world: &World,
        mut picture: RunPicture,
        report: &RunReport,
        (folder, has_own): (&Path, bool),
        rows: Option<(&RowSource, &Arc<RowIndex>)>,
    ) {
        let (verdict, reason) = (report.verdict.to_owned(), report.reason.clone());
        picture.end = Some(RunEnd { exit: report.exit, verdict, reason });
        picture.run_id = report.run_id.to_string();
        picture.gates = report.gates.iter().map(Into::into).collect();
        if let Some(reader) = rows.and_then(|(source, index)| source.reader(index).ok()) {
            tell_rows(reader, &mut picture);
        }
        let json = serde_json::to_string(report).expect("plain values serialize");
        let parts = ReportParts { picture: &picture, folder, json: &json, self_contained: false };
        let own = has_own.then(|| ReportAsk {
            kind: ReportKind::Html,
            path: folder.join(PAGE).display().to_string(),
        });
        for ask in own.iter().chain(&self.asks) {
            if let Err(failure) = parts.write(world, ask) {
                warn(world, &failure);
            }
        }
    }
}

/// A report that cannot be written is no reason to lose the result of a run.
fn warn(world: &World, failure: &Failure) {
    world.printer.warn(&format!("a report cannot be written: {failure}"));
}
