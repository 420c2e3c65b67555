//! Reads the picture of a run from its folder: plan, journal, sidecars, and its last report.

use std::path::Path;

use serde::Deserialize;

use crate::adapters::output::files::read_small;
use crate::adapters::output::places::PLAN;
use crate::adapters::output::replay::{ReplayError, replay};
use crate::adapters::output::row_names::read_row_names;
use crate::adapters::output::runs::read_plan;
use crate::adapters::output::sums::Sums;
use crate::domain::column::{Field, normalized};
use crate::domain::money::NanoUsd;
use crate::domain::picture::{
    GateLine, PictureBuilder, RunEnd, RunPicture, Scene, SceneReference, SceneResult,
};
use crate::domain::plan::Plan;
use crate::domain::reference::redact_queries;

/// The name of the last report in the run's folder.
pub const REPORT: &str = "report.json";

/// The table of results in the run's folder.
pub const RESULTS: &str = "results.csv";

/// The columns of it that are ours: outcome, files, cost, attempts and error.
pub const N_OWN: usize = 5;

/// The longest sidecar and report that are read.
const MAX_FILE: u64 = 16 << 20;

/// Why there is no picture of a folder.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// It is no run of this tool.
    #[error("{0} is no run of this tool")]
    NoRun(String),
    /// Its journal cannot be read.
    #[error(transparent)]
    Journal(#[from] ReplayError),
}

/// What a sidecar says that a report shows.
#[derive(Deserialize)]
struct SidecarFacts {
    prompt: String,
    request: RequestFacts,
    #[serde(default)]
    references: Vec<ReferenceFacts>,
    width: Option<u32>,
    height: Option<u32>,
}

#[derive(Deserialize)]
struct RequestFacts {
    provider: String,
    model: String,
    size: String,
    quality: String,
}

#[derive(Deserialize)]
struct ReferenceFacts {
    name: String,
    #[serde(default)]
    sha256: Option<String>,
}

/// What the last report says that the journal does not.
#[derive(Deserialize)]
struct ReportFacts {
    exit: u8,
    verdict: String,
    reason: String,
    images: ImageFacts,
    cost: CostFacts,
    #[serde(default)]
    gates: Vec<GateLine>,
}

#[derive(Deserialize)]
struct ImageFacts {
    expected: u64,
}

#[derive(Deserialize)]
struct CostFacts {
    estimated: NanoUsd,
    settled: NanoUsd,
    unknown: NanoUsd,
}

/// Reads the picture of the run in a folder: events from its journal, what became of each row from
/// its table of results, gates and money from its last report.
///
/// # Errors
/// When there is no run, or its journal cannot be read.
pub fn read_picture(run_folder: &Path) -> Result<RunPicture, PictureError> {
    let mut builder = PictureBuilder::default();
    replay(run_folder, &mut |stamped| builder.fold(stamped))?;
    let mut picture = picture_of(run_folder, builder, None)?;
    for scene in &mut picture.scenes {
        tell_sidecars(scene, run_folder);
    }
    Ok(picture)
}

/// The same of a run whose events are known, and perhaps what became of its rows; without what its
/// sidecars say.
///
/// # Errors
/// When there is no run.
pub fn picture_of(
    run_folder: &Path,
    told: PictureBuilder,
    rows: Option<Vec<SceneResult>>,
) -> Result<RunPicture, PictureError> {
    let name = || PictureError::NoRun(run_folder.display().to_string());
    let text = read_plan(&run_folder.join(PLAN)).ok_or_else(name)?;
    let plan = Plan::parse(&text, PLAN).map_err(|_| name())?;
    let names = read_row_names(run_folder).ok().flatten();
    let mut picture = told.finish(names.as_deref());
    tell_plan(&mut picture, &plan);
    // A process that died has left those of the one before it.
    if picture.end.is_some() {
        if let Some(results) = rows.or_else(|| read_results(run_folder)) {
            picture.take_results(results);
        }
        tell_report(&mut picture, run_folder);
    }
    Ok(picture)
}

fn tell_report(picture: &mut RunPicture, run_folder: &Path) {
    let report = read_small(&run_folder.join(REPORT), MAX_FILE).ok();
    let report = report.and_then(|bytes| serde_json::from_slice::<ReportFacts>(&bytes).ok());
    let Some(report) = report else { return };
    let ReportFacts { exit, verdict, reason, images, cost, gates } = report;
    picture.end = Some(RunEnd { exit, verdict, reason });
    picture.images_expected = images.expected;
    let CostFacts { estimated, settled, unknown } = cost;
    let money = &mut picture.money;
    (money.estimated, money.settled, money.unknown) = (estimated, settled, unknown);
    picture.gates = gates;
}

/// The table of results, as long as nobody has edited it.
fn read_results(run_folder: &Path) -> Option<Vec<SceneResult>> {
    if !Sums::of(run_folder).knows(run_folder, RESULTS) {
        return None;
    }
    let mut reader = csv::Reader::from_path(run_folder.join(RESULTS)).ok()?;
    let head = reader.headers().ok()?.clone();
    // Ours stand behind the input's; the name before them where the input has none.
    let ours = head.len().checked_sub(N_OWN)?;
    let is_name = |name: &str| Field::from_name(&normalized(name)) == Some(Field::SceneId);
    let name_at = head.iter().position(is_name)?;
    let result = |row: csv::StringRecord| {
        Some(SceneResult {
            scene_id: row.get(name_at)?.to_owned(),
            outcome: row.get(ours)?.to_owned(),
            files: row.get(ours + 1)?.split('|').map(str::to_owned).collect(),
            cost: row.get(ours + 2)?.parse().ok()?,
            attempts: row.get(ours + 3)?.parse().ok()?,
            error: Some(row.get(ours + 4)?.to_owned()).filter(|error| !error.is_empty()),
        })
    };
    reader.records().map(|row| result(row.ok()?)).collect()
}

/// What the plan of a run says of it.
pub fn tell_plan(picture: &mut RunPicture, plan: &Plan) {
    picture.mode.clone_from(&plan.mode);
    picture.simulated = plan.cost.simulated;
    picture.rows_path.clone_from(&plan.bound.rows_path);
    picture.images_expected = plan.rows.images;
    picture.money.estimated = plan.cost.expected;
    if let Some(before) = &plan.goes_on {
        let of_run = picture.money.estimated.saturating_add(before.cost_settled);
        picture.money.estimated = of_run;
    }
    picture.money.limit_per_day = plan.cost.limit_per_day;
    picture.money.limit_per_run = plan.cost.limit_per_run;
    if let Some(ask) = plan.requests.first() {
        picture.asked = format!("{} / {}", ask.provider, ask.model);
    }
}

/// What the sidecars of a row's images say of it.
pub fn tell_sidecars(scene: &mut Scene, run_folder: &Path) {
    for image in &mut scene.images {
        let path = run_folder.join(&image.file).with_extension("json");
        let facts = read_small(&path, MAX_FILE).ok();
        let facts = facts.and_then(|bytes| serde_json::from_slice::<SidecarFacts>(&bytes).ok());
        let Some(facts) = facts else { continue };
        image.pixels = facts.width.zip(facts.height).or(image.pixels);
        scene.prompt = Some(redact_queries(&facts.prompt).into_owned());
        let RequestFacts { provider, model, size, quality } = facts.request;
        scene.model = Some(format!("{provider} / {model}"));
        scene.asked = Some(format!("{size} {quality}"));
        scene.references = facts
            .references
            .into_iter()
            .map(|it| SceneReference { name: it.name, sha256: it.sha256 })
            .collect();
    }
}
