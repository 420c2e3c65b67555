//! What the ledger says of every attempt, in sums and one a line; and what people write into it.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use imagemill::domain::money::NanoUsd;
use serde_json::Value;

use crate::support::sandbox::Sandbox;

/// A run of simulated money with some unknown attempts, and the flag that names its ledger.
fn with_unknowns() -> (Sandbox, String) {
    let sandbox = Sandbox::with_rows(8);
    let run = "run rows.csv --live --provider sim --sim latency=1ms,errors=40%,seed=4 --gate none \
               --paid-retries 0";
    sandbox.run(run).exits(0);
    let folder = sandbox.only_run("out").join("ledger");
    let ledger = format!("--ledger {}", folder.display());
    (sandbox, ledger)
}

fn money(document: &Value, key: &str) -> NanoUsd {
    document[key].as_str().unwrap_or_else(|| panic!("{key}: {document}")).parse().expect(key)
}

fn summary(sandbox: &Sandbox, ledger: &str) -> Value {
    sandbox.run(&format!("ledger summary --format json {ledger}")).exits(0).json()
}

fn unknown_rids(sandbox: &Sandbox, ledger: &str) -> Vec<String> {
    let ask = format!("ledger register --outcome unknown --format ndjson {ledger}");
    let lines = sandbox.run(&ask).exits(0).stdout;
    let rid = |line: &str| {
        let entry: Value = serde_json::from_str(line).expect("a line of JSON");
        entry["rid"].as_str().expect("an attempt").to_owned()
    };
    lines.lines().map(rid).collect()
}

#[test]
fn sums_by_anything_are_the_money_of_the_summary() {
    let (sandbox, ledger) = with_unknowns();
    let today = summary(&sandbox, &ledger);
    assert!(money(&today, "unknown") > NanoUsd::ZERO, "{today}");
    for keys in ["day", "run,model", "month,provider,outcome", "week"] {
        let ask = format!("ledger by {keys} --format json {ledger}");
        let document = sandbox.run(&ask).exits(0).json();
        assert_eq!(document["schema"], "imagemill.ledger/1");
        assert_eq!(money(&document["total"], "cost"), money(&today, "settled"), "{keys}");
        assert_eq!(money(&document["total"], "held"), money(&today, "unknown"), "{keys}");
        assert_eq!(document["total"]["attempts"], 8, "{keys}");
    }
    let table = sandbox.run(&format!("ledger by outcome {ledger}")).exits(0).stdout;
    for word in ["outcome", "settled", "unknown", "total", "worst case", "in %", "100"] {
        assert!(table.contains(word), "{word}: {table}");
    }
    let csv = sandbox.run(&format!("ledger by day,outcome --format csv {ledger}")).exits(0).stdout;
    assert!(csv.starts_with("day,outcome,attempts,settled,released,open,cost,held,worst_case\n"));
    assert_eq!(csv.lines().count(), 3, "{csv}");
}

#[test]
fn the_register_and_the_export_have_every_attempt_once() {
    let (sandbox, ledger) = with_unknowns();
    let register = sandbox.run(&format!("ledger register {ledger}")).exits(0).stdout;
    assert_eq!(register.lines().count(), 8, "{register}");
    let settled = money(&summary(&sandbox, &ledger), "settled");
    let last = register.lines().last().expect("a line");
    assert!(last.contains(&format!(" {} ", settled.dollars())), "{settled} is spent: {last}");
    assert!(register.contains("($0.04)") && register.contains("5xx"), "{register}");
    let export = sandbox.run(&format!("ledger export {ledger}")).exits(0).stdout;
    assert!(export.starts_with("time,on,rid,run,row,variant,attempt,provider,model,outcome,"));
    assert_eq!(export.lines().count(), 9, "{export}");
    let none = format!("ledger register --since 2999-01-01 {ledger}");
    assert_eq!(sandbox.run(&none).exits(0).stdout, "");
    let all = format!("ledger register --since 1h --model sim-1 --provider sim {ledger}");
    assert_eq!(sandbox.run(&all).exits(0).stdout, register);
}

