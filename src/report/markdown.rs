//! A run as Markdown: a summary for a pull request or the page of a job.

use std::fmt::Write as _;

use crate::domain::picture::{RunPicture, Scene};
use crate::domain::sanitize::{cut, one_line};
use crate::report::words;

/// The most bytes of a summary; GitHub drops a larger one whole.
const MAX_BYTES: usize = 900_000;

/// The most rows of a kind that are listed.
const MAX_ROWS: usize = 100;

/// The document.
pub fn markdown(picture: &RunPicture) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "## imagemill: {}\n", picture.verdict());
    if let Some(end) = &picture.end {
        let _ = writeln!(text, "{} (exit {})\n", cell(&end.reason), end.exit);
    }
    let money = &picture.money;
    let simulated = if picture.simulated { " of simulated money" } else { "" };
    let _ = writeln!(
        text,
        "{} of {} ok, {} of {}, {} settled{simulated}, {} unknown, {} estimated, {}\n",
        picture.n_rows("ok"),
        words::count(picture.scenes.len() as u64, "row"),
        picture.n_images(),
        words::count(picture.images_expected, "image"),
        words::dollars(money.settled),
        words::dollars(money.unknown),
        words::dollars(money.estimated),
        words::duration(std::time::Duration::from_millis(picture.elapsed_ms)),
    );
    if !picture.gates.is_empty() {
        text.push_str("| gate | value | limit | n | verdict | note |\n|---|---|---|---|---|---|\n");
        for gate in &picture.gates {
            let warns = if gate.counts() { "" } else { "warning only; " };
            let _ = writeln!(
                text,
                "| {} | {} | {} {} | {} | {} | {warns}{} |",
                cell(gate.title()),
                cell(gate.value.as_deref().unwrap_or("-")),
                cell(&gate.op),
                cell(&gate.limit),
                gate.n,
                gate.verdict.to_uppercase(),
                cell(&gate.reason)
            );
        }
        text.push('\n');
    }
    let bad: Vec<&Scene> =
        picture.scenes.iter().filter(|scene| scene.outcome != "ok" && !scene.is_unsent()).collect();
    if !bad.is_empty() {
        text.push_str("| row | outcome | why |\n|---|---|---|\n");
        for scene in bad.iter().take(MAX_ROWS) {
            let why = scene.reason.as_deref().unwrap_or("");
            let _ = writeln!(
                text,
                "| {} | {} | {} |",
                cell(&scene.scene_id),
                scene.outcome,
                cell(&cut(why, 300))
            );
        }
        if bad.len() > MAX_ROWS {
            let _ = writeln!(text, "\n… and {} more", bad.len() - MAX_ROWS);
        }
        text.push('\n');
    }
    // It is bounded by its parts; this is the promise.
    let mut end = text.len().min(MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// Foreign text in a cell: no line, no cell and no markup begins in it.
fn cell(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in one_line(text).chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '@' => safe.push_str("&#64;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '!' | '#' | '~' => {
                safe.push('\\');
                safe.push(letter);
            }
            other => safe.push(other),
        }
    }
    safe
}
