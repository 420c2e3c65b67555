//! The dry run: what it says, that it writes nothing, and that it can be repeated.

use std::time::Duration;

use serde_json::Value;

use crate::support::sandbox::Sandbox;

/// A rehearsal with everything that chance decides.
const ROUGH: &str = "latency=12s±30%,errors=2%,429=5%,refusals=1%";

#[test]
fn the_fixture_is_rehearsed_whole_and_passes() {
    let ran = Sandbox::with_fixture().run("run rows-100.csv").exits(0);
    let first = ran.stdout.lines().next();
    assert_eq!(first, Some("DRY RUN: nothing will be sent, nothing will be spent"));
    let expect = "RESULT pass exit=0 mode=dry-run rows=100/100 images=199/199 cost=$7.96 \
                  elapsed=5m00s reason=\"every gate holds\"";
    assert_eq!(ran.last_line(), expect);
}

#[test]
fn the_plan_and_the_gate_table_are_short_and_claim_nothing() {
    let ran = Sandbox::with_fixture().run("run rows-100.csv").exits(0);
    insta::with_settings!({filters => vec![
        (r"\d{4}-\d{2}-\d{2}", "[day]"),
    ]}, {
        insta::assert_snapshot!(ran.stdout);
    });
    assert!(ran.stdout.lines().count() <= 30, "{}", ran.stdout);
}

#[test]
fn json_is_one_object_with_every_promised_field() {
    let report = Sandbox::with_fixture().run("run rows-100.csv --format json").exits(0).report();
    let has = |value: &Value, keys: &str| {
        for key in keys.split(' ') {
            assert!(value.get(key).is_some(), "{key} is not in {value}");
        }
    };
    has(
        &report,
        "run_id mode exit verdict reason provider model rows images latency_ms elapsed_ms",
    );
    has(&report, "avg_per_row_ms error_rate cost gates started_at finished_at");
    has(&report["rows"], "planned accepted rejected ok partial failed refused held skipped");
    has(&report["rows"], "cancelled unknown");
    has(&report["images"], "expected stored");
    has(&report["latency_ms"], "min avg p50 p90 p95 p99 max");
    has(&report["cost"], "estimated maximum settled unknown limit_per_day exposure_today drift");
    assert_eq!(report["gates"].as_array().map(Vec::len), Some(2));
    has(&report["gates"][1], "gate metric value limit n k lower upper verdict severity reason");
    let cost = |key: &str| report["cost"][key].as_str().expect("a decimal string").to_owned();
    assert_eq!((cost("estimated"), cost("settled")), ("7.96".to_owned(), "7.96".to_owned()));
    assert_eq!((cost("maximum"), cost("unknown")), ("8.36".to_owned(), "0.00".to_owned()));
    assert_eq!(cost("limit_per_day"), "10.00");
    for key in ["started_at", "finished_at"] {
        let text = report[key].as_str().expect("a time");
        assert!(text.ends_with('Z'), "{text}");
        text.parse::<jiff::Timestamp>().expect("RFC 3339");
    }
    assert_eq!((&report["mode"], &report["verdict"]), (&"dry-run".into(), &"pass".into()));
    assert_eq!((&report["rows"]["ok"], &report["images"]["stored"]), (&100.into(), &199.into()));
}

#[test]
fn latencies_are_exact_at_both_ends() {
    let report = Sandbox::with_rows(20).run("run rows.csv --format json").exits(0).report();
    let expect = serde_json::json!({
        "min": 12000, "avg": 12000, "p50": 12000, "p90": 12000, "p95": 12000, "p99": 12000,
        "max": 12000
    });
    assert_eq!(report["latency_ms"], expect);
}

#[test]
fn a_dry_run_writes_nothing() {
    let sandbox = Sandbox::with_fixture();
    let before = sandbox.files();
    sandbox.run("run rows-100.csv").exits(0);
    sandbox.run("run rows-100.csv --format json --sim errors=50%,seed=1").exits(99);
    sandbox.run("run rows-100.csv --format ndjson --limit-per-day 5").exits(97);
    sandbox.run("run rows-100.csv --plan-only").exits(0);
    sandbox.run_fed("run -", sandbox.read("rows-100.csv").as_bytes()).exits(0);
    sandbox.write("bad.csv", "scene_id,prompt,n\na,b,nine\n");
    sandbox.run("run bad.csv").exits(3);
    std::fs::remove_file(sandbox.path("bad.csv")).expect("removed");
    let names = |files: &std::collections::BTreeMap<_, _>| {
        files.keys().cloned().collect::<Vec<std::path::PathBuf>>()
    };
    assert_eq!(names(&sandbox.files()), names(&before));
    assert!(sandbox.files() == before);
    assert!(!sandbox.path("out").exists() && !sandbox.real_ledger().exists());
}

