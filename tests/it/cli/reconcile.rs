//! The ledger beside a provider's cost export: what is proposed, what is written, and the exit.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use imagemill::adapters::ledger::by_hand;
use imagemill::adapters::ledger::directory::OpenOrCreate;
use imagemill::adapters::ledger::read::BookReader;
use imagemill::adapters::system;
use imagemill::domain::ledger::reconcile::{
    Change, Export, Line, Place, Rules, When, export::Amount, reconcile,
};
use imagemill::domain::ledger::{Founding, LedgerId, Money, OwnerId};
use imagemill::domain::money::NanoUsd;
use serde_json::Value;

use crate::support::sandbox::Sandbox;

/// A run of simulated money in which some attempts are unknown, and the others cost $0.04 each.
struct Books {
    sandbox: Sandbox,
    folder: PathBuf,
}

impl Books {
    fn new() -> Self {
        let books = Self::after("latency=1ms,errors=40%,seed=4");
        assert!(books.of("unknown").len() >= 3 && books.of("settled").len() >= 3);
        books
    }

    /// A run against a simulator that fails like this.
    fn after(sim: &str) -> Self {
        let sandbox = Sandbox::with_rows(8);
        let run = format!("run rows.csv --live --provider sim --sim {sim}");
        sandbox.run(&format!("{run} --gate none --paid-retries 0")).exits(0);
        let folder = sandbox.only_run("out").join("ledger");
        Self { sandbox, folder }
    }

    fn ledger(&self, ask: &str) -> crate::support::ran::Ran {
        self.sandbox.run(&format!("ledger {ask} --ledger {}", self.folder.display()))
    }

    /// The entries with an outcome.
    fn of(&self, outcome: &str) -> Vec<Value> {
        let ask = format!("register --outcome {outcome} --format ndjson");
        let lines = self.ledger(&ask).exits(0).stdout;
        lines.lines().map(|line| serde_json::from_str(line).expect("an entry")).collect()
    }

    fn rids(&self, outcome: &str) -> Vec<String> {
        let rid = |entry: &Value| entry["rid"].as_str().expect("an attempt").to_owned();
        self.of(outcome).iter().map(rid).collect()
    }

    fn money(&self, key: &str) -> NanoUsd {
        let summary = self.ledger("summary --format json").exits(0).json();
        summary[key].as_str().expect(key).parse().expect("money")
    }

    /// Writes an export in which every settled attempt is by its id, and these lines are too.
    fn export(&self, name: &str, more: &[String]) {
        let mut text = "request_id,time,model,amount\n".to_owned();
        for entry in self.of("settled") {
            let [id, time, model, cost] = ["provider_request_id", "time", "model", "cost"]
                .map(|key| entry[key].as_str().expect(key).to_owned());
            text.push_str(&format!("{id},{time},{model},{cost}\n"));
        }
        more.iter().for_each(|line| text.push_str(&format!("{line}\n")));
        self.sandbox.write(name, text);
    }

    /// A moment today.
    fn now(&self) -> String {
        self.of("unknown")[0]["time"].as_str().expect("a time").to_owned()
    }

    /// Every segment's bytes.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        crate::support::sandbox::walk(&self.folder, &mut |path| {
            if path.extension().is_some_and(|it| it == "jsonl") {
                bytes.extend(std::fs::read(path).expect("a segment"));
            }
        });
        bytes
    }
}

fn cents(n: i64) -> NanoUsd {
    NanoUsd::from_nanos(n * 10_000_000)
}

