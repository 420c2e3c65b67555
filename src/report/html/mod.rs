//! A run as one page: gates on top, charts, and one row a scene with its images side by side.
//!
//! The page asks nobody for anything: style and script stand in it, and a policy of its own lets
//! nothing else in. Foreign text is escaped by the template, or is data that the script writes as
//! text.

mod charts;

use std::time::Duration;

use base64_simd::STANDARD;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::domain::money::NanoUsd;
use crate::domain::picture::{GateLine, Picture, RunPicture, Scene};
use crate::domain::sanitize::{lines, one_line};
use crate::report::words;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Where a page finds its pictures.
pub trait Sources {
    /// What stands in `src` for an image of the run: an address relative to the page, or the
    /// picture itself as data.
    fn image(&self, picture: &Picture) -> String;

    /// The same for a reference, where there is one.
    fn reference(&self, sha256: &str) -> Option<String>;
}

/// What the template is filled with.
#[derive(Serialize)]
struct PageData<'a> {
    style: &'static str,
    script: &'static str,
    style_hash: String,
    script_hash: String,
    verdict: &'a str,
    tone: &'static str,
    reason: String,
    rows_path: String,
    run_id: &'a str,
    asked: String,
    simulated: bool,
    started: Option<String>,
    facts: Vec<(String, String)>,
    gates: Vec<GateData>,
    charts: Vec<charts::Chart>,
    models: Vec<[String; 5]>,
    data: String,
}

#[derive(Serialize)]
struct Data {
    scenes: Vec<SceneData>,
}

#[derive(Serialize)]
struct SceneData {
    id: String,
    outcome: String,
    reason: String,
    prompt: String,
    asked: String,
    cost: String,
    nanos: i64,
    ms: Option<u64>,
    attempts: u32,
    refs: Vec<ReferenceData>,
    images: Vec<ImageData>,
}

#[derive(Serialize)]
struct ReferenceData {
    name: String,
    src: Option<String>,
}

#[derive(Serialize)]
struct ImageData {
    v: u8,
    src: String,
    px: String,
    cost: String,
    ms: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

#[derive(Serialize)]
struct GateData {
    title: String,
    value: String,
    limit: String,
    n: u64,
    verdict: String,
    tone: &'static str,
    note: String,
}

/// The page.
///
/// # Panics
/// Never: the template is ours, and a test renders it.
pub fn page(picture: &RunPicture, sources: &dyn Sources) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_template("page", PAGE).expect("the template is whole");
    let template = environment.get_template("page").expect("it was added");
    let end = picture.end.as_ref();
    let data = Data { scenes: picture.scenes.iter().map(|it| scene(it, sources)).collect() };
    let values = PageData {
        style: STYLE,
        script: SCRIPT,
        style_hash: hash(STYLE),
        script_hash: hash(SCRIPT),
        verdict: picture.verdict(),
        tone: tone(picture.verdict()),
        reason: one_line(end.map_or("the run has no end yet", |end| &end.reason)).into_owned(),
        rows_path: one_line(&picture.rows_path).into_owned(),
        run_id: &picture.run_id,
        asked: one_line(&picture.asked).into_owned(),
        simulated: picture.simulated,
        started: picture.started_at.map(|at| format!("{at:.0}")),
        facts: facts(picture),
        gates: picture.gates.iter().map(gate).collect(),
        charts: charts::charts(picture),
        models: models(picture),
        data: script_safe(&serde_json::to_string(&data).expect("plain values serialize")),
    };
    template.render(Serde(values)).expect("every value is there")
}

/// The source of an inline element as a policy names it.
fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode_to_string(Sha256::digest(text.as_bytes())))
}

/// JSON that ends no script and begins no comment of HTML, wherever its texts come from.
fn script_safe(json: &str) -> String {
    let mut safe = String::with_capacity(json.len() + json.len() / 16);
    let mut rest = json;
    while let Some(at) = memchr::memchr3(b'<', b'>', b'&', rest.as_bytes()) {
        safe.push_str(&rest[..at]);
        safe.push_str(match rest.as_bytes()[at] {
            b'<' => "\\u003c",
            b'>' => "\\u003e",
            _ => "\\u0026",
        });
        rest = &rest[at + 1..];
    }
    safe.push_str(rest);
    safe
}