#[test]
fn an_unknown_attempt_is_resolved_once_with_who_and_why() {
    let (sandbox, ledger) = with_unknowns();
    let before = summary(&sandbox, &ledger);
    let rids = unknown_rids(&sandbox, &ledger);
    assert!(rids.len() >= 2, "{rids:?}");
    let resolve = format!("ledger resolve {} --not-billed --why 'not in the export'", rids[0]);
    let ran = sandbox.run(&format!("{resolve} {ledger}")).exits(0);
    assert!(ran.stdout.contains("Resolved 1 attempt: $0.04 was held, it cost $0.00"), "{ran:?}");
    let after = summary(&sandbox, &ledger);
    let cents = |n: i64| NanoUsd::from_nanos(n * 10_000_000);
    let freed = money(&before, "unknown").minus_or_zero(money(&after, "unknown"));
    assert_eq!((freed, &after["settled"]), (cents(4), &before["settled"]));
    // Once is enough: the second one writes nothing.
    let ran = sandbox.run(&format!("{resolve} {ledger}")).exits(3);
    assert!(ran.stderr.contains("is not unknown, so nothing was resolved"), "{}", ran.stderr);
    // One that is not unknown takes the others with it.
    let both = format!("ledger resolve {} {} --as-billed --why w {ledger}", rids[1], rids[0]);
    sandbox.run(&both).exits(3);
    assert_eq!(summary(&sandbox, &ledger), after);
    let all = format!("ledger resolve --all --as-billed --why 'no time to look' {ledger}");
    sandbox.run(&all).exits(0);
    let last = summary(&sandbox, &ledger);
    assert_eq!(last["unknown"], "0.00");
    let spent = money(&after, "settled").saturating_add(money(&after, "unknown"));
    assert_eq!(money(&last, "settled"), spent);
    assert_eq!(sandbox.run(&all).exits(0).stdout, "Nothing is unknown\n");
    assert_eq!(sandbox.run(&format!("ledger check {ledger}")).exits(0).stdout, "");
    let lines = std::fs::read_to_string(segment(&sandbox)).expect("a segment");
    assert!(lines.contains(r#""by":"tester""#) && lines.contains("not in the export"), "{lines}");
}

fn segment(sandbox: &Sandbox) -> std::path::PathBuf {
    let mut found = None;
    crate::support::sandbox::walk(&sandbox.only_run("out").join("ledger"), &mut |path| {
        if path.extension().is_some_and(|it| it == "jsonl") {
            found = Some(path.to_owned());
        }
    });
    found.expect("a segment")
}

#[test]
fn what_a_dead_process_left_can_be_resolved_at_once() {
    let sandbox = Sandbox::with_rows(3);
    let ask = "run rows.csv --live --provider sim --sim latency=60s --gate none --concurrency 3";
    let mut command = sandbox.command(ask);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let (_never, silence) = std::sync::mpsc::channel::<()>();
    let is_held = || {
        let _ = silence.recv_timeout(Duration::from_millis(20));
        let runs = std::fs::read_dir(sandbox.path("out")).ok()?;
        let mut runs = runs.filter_map(|entry| Some(entry.ok()?.path()));
        let ledger =
            format!("--ledger {}", runs.find(|path| path.is_dir())?.join("ledger").display());
        let ran = sandbox.run(&format!("ledger register {ledger}"));
        (ran.stdout.lines().count() == 3).then_some(ledger)
    };
    let tries = std::iter::repeat_with(is_held).take(1_000);
    let ledger = tries.flatten().next().expect("three attempts are held");
    // It is alive: what is under way is nobody's to resolve.
    let none = sandbox.run(&format!("ledger resolve --all --not-billed --why early {ledger}"));
    assert_eq!(none.exits(0).stdout, "Nothing is unknown\n");
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
    let ran = sandbox.run(&format!("ledger resolve --all --as-billed --why 'it died' {ledger}"));
    assert!(ran.exits(0).stdout.contains("Resolved 3 attempts: $0.12 was held, they cost $0.12"));
    let last = summary(&sandbox, &ledger);
    assert_eq!((&last["settled"], &last["reserved"]), (&"0.12".into(), &"0.00".into()));
    sandbox.run(&format!("ledger check {ledger}")).exits(0);
}

#[test]
fn an_adjustment_belongs_to_its_day() {
    let (sandbox, ledger) = with_unknowns();
    let adjust = |amount: &str, on: &str| {
        let ask = format!("ledger adjust --amount={amount} --on {on} --why 'a refund' {ledger}");
        sandbox.run(&ask).exits(0).stdout
    };
    let text = adjust("-0.05", "2026-01-02");
    assert_eq!(text, "Adjusted 2026-01-02 by -$0.05, by tester: a refund\n");
    let ask = format!("ledger by day --format csv {ledger}");
    let days = sandbox.run(&ask).exits(0).stdout;
    assert!(days.contains("\n2026-01-02,0,0,0,0,-0.05,0.00,0.00\n"), "{days}");
    let today = summary(&sandbox, &ledger);
    let day = today["day"].as_str().expect("a day").to_owned();
    adjust("0.03", &day);
    let more = money(&summary(&sandbox, &ledger), "settled");
    assert_eq!(more.minus_or_zero(money(&today, "settled")), "0.03".parse().expect("money"));
    sandbox.run(&format!("ledger check {ledger}")).exits(0);
}

#[test]
fn what_cannot_be_asked_is_refused_with_what_can() {
    let (sandbox, ledger) = with_unknowns();
    let check = |ask: &str, code: i32, says: &str| {
        let ran = sandbox.run(&format!("ledger {ask} {ledger}")).exits(code);
        assert!(ran.stderr.contains(says), "{ask}: {}", ran.stderr);
    };
    check("by dya", 2, "one of: day, week, month, run, model, provider, tag:K, canary, outcome");
    check("by day,run,model,week", 2, "at most 3");
    check("register --since yesterday", 2, "write a day");
    check("register --outcome lost", 2, "one of: held, unknown, settled");
    check("register --run none", 3, "the ledger has no run");
    check("register --tz Nowhere/None", 2, "Nowhere/None");
    check("resolve nonsense --as-billed --why w", 2, "is no attempt id");
    check("resolve --all --why w", 2, "--not-billed");
    check("resolve --as-billed --why w", 2, "--all");
    check("resolve --all --amount=-1 --why w", 2, "less than nothing");
    check("adjust --amount x --on 2026-01-01 --why w", 2, "x");
    check("adjust --amount 1 --on today --why w", 2, "today");
    let none = sandbox.run("ledger by day").exits(3);
    assert!(none.stderr.contains("No ledger in"), "{}", none.stderr);
}

#[test]
fn the_tail_is_the_last_records_and_follows_new_ones() {
    let (sandbox, ledger) = with_unknowns();
    let tail = sandbox.run(&format!("ledger tail -n 2 {ledger}")).exits(0).stdout;
    assert_eq!(tail.lines().count(), 2, "{tail}");
    assert!(tail.lines().last().expect("a line").contains("close"), "{tail}");
    let json = sandbox.run(&format!("ledger tail -n 1 --format ndjson {ledger}")).exits(0).stdout;
    let last: Value = serde_json::from_str(&json).expect("a line of JSON");
    assert_eq!(last["kind"], "close");
    let mut command = sandbox.command(&format!("ledger tail -n 0 --follow {ledger}"));
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    // It has nothing to say until something is written: each of these is.
    for n in 1..=2 {
        let (done, told) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let (sandbox, ledger) = (&sandbox, &ledger);
            scope.spawn(move || {
                // Once more as long as it is not told: the first may come before it listens.
                while told.recv_timeout(Duration::from_millis(300)).is_err() {
                    let why = format!("--why 'change {n}'");
                    sandbox.run(&format!("ledger limit set --per-day {n} {why} {ledger}")).exits(0);
                }
            });
            let limit = format!("${n}.00");
            let found = lines
                .by_ref()
                .map(|line| line.expect("a line"))
                .find(|line| line.contains("limit") && line.contains(&limit));
            done.send(()).expect("it listens");
            assert!(found.is_some(), "{limit}");
        });
    }
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
}