#[test]
fn what_is_sure_is_proposed_then_written_once() {
    let books = Books::new();
    let (unknown, now) = (books.rids("unknown"), books.now());
    let line = format!("{},{now},sim-1,0.03", unknown[0]);
    books.export("costs.csv", &[line]);
    let (before, held) = (books.bytes(), books.money("unknown"));
    let look = "reconcile --from costs.csv";
    // It was billed and is not booked yet: the provider's figure is beyond.
    let text = books.ledger(look).exits(99).stdout;
    let proposed =
        format!("Proposed  {} unknown (5xx), exact: $0.04 held, cost $0.03;", unknown[0]);
    assert!(text.contains(&proposed) && text.contains("BEYOND"), "{text}");
    assert!(
        text.ends_with(
            "Nothing is written yet: the same with --apply books 1 change of costs.csv\n"
        )
    );
    for rid in &unknown[1..] {
        assert!(text.contains(&format!("Held      {rid} unknown (5xx): $0.04 held;")), "{text}");
    }
    assert_eq!(books.bytes(), before, "looking writes nothing");
    let settled = books.money("settled");
    let apply = format!("{look} --apply");
    let text = books.ledger(&apply).exits(0).stdout;
    assert!(text.contains("$0.04 was held, it cost $0.03") && text.ends_with("Wrote 1 change\n"));
    assert_eq!(books.money("settled"), settled.saturating_add(cents(3)));
    assert_eq!(books.money("unknown"), held.minus_or_zero(cents(4)));
    let lines = String::from_utf8(books.bytes()).expect("text");
    for part in ["\"export\"", "\"by\":\"tester\"", "costs.csv line "] {
        assert!(lines.contains(part), "{part}: {lines}");
    }
    let after = books.bytes();
    assert!(books.ledger(&apply).exits(0).stdout.ends_with("Nothing to write\n"));
    assert_eq!(books.bytes(), after, "twice is once");
    assert_eq!(books.ledger("check").exits(0).stdout, "");
}

#[test]
fn the_ledgers_own_export_frees_nothing_that_is_held() {
    let books = Books::new();
    let (before, held) = (books.bytes(), books.money("unknown"));
    let own = books.ledger("export").exits(0).stdout;
    books.sandbox.write("own.csv", own);
    let ask = "reconcile --from own.csv --column request_id=rid --apply";
    let said = books.ledger(ask).exits(0).stdout;
    assert!(said.contains("a bill of nothing"), "{said}");
    assert_eq!((books.bytes(), books.money("unknown")), (before, held));
}

#[test]
fn another_amount_is_adjusted_once_also_when_the_export_changes_again_row_36() {
    let books = Books::new();
    let now = books.now();
    let id = books.of("settled")[0]["provider_request_id"].as_str().expect("an id").to_owned();
    books.export("costs.csv", &[format!("{id},{now},\"sim-1, late part\",0.01")]);
    let apply = "reconcile --from costs.csv --apply --format json";
    let settled = books.money("settled");
    books.ledger("reconcile --from costs.csv").exits(99);
    let document = books.ledger(apply).exits(0).json();
    assert_eq!(document["written"][0]["kind"], "adjust", "{document}");
    assert_eq!(document["written"][0]["amount"], "0.01");
    assert_eq!(books.money("settled"), settled.saturating_add(cents(1)));
    assert_eq!(books.ledger(apply).exits(0).json()["written"], serde_json::json!([]));
    // The next export corrects itself: only the rest is booked.
    books.export("costs.csv", &[format!("{id},{now},\"sim-1, late part\",-0.01")]);
    let document = books.ledger(apply).exits(0).json();
    assert_eq!(document["written"][0]["amount"], "-0.02", "{document}");
    assert_eq!(books.money("settled"), settled.minus_or_zero(cents(1)));
    assert_eq!(books.ledger("check").exits(0).stdout, "");
}

