//! Rows that change between two calls: only what is new is bought, and what is done stays.

use std::fs;

use serde_json::Value;

use crate::support::sandbox::Sandbox;
use crate::support::sim_server::SimServer;

const ASK: &str = "run rows.csv --live --provider sim --gate none --progress none";

fn rows(sandbox: &Sandbox, rows: &[&str]) {
    sandbox.write("rows.csv", format!("scene_id,prompt,variants\n{}\n", rows.join("\n")));
}

fn plan(sandbox: &Sandbox) -> Value {
    let text = sandbox.only_run("out").join("plan.json");
    serde_json::from_str(&fs::read_to_string(text).expect("a plan")).expect("JSON")
}

#[test]
fn a_row_that_changed_after_a_finished_run_is_the_only_one_that_is_bought_again() {
    let sandbox = Sandbox::new();
    rows(&sandbox, &["A,a cat,1", "B,a dog,2", "C,a cow,1"]);
    sandbox.run(ASK).exits(0).result_has(&["rows=3/3", "images=4/4", "cost=$0.16"]);
    let before = sandbox.files();
    rows(&sandbox, &["A,a cat,1", "B,a dog,2", "C,a red cow,1"]);
    let ran = sandbox.run(ASK).exits(0).result_has(&["rows=3/3", "images=4/4", "cost=$0.20"]);
    let says = "Goes on     run ";
    assert!(ran.stdout.contains(says), "{}", ran.stdout);
    assert!(ran.stdout.contains("2 rows done, 1 changed; 1 image to make now"), "{}", ran.stdout);
    // What is paid for is never written over: the first image of the row stays where it is.
    let run = sandbox.only_run("out");
    for (path, bytes) in before.iter().filter(|(path, _)| path.starts_with(run.join("images"))) {
        assert_eq!(fs::read(path).as_ref().ok(), Some(bytes), "{}", path.display());
    }
    let names = fs::read_dir(run.join("images")).expect("a folder");
    let names = names.map(|it| it.expect("an entry").file_name().to_string_lossy().into_owned());
    let of_c: Vec<String> =
        names.filter(|it| it.starts_with("C-v1") && it.ends_with("png")).collect();
    assert_eq!(of_c.len(), 2, "{of_c:?}");
    assert!(run.join("plan-1.json").is_file(), "the plan of before is kept");
}

#[test]
fn added_removed_and_moved_rows_are_told_and_cost_only_what_is_new() {
    let sandbox = Sandbox::new();
    rows(&sandbox, &["A,a cat,1", "B,a dog,1", "C,a cow,1", "D,a hen,1"]);
    sandbox.run(ASK).exits(0).result_has(&["images=4/4", "cost=$0.16"]);
    rows(&sandbox, &["D,a hen,1", "A,a cat,2", "E,an eel,1", "C,a cow,1"]);
    let ran = sandbox.run(ASK).exits(0).result_has(&["rows=4/4", "images=5/5", "cost=$0.24"]);
    for part in ["2 rows done", "1 pending", "1 added", "1 no longer there", "another order"] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
    let left = &plan(&sandbox)["goes_on"];
    assert_eq!(
        (&left["done"], &left["added"], &left["removed"]),
        (&2.into(), &1.into(), &1.into())
    );
    assert_eq!((&left["images"], &left["reordered"]), (&2.into(), &true.into()), "{left}");
    // Nothing is left now, and nothing is bought.
    let again = sandbox.run(ASK).exits(0).result_has(&["rows=4/4", "images=5/5", "cost=$0.24"]);
    assert!(again.stdout.contains("4 rows done"), "{}", again.stdout);
}

#[test]
fn a_row_that_wants_fewer_images_than_it_has_counts_only_those() {
    let sandbox = Sandbox::new();
    rows(&sandbox, &["A,a cat,3", "B,a dog,1"]);
    sandbox.run(ASK).exits(0).result_has(&["images=4/4", "cost=$0.16"]);
    rows(&sandbox, &["A,a cat,1", "B,a dog,1"]);
    sandbox.run(ASK).exits(0).result_has(&["rows=2/2", "images=2/2", "cost=$0.16"]);
}

