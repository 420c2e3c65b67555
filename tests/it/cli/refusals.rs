//! Calls that cannot be done: the exit tells the caller which kind of mistake it was.

use crate::support::sandbox::Sandbox;

#[test]
fn a_live_run_needs_a_provider_that_it_can_use() {
    let sandbox = Sandbox::with_rows(2);
    let check = |args: &str, error: &str, hint: &str| {
        let ran = sandbox.run(&format!("run rows.csv {args}")).exits(3);
        assert!(ran.stderr.contains(&format!("error: {error}")), "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("hint: {hint}")), "{}", ran.stderr);
        ran.result_has(&["invalid exit=3", "images=0/"]);
    };
    check("--live", "a live run needs a provider", "add --provider openai");
    check("--mode live", "a live run needs a provider", "add --provider openai");
    check("--live --provider openai", "provider \"openai\" has no default model", "add --model");
    let prices = "schema = 1\n[openai.mine]\nper_image = \"0.01\"\n";
    sandbox.write("prices.toml", prices);
    let ask = "--live --provider openai --model mine --prices prices.toml";
    check(ask, "no API key for provider \"openai\"", "export OPENAI_API_KEY=");
    let ask = "--live --provider gemini --model gemini-3-pro-image --size 1K";
    check(ask, "this version cannot run provider \"gemini\" live", "it can run openai, local;");
    let prices = "schema = 1\n[local.mine]\nper_image = \"0.01\"\n";
    sandbox.write("prices.toml", prices);
    let before = sandbox.files();
    let ask = "--live --provider local --model mine --prices prices.toml";
    check(ask, "provider \"local\" is wherever you run it", "add --base-url");
    let suggestion = "unknown provider \"opnai\"; did you mean \"openai\"?";
    check("--provider opnai", suggestion, "imagemill prices list");
    check("--provider sim --model sim-2", "", "imagemill prices list sim");
    assert!(sandbox.files() == before);
}

#[test]
fn wrong_calls_exit_with_2() {
    let sandbox = Sandbox::with_rows(1);
    for args in [
        "",
        "run",
        "runn rows.csv",
        "run rows.csv --no-such-flag",
        "run rows.csv --mode dead",
        "run rows.csv --live --mode live",
        "run rows.csv --gates-only",
        "run rows.csv --concurrency 0",
        "run rows.csv --concurrency many",
        "run rows.csv --sim latencyy=1s",
        "run rows.csv --progress loud",
        "run rows.csv --plan-only --progress loud",
        "run rows.csv --on-bad-row maybe",
        "run rows.csv --paid-retry-on sometimes",
        "run rows.csv --format xml",
        "run rows.csv --api-key sk-1",
        "completions tcl",
        "canary set",
        "ledger limit set --per-day 5",
    ] {
        let ran = sandbox.run(args).exits(2);
        assert!(!ran.stderr.is_empty(), "{args}");
        assert!(!ran.everything().contains("panicked"), "{args}: {}", ran.stderr);
    }
}

#[test]
fn wrong_settings_elsewhere_exit_with_3_and_say_where() {
    let sandbox = Sandbox::with_rows(1);
    let ran = sandbox.run_with(&[("IMAGEMILL_CONCURRENCY", "x")], "run rows.csv").exits(3);
    assert!(ran.stderr.contains("(env IMAGEMILL_CONCURRENCY)"), "{}", ran.stderr);
    sandbox.write("imagemill.toml", "\nconcurency = 3\n");
    let ran = sandbox.run("run rows.csv").exits(3);
    let expect = "imagemill.toml:2: unknown key \"concurency\"; did you mean \"concurrency\"?";
    assert!(ran.stderr.contains(expect), "{}", ran.stderr);
    let ran = sandbox.run("run rows.csv --config none.toml").exits(3);
    assert!(ran.stderr.contains("none.toml"), "{}", ran.stderr);
    sandbox.write("imagemill.toml", "concurrency = 3\n");
    assert!(sandbox.run("run rows.csv").exits(0).stdout.contains(" at 3 in flight"));
    let env = [("IMAGEMILL_CONCURRENCY", "4")];
    assert!(sandbox.run_with(&env, "run rows.csv").exits(0).stdout.contains(" at 4 in flight"));
    let ran = sandbox.run_with(&env, "run rows.csv --concurrency 5").exits(0);
    assert!(ran.stdout.contains(" at 5 in flight"), "{}", ran.stdout);
}

#[test]
fn a_limit_under_a_wrong_name_stops_the_command_before_a_dollar_moves() {
    let sandbox = Sandbox::with_rows(1);
    let args = "run rows.csv --live --provider sim --sim latency=1ms";
    for (name, fix) in [
        ("IMAGEMILL_LIMT_PER_DAY", "IMAGEMILL_LIMIT_PER_DAY"),
        ("IMAGEMILL_DAILY_LIMIT", "IMAGEMILL_LIMIT_PER_DAY"),
        ("IMAGEMILL_BUDGET", "IMAGEMILL_LIMIT_PER_RUN"),
        ("IMAGEMILL_MAX_COST", "IMAGEMILL_LIMIT_PER_RUN"),
    ] {
        let ran = sandbox.run_with(&[(name, "0.01")], args).exits(3);
        for part in ["error: ", name, fix, "the limit it means would not hold"] {
            assert!(ran.stderr.contains(part), "{name}: {part}: {}", ran.stderr);
        }
        assert!(!sandbox.path("out").exists(), "{name}");
        let told = sandbox.run_with(&[(name, "1"), ("IMAGEMILL_A", "1")], "doctor").everything();
        assert!(told.contains(&format!("unknown variable {name}")), "{name}: {told}");
    }
    let ran = sandbox.run_with(&[("IMAGEMILL_QUALTY", "low")], "run rows.csv").exits(0);
    let expect = "warning: unknown environment variable IMAGEMILL_QUALTY; did you mean";
    assert!(ran.stderr.contains(expect), "{}", ran.stderr);
}

#[test]
fn a_flag_that_others_call_their_limit_is_answered_with_ours() {
    let sandbox = Sandbox::with_rows(1);
    for (flag, ours) in [
        ("--budget", "--limit-per-run"),
        ("--max-cost", "--limit-per-run"),
        ("--limit", "--limit-per-run"),
        ("--daily-limit", "--limit-per-day"),
    ] {
        for args in [format!("{flag} 5"), format!("{flag}=5")] {
            let ran = sandbox.run(&format!("run rows.csv {args}")).exits(2);
            let stderr = &ran.stderr;
            assert!(stderr.contains(&format!("unexpected argument '{flag} <")), "{stderr}");
            assert!(stderr.contains(&format!("argument exists: '{ours}'")), "{stderr}");
        }
    }
    let help = sandbox.run("run --help").exits(0).stdout;
    assert!(!help.contains("--max-cost"), "{help}");
}

#[test]
fn dry_run_has_three_names() {
    let sandbox = Sandbox::with_rows(1);
    for args in ["", "--mode dry-run", "--mode dry_run"] {
        sandbox.run(&format!("run rows.csv {args}")).exits(0).result_has(&["mode=dry-run"]);
    }
}

#[test]
fn a_ledger_of_real_money_takes_no_simulated_money() {
    let sandbox = Sandbox::with_rows(1);
    sandbox.run("ledger limit set --per-day 20 --why x --ledger money").exits(0);
    let args = "run rows.csv --live --provider sim --sim latency=1ms --ledger money";
    let ran = sandbox.run(args).exits(3).result_has(&["invalid exit=3", "cost=$0.00"]);
    assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
    sandbox.run("ledger check --ledger money").exits(0);
}

#[test]
fn a_run_that_could_not_begin_can_be_tried_again() {
    let sandbox = Sandbox::with_rows(1);
    sandbox.write("money", "a file where the ledger should be");
    let args = "run rows.csv --live --provider sim --sim latency=1ms --ledger money";
    let ran = sandbox.run(args).exits(75).result_has(&["stopped exit=75", "cost=$0.00"]);
    assert!(!ran.stdout.contains("\nRun "), "{}", ran.stdout);
    std::fs::remove_file(sandbox.path("money")).expect("removed");
    sandbox.run(args).exits(0).result_has(&["images=1/1"]);
    sandbox.only_run("out");
}

#[test]
fn a_broken_ledger_stops_everything() {
    let sandbox = Sandbox::with_rows(1);
    let live = "run rows.csv --live --provider sim --sim latency=1ms --ledger money --fresh";
    sandbox.run(live).exits(0);
    let mut segment = None;
    crate::support::sandbox::walk(&sandbox.path("money"), &mut |path| {
        if path.extension().is_some_and(|it| it == "jsonl") {
            segment = Some(path.to_owned());
        }
    });
    let segment = segment.expect("a segment");
    let text = std::fs::read_to_string(&segment).expect("a segment");
    std::fs::write(&segment, text.replacen("\"0.04\"", "\"0.01\"", 1)).expect("written");
    let ran = sandbox.run("ledger check --ledger money").exits(1);
    assert!(ran.stderr.contains(".jsonl:"), "{}", ran.stderr);
    let ran = sandbox.run(live).exits(1).result_has(&["error exit=1", "cost=$0.00"]);
    assert!(ran.stderr.contains("imagemill ledger check"), "{}", ran.stderr);
}

#[test]
fn a_ledger_of_real_money_that_was_deleted_is_missed_row_34() {
    let sandbox = Sandbox::with_rows(1);
    let set = "ledger limit set --per-day 20 --why x --ledger money";
    sandbox.run(set).exits(0);
    std::fs::remove_dir_all(sandbox.path("money")).expect("removed");
    let key = ("OPENAI_API_KEY", "sk-test");
    let live = "run rows.csv --live --provider openai --model gpt-image-2 --yes --ledger money";
    for ask in [set, live] {
        let ran = sandbox.run_with(&[key], ask).exits(3);
        for part in ["is gone: it kept real money since 20", "hint: put it back from a copy"] {
            assert!(ran.stderr.contains(part), "{ask}: {part}: {}", ran.stderr);
        }
    }
    assert!(!sandbox.path("money/ledger.json").exists());
    std::fs::remove_file(sandbox.path(".money.kept")).expect("the note that the hint names");
    sandbox.run(set).exits(0);
    // Simulated money may be thrown away with its run.
    sandbox.run("run rows.csv --live --provider sim --sim latency=1ms --ledger play").exits(0);
    assert!(!sandbox.path(".play.kept").exists());
}
