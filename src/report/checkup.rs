//! Findings of `doctor`, as people and scripts read them.

use std::fmt::Write as _;

use serde::Serialize;

use crate::domain::checkup::{Check, Health};
use crate::domain::sanitize;
use crate::report::words;

/// The findings, a line each, with what to do about them.
pub fn checkup_text(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let line = sanitize::one_line(&check.text);
        let _ = writeln!(text, "{:<4}  {:<9} {line}", check.health.word(), check.name);
        if let Some(fix) = &check.fix {
            let _ = writeln!(text, "      fix: {}", sanitize::one_line(fix));
        }
    }
    let count =
        |health: Health| checks.iter().filter(|check| check.health == health).count() as u64;
    let _ = writeln!(
        text,
        "{}: {} ok, {}, {} failing",
        words::count(checks.len() as u64, "check"),
        count(Health::Ok),
        words::count(count(Health::Warn), "warning"),
        count(Health::Fail)
    );
    text
}

/// The findings for a script.
pub fn checkup_json(checks: &[Check], exit: u8) -> String {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        exit: u8,
        checks: &'a [Check],
    }
    let document = Document { schema: "imagemill.checkup/1", exit, checks };
    let mut text = serde_json::to_string(&document).expect("plain values serialize");
    text.push('\n');
    text
}
