//! Which run goes on: the newest that fits, the one that is named, or none.

use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use crate::support::sandbox::Sandbox;
use crate::wire::crashes::wait;

const ASK: &str = "run rows.csv --live --provider sim --gate none --progress none";

#[test]
fn a_finished_run_says_its_verdict_again_and_buys_nothing() {
    let sandbox = Sandbox::with_rows(5);
    let ask = "run rows.csv --live --provider sim --progress none --format json";
    let first = sandbox.run(ask).exits(0).report();
    let journal = sandbox.only_run("out").join("journal.jsonl");
    let before = fs::read(&journal).expect("a journal");
    let again = sandbox.run(ask).exits(0).report();
    assert_eq!(fs::read(&journal).expect("a journal"), before, "nothing was written");
    for key in ["run_id", "verdict", "exit", "rows", "images", "attempts"] {
        assert_eq!(again[key], first[key], "{key}");
    }
    assert_eq!(again["cost"]["settled"], first["cost"]["settled"]);
    // A gate that fails says so again as well.
    let strict = format!("{ask} --gate 'cost < $0.01 abort=never'");
    assert_eq!(sandbox.run(&strict).exits(99).report()["verdict"], "fail");
    assert_eq!(sandbox.run(&format!("{ask} --fresh")).exits(0).report()["attempts"], 5);
}

#[test]
fn a_run_is_named_by_its_folder_its_id_or_the_end_of_it_and_needs_no_rows_then() {
    let sandbox = Sandbox::with_rows(6);
    sandbox.run(&format!("{ASK} --canary 33")).result_has(&["rows=2/6"]);
    let folder = sandbox.only_run("out");
    let id = folder.file_name().expect("a name").to_string_lossy().into_owned();
    let alias = &id[id.len() - 8..];
    let more = "--live --canary 100 --gate none --progress none";
    sandbox.run(&format!("run --resume {alias} {more}")).exits(0).result_has(&["rows=6/6"]);
    // Its plan now says that it goes on, and still is a plan.
    sandbox.run(&format!("run --resume {alias} {more}")).exits(0).result_has(&["rows=6/6"]);
    for name in [&id, &format!("out/{id}")] {
        let ran = sandbox.run(&format!("run rows.csv --resume {name} --provider sim {more}"));
        ran.exits(0).result_has(&["rows=6/6", "cost=$0.24"]);
    }
    let unknown = sandbox.run(&format!("run --resume 00000000 {more}")).exits(3);
    assert!(unknown.stderr.contains("there is no run \"00000000\""), "{}", unknown.stderr);
    let other = format!("run rows.csv --resume {alias} --provider sim --size 512x512 {more}");
    let other = sandbox.run(&other).exits(3);
    assert!(other.stderr.contains("asked for something else"), "{}", other.stderr);
    for flags in ["--resume x", "--only failed"] {
        let dry = sandbox.run(&format!("run rows.csv {flags}")).exits(2);
        assert!(dry.stderr.contains("add --live"), "{}", dry.stderr);
    }
    let wrong = sandbox.run(&format!("{ASK} --only faild")).exits(2);
    assert!(wrong.stderr.contains("failed, pending, new, refused and unknown"), "{}", wrong.stderr);
}

#[test]
fn two_identical_commands_never_both_buy() {
    let sandbox = Sandbox::with_rows(8);
    let ask = format!("{ASK} --sim latency=150ms --concurrency 2");
    let mut first = sandbox.command(&ask).stdout(Stdio::null()).spawn().expect("it starts");
    while !fs::read_dir(sandbox.path("out")).is_ok_and(|mut it| {
        it.any(|entry| entry.expect("an entry").path().join("journal.jsonl").is_file())
    }) {
        wait(Duration::from_millis(2));
    }
    let second = sandbox.run(&ask).exits(75);
    assert!(second.stderr.contains("the same run is at work"), "{}", second.stderr);
    assert!(first.wait().expect("it ends").success());
    sandbox.run(&ask).exits(0).result_has(&["rows=8/8", "cost=$0.32"]);
}

#[test]
fn a_torn_journal_goes_on_and_a_damaged_one_stops() {
    let sandbox = Sandbox::with_rows(6);
    sandbox.run(&format!("{ASK} --canary 33")).result_has(&["rows=2/6"]);
    let journal = sandbox.only_run("out").join("journal.jsonl");
    let whole = fs::read(&journal).expect("a journal");
    let mut file = fs::OpenOptions::new().append(true).open(&journal).expect("a journal");
    file.write_all(b"{\"seq\":99,\"ts\":\"2026-").expect("a torn line");
    sandbox.run(ASK).exits(0).result_has(&["rows=6/6", "cost=$0.24"]);
    let now = fs::read(&journal).expect("a journal");
    assert!(now.starts_with(&whole), "what was whole stays");
    let torn = journal.with_file_name(format!("journal.jsonl.torn-{}", whole.len()));
    assert_eq!(fs::read(torn).expect("it is kept"), b"{\"seq\":99,\"ts\":\"2026-");
    // A line in the middle that says nothing is no tear.
    let mut lines: Vec<&[u8]> = now.split_inclusive(|byte| *byte == b'\n').collect();
    lines[3] = b"{}\n";
    fs::write(&journal, lines.concat()).expect("a journal");
    let damaged = sandbox.run(ASK).exits(1);
    assert!(damaged.stderr.contains("line 4 is none of a journal"), "{}", damaged.stderr);
    assert!(damaged.stderr.contains("--fresh"), "{}", damaged.stderr);
}

/// The journal may lag behind the ledger and the images when a process dies: whatever it lacks, no
/// image that is there is bought again, and no sidecar is written anew.
#[test]
fn whatever_the_journal_has_lost_is_found_again_and_bought_by_nobody() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", "scene_id,prompt,n\nA,a cat,1\nB,a dog,3\nC,a cow,2\n");
    sandbox.run(ASK).exits(0).result_has(&["rows=3/3", "images=6/6", "cost=$0.24"]);
    let run = sandbox.only_run("out");
    let journal = run.join("journal.jsonl");
    let whole = fs::read_to_string(&journal).expect("a journal");
    let n_lines = whole.lines().count();
    for n in 0..n_lines {
        let kept: String = whole.split_inclusive('\n').take(n).collect();
        fs::write(&journal, &kept).expect("a journal");
        let before = sandbox.files();
        let ran = sandbox.run(ASK).exits(0).result_has(&["rows=3/3", "images=6/6", "cost=$0.24"]);
        let text = format!("{n} lines: {}", ran.stdout);
        assert!(text.contains("3 rows done; 0 images to make now"), "{text}");
        for (path, bytes) in before.iter().filter(|(path, _)| path.starts_with(run.join("images")))
        {
            assert_eq!(fs::read(path).as_ref().ok(), Some(bytes), "{n} lines: {}", path.display());
        }
        let ledger =
            format!("ledger summary --format json --ledger {}", run.join("ledger").display());
        let summary = sandbox.run(&ledger).exits(0).json();
        assert_eq!((&summary["settled"], &summary["attempts"]), (&"0.24".into(), &6.into()), "{n}");
    }
}