#[test]
fn money_is_summed_by_tags_and_by_canary() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "rows.csv",
        "scene_id,prompt,tags\na,one,client=acme|sale\nb,two,client=west\nc,three,\n",
    );
    let live = "run rows.csv --live --provider sim --sim latency=1ms --ledger shared --fresh";
    sandbox.run(live).exits(0);
    sandbox.run(&format!("{live} --canary 34")).exits(0);
    let by = |key: &str| {
        let ask = format!("ledger by {key} --format csv --ledger shared");
        let lines = sandbox.run(&ask).exits(0).stdout;
        let cells = |line: &str| line.split(',').take(2).collect::<Vec<_>>().join(" ");
        lines.lines().skip(1).map(cells).collect::<Vec<_>>()
    };
    let canary = by("canary");
    assert!(canary.len() == 2 && canary[0] == "no 3", "{canary:?}");
    let clients = by("tag:client");
    assert!(clients.iter().any(|line| line.starts_with("acme ")), "{clients:?}");
    assert!(clients.iter().any(|line| line.starts_with("(none) ")), "{clients:?}");
    assert!(by("tag:sale").iter().any(|line| line.starts_with("yes ")));
    sandbox.run("ledger by tag: --ledger shared").exits(2);
    sandbox.run("ledger check --ledger shared").exits(0);
}
