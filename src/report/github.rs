//! A run as annotations of GitHub Actions: gates, then some rows, within the limits of a step.

use std::fmt::Write as _;

use crate::domain::picture::{RunPicture, Scene};
use crate::report::words;

/// Errors that a step may show; more are dropped without a word.
const MAX_ERRORS: usize = 10;

/// The annotations, one a line.
pub fn github(picture: &RunPicture) -> String {
    let mut text = String::new();
    let mut n_errors = 0;
    for gate in &picture.gates {
        if matches!(gate.verdict.as_str(), "pass" | "weak-pass") || n_errors == MAX_ERRORS - 1 {
            continue;
        }
        let value = gate.value.as_deref().unwrap_or("no value");
        let told = format!("{value}, limit {} {}; {}", gate.op, gate.limit, gate.reason);
        let (kind, word) =
            if gate.counts() { ("error", &gate.verdict) } else { ("warning", &gate.verdict) };
        n_errors += usize::from(gate.counts());
        let title = property(&format!("gate {}: {word}", gate.title()));
        let _ = writeln!(text, "::{kind} title={title}::{}", data(&told));
    }
    let bad: Vec<&Scene> = picture.scenes.iter().filter(|scene| scene.is_error()).collect();
    let room = (MAX_ERRORS - n_errors).saturating_sub(1);
    let shown = if bad.len() <= room + 1 { bad.len() } else { room };
    for scene in &bad[..shown] {
        let title = property(&format!("row {}: {}", scene.scene_id, scene.outcome));
        let file = property(&picture.rows_path);
        let why = scene.reason.as_deref().unwrap_or(&scene.outcome);
        let _ = writeln!(text, "::error file={file},title={title}::{}", data(why));
    }
    if shown < bad.len() {
        let more = words::count((bad.len() - shown) as u64, "more row");
        let _ = writeln!(text, "::error title=rows::and {more} that did not end well");
    }
    text
}

/// The data of a command, escaped as the runner reads it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
