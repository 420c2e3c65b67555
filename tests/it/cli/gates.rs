//! Gates: checked before anything is sent, judged at the end, and their word is the exit.

use crate::support::sandbox::Sandbox;

#[test]
fn a_misspelt_metric_is_refused_with_a_suggestion_before_anything_is_sent() {
    let sandbox = Sandbox::with_rows(2);
    let before = sandbox.files();
    for extra in ["", "--live --provider sim"] {
        let args = format!("run rows.csv --gate 'eror rate < 5%' {extra}");
        let ran = sandbox.run(&args).exits(3).result_has(&["invalid exit=3", "images=0/"]);
        let expect = "error: gate \"eror rate < 5%\": col 1: unknown metric 'eror'; \
                      did you mean 'errors'?\n";
        assert_eq!(ran.stderr, expect);
    }
    assert!(sandbox.files() == before);
}

#[test]
fn gate_texts_that_do_not_parse_name_their_column() {
    let sandbox = Sandbox::with_rows(1);
    for (gate, column) in [
        ("errors p(95) < 5%", 8),
        ("latency < 3s", 9),
        ("cost <= 10", 9),
        ("latency p(95) < 30s abort=maybe", 27),
        ("elapsed < 10min", 14),
        ("errors rate <", 14),
    ] {
        let ran = sandbox.run(&format!("run rows.csv --gate '{gate}'")).exits(3);
        assert!(ran.stderr.contains(&format!(": col {column}: ")), "{gate}: {}", ran.stderr);
    }
}

#[test]
fn a_gate_that_fails_is_a_result_with_its_evidence() {
    let args = "run rows.csv --gate 'latency p(95) < 1s abort=never'";
    let ran = Sandbox::with_rows(20).run(args).exits(99);
    let expect = ["fail exit=99 mode=dry-run rows=20/20 images=20/20", "12s is not < 1s"];
    let ran = ran.result_has(&expect);
    insta::with_settings!({filters => vec![(r"\d{4}-\d{2}-\d{2}", "[day]")]}, {
        let table = ran.stdout.find('┌').map(|at| &ran.stdout[at..]);
        insta::assert_snapshot!(table.expect("a table"));
    });
    assert!(!ran.stderr.contains("error"), "a failed gate is no error: {}", ran.stderr);
}

#[test]
fn gates_of_the_command_line_are_added_or_stand_alone() {
    let sandbox = Sandbox::with_rows(3);
    let gates = |args: &str| -> Vec<String> {
        let args = format!("run rows.csv --format json {args}");
        let report = sandbox.run(&args).exits(0).report();
        let gates = report["gates"].as_array().expect("gates");
        gates.iter().map(|gate| gate["label"].as_str().expect("a label").to_owned()).collect()
    };
    assert_eq!(gates(""), ["elapsed", "errors rate"]);
    let mine = "--gate 'latency p(95) < 30s'";
    assert_eq!(gates(mine), ["elapsed", "errors rate", "latency p(95)"]);
    assert_eq!(gates(&format!("{mine} --gates-only")), ["latency p(95)"]);
    assert_eq!(gates(&format!("{mine} --gate none")), ["latency p(95)"]);
    assert!(gates("--gate none").is_empty());
    sandbox.write("imagemill.toml", "gates = [\"errors < 1%\"]\n");
    assert_eq!(gates(mine), ["errors rate", "latency p(95)"]);
}

#[test]
fn a_warning_gate_is_shown_and_changes_nothing() {
    let args = "run rows.csv --gate 'latency p(95) < 1s severity=warn'";
    let ran = Sandbox::with_rows(3).run(args).exits(0).result_has(&["pass exit=0"]);
    assert!(ran.stdout.contains("FAIL") && ran.stdout.contains("warning only"), "{}", ran.stdout);
}

#[test]
fn a_selector_of_no_planned_row_is_refused() {
    let sandbox = Sandbox::with_fixture();
    let ran = sandbox.run("run rows-100.csv --gate 'errors{provider=openai} < 5%'").exits(3);
    assert!(ran.stderr.contains("{provider=openai} matches no planned row"), "{}", ran.stderr);
    sandbox.run("run rows-100.csv --gate 'errors{provider=sim,has_refs=true} < 5%'").exits(0);
}

#[test]
fn a_batch_that_is_doomed_stops_early() {
    let args = "run rows-100.csv --sim errors=50%,seed=1 --format json";
    let ran = Sandbox::with_fixture().run(args).exits(99);
    let report = ran.report();
    let sent = 100 - report["rows"]["cancelled"].as_u64().expect("a number");
    assert!(sent < 40, "{report}");
    assert!(
        ran.stderr
            .contains("Stopping: errors rate < 5% abort=doomed cannot hold any more: doomed at "),
        "{}",
        ran.stderr
    );
    assert_eq!(report["verdict"], "fail");
    let live = "run rows.csv --live --provider sim --sim bad-requests=100%,latency=20ms";
    let ran = Sandbox::with_rows(60).run(live).exits(99);
    assert!(ran.stderr.contains("cannot hold any more: doomed at row "), "{}", ran.stderr);
    assert!(ran.result_has(&["rows=0/60"]).stdout.contains("cannot pass any more"));
}

#[test]
fn a_gate_without_data_never_passes() {
    let sandbox = Sandbox::with_rows(3);
    let args = "run rows.csv --sim refusals=100% --gates-only --gate 'cost.drift <= 10%'";
    let ran = sandbox.run(args).exits(98).result_has(&["no-data exit=98"]);
    assert!(ran.stdout.contains("NODATA"), "{}", ran.stdout);
    let report = sandbox.run(&format!("{args} --format json")).exits(98).report();
    assert_eq!(report["gates"][0]["verdict"], "no-data");
}
