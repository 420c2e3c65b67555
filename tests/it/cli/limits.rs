//! The ledger's limits beside that of the day: set, listed, taken away, planned with, and kept.

use crate::support::sandbox::Sandbox;

const LIVE: &str = "run rows.csv --live --provider sim --sim latency=1ms";

fn with_limits(limits: &str) -> Sandbox {
    let sandbox = Sandbox::with_rows(8);
    sandbox.run(&format!("ledger limit set {limits} --why 'a trial'")).exits(0);
    sandbox
}

#[test]
fn limits_are_set_together_listed_and_taken_away_with_who_and_why() {
    let sandbox =
        with_limits("--per-24h 6 --per-image 0.10 --per-model a=b=0.50 --per-model sim-1=1");
    let listed = sandbox.run("ledger limit list --format json").exits(0).json();
    let scope = |n: usize| listed["limits"][n]["scope"].as_str().unwrap_or_default().to_owned();
    let scopes: Vec<String> = (0..5).map(scope).collect();
    assert_eq!(scopes, ["day", "24h", "image", "model", "model"]);
    assert_eq!(
        (&listed["limits"][3]["model"], &listed["limits"][3]["value"]),
        (&"a=b".into(), &"0.50".into())
    );
    assert_eq!(listed["limits"][3]["why"], "a trial");
    let table = sandbox.run("ledger limit list").exits(0).stdout;
    for part in ["$6.00 in any 24 hours, $6.00 left (by ", "$0.10 an image (by ", ": a trial)"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let raised = sandbox.run("ledger limit set --per-image 0.20 --why posters").exits(0).stdout;
    assert!(raised.starts_with("Limit $0.20 an image (was $0.10), by "), "{raised}");
    let gone = sandbox.run("ledger limit remove --per-image --per-24h --why enough").exits(0);
    assert!(gone.stdout.contains("Limit none an image (was $0.20), by "), "{gone:?}");
    assert!(!sandbox.run("ledger summary").exits(0).stdout.contains("an image"));
    let again = sandbox.run("ledger limit remove --per-image --why enough").exits(3);
    assert!(again.stderr.contains("the ledger has no limit per image"), "{again:?}");
    sandbox.run("ledger check").exits(0);
}

#[test]
fn a_limit_that_says_nothing_is_refused() {
    let sandbox = Sandbox::with_rows(1);
    for (arguments, exit) in [
        ("set --why x", 2),
        ("remove --why x", 2),
        ("set --per-image 1", 2),
        ("set --per-image=-1 --why x", 2),
        ("set --per-model sim-1 --why x", 2),
        ("set --per-model =1 --why x", 2),
        ("remove --per-image --why x", 3),
    ] {
        sandbox.run(&format!("ledger limit {arguments}")).exits(exit);
    }
    assert!(!sandbox.run("ledger summary").exits(0).stdout.contains("Limit "));
}

#[test]
fn a_plan_that_goes_past_any_of_them_is_refused_and_names_it() {
    for (limits, per, room) in [
        ("--per-24h 0.20", "24 hours", 5),
        ("--per-run 0.12", "run", 3),
        ("--per-model sim-1=0.16", "day of model sim-1", 4),
        ("--per-image 0.03", "image", 0),
    ] {
        let sandbox = with_limits(limits);
        let plan = sandbox.run("run rows.csv --plan-only").exits(97).stdout;
        assert!(plan.contains(&format!("per {per}: $0.00 taken, ")), "{plan}");
        assert!(plan.contains("; DOES NOT FIT"), "{plan}");
        let refused = sandbox.run(LIVE).exits(97);
        assert!(refused.stderr.contains("imagemill ledger limit set --help"), "{refused:?}");
        assert!(refused.stdout.contains(&format!("per {per} is taken")), "{refused:?}");
        if room > 0 {
            let fitted = sandbox.run(&format!("{LIVE} --fit-budget")).exits(0).stdout;
            assert!(fitted.contains(&format!("images={room}/8")), "{per}: {fitted}");
        }
    }
    let wide = with_limits("--per-24h 9 --per-run 9 --per-model sim-1=9 --per-image 9");
    wide.run(LIVE).exits(0);
}

#[test]
fn what_one_run_spends_counts_for_the_next_in_a_shared_ledger() {
    let sandbox = Sandbox::with_rows(8);
    let ledger = "--ledger shared";
    sandbox.run(&format!("{LIVE} {ledger} --fresh")).exits(0);
    let limits = "--per-24h 0.50 --per-model sim-1=0.48";
    sandbox.run(&format!("ledger limit set {limits} --why x {ledger}")).exits(0);
    let refused = sandbox.run(&format!("{LIVE} {ledger} --fresh")).exits(97).stdout;
    assert!(refused.contains("$0.32 of $0.50 per 24 hours is taken"), "{refused}");
    let fitted = sandbox.run(&format!("{LIVE} {ledger} --fresh --fit-budget")).exits(0).stdout;
    assert!(fitted.contains("images=4/8"), "{fitted}");
    let summary = sandbox.run(&format!("ledger summary {ledger}")).exits(0).stdout;
    assert!(summary.contains("$0.48 a day for model sim-1, $0.00 left"), "{summary}");
    assert!(summary.contains("$0.50 in any 24 hours, $0.02 left"), "{summary}");
}

#[test]
fn a_new_ledger_has_its_days_where_it_is_told_and_keeps_them() {
    let sandbox = Sandbox::with_rows(1);
    let set = "ledger limit set --per-day 5 --why x --ledger berlin";
    sandbox.run(&format!("{set} --zone Nowhere/None")).exits(2);
    assert!(!sandbox.path("berlin/ledger.json").exists());
    sandbox.run(&format!("{set} --zone Europe/Berlin")).exits(0);
    let summary = sandbox.run("ledger summary --ledger berlin").exits(0).stdout;
    assert!(summary.contains(" Europe/Berlin\n"), "{summary}");
    sandbox.run(&format!("{set} --zone Europe/Berlin")).exits(0);
    sandbox.run(set).exits(0);
    let refused = sandbox.run(&format!("{set} --zone UTC")).exits(3).stderr;
    assert!(refused.contains("the ledger's days are those of Europe/Berlin"), "{refused}");
    sandbox.run("ledger check --ledger berlin").exits(0);
    // What a run simulates has the days of the real ledger.
    sandbox.run("ledger limit set --per-day 5 --why x --zone Asia/Tokyo").exits(0);
    sandbox.run(LIVE).exits(0);
    let own = sandbox.only_run("out").join("ledger");
    let summary = sandbox.run(&format!("ledger summary --ledger {}", own.display())).exits(0);
    assert!(summary.stdout.contains(" Asia/Tokyo\n"), "{summary:?}");
}