fn tone(verdict: &str) -> &'static str {
    match verdict {
        "pass" => "good",
        "weak-pass" | "inconclusive" | "no-data" | "unfinished" => "doubt",
        _ => "bad",
    }
}

fn facts(picture: &RunPicture) -> Vec<(String, String)> {
    let money = &picture.money;
    let mut facts = vec![
        (format!("{} of {}", picture.n_rows("ok"), picture.scenes.len()), "rows ok".to_owned()),
        (format!("{} of {}", picture.n_images(), picture.images_expected), "images".to_owned()),
        (
            words::dollars(money.settled),
            format!("charged, {} estimated", words::dollars(money.estimated)),
        ),
        (words::duration(Duration::from_millis(picture.elapsed_ms)), "at work".to_owned()),
        (picture.attempts.to_string(), "attempts".to_owned()),
    ];
    if money.unknown > NanoUsd::ZERO {
        facts.push((words::dollars(money.unknown), "may have been billed".to_owned()));
    }
    for outcome in ["skipped", "failed", "partial", "refused", "rejected", "unknown", "pending"] {
        let n = picture.n_rows(outcome);
        if n > 0 {
            facts.push((n.to_string(), outcome.to_owned()));
        }
    }
    facts
}

fn gate(gate: &GateLine) -> GateData {
    let warns = if gate.counts() { "" } else { "warning only; " };
    GateData {
        title: one_line(gate.title()).into_owned(),
        value: gate.value.clone().unwrap_or_else(|| "-".to_owned()),
        limit: format!("{} {}", gate.op, gate.limit),
        n: gate.n,
        verdict: gate.verdict.to_uppercase(),
        tone: tone(&gate.verdict),
        note: one_line(format!("{warns}{}", gate.reason).trim_end_matches("; ")).into_owned(),
    }
}

fn models(picture: &RunPicture) -> Vec<[String; 5]> {
    let row = |model: crate::domain::picture::ModelCost| {
        let (estimated, settled) = (model.estimated.nanos(), model.settled.nanos());
        let more = match estimated {
            0 => "-".to_owned(),
            _ => format!("{:+.1}%", (settled as f64 / estimated as f64 - 1.0) * 100.0),
        };
        [
            one_line(&model.name).into_owned(),
            model.images.to_string(),
            words::dollars(model.estimated),
            words::dollars(model.settled),
            more,
        ]
    };
    picture.models().into_iter().map(row).collect()
}

fn scene(scene: &Scene, sources: &dyn Sources) -> SceneData {
    let images = scene.images.iter().zip(scene.remarks());
    SceneData {
        id: one_line(&scene.scene_id).into_owned(),
        outcome: scene.outcome.clone(),
        reason: one_line(scene.reason.as_deref().unwrap_or_default()).into_owned(),
        prompt: lines(scene.prompt.as_deref().unwrap_or_default()).into_owned(),
        asked: one_line(scene.asked.as_deref().unwrap_or_default()).into_owned(),
        cost: words::dollars(scene.cost),
        nanos: scene.cost.nanos(),
        ms: scene.latency_ms,
        attempts: scene.attempts,
        refs: scene.references.iter().map(|it| reference(it, sources)).collect(),
        images: images.map(|(it, notes)| image(it, notes, sources)).collect(),
    }
}

fn reference(
    reference: &crate::domain::picture::SceneReference,
    sources: &dyn Sources,
) -> ReferenceData {
    ReferenceData {
        name: one_line(&reference.name).into_owned(),
        src: reference.sha256.as_deref().and_then(|sha256| sources.reference(sha256)),
    }
}

fn image(image: &Picture, notes: Vec<String>, sources: &dyn Sources) -> ImageData {
    ImageData {
        v: image.variant,
        src: sources.image(image),
        px: image.pixels.map_or_else(String::new, |(width, height)| format!("{width}×{height}")),
        cost: words::dollars(image.cost),
        ms: image.latency_ms,
        notes,
    }
}

#[cfg(test)]
mod tests;
