//! Reads the picture of a run from its folder: plan, journal, sidecars, and its last report.

use std::fs;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use crate::adapters::output::replay::{ReplayError, replay};
use crate::adapters::output::row_names::read_row_names;
use crate::adapters::output::run_folder::{PLAN, open_regular};
use crate::adapters::output::runs::read_plan;
use crate::domain::picture::{GateLine, PictureBuilder, RunPicture, Scene, SceneReference};
use crate::domain::plan::Plan;

/// The name of the last report in the run's folder.
pub const REPORT: &str = "report.json";

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
#[derive(Default, Deserialize)]
struct ReportFacts {
    #[serde(default)]
    gates: Vec<GateLine>,
}

/// Reads the picture of the run in a folder. The gates are those of its last report.
///
/// # Errors
/// When there is no run, or its journal cannot be read.
pub fn read_picture(run_folder: &Path) -> Result<RunPicture, PictureError> {
    let name = || PictureError::NoRun(run_folder.display().to_string());
    let text = read_plan(&run_folder.join(PLAN)).ok_or_else(name)?;
    let plan = Plan::parse(&text, PLAN).map_err(|_| name())?;
    let mut builder = PictureBuilder::default();
    replay(run_folder, &mut |stamped| builder.fold(stamped))?;
    let names = read_row_names(run_folder).ok().flatten();
    let mut picture = builder.finish(names.as_deref());
    tell_plan(&mut picture, &plan);
    for scene in &mut picture.scenes {
        tell_sidecars(scene, run_folder);
    }
    let report = small_file(&run_folder.join(REPORT));
    let report = report.and_then(|bytes| serde_json::from_slice::<ReportFacts>(&bytes).ok());
    picture.gates = report.unwrap_or_default().gates;
    Ok(picture)
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

fn tell_sidecars(scene: &mut Scene, run_folder: &Path) {
    for image in &mut scene.images {
        let path = run_folder.join(&image.file).with_extension("json");
        let facts = small_file(&path);
        let facts = facts.and_then(|bytes| serde_json::from_slice::<SidecarFacts>(&bytes).ok());
        let Some(facts) = facts else { continue };
        image.pixels = facts.width.zip(facts.height);
        scene.prompt = Some(facts.prompt);
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

/// The bytes of a file that is there and is no larger than any of ours.
fn small_file(path: &Path) -> Option<Vec<u8>> {
    let (file, about): (fs::File, _) = open_regular(path).ok()?;
    let mut bytes = Vec::new();
    (about.len() <= MAX_FILE)
        .then(|| file.take(MAX_FILE).read_to_end(&mut bytes).ok())
        .flatten()?;
    Some(bytes)
}