#[test]
fn other_rows_in_a_file_of_the_same_name_are_another_run() {
    let sandbox = Sandbox::new();
    rows(&sandbox, &["A,a cat,1"]);
    sandbox.run(ASK).exits(0).result_has(&["images=1/1", "cost=$0.04"]);
    rows(&sandbox, &["X,an ox,1", "Y,a yak,1"]);
    let ran = sandbox.run(ASK).exits(0).result_has(&["images=2/2", "cost=$0.08"]);
    assert!(!ran.stdout.contains("Goes on"), "{}", ran.stdout);
    assert_eq!(
        fs::read_dir(sandbox.path("out"))
            .expect("runs")
            .filter(|it| { it.as_ref().expect("an entry").path().is_dir() })
            .count(),
        2
    );
}

#[test]
fn only_the_kinds_that_are_asked_for_are_made() {
    let sandbox = Sandbox::new();
    let all: Vec<String> = (1..=40).map(|n| format!("R-{n:02},a thing {n},1")).collect();
    rows(&sandbox, &all.iter().map(String::as_str).collect::<Vec<_>>());
    let rough = "--sim refusals=20%,seed=3";
    let first = sandbox.run(&format!("{ASK} {rough} --format json")).exits(0).report();
    let n_refused = first["rows"]["refused"].as_u64().expect("a number");
    assert!(n_refused > 2, "{first}");
    // By itself nothing of that is bought again.
    let calm = "--sim refusals=0%,seed=4 --format json";
    let again = sandbox.run(&format!("{ASK} {calm}")).exits(0).report();
    assert_eq!((&again["rows"], &again["attempts"]), (&first["rows"], &first["attempts"]));
    let failed = sandbox.run(&format!("{ASK} {calm} --only failed")).exits(0).report();
    assert_eq!(failed["attempts"], first["attempts"], "no row has failed");
    let whole = sandbox.run(&format!("{ASK} {calm} --only refused")).exits(0).report();
    assert_eq!((&whole["rows"]["ok"], &whole["rows"]["refused"]), (&40.into(), &0.into()));
    let attempts = |report: &Value| report["attempts"].as_u64().expect("a number");
    assert_eq!(attempts(&whole), attempts(&first) + n_refused);
}

#[test]
fn rows_that_a_canary_held_are_made_later_and_the_others_are_not_made_again() {
    let sandbox = Sandbox::with_rows(40);
    let part = sandbox.run(&format!("{ASK} --canary 25 --format json"));
    let part = part.report();
    assert_eq!((&part["rows"]["ok"], &part["rows"]["held"]), (&10.into(), &30.into()), "{part}");
    let whole = sandbox.run(&format!("{ASK} --canary 100 --format json")).exits(0).report();
    assert_eq!((&whole["rows"]["ok"], &whole["attempts"]), (&40.into(), &40.into()), "{whole}");
    assert_eq!(whole["run_id"], part["run_id"]);
}

#[test]
fn a_run_that_its_budget_stopped_goes_on_under_a_higher_one() {
    let sandbox = Sandbox::new();
    rows(&sandbox, &["A,a cat,2", "B,a dog,2", "C,a cow,2"]);
    let first = sandbox.run(&format!("{ASK} --fit-budget --limit-per-run 0.16 --format json"));
    let first = first.exits(0).report();
    assert_eq!((&first["rows"]["ok"], &first["rows"]["held"]), (&2.into(), &1.into()), "{first}");
    // The same limit is used up: what is left does not fit it.
    sandbox.run(&format!("{ASK} --limit-per-run 0.16")).exits(97);
    let whole = sandbox.run(&format!("{ASK} --limit-per-run 0.24 --format json")).exits(0).report();
    assert_eq!((&whole["images"]["stored"], &whole["attempts"]), (&6.into(), &6.into()));
    assert_eq!(whole["cost"]["settled"], "0.24");
}