#[test]
fn what_was_free_by_evidence_and_was_billed_is_shouted() {
    let books = Books::after("latency=1ms,bad-requests=50%,seed=4");
    let (free, settled) = (books.rids("released"), books.money("settled"));
    assert!(!free.is_empty());
    books.export("costs.csv", &[format!("{},2026-11-21,sim-1,0.04", free[0])]);
    let look = "reconcile --from costs.csv";
    let ran = books.ledger(look).exits(99);
    let shout = "warning: 1 attempt that was taken for free was billed, $0.04 in all";
    assert!(ran.stderr.contains(shout), "{}", ran.stderr);
    assert!(ran.stdout.contains("BILLED, although it was taken for free"), "{}", ran.stdout);
    let written = books.ledger(&format!("{look} --apply --format json")).exits(0).json();
    assert_eq!(written["written"][0]["amount"], "0.04");
    assert_eq!(books.ledger(&format!("{look} --apply")).exits(0).stderr, "");
    let adjusted = books.ledger("by outcome --format json").exits(0).json();
    let total = adjusted["total"]["cost"].as_str().expect("a sum").parse();
    assert_eq!(total, Ok(settled.saturating_add(cents(4))));
}

#[test]
fn an_unknown_attempt_is_likely_by_model_time_and_amount() {
    let books = Books::new();
    let (unknown, now) = (books.rids("unknown"), books.now());
    let resolve = |rid: &str| {
        books.ledger(&format!("resolve {rid} --not-billed --why w")).exits(0);
    };
    books.export("costs.csv", &[format!(",{now},sim-1,0.02")]);
    let several = books.ledger("reconcile --from costs.csv --apply").exits(99).stdout;
    assert!(several.contains("several attempts and lines fit each other"), "{several}");
    assert!(several.ends_with("Nothing to write\n"), "{several}");
    unknown[1..].iter().for_each(|rid| resolve(rid));
    let text = books.ledger("reconcile --from costs.csv").exits(99).stdout;
    assert!(text.contains("likely: $0.04 held, cost $0.02"), "{text}");
    books.ledger("reconcile --from costs.csv --apply").exits(0);
    assert_eq!(books.money("unknown"), NanoUsd::ZERO);
}

#[test]
fn what_is_absent_is_free_only_when_asked_for() {
    let books = Books::new();
    // Lines of two days around it: the late time of an hour is over within the export.
    let id = books.of("settled")[0]["provider_request_id"].as_str().expect("an id").to_owned();
    let lines = ["2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"];
    books.export("costs.csv", &lines.map(|time| format!("{id},{time},sim-1,0.00")));
    let held = books.money("unknown");
    let text = books.ledger("reconcile --from costs.csv --apply").exits(0).stdout;
    assert!(text.contains("$0.04 held; not in the export\n"), "{text}");
    assert_eq!(books.money("unknown"), held);
    books.ledger("reconcile --from costs.csv --apply --absent-is-free").exits(0);
    assert_eq!(books.money("unknown"), NanoUsd::ZERO);
    assert_eq!(books.ledger("check").exits(0).stdout, "");
}

#[test]
fn sums_of_days_are_judged_by_day_with_a_tolerance() {
    let books = Books::new();
    let day = books.now()[..10].to_owned();
    let start = When::parse(&day).expect("a day").start().as_second();
    let settled = books.money("settled");
    let page = |amount: NanoUsd, has_more: bool| {
        let result = format!(
            "{{\"object\":\"organization.costs.result\",\
             \"amount\":{{\"value\":{amount},\"currency\":\"usd\"}},\
             \"line_item\":\"sim-1, image output\",\"project_id\":null}}"
        );
        let end = start + 86_400;
        let bucket = format!("\"object\":\"bucket\",\"start_time\":{start},\"end_time\":{end}");
        let text = format!(
            "{{\"object\":\"page\",\"data\":[{{{bucket},\"results\":[{result}]}}],\
             \"has_more\":{has_more},\"next_page\":null}}"
        );
        books.sandbox.write("costs.json", text);
    };
    let look = "reconcile --from costs.json";
    page(settled, false);
    let text = books.ledger(look).exits(0).stdout;
    assert!(text.contains("by day only") && text.contains("sim-1"), "{text}");
    assert!(text.contains("the export has only sums of days"), "{text}");
    assert!(!text.contains("Ours") && !text.contains("Proposed"), "{text}");
    page(settled.scale_up(101, 100).expect("more"), false);
    books.ledger(look).exits(99);
    books.ledger(&format!("{look} --tolerance 0.9%")).exits(99);
    books.ledger(&format!("{look} --tolerance 1%")).exits(0);
    page(settled, true);
    let ran = books.ledger(look).exits(0);
    assert!(ran.stderr.contains("warning: the export is one page of several"), "{}", ran.stderr);
}

