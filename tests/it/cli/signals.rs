//! Signals of a live run: the first drains, the second leaves, and the ledger stays sound.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::ran::Ran;
use crate::support::sandbox::Sandbox;

/// A live run whose events are followed, so that a signal comes when something is in flight.
struct Running {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Running {
    fn start(sandbox: &Sandbox, args: &str) -> Self {
        let mut child = sandbox
            .command(&format!("run rows.csv --live --provider sim --format ndjson {args}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, stdout }
    }

    /// Reads events until one of this type comes.
    fn wait_for(&mut self, kind: &str) {
        loop {
            let mut line = String::new();
            let n_bytes = self.stdout.read_line(&mut line).expect("a line");
            assert!(n_bytes > 0, "the run ended before {kind}");
            let event: Value = serde_json::from_str(&line).expect("JSON");
            if event["event"]["type"] == kind {
                return;
            }
        }
    }

    fn signal(&self, name: &str) {
        send(&format!("kill -{name} {}", self.child.id()));
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("the child is ours").is_some()
    }

    /// The report, the exit code and what was said on standard error.
    fn end(mut self) -> (Value, Option<i32>, String) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("text");
        let status = self.child.wait().expect("the command ends");
        let mut stderr = String::new();
        let mut pipe = self.child.stderr.take().expect("a pipe");
        pipe.read_to_string(&mut stderr).expect("text");
        let last = rest.lines().last().expect("a last line");
        let report: Value = serde_json::from_str(last).expect("JSON");
        assert_eq!(report["schema"], "imagemill.report/1", "{stderr}");
        assert_eq!(report["exit"].as_i64(), status.code().map(i64::from), "{stderr}");
        (report, status.code(), stderr)
    }
}

/// The shell's own `kill` sends two signals faster than two processes could.
fn send(script: &str) {
    let status = Command::new("sh").args(["-c", script]).status().expect("a shell");
    assert!(status.success(), "{script}");
}

/// What the ledger of the only run says; it must be sound.
fn ledger(sandbox: &Sandbox) -> Value {
    let folder = sandbox.only_run("out").join("ledger").display().to_string();
    let checked = sandbox.run(&format!("ledger check --ledger {folder}")).exits(0);
    assert_eq!(checked.everything(), "");
    sandbox.run(&format!("ledger summary --format json --ledger {folder}")).exits(0).json()
}

fn n_images(sandbox: &Sandbox) -> usize {
    let images = std::fs::read_dir(sandbox.only_run("out").join("images")).expect("images");
    let names = images.map(|entry| entry.expect("an entry").path());
    names.filter(|path| path.extension().is_some_and(|it| it == "png")).count()
}

#[test]
fn the_first_signal_drains_and_says_so_at_once() {
    for (signal, exit, verdict) in [("INT", 130, "interrupted"), ("TERM", 143, "terminated")] {
        let sandbox = Sandbox::with_rows(60);
        let mut run = Running::start(&sandbox, "--sim latency=900ms±80%");
        run.wait_for("image_stored");
        run.signal(signal);
        // Told while images are still out, not at the end.
        run.wait_for("stopping");
        run.wait_for("attempt_ended");
        let (report, code, stderr) = run.end();
        assert_eq!((code, &report["verdict"]), (Some(exit), &verdict.into()), "{stderr}");
        assert!(stderr.contains("Stopping: "), "{stderr}");
        assert!(stderr.contains("no new images, waiting for those already sent"), "{stderr}");
        let summary = ledger(&sandbox);
        for key in ["reserved", "unknown"] {
            assert_eq!(summary[key], "0.00", "what was sent was waited for: {summary}");
        }
        assert_eq!(summary["settled"], report["cost"]["settled"]);
        assert_eq!(report["images"]["stored"], n_images(&sandbox));
        assert_eq!(summary["settles"], n_images(&sandbox));
        let rows = &report["rows"];
        let (ok, cancelled) = (rows["ok"].as_u64(), rows["cancelled"].as_u64());
        assert_eq!(ok.zip(cancelled).map(|(ok, cancelled)| ok + cancelled), Some(60), "{report}");
        assert!(ok > Some(0) && cancelled > Some(0), "{report}");
        assert!(!stderr.contains(" cancelled"), "one line for the stop is enough: {stderr}");
    }
}

#[test]
fn the_second_signal_leaves_what_is_out_unknown() {
    let sandbox = Sandbox::with_rows(60);
    let mut run = Running::start(&sandbox, "--sim latency=60s --concurrency 4");
    run.wait_for("attempt_started");
    run.signal("INT");
    run.wait_for("stopping");
    // A press within 50 ms of the first is the same press, so it is repeated until it counts.
    while !run.has_ended() {
        run.signal("INT");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let (report, code, stderr) = run.end();
    assert_eq!((code, &report["images"]["stored"]), (Some(130), &0.into()), "{stderr}");
    let summary = ledger(&sandbox);
    assert_eq!(summary["reserved"], "0.00");
    assert_eq!(summary["unknown"], report["cost"]["unknown"]);
    let unknown = summary["unknowns"].as_u64().expect("a number");
    assert!((1..=4).contains(&unknown), "{summary}");
    assert_eq!(report["rows"]["unknown"], unknown, "{report}");
    let said = stderr.lines().filter(|line| line.contains(" unknown: left while it was out"));
    assert_eq!(said.count() as u64, unknown, "{stderr}");
}

#[test]
fn one_press_that_arrives_twice_counts_once() {
    let sandbox = Sandbox::with_rows(30);
    let mut run = Running::start(&sandbox, "--sim latency=900ms");
    run.wait_for("attempt_started");
    let id = run.child.id();
    send(&format!("kill -INT {id}; kill -INT {id}"));
    let (report, code, stderr) = run.end();
    assert_eq!((code, &report["rows"]["unknown"]), (Some(130), &0.into()), "{stderr}");
    assert_eq!(ledger(&sandbox)["unknown"], "0.00");
}

#[test]
fn the_result_line_says_that_it_was_interrupted() {
    let sandbox = Sandbox::with_rows(40);
    // The script waits for the first image, so that the signal meets a run at work. A shell lets
    // what it starts in the background ignore Ctrl-C, so it is the other signal.
    let script = "\"$0\" run rows.csv --live --provider sim --sim latency=200ms & pid=$!
        until ls out/*/images/*.png >/dev/null 2>&1; do :; done
        kill -TERM $pid; wait $pid; exit $?";
    let ran: Ran = sandbox.script(script).output().expect("a shell").into();
    let parts = ["RESULT terminated exit=143 mode=live rows=", "reason=\"terminated by a signal\""];
    ran.exits(143).result_has(&parts);
}

#[test]
fn an_interrupted_run_goes_on_with_what_is_left() {
    let sandbox = Sandbox::with_rows(20);
    let mut run = Running::start(&sandbox, "--sim latency=600ms --concurrency 2");
    run.wait_for("attempt_started");
    run.signal("INT");
    let (_, code, stderr) = run.end();
    assert_eq!(code, Some(130), "{stderr}");
    let again = "run rows.csv --live --provider sim --sim latency=1ms";
    let ran = sandbox.run(again).exits(0).result_has(&["rows=20/20", "cost=$0.80"]);
    assert!(ran.stdout.contains("pending"), "{}", ran.stdout);
}

#[test]
fn two_identical_commands_never_both_buy() {
    let sandbox = Sandbox::with_rows(20);
    let mut first = Running::start(&sandbox, "--sim latency=600ms");
    first.wait_for("attempt_started");
    let second = sandbox.run("run rows.csv --live --provider sim --fresh --sim latency=1ms");
    let ran = second.exits(75).result_has(&["stopped exit=75", "is at work in"]);
    assert!(ran.stderr.contains("hint: wait until"), "{}", ran.stderr);
    first.signal("TERM");
    assert_eq!(first.end().1, Some(143));
}

/// Nobody reads what it says, and it cannot end in order: the third signal waits for nothing.
#[test]
fn the_third_signal_ends_a_run_that_is_held_up() {
    let sandbox = Sandbox::with_rows(800);
    let mut run = Running::start(&sandbox, "--sim latency=1ms --limit-per-day 100");
    run.wait_for("row_started");
    let pause = |seconds: f64| std::thread::sleep(Duration::from_secs_f64(seconds));
    pause(1.0);
    run.signal("INT");
    pause(0.2);
    run.signal("INT");
    pause(2.5);
    assert!(!run.has_ended(), "it is held up by its full pipe");
    run.signal("INT");
    let code = run.child.wait().expect("the command ends").code();
    assert_eq!(code, Some(130));
    ledger(&sandbox);
}

/// Whoever shows nothing is asked how the run stands, and the run goes on.
#[test]
fn a_question_is_answered_once_and_stops_nothing() {
    let sandbox = Sandbox::with_rows(30);
    for (kind, told) in [("none", " cost   $"), ("json", "\"type\":\"progress\"")] {
        let args = format!("--sim latency=400ms --fresh --gate none --progress {kind}");
        let mut run = Running::start(&sandbox, &args);
        run.wait_for("image_stored");
        run.signal("USR1");
        let (report, code, stderr) = run.end();
        assert_eq!((code, &report["rows"]["ok"]), (Some(0), &30.into()), "{stderr}");
        let n_told = stderr.matches(told).count();
        // Progress as JSON ends with a line of its own.
        assert_eq!(n_told, if kind == "none" { 1 } else { 2 }, "{stderr}");
    }
}
