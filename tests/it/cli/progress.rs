//! Progress on standard error: nothing is lost, nothing is torn, and machines can read it.

use serde_json::Value;

use crate::support::sandbox::Sandbox;

const REFUSED: &str = "--gate none --sim latency=1ms,refusals=100%";

#[test]
fn lines_on_a_pipe_are_whole() {
    let sandbox = Sandbox::with_rows(5);
    for kind in ["auto", "lines", "bar"] {
        for live in ["", "--live --provider sim --fresh"] {
            let args = format!("run rows.csv --progress {kind} {REFUSED} {live}");
            let ran = sandbox.run(&args).exits(0);
            assert!(!ran.stderr.contains(['\r', '\u{1b}']), "{:?}", ran.stderr);
            let verb = if live.is_empty() { "would end refused" } else { "refused" };
            for n in 1..=5 {
                let line = format!("! ROW-00{n} {verb}: refused by the provider's content policy");
                assert_eq!(ran.stderr.matches(&line).count(), 1, "{kind} {live}: {}", ran.stderr);
            }
        }
    }
}

#[test]
fn the_last_line_is_the_whole_run() {
    let ran = Sandbox::with_rows(5).run("run rows.csv").exits(0);
    let last = ran.stderr.lines().last().unwrap_or_default();
    assert!(last.contains("5/5 images (100 %) rows 5 ok"), "{}", ran.stderr);
    assert!(last.contains("$0.20 settled $0.00 held"), "{last}");
}

#[test]
fn many_failures_are_told_a_few_times_and_then_counted() {
    let ran = Sandbox::with_rows(300).run(&format!("run rows.csv {REFUSED} --limit-per-day 20"));
    let ran = ran.exits(0);
    let told = ran.stderr.lines().filter(|line| line.starts_with("! ")).count();
    assert_eq!(told, 20, "{}", ran.stderr);
    assert!(ran.stderr.contains("! ROW-001 "), "the first ones are told: {}", ran.stderr);
    let rest = "more rows did not end well; the result counts them";
    assert_eq!(ran.stderr.matches(rest).count(), 1, "{}", ran.stderr);
}

#[test]
fn the_reason_to_stop_is_told_after_however_many_failures() {
    let gate = "--gates-only --gate 'errors count <= 60 abort=doomed'";
    let args = format!("run rows.csv --sim bad-requests=100% {gate} --limit-per-day 20");
    let ran = Sandbox::with_rows(300).run(&args).exits(99);
    assert_eq!(ran.stderr.matches("Stopping: errors count <= 60").count(), 1, "{}", ran.stderr);
}

#[test]
fn progress_as_json_is_one_object_a_line() {
    let sandbox = Sandbox::with_rows(5);
    let live = "--live --provider sim --sim latency=1ms,refusals=50%,seed=1";
    let ran = sandbox.run(&format!("run rows.csv --gate none --progress json {live}")).exits(0);
    assert!(!ran.stderr.is_empty());
    let mut last = Value::Null;
    for line in ran.stderr.lines() {
        last = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(last["type"], "progress");
    }
    assert_eq!(last["images"]["total"], 5);
    assert!(last["cost"]["settled"].is_string(), "{last}");
}

#[test]
fn no_progress_says_nothing_of_a_good_run() {
    let sandbox = Sandbox::with_rows(3);
    for live in ["", "--live --provider sim --sim latency=1ms"] {
        let ran = sandbox.run(&format!("run rows.csv --progress none {live}")).exits(0);
        assert_eq!(ran.stderr, "");
    }
    let env = [("IMAGEMILL_PROGRESS", "none")];
    assert_eq!(sandbox.run_with(&env, "run rows.csv").exits(0).stderr, "");
    assert_ne!(sandbox.run_with(&env, "run rows.csv --progress lines").exits(0).stderr, "");
    assert_ne!(sandbox.run("run none.csv --progress none").exits(3).stderr, "");
}