#[test]
fn every_format_says_the_same() {
    let books = Books::new();
    books.export("costs.csv", &[format!("={}\u{1b}[2J,{},sim-1,1", "x", books.now())]);
    let ask = |format: &str| {
        books.ledger(&format!("reconcile --from costs.csv --format {format}")).exits(99).stdout
    };
    let document: Value = serde_json::from_str(&ask("json")).expect("a document");
    assert_eq!(document["schema"], "imagemill.ledger/1");
    assert_eq!(document["is_within"], false);
    assert_eq!(document["days"][0]["is_beyond"], true);
    let findings = document["findings"].as_array().expect("findings").clone();
    let lines = ask("ndjson");
    let lines: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("a finding")).collect();
    assert_eq!(lines, findings);
    assert_eq!(ask("csv").lines().count(), findings.len() + 1);
    assert!(ask("csv").contains(",'=x"), "no spreadsheet takes it for a formula");
    let table = ask("table");
    assert!(table.contains("Theirs") && table.contains("=x␛[2J"), "{table}");
    assert!(!table.contains('\u{1b}'), "{table}");
}

#[test]
fn what_cannot_be_compared_is_refused_and_says_why() {
    let books = Books::new();
    let write = |text: &str| books.sandbox.write("costs.csv", text);
    let check = |ask: &str, code: i32, says: &str| {
        let ran = books.ledger(&format!("reconcile --from {ask}")).exits(code);
        assert!(ran.stderr.contains(says), "{ask}: {}", ran.stderr);
    };
    write("time,what\n1,2\n");
    check(
        "costs.csv",
        3,
        "costs.csv: it has no column for the amount; its columns are: time, what",
    );
    check("costs.csv", 3, "hint: --column FIELD=NAME");
    check("costs.csv --column price=what", 2, "one of: request_id, time, end_time, model, amount");
    check("costs.csv --column amount", 2, "gives no field a column");
    check("costs.csv --column amount=what", 99, "");
    write("time,amount\n1,2\n1,x\n");
    check("costs.csv", 3, "costs.csv: line 3: \"x\" is not an amount");
    write("time,amount\n");
    check("costs.csv", 4, "it has no line of costs");
    check("none.csv", 3, "none.csv: failed to read it");
    write("time,amount,provider\n2026-11-21,1,other\n");
    check("costs.csv --provider sim", 4, "no line of the export is about this provider");
    check("costs.csv --tz Europe/Berlin", 2, "more than one day of this zone");
    check("costs.csv --tz Nowhere/None", 2, "Nowhere/None");
    check("costs.csv --since yesterday", 2, "write a day");
    check("costs.csv --tolerance 200%", 2, "at most 100 percent");
    let none = books.sandbox.run("ledger reconcile --from costs.csv").exits(3);
    assert!(none.stderr.contains("No ledger in"), "{}", none.stderr);
}

