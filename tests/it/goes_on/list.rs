//! `runs`: what runs came to, without their rows, their ledger or the network.

use std::fs;

use crate::support::sandbox::Sandbox;

const ASK: &str = "run rows.csv --live --provider sim --progress none";

#[test]
fn runs_tell_what_they_came_to_and_whether_more_is_to_be_done() {
    let sandbox = Sandbox::with_rows(10);
    assert_eq!(sandbox.run("runs list").exits(0).stdout, "No runs\n");
    sandbox.run(&format!("{ASK} --canary 40")).result_has(&["rows=4/10"]);
    let id = sandbox.only_run("out").file_name().expect("a name").to_string_lossy().into_owned();
    let alias = &id[id.len() - 8..];
    let status = sandbox.run(&format!("runs status {alias}")).exits(5);
    assert!(status.stdout.contains(": 4 ok, 6 pending; 4 of 10 images"), "{}", status.stdout);
    sandbox.run(&format!("{ASK} --canary 100")).exits(0);
    let status = sandbox.run(&format!("runs status {alias}")).exits(0);
    assert_eq!(status.stdout, format!("{alias} pass: 10 ok; 10 of 10 images\n"));
    let shown = sandbox.run(&format!("runs show {alias}")).exits(0);
    for part in [id.as_str(), "exit 0: every gate holds", "sim / sim-1, rows.csv", "10 ok"] {
        assert!(shown.stdout.contains(part), "{part}: {}", shown.stdout);
    }
    assert!(shown.stdout.contains("$0.40 of simulated money; 10 attempts"), "{}", shown.stdout);
    // A second one, whose process died: nothing but its plan and half a line is left.
    sandbox.run(&format!("{ASK} --size 512x512")).exits(0);
    let runs = sandbox.run("runs list --format json").exits(0).json();
    assert_eq!(runs["schema"], "imagemill.runs/1");
    let of = |n: usize, key: &str| runs["runs"][n][key].clone();
    assert_eq!((of(0, "run_id"), of(0, "state")), (id.as_str().into(), "done".into()));
    assert_eq!((of(1, "settled"), of(1, "images_stored")), ("0.40".into(), 10.into()));
    let other = runs["runs"][1]["run_id"].as_str().expect("an id");
    let journal = sandbox.path(format!("out/{other}/journal.jsonl"));
    let text = fs::read_to_string(&journal).expect("a journal");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    fs::write(&journal, lines[..14].concat() + "{\"seq\":").expect("a journal");
    let died = sandbox.run(&format!("runs show {other} --format json")).exits(0).json();
    assert_eq!((&died["schema"], &died["state"]), (&"imagemill.run/1".into(), &"died".into()));
    assert!(died["unknown"] != "0.00" && died["exit"].is_null(), "{died}");
    let table = sandbox.run("runs list").exits(0).stdout;
    assert!(table.contains("10/10") && table.contains("died"), "{table}");
    sandbox.run("runs show 00000000").exits(3);
}

#[test]
fn a_run_that_cannot_be_read_hides_no_other() {
    let sandbox = Sandbox::with_rows(2);
    sandbox.run(ASK).exits(0);
    sandbox.run(&format!("{ASK} --fresh")).exits(0);
    let runs = sandbox.run("runs list --format json").exits(0).json();
    let first = runs["runs"][0]["run_id"].as_str().expect("an id");
    fs::write(sandbox.path(format!("out/{first}/journal.jsonl")), "{}\n{}\n").expect("a file");
    let listed = sandbox.run("runs list --format json").exits(0);
    assert!(listed.stderr.contains("is damaged"), "{}", listed.stderr);
    assert_eq!(listed.json()["runs"].as_array().map(Vec::len), Some(1));
    sandbox.run(&format!("runs status {first}")).exits(1);
}
