//! The reports of a run at its end: a live run's own page and document, and what was asked for.

use std::path::Path;
use std::sync::Arc;

use crate::adapters::output::files::write_whole;
use crate::adapters::output::picture::{REPORT, picture_of, tell_plan, tell_sidecars};
use crate::adapters::rows::{RowIndex, RowSource};
use crate::commands::failure::Failure;
use crate::commands::report::PAGE;
use crate::commands::report::prompts::tell_rows;
use crate::commands::report::write::ReportParts;
use crate::commands::world::World;
use crate::domain::picture::{PictureBuilder, RunEnd, RunPicture, SceneResult};
use crate::domain::plan::Plan;
use crate::domain::report::RunReport;
use crate::domain::report_ask::{ReportAsk, ReportKind};
use crate::domain::request::ImageSpec;
use crate::domain::row::Row;
use crate::exit::Exit;

/// The reports that are asked for.
#[derive(Debug, Default)]
pub(super) struct Reports {
    asks: Vec<ReportAsk>,
    /// Whether a live run gets a page in its folder.
    has_page: bool,
}

/// The rows of a run, read again for what they ask for.
pub(super) type RowsAgain<'a> = (&'a RowSource, &'a Arc<RowIndex>, &'a Asks<'a>);

/// What is asked of whom for a row.
pub(super) type Asks<'a> = dyn Fn(u32, &Row) -> Arc<ImageSpec> + 'a;

impl Reports {
    pub(super) const fn new(asks: Vec<ReportAsk>, has_page: bool) -> Self {
        Self { asks, has_page }
    }

    /// Whether any is asked for.
    pub(super) const fn is_asked(&self) -> bool {
        !self.asks.is_empty()
    }

    /// Writes those of a rehearsal.
    pub(super) fn of_rehearsal(
        &self,
        world: &World,
        plan: &Plan,
        report: &RunReport,
        told: PictureBuilder,
        rows: Option<RowsAgain<'_>>,
    ) {
        if !self.is_asked() {
            return;
        }
        let mut picture = told.finish(None);
        tell_plan(&mut picture, plan);
        self.write(world, picture, report, (Path::new("."), false), rows);
    }

    /// Writes those of a live run, from its folder.
    pub(super) fn of_run(
        &self,
        world: &World,
        report: &RunReport,
        folder: &Path,
        (told, became): (PictureBuilder, Option<Vec<SceneResult>>),
        rows: Option<RowsAgain<'_>>,
    ) {
        let json = serde_json::to_string(report).expect("plain values serialize");
        let place = folder.join(REPORT);
        // One that only says again what is there already changes nothing.
        let is_news = !is_same(&std::fs::read_to_string(&place).unwrap_or_default(), &json);
        let written = if is_news { write_whole(&place, json.as_bytes()) } else { Ok(()) };
        let has_page = is_news && self.has_page;
        if written.is_ok() && !has_page && !self.is_asked() {
            return;
        }
        let picture =
            written.map_err(|error| Failure::new(Exit::Environment, error)).and_then(|()| {
                picture_of(folder, told, became)
                    .map_err(|error| Failure::new(Exit::Environment, error))
            });
        match picture {
            Ok(picture) => self.write(world, picture, report, (folder, has_page), rows),
            Err(failure) => warn(world, &failure),
        }
    }

    fn write(
        &self,
        world: &World,
        mut picture: RunPicture,
        report: &RunReport,
        (folder, has_own): (&Path, bool),
        rows: Option<RowsAgain<'_>>,
    ) {
        let (verdict, reason) = (report.verdict.to_owned(), report.reason.clone());
        picture.end = Some(RunEnd { exit: report.exit, verdict, reason });
        picture.run_id = report.run_id.to_string();
        picture.gates = report.gates.iter().map(Into::into).collect();
        if let Some((reader, asks)) =
            rows.and_then(|(source, index, asks)| Some((source.reader(index).ok()?, asks)))
        {
            tell_rows(reader, &mut picture, asks);
        }
        // What the rows do not say stands beside the images: the digests of their references.
        for scene in picture.scenes.iter_mut() {
            if scene.prompt.is_none() || !scene.references.is_empty() {
                tell_sidecars(scene, folder);
            }
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

/// Whether two reports say the same of a run, whatever their calls expected of it and however long
/// a process lingered after its last row.
fn is_same(one: &str, other: &str) -> bool {
    const TOLD: [&str; 7] =
        ["/verdict", "/exit", "/reason", "/rows", "/images", "/cost/settled", "/cost/unknown"];
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    let verdicts = |report: &serde_json::Value| -> Vec<_> {
        let gates = report["gates"].as_array().cloned().unwrap_or_default();
        gates.iter().map(|gate| (gate["gate"].clone(), gate["verdict"].clone())).collect()
    };
    read(one).zip(read(other)).is_some_and(|(one, other)| {
        verdicts(&one) == verdicts(&other)
            && TOLD.iter().all(|it| one.pointer(it) == other.pointer(it))
    })
}

/// A report that cannot be written is no reason to lose the result of a run.
fn warn(world: &World, failure: &Failure) {
    world.printer.warn(&format!("a report cannot be written: {failure}"));
}
