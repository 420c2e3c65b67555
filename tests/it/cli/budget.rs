//! The limit: what does not fit is refused with the limit that would do, and what fits runs.

use imagemill::domain::money::NanoUsd;

use crate::support::sandbox::Sandbox;

const FAST: &str = "--live --provider sim --sim latency=1ms";

#[test]
fn a_dry_run_over_the_limit_rehearses_whole_and_names_the_smallest_limit() {
    let expect = [
        "RESULT over-budget exit=97 mode=dry-run rows=100/100 images=199/199 cost=$7.96 ",
        "the smallest limit is $7.96",
    ];
    let sandbox = Sandbox::with_fixture();
    let ran = sandbox.run("run rows-100.csv --limit-per-day 5").exits(97).result_has(&expect);
    assert!(ran.stdout.contains("PASS"), "gates are judged all the same: {}", ran.stdout);
    // The limit that is named really would do, and a cent less would not.
    sandbox.run("run rows-100.csv --limit-per-day 7.96").exits(0);
    sandbox.run("run rows-100.csv --limit-per-day 7.95").exits(97);
}

#[test]
fn a_live_run_over_the_limit_is_refused_and_leaves_nothing_row_32() {
    let sandbox = Sandbox::with_rows(10);
    let before = sandbox.files();
    let args = format!("run rows.csv {FAST} --limit-per-day 0.39");
    let ran = sandbox.run(&args).exits(97).result_has(&["exit=97", "rows=0/10", "cost=$0.00"]);
    assert!(ran.last_line().contains("nothing was sent, nothing was spent"), "{}", ran.stdout);
    assert!(ran.stderr.contains("--fit-budget"), "{}", ran.stderr);
    assert!(ran.stderr.contains("raise the limit that --limit-per-day sets"), "{}", ran.stderr);
    assert!(sandbox.files() == before);
    assert!(!sandbox.path("out").exists());
    let report = sandbox.run(&format!("{args} --format json")).exits(97).report();
    assert_eq!(report["cost"]["limit_per_day"], "0.39");
    assert_eq!(report["cost"]["settled"], "0.00");
}

#[test]
fn the_ledgers_own_limit_is_raised_by_its_command() {
    let sandbox = Sandbox::with_rows(10);
    sandbox.run("ledger limit set --per-day 0.20 --why small").exits(0);
    let ran = sandbox.run(&format!("run rows.csv {FAST}")).exits(97);
    let hint = "imagemill ledger limit set --per-day 0.40 --why TEXT";
    assert!(ran.stderr.contains(hint), "{}", ran.stderr);
    sandbox.run(&hint.replace("imagemill ", "").replace("TEXT", "'so said the hint'")).exits(0);
    sandbox.run(&format!("run rows.csv {FAST}")).exits(0);
}

#[test]
fn what_fits_the_budget_runs_and_the_rest_is_held() {
    let sandbox = Sandbox::with_rows(10);
    let args = format!("run rows.csv {FAST} --fit-budget --limit-per-day 0.25 --format json");
    let report = sandbox.run(&args).exits(0).report();
    assert_eq!((&report["rows"]["ok"], &report["rows"]["held"]), (&6.into(), &4.into()));
    assert_eq!(
        (&report["images"]["stored"], &report["cost"]["settled"]),
        (&6.into(), &"0.24".into())
    );
    assert_eq!(report["verdict"], "weak-pass");
    for gate in report["gates"].as_array().expect("gates") {
        assert_eq!(gate["verdict"], "weak-pass", "{gate}");
    }
    // The first rows that fit, in the order of the file.
    let images = sandbox.only_run("out").join("images");
    assert!(images.join("ROW-006-v1.png").is_file() && !images.join("ROW-007-v1.png").exists());
}

#[test]
fn the_limit_of_a_run_refuses_too() {
    let sandbox = Sandbox::with_fixture();
    let ran = sandbox.run("run rows-100.csv --limit-per-run 3").exits(97);
    let words: Vec<&str> = ran.stdout.split_whitespace().collect();
    let text = words.join(" ");
    assert!(text.contains("DOES NOT FIT the run's own limit"), "{text}");
    let ran = ran.result_has(&["its own limit of $3.00"]);
    assert!(!ran.stdout.contains("the smallest limit"), "the day has room: {}", ran.stdout);
    let ran = sandbox.run(&format!("run rows-100.csv {FAST} --limit-per-run 3")).exits(97);
    assert!(ran.stderr.contains("raise --limit-per-run"), "{}", ran.stderr);
    let args = "run rows-100.csv --limit-per-run 3 --fit-budget --format json";
    let report = sandbox.run(args).exits(0).report();
    let settled = report["cost"]["settled"].as_str().expect("an amount");
    assert!(settled.parse::<NanoUsd>().expect("an amount") <= NanoUsd::from_dollars(3));
    assert!(report["rows"]["held"].as_u64() > Some(0), "{report}");
}

