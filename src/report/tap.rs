//! A run in the Test Anything Protocol, version 14: gates first, then rows.

use std::fmt::Write as _;

use crate::domain::picture::{GateLine, RunPicture, Scene};
use crate::domain::sanitize::one_line;

/// The document.
pub fn tap(picture: &RunPicture) -> String {
    let n = picture.gates.len() + picture.scenes.len();
    let mut text = format!("TAP version 14\n1..{n}\n");
    let mut number = 0;
    let mut point = |is_ok: bool, name: &str, directive: &str, told: &[(&str, &str)]| {
        number += 1;
        let not = if is_ok { "" } else { "not " };
        let _ = writeln!(text, "{not}ok {number} - {}{directive}", escaped(name));
        if !told.is_empty() && !is_ok {
            text.push_str("  ---\n");
            for (key, value) in told {
                let _ = writeln!(text, "  {key}: {}", quoted(value));
            }
            text.push_str("  ...\n");
        }
    };
    for gate in &picture.gates {
        let is_ok = matches!(gate.verdict.as_str(), "pass" | "weak-pass");
        let directive = if gate.counts() { "" } else { " # TODO warning only" };
        point(is_ok, &format!("gate: {}", gate.title()), directive, &of_gate(gate));
    }
    for scene in &picture.scenes {
        let directive = match scene.is_unsent() {
            true => format!(" # SKIP {}", scene.outcome),
            false => String::new(),
        };
        let is_ok = scene.outcome == "ok" || scene.is_unsent();
        point(is_ok, &format!("row: {}", scene.scene_id), &directive, &of_row(scene));
    }
    if let Some(end) = picture.end.as_ref().filter(|end| end.verdict == "over-budget") {
        let _ = writeln!(text, "Bail out! {}", one_line(&end.reason));
    }
    text
}

fn of_gate(gate: &GateLine) -> [(&str, &str); 4] {
    let value = gate.value.as_deref().unwrap_or("none");
    [("value", value), ("limit", &gate.limit), ("verdict", &gate.verdict), ("note", &gate.reason)]
}

fn of_row(scene: &Scene) -> [(&str, &str); 2] {
    [("outcome", &scene.outcome), ("reason", scene.reason.as_deref().unwrap_or(""))]
}

/// A description: what would begin a directive is escaped.
fn escaped(text: &str) -> String {
    one_line(text).replace('\\', "\\\\").replace('#', "\\#")
}

/// A text of YAML, which takes those of JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