/// The report as text without the four fields that may differ.
fn comparable(sandbox: &Sandbox, args: &str) -> String {
    let ran = sandbox.run(args);
    let mut text = ran.stdout.clone();
    let report = ran.report();
    for pointer in ["/run_id", "/started_at", "/finished_at", "/cost/exposure_today"] {
        let value = report.pointer(pointer).unwrap_or_else(|| panic!("{pointer} in {report}"));
        text = text.replacen(&value.to_string(), "~", 1);
    }
    text
}

#[test]
fn the_same_seed_gives_the_same_report_and_another_seed_another() {
    let sandbox = Sandbox::with_fixture();
    let args = |seed| format!("run rows-100.csv --format json --sim {ROUGH},seed={seed}");
    let first = comparable(&sandbox, &args(7));
    assert_eq!(first, comparable(&sandbox, &args(7)));
    assert_ne!(first, comparable(&sandbox, &args(8)));
}

#[test]
fn the_same_seed_gives_the_same_words() {
    let sandbox = Sandbox::with_fixture();
    let args = format!("run rows-100.csv --sim {ROUGH},seed=7");
    let (first, second) = (sandbox.run(&args), sandbox.run(&args));
    assert_eq!(first.stdout, second.stdout);
    assert_eq!(first.stderr, second.stderr);
}

#[test]
fn the_forecast_is_right_to_two_percent() {
    let sandbox = Sandbox::with_fixture();
    for sim in ["latency=12s", "latency=12s±30%,seed=1", "latency=12s±30%,seed=2"] {
        let args = format!("run rows-100.csv --format json --sim {sim}");
        let report = sandbox.run(&args).exits(0).report();
        let number = |key: &str| report[key].as_f64().expect("a number");
        let (forecast, elapsed) = (number("forecast_ms"), number("elapsed_ms"));
        assert!((290_000.0..=320_000.0).contains(&elapsed), "{sim}: {elapsed}");
        let off = (forecast / elapsed - 1.0).abs();
        assert!(off <= 0.02, "{sim}: forecast {forecast}, elapsed {elapsed}");
    }
}

#[test]
fn the_forecast_knows_the_pace() {
    let sandbox = Sandbox::with_fixture();
    for (pace, shown, seconds) in [
        ("--requests-per-minute 20", "20 requests a minute", 198.0 * 3.0 + 12.0),
        ("--images-per-minute 30 --requests-per-minute 60", "30 images a minute", 198.0 * 2.0),
        ("--images-per-minute 600", "600 images a minute", 300.0),
    ] {
        let args = format!("run rows-100.csv {pace} --gate none");
        let report = sandbox.run(&format!("{args} --format json")).exits(0).report();
        let number = |key: &str| report[key].as_f64().expect("a number") / 1_000.0;
        for (what, got) in [("forecast", number("forecast_ms")), ("took", number("elapsed_ms"))] {
            let off = (got / seconds - 1.0).abs();
            assert!(off < 0.04, "{pace}: {what} {got} s, not {seconds} s");
        }
        let plan = sandbox.run(&format!("{args} --plan-only")).exits(0).stdout;
        assert!(plan.contains(shown), "{plan}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "real time is what is measured here")]
fn a_rehearsal_of_an_hour_takes_no_hour() {
    let sandbox = Sandbox::with_fixture();
    let begun = std::time::Instant::now();
    let args = "run rows-100.csv --concurrency 1 --sim latency=20s --gate none --format json";
    let report = sandbox.run(args).exits(0).report();
    assert_eq!(report["elapsed_ms"], 199 * 20_000);
    // A debug build on a busy machine needs a fraction of this.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn ndjson_is_one_event_a_line_and_then_the_report() {
    let ran = Sandbox::with_rows(3).run("run rows.csv --format ndjson").exits(0);
    let lines: Vec<Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let (report, events) = lines.split_last().expect("lines");
    assert_eq!(report["schema"], "imagemill.report/1");
    for (n, event) in events.iter().enumerate() {
        assert_eq!(event["seq"], n + 1);
    }
    assert_eq!(events[0]["event"]["type"], "run_started");
    assert_eq!(events.last().expect("events")["event"]["type"], "run_finished");
    let stored = events.iter().filter(|it| it["event"]["type"] == "image_stored").count();
    assert_eq!(stored, 3);
}

#[test]
fn what_goes_wrong_is_said_as_a_possibility() {
    let args = "run rows-100.csv --sim refusals=10%,seed=3 --gate none";
    let ran = Sandbox::with_fixture().run(args).exits(0);
    let told: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("! ")).collect();
    assert!(!told.is_empty(), "{}", ran.stderr);
    assert!(told.iter().all(|line| line.contains(" would end ")), "{told:?}");
    let mut lines = ran.stdout.lines().rev();
    assert!(lines.next().is_some_and(|line| line.contains("reason=\"no gates were asked for\"")));
    assert_eq!(lines.next(), Some("DRY RUN: nothing was sent, nothing was spent"));
}
