//! The picture of a batch: all that reports show, put together from what a run tells.

mod build;
mod moments;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use build::PictureBuilder;
pub use moments::{Moment, Moments};

use crate::domain::gate::GateResult;
use crate::domain::gate::expression::Severity;
use crate::domain::look::{ImageCheck, duplicates};
use crate::domain::money::NanoUsd;
use crate::domain::sanitize::{lines, no_formula};

/// A run as reports show it.
#[derive(Clone, Debug, Default)]
pub struct RunPicture {
    /// The run.
    pub run_id: String,
    /// `dry-run` or `live`.
    pub mode: String,
    /// Whether its money is simulated.
    pub simulated: bool,
    /// The rows file, as it was named.
    pub rows_path: String,
    /// The provider and the model of rows that name none.
    pub asked: String,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When its last event happened.
    pub finished_at: Option<Timestamp>,
    /// How long it was at work, in milliseconds; virtual in a dry run.
    pub elapsed_ms: u64,
    /// How it ended; nothing while it has no end.
    pub end: Option<RunEnd>,
    /// Its gates with their evidence, once they were judged.
    pub gates: Vec<GateLine>,
    /// Money.
    pub money: PictureMoney,
    /// Attempts sent.
    pub attempts: u64,
    /// Images that all rows ask for.
    pub images_expected: u64,
    /// Rows in their order.
    pub scenes: Vec<Scene>,
    /// The times of images in milliseconds, in the order in which they came.
    pub latencies_ms: Vec<u64>,
    /// What happened over time.
    pub moments: Vec<Moment>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEnd {
    /// The exit code.
    pub exit: u8,
    /// The verdict.
    pub verdict: String,
    /// Why, in one sentence.
    pub reason: String,
}

/// Money of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PictureMoney {
    /// Expected by the plan for all of it.
    pub estimated: NanoUsd,
    /// Charged.
    pub settled: NanoUsd,
    /// Held for attempts of which nobody knows what they cost.
    pub unknown: NanoUsd,
    /// The limit of a day.
    pub limit_per_day: NanoUsd,
    /// The limit of the run, when it had one.
    pub limit_per_run: Option<NanoUsd>,
}

/// A gate with its evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateLine {
    /// The gate as it was typed.
    pub gate: String,
    /// Its name, if it has one.
    #[serde(default)]
    pub name: Option<String>,
    /// Metric, selector and aggregation.
    pub label: String,
    /// The operator.
    pub op: String,
    /// The limit as it was typed.
    pub limit: String,
    /// The value for people.
    #[serde(default)]
    pub value: Option<String>,
    /// How many samples there were.
    pub n: u64,
    /// The verdict: `pass`, `weak-pass`, `fail`, `inconclusive` or `no-data`.
    pub verdict: String,
    /// `error` when the verdict counts, else `warn`.
    pub severity: String,
    /// Why, in a few words.
    #[serde(default)]
    pub reason: String,
}

/// A row.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// Its number in the input, counted from 1; 0 where nobody knows.
    pub row: u64,
    /// Its name.
    pub scene_id: String,
    /// How it ended, or `pending`.
    pub outcome: String,
    /// The class of what went wrong.
    pub error_kind: Option<String>,
    /// Why it did not end well.
    pub reason: Option<String>,
    /// What was charged for it.
    pub cost: NanoUsd,
    /// Attempts sent.
    pub attempts: u32,
    /// From the first byte sent to the last image, in milliseconds.
    pub latency_ms: Option<u64>,
    /// Images that it asks for.
    pub n_images: u32,
    /// What was to be drawn, where that is known.
    pub prompt: Option<String>,
    /// Provider and model, where they are known.
    pub model: Option<String>,
    /// Size and quality, where they are known.
    pub asked: Option<String>,
    /// Its references, without what opens them.
    pub references: Vec<SceneReference>,
    /// Its images.
    pub images: Vec<Picture>,
}

/// What became of a row, as the table of results says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SceneResult {
    /// Its name, as a table can show it.
    pub scene_id: String,
    /// How it ended, or `pending`.
    pub outcome: String,
    /// The files of its images.
    pub files: Vec<String>,
    /// What was charged for it.
    pub cost: NanoUsd,
    /// Attempts sent.
    pub attempts: u32,
    /// Why it did not end well.
    pub error: Option<String>,
}

/// A reference of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SceneReference {
    /// Where it came from, without what opens it.
    pub name: String,
    /// The SHA-256 of its bytes, where it is known.
    pub sha256: Option<String>,
}