#[test]
fn runs_that_share_a_ledger_share_its_limit() {
    let sandbox = Sandbox::with_rows(10);
    let args = format!("run rows.csv {FAST} --ledger money --fresh --limit-per-day 0.70");
    sandbox.run(&args).exits(0);
    let ran = sandbox.run(&args).exits(97).result_has(&["$0.40 of $0.70 a day is taken"]);
    assert!(ran.last_line().contains("the smallest limit is $0.80"), "{}", ran.last_line());
    sandbox.run(&format!("{args} --fit-budget")).exits(0).result_has(&["rows=7/10", "cost=$0.28"]);
    let summary = sandbox.run("ledger summary --ledger money --format json").exits(0).json();
    assert_eq!((&summary["settled"], &summary["attempts"]), (&"0.68".into(), &17.into()));
    sandbox.run("ledger check --ledger money").exits(0);
}

#[test]
fn the_limit_is_the_ledgers_and_raising_it_is_recorded() {
    let sandbox = Sandbox::with_fixture();
    let before = sandbox.run("ledger summary --format json").exits(0).json();
    assert_eq!((&before["limit_per_day"], &before["attempts"]), (&"10.00".into(), &0.into()));
    sandbox.run("ledger limit set --per-day 50").exits(2);
    let ran = sandbox.run("ledger limit set --per-day $50 --why 'the spring campaign'").exits(0);
    assert!(ran.stdout.contains("$50.00") && ran.stdout.contains("tester"), "{}", ran.stdout);
    let after = sandbox.run("ledger summary --format json").exits(0).json();
    assert_eq!(
        (&after["limit_per_day"], &after["limit_origin"]),
        (&"50.00".into(), &"person".into())
    );
    let mut records = String::new();
    crate::support::sandbox::walk(&sandbox.real_ledger(), &mut |path| {
        if path.extension().is_some_and(|it| it == "jsonl") {
            records += &std::fs::read_to_string(path).expect("a segment");
        }
    });
    let raised = records.lines().rfind(|line| line.contains("\"k\":\"limit\""));
    for part in ["50.00", "the spring campaign", "tester"] {
        assert!(raised.is_some_and(|line| line.contains(part)), "{raised:?}");
    }
    sandbox.run("ledger check").exits(0);
    for wrong in ["-1", "ten", "0.0000000001"] {
        sandbox.run(&format!("ledger limit set --per-day={wrong} --why x")).exits(2);
    }
}

#[test]
fn a_flag_can_lower_the_ledgers_limit_but_not_raise_it_row_27() {
    let sandbox = Sandbox::with_rows(10);
    sandbox.run("ledger limit set --per-day 0.30 --why 'a small day'").exits(0);
    let ran = sandbox.run("run rows.csv --limit-per-day 5").exits(97);
    assert!(ran.stdout.contains("! --limit-per-day asks for $5.00 a day"), "{}", ran.stdout);
    let report = sandbox.run("run rows.csv --limit-per-day 5 --format json").exits(97).report();
    assert_eq!(report["cost"]["limit_per_day"], "0.30");
    let report = sandbox.run("run rows.csv --limit-per-day 0.1 --format json").exits(97).report();
    assert_eq!(report["cost"]["limit_per_day"], "0.10");
}

#[test]
fn a_project_cannot_raise_the_limit_but_can_lower_it() {
    let sandbox = Sandbox::with_fixture();
    sandbox.write("imagemill.toml", "limit_per_day = 5\n");
    let ran = sandbox.run("run rows-100.csv").exits(97);
    assert!(ran.stdout.contains("limit $5.00 a day (imagemill.toml:1)"), "{}", ran.stdout);
    sandbox.write("imagemill.toml", "limit_per_day = 500\n");
    let ran = sandbox.run("run rows-100.csv").exits(0);
    assert!(ran.stdout.contains("limit $10.00 a day (default)"), "{}", ran.stdout);
    let warning = "warning: limit_per_day (imagemill.toml:1) is left out";
    assert!(ran.stderr.contains(warning), "{}", ran.stderr);
}

#[test]
fn amounts_may_be_written_in_three_ways() {
    let sandbox = Sandbox::with_rows(1);
    for amount in ["10", "10.00", "$10"] {
        let args = format!("run rows.csv --plan-only --limit-per-day {amount} --format json");
        let report = sandbox.run(&args).exits(0).report();
        assert_eq!(report["cost"]["limit_per_day"], "10.00", "{amount}");
    }
    for amount in ["ten", "1,5", "-1", "1e1", ""] {
        let args = format!("run rows.csv --limit-per-day='{amount}'");
        sandbox.run(&args).exits(2).result_has(&["usage exit=2", "rows=0/0"]);
    }
}

#[test]
fn what_has_no_price_is_refused_before_anything_is_sent_row_24() {
    let sandbox = Sandbox::with_rows(1);
    let server = "--live --rehearsal --base-url http://127.0.0.1:9";
    let refused = sandbox.run(&format!("run rows.csv --provider openai --model new-1 {server}"));
    let refused = refused.exits(3);
    assert!(refused.stderr.contains("no price"), "{refused:?}");
    assert!(!sandbox.path("out").exists());
}