#[test]
fn what_a_person_resolves_as_not_billed_is_made_and_what_is_billed_is_not() {
    let check = |cost: &str, is_made: bool| {
        let sandbox = Sandbox::with_rows(12);
        let rough = "--sim drops=40%,seed=2 --paid-retries 0 --format json";
        let first = sandbox.run(&format!("{ASK} {rough}")).exits(0).report();
        let n_unknown = first["rows"]["unknown"].as_u64().expect("a number");
        assert!(n_unknown > 2, "{first}");
        let ledger = sandbox.only_run("out").join("ledger");
        let resolve = format!("ledger resolve --all {cost} --why 'looked' --ledger");
        sandbox.run(&format!("{resolve} {}", ledger.display())).exits(0);
        let whole = sandbox.run(&format!("{ASK} --sim drops=0%,seed=3 --format json"));
        let whole = whole.exits(0).report();
        let expect = if is_made { 12 } else { 12 - n_unknown };
        assert_eq!(whole["images"]["stored"], expect, "{cost}: {whole}");
        assert_eq!(whole["cost"]["unknown"], "0.00", "{cost}: {whole}");
        // Made or booked by hand, each image costs what one costs.
        assert_eq!(whole["cost"]["settled"], "0.48", "{cost}: {whole}");
        let again = sandbox.run(&format!("{ASK} --format json")).exits(0).report();
        assert_eq!(again["rows"], whole["rows"], "{cost}");
        for key in ["settled", "unknown", "estimated", "drift", "exposure_today"] {
            assert_eq!(again["cost"][key], whole["cost"][key], "{cost}: {key}");
        }
        assert_eq!(again["cost"]["drift"], 0.0, "{cost}");
    };
    check("--not-billed", true);
    check("--as-billed", false);
}

#[test]
fn a_ledger_that_is_gone_makes_nothing_free() {
    let sandbox = Sandbox::with_rows(12);
    let rough = "--sim drops=40%,seed=2 --paid-retries 0 --format json";
    let first = sandbox.run(&format!("{ASK} {rough}")).exits(0).report();
    fs::remove_dir_all(sandbox.only_run("out").join("ledger")).expect("removed");
    let again = sandbox.run(&format!("{ASK} --format json")).exits(0).report();
    for key in ["rows", "images", "attempts"] {
        assert_eq!(again[key], first[key], "{key}");
    }
}

/// A signature is no part of what is asked for: that it ends does not undo what is done.
#[test]
fn references_that_have_expired_since_do_not_matter_for_rows_that_are_done() {
    let sandbox = Sandbox::new();
    let server = SimServer::start("--refs-signed --sim latency=1ms");
    let base = format!("http://{}/refs", server.address);
    let seed = format!("--references-kind url --reference-base {base} --references-ttl 15m");
    sandbox.run(&format!("seed --rows 4 --references 4 --out rows.csv {seed}")).exits(0);
    let ask = format!(
        "run rows.csv --live --rehearsal --provider openai --model gpt-image-2 --quality low \
         --base-url {} --allow-refs-from 127.0.0.1/32 --progress none",
        server.base_url()
    );
    sandbox.run(&ask).exits(0).result_has(&["rows=4/4"]);
    let n_billed = server.bill().client_request_ids().len();
    let rows = sandbox.read("rows.csv").replace("X-Amz-Date=20", "X-Amz-Date=19");
    sandbox.write("rows.csv", rows);
    let ran = sandbox.run(&ask).exits(0).result_has(&["rows=4/4"]);
    assert!(ran.stdout.contains("4 rows done; 0 images to make now"), "{}", ran.stdout);
    assert_eq!(server.bill().client_request_ids().len(), n_billed, "nothing more was sent");
}