/// An image.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// Which of the row's images.
    pub variant: u8,
    /// The file, relative to the run's folder; empty in a rehearsal.
    pub file: String,
    /// Its length in bytes.
    pub n_bytes: u64,
    /// What was expected for its attempt.
    pub estimated: NanoUsd,
    /// What its attempt cost.
    pub cost: NanoUsd,
    /// How long it took, in milliseconds.
    pub latency_ms: u64,
    /// Width and height in pixels, where they are known.
    pub pixels: Option<(u32, u32)>,
    /// What is known of its looks.
    pub check: ImageCheck,
    /// Whether it is a copy of another row's or run's image.
    pub is_copy: bool,
}

/// Estimate and actual cost of the images that came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelCost {
    /// Provider and model.
    pub name: String,
    /// Images.
    pub images: u64,
    /// What was expected for them.
    pub estimated: NanoUsd,
    /// What they cost.
    pub settled: NanoUsd,
}

impl RunPicture {
    /// Shows the rows as they are now, in their order: what was made of a row when it asked for
    /// something else is left out, and so are rows that are not there any more.
    pub fn take_results(&mut self, results: Vec<SceneResult>) {
        let known = std::mem::take(&mut self.scenes).into_iter();
        let mut known: BTreeMap<String, Scene> =
            known.map(|scene| (in_table(&scene.scene_id), scene)).collect();
        for result in results {
            let named = || Scene { scene_id: result.scene_id.clone(), ..Scene::default() };
            let mut scene = known.remove(&result.scene_id).unwrap_or_else(named);
            if scene.outcome != result.outcome {
                scene.error_kind = None;
                scene.latency_ms = scene.latency_ms.filter(|_| !result.files.is_empty());
            }
            scene.images.retain(|image| result.files.contains(&image.file));
            (scene.outcome, scene.reason) = (result.outcome, result.error);
            (scene.cost, scene.attempts) = (result.cost, result.attempts);
            self.scenes.push(scene);
        }
    }

    /// Rows with an outcome.
    pub fn n_rows(&self, outcome: &str) -> usize {
        self.scenes.iter().filter(|scene| scene.outcome == outcome).count()
    }

    /// Images that are there.
    pub fn n_images(&self) -> u64 {
        self.scenes.iter().map(|scene| scene.images.len() as u64).sum()
    }

    /// Estimate and actual cost of the images that came, by provider and model.
    pub fn models(&self) -> Vec<ModelCost> {
        let mut models: BTreeMap<&str, ModelCost> = BTreeMap::new();
        for scene in self.scenes.iter().filter(|scene| !scene.images.is_empty()) {
            let name = scene.model.as_deref().unwrap_or(&self.asked);
            let model = models.entry(name).or_default();
            name.clone_into(&mut model.name);
            for image in &scene.images {
                model.images += 1;
                model.estimated = model.estimated.saturating_add(image.estimated);
                model.settled = model.settled.saturating_add(image.cost);
            }
        }
        models.into_values().collect()
    }

    /// The verdict as one word.
    pub fn verdict(&self) -> &str {
        self.end.as_ref().map_or("unfinished", |end| &end.verdict)
    }
}

impl Scene {
    /// Whether it ended as an error: failed in whole or in part, or nobody knows.
    pub fn is_error(&self) -> bool {
        matches!(self.outcome.as_str(), "failed" | "partial" | "unknown")
    }

    /// What is to be said of the looks of each of its images.
    pub fn remarks(&self) -> Vec<Vec<String>> {
        let checks: Vec<ImageCheck> = self.images.iter().map(|it| it.check).collect();
        let like = duplicates(&checks);
        let remarks = |(image, like): (&Picture, Option<usize>)| {
            let flaws = image.check.flaws.words().map(|word| word.replace('-', " "));
            let like = like.map(|at| format!("like v{}", self.images[at].variant));
            let copy = image.is_copy.then(|| "copy".to_owned());
            flaws.chain(like).chain(copy).collect()
        };
        self.images.iter().zip(like).map(remarks).collect()
    }

    /// Whether it was never sent.
    pub fn is_unsent(&self) -> bool {
        matches!(self.outcome.as_str(), "pending" | "held" | "cancelled" | "skipped")
    }
}

impl GateLine {
    /// What it is called.
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.label)
    }

    /// Whether its verdict counts.
    pub fn counts(&self) -> bool {
        self.severity != "warn"
    }
}

impl From<&GateResult> for GateLine {
    fn from(gate: &GateResult) -> Self {
        Self {
            gate: gate.gate.clone(),
            name: gate.name.clone(),
            label: gate.label.clone(),
            op: gate.op.clone(),
            limit: gate.limit.clone(),
            value: gate.value.clone(),
            n: gate.n,
            verdict: gate.verdict.word().to_owned(),
            severity: match gate.severity {
                Severity::Error => "error",
                Severity::Warn => "warn",
            }
            .to_owned(),
            reason: gate.reason.clone(),
        }
    }
}

/// A name as it stands in a table.
pub fn in_table(name: &str) -> String {
    lines(&no_formula(name)).into_owned()
}