#[test]
fn what_a_dead_process_left_is_cleared_up_by_the_export() {
    let sandbox = Sandbox::with_rows(1);
    let ask = "run rows.csv --live --provider sim --sim latency=60s --gate none";
    let mut command = sandbox.command(ask);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let (_never, silence) = std::sync::mpsc::channel::<()>();
    let reserved = || {
        let _ = silence.recv_timeout(Duration::from_millis(20));
        let runs = std::fs::read_dir(sandbox.path("out")).ok()?;
        let run = runs.filter_map(|entry| Some(entry.ok()?.path())).find(|path| path.is_dir())?;
        let folder = run.join("ledger");
        let ask = format!("ledger register --format json --ledger {}", folder.display());
        let document: Value = serde_json::from_str(&sandbox.run(&ask).stdout).ok()?;
        Some((folder, document["entries"][0]["rid"].as_str()?.to_owned()))
    };
    let (folder, rid) =
        std::iter::repeat_with(reserved).take(1_000).flatten().next().expect("held");
    sandbox.write("costs.csv", format!("id,time,amount\n{rid},2026-11-21T10:00:00Z,0.03\n"));
    let apply = format!("ledger reconcile --from costs.csv --apply --ledger {}", folder.display());
    let text = sandbox.run(&apply).exits(99).stdout;
    assert!(text.contains("billed, and still under way"), "{text}");
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
    let text = sandbox.run(&apply).exits(0).stdout;
    assert!(text.contains("$0.04 was held, it cost $0.03"), "{text}");
    let check = format!("ledger check --ledger {}", folder.display());
    assert_eq!(sandbox.run(&check).exits(0).stdout, "");
}

/// How tests open a ledger that is there.
fn options(folder: &Path) -> OpenOrCreate {
    let founding = Founding {
        ledger: LedgerId::new(system::uuid()),
        zone: "UTC".into(),
        money: Money::Simulated,
        limit_per_day: None,
        further_limits: Vec::new(),
        owner: OwnerId::new(system::uuid()),
        tool: Arc::from("test"),
    };
    OpenOrCreate { root: folder.to_owned(), founding, now: system::now() }
}

/// Plans what an export says of these attempts, lets somebody else be faster, and books the plan:
/// what was written, and what was left out.
fn raced(books: &Books, costs: &[(&str, i64)], faster: impl Fn()) -> (Vec<String>, Vec<String>) {
    let line = |(rid, cost): &(&str, i64)| Line {
        place: Place::Line(2),
        request_id: Some((*rid).into()),
        provider: None,
        model: None,
        when: When::At(system::now()),
        amount: Amount { value: cents(*cost), is_rounded: false },
    };
    let export = Export { lines: costs.iter().map(line).collect(), is_partial: false };
    let rules = Rules {
        zone: jiff::tz::TimeZone::UTC,
        since: None,
        until: None,
        provider: None,
        model: None,
        absent_is_free: false,
        tolerance: None,
        file: "costs.csv".to_owned(),
    };
    let mut reader = BookReader::new(&books.folder).expect("a ledger");
    let read = reader.read_on().expect("it is read");
    let planned = reconcile(&read, &export, &rules).expect("it can be compared").changes();
    assert_eq!(planned.len(), costs.len());
    faster();
    let still_meant = || reader.read_on().map(|now| now.still_meant(&read, &planned));
    let done = by_hand::reconcile(options(&books.folder), "ann", &planned, still_meant);
    let (written, left_out) = done.expect("it is written");
    let rids = |changes: Vec<Change>| -> Vec<String> {
        changes.iter().map(|change| change.rid().to_string()).collect()
    };
    assert_eq!(books.ledger("check").exits(0).stdout, "");
    (rids(written), rids(left_out))
}

#[test]
fn what_ended_in_between_is_left_out_and_named() {
    let books = Books::new();
    let rids = books.rids("unknown");
    let done = raced(&books, &[(&rids[0], 2), (&rids[1], 2)], || {
        books.ledger(&format!("resolve {} --as-billed --why faster", rids[0])).exits(0);
    });
    assert_eq!(done, (vec![rids[1].clone()], vec![rids[0].clone()]));
}

#[test]
fn two_who_reconcile_at_once_book_a_difference_once() {
    let books = Books::new();
    let rid = books.rids("settled").remove(0);
    books.sandbox.write("costs.csv", format!("id,time,cost\n{rid},{},0.06\n", books.now()));
    let done = raced(&books, &[(&rid, 6)], || {
        books.ledger("reconcile --from costs.csv --apply").exits(0);
    });
    assert_eq!(done, (Vec::new(), vec![rid]));
    assert_eq!(books.ledger("register --outcome adjusted").exits(0).stdout.lines().count(), 1);
}
