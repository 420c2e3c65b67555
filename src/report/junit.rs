//! A run as JUnit XML: a suite of rows and a suite of gates, for whatever shows test results.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};

use crate::domain::picture::{GateLine, RunPicture, Scene};
use crate::domain::sanitize::cut;

/// The most characters of a text node; GitLab drops larger files whole.
const MAX_TEXT: usize = 16_000;

/// The document.
///
/// A row that was answered and failed is a failure; one of which nobody knows what became of it is
/// an error. A row that did not get its turn is skipped. A gate that fails is a failure; one that
/// could not be judged is an error.
pub fn junit(picture: &RunPicture) -> String {
    let mut report = Report::new(format!("imagemill {}", picture.run_id));
    report.set_time(Duration::from_millis(picture.elapsed_ms));
    let mut rows = TestSuite::new("rows");
    rows.add_test_cases(picture.scenes.iter().map(|scene| row_case(picture, scene)));
    let mut gates = TestSuite::new("gates");
    gates.add_test_cases(picture.gates.iter().map(gate_case));
    report.add_test_suites([rows, gates]);
    report.to_string().expect("it is written into memory")
}

fn row_case(picture: &RunPicture, scene: &Scene) -> TestCase {
    let reason = scene.reason.as_deref().unwrap_or(&scene.outcome);
    let retried = scene.attempts > scene.images.len() as u32;
    let mut status = match scene.outcome.as_str() {
        "ok" => TestCaseStatus::success(),
        "failed" | "partial" | "refused" | "rejected" => {
            TestCaseStatus::non_success(NonSuccessKind::Failure)
        }
        "unknown" => TestCaseStatus::non_success(NonSuccessKind::Error),
        _ => TestCaseStatus::skipped(),
    };
    match (scene.outcome.as_str(), scene.is_unsent()) {
        ("ok", _) if retried && scene.n_images > 0 => {
            let mut rerun = TestRerun::new(NonSuccessKind::Failure);
            rerun.set_message("an attempt before did not bring the image");
            status.add_rerun(rerun);
        }
        ("ok", _) => {}
        (_, true) => drop(status.set_message(scene.outcome.clone())),
        (_, false) => {
            status.set_message(cut(reason, MAX_TEXT).into_owned());
            status.set_type(scene.error_kind.as_deref().unwrap_or(&scene.outcome).to_owned());
        }
    }
    let mut case = TestCase::new(scene.scene_id.as_str(), status);
    let asked = scene.model.as_deref().unwrap_or(&picture.asked);
    case.set_classname(asked.replace(" / ", "."));
    if let Some(latency) = scene.latency_ms {
        case.set_time(Duration::from_millis(latency));
    }
    case
}

fn gate_case(gate: &GateLine) -> TestCase {
    let value = gate.value.as_deref().unwrap_or("no value");
    let told = format!("{value}, limit {} {}; {}", gate.op, gate.limit, gate.reason);
    let mut status = match gate.verdict.as_str() {
        "pass" | "weak-pass" => TestCaseStatus::success(),
        _ if !gate.counts() => TestCaseStatus::skipped(),
        "fail" => TestCaseStatus::non_success(NonSuccessKind::Failure),
        _ => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    match (gate.verdict.as_str(), gate.counts()) {
        ("pass" | "weak-pass", _) => {}
        (verdict, true) => {
            status.set_message(cut(&told, MAX_TEXT).into_owned());
            status.set_type(verdict.to_owned());
        }
        (verdict, false) => drop(status.set_message(format!("warning only: {verdict}; {told}"))),
    }
    let mut case = TestCase::new(gate.title(), status);
    case.set_classname("gates");
    case
}
