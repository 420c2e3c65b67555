//! Rows that ask for the same, and images that earlier runs have kept: copied, and not bought.

use std::fs;

use crate::support::ran::Ran;
use crate::support::sandbox::Sandbox;
use crate::support::sim_server::SimServer;

const LIVE: &str = "run rows.csv --live --provider sim --gates-only --gate 'errors count < 1' \
                    --progress none";

/// The columns of `results.csv` that tell what became of rows: outcome, files, cost and attempts.
fn results(sandbox: &Sandbox) -> Vec<String> {
    let mut reader =
        csv::Reader::from_path(sandbox.only_run("out").join("results.csv")).expect("one");
    let head = reader.headers().expect("a head").clone();
    let from = head.iter().position(|name| name == "outcome").expect("a column");
    let row = |row: csv::StringRecord| (from..from + 4).map(|at| row[at].to_owned()).collect();
    reader.records().map(|it| row(it.expect("a row"))).map(|it: Vec<_>| it.join(" ")).collect()
}

fn ends(ran: &Ran, told: &str) {
    let last = ran.stdout.lines().last().unwrap_or_default();
    assert!(last.contains(told), "{last}");
}

/// A run over the wire, where words in a prompt decide what becomes of it.
fn over_the_wire(server: &SimServer, more: &str) -> String {
    format!(
        "run rows.csv --live --rehearsal --provider openai --model gpt-image-2 --quality low \
         --base-url {} --gate none --progress none {more}",
        server.base_url()
    )
}

#[test]
fn rows_that_ask_for_the_same_are_sent_once_and_each_has_its_images() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "rows.csv",
        "scene_id,prompt,n,quality\nA,a cow,2,\nB,a cow,2,\nC,a cow,1,\nD,a cow,2,low\n\
         E,a cow,2,\n",
    );
    let plan = sandbox.run(&format!("{LIVE} --dedupe --plan-only")).exits(0);
    assert!(plan.stdout.contains("2 rows for the same as others: 4 images, not sent (--dedupe)"));
    assert!(plan.stdout.contains("$0.16 are not spent on them"), "{}", plan.stdout);
    let dry = sandbox.run("run rows.csv --dedupe").exits(0);
    ends(&dry, "rows=3/5 images=9/9 cost=$0.20");
    let ran = sandbox.run(&format!("{LIVE} --dedupe")).exits(0);
    ends(&ran, "rows=3/5 images=9/9 cost=$0.20");
    let run = sandbox.only_run("out");
    let read = |name: &str| fs::read(run.join("images").join(name)).expect(name);
    assert_eq!(read("A-v1.png"), read("B-v1.png"));
    assert_eq!(read("A-v2.png"), read("E-v2.png"));
    assert_ne!(read("A-v1.png"), read("C-v1.png"), "one image is another request than two");
    let sidecar: serde_json::Value = serde_json::from_slice(&read("E-v2.json")).expect("JSON");
    assert_eq!(sidecar["copy_of"], "images/A-v2.png");
    assert_eq!((&sidecar["scene_id"], &sidecar["amount"]), (&"E".into(), &"0.00".into()));
    let expect = [
        "ok images/A-v1.png|images/A-v2.png 0.08 2",
        "skipped images/B-v1.png|images/B-v2.png 0.00 0",
        "ok images/C-v1.png 0.04 1",
        "ok images/D-v1.png|images/D-v2.png 0.08 2",
        "skipped images/E-v1.png|images/E-v2.png 0.00 0",
    ];
    assert_eq!(results(&sandbox), expect);
    sandbox.run(&format!("ledger check --ledger {}", run.join("ledger").display())).exits(0);
    // Whether it is asked for or not: what is there is not bought.
    for flag in ["", " --dedupe"] {
        let again = sandbox.run(&format!("{LIVE}{flag}")).exits(0);
        assert!(again.stdout.contains("5 rows done; 0 images to make now"), "{}", again.stdout);
        ends(&again, "rows=3/5 images=9/9 cost=$0.20");
        assert_eq!(results(&sandbox), expect);
    }
    // A new row that asks for the same as one that is done.
    sandbox.write("rows.csv", "scene_id,prompt,n\nA,a cow,2\nF,a cow,2\n");
    ends(&sandbox.run(&format!("{LIVE} --dedupe")).exits(0), "rows=1/2 images=4/4 cost=$0.20");
    assert_eq!(read("A-v2.png"), read("F-v2.png"));
}

#[test]
fn what_was_refused_or_failed_is_so_for_every_row_that_asks_for_it() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "rows.csv",
        "scene_id,prompt\nA,[sim:refused] x\nB,[sim:refused] x\nC,[sim:400] y\nD,[sim:400] y\n",
    );
    let server = SimServer::start("--sim latency=1ms");
    let ask = over_the_wire(&server, "--dedupe");
    for _ in 0..2 {
        sandbox.run(&ask).exits(0);
        let outcomes: Vec<String> =
            results(&sandbox).iter().map(|it| it.split(' ').next().unwrap_or("").into()).collect();
        assert_eq!(outcomes, ["refused", "refused", "failed", "failed"]);
    }
    assert_eq!(server.stats()["requests"], 2, "nobody asks again for what is answered");
    // A row whose twin was stopped before its turn comes later.
    sandbox.write("rows.csv", "scene_id,prompt,n\nA,a hen,2\nB,a hen,2\n");
    let ran = sandbox.run(
        "run rows.csv --live --provider sim --dedupe --gate none --out other \
                           --limit-per-run 0.04 --fit-budget",
    );
    assert!(ran.stdout.contains("rows=0/2 images=0/4"), "{}", ran.stdout);
    assert!(ran.stdout.contains("2 held") || ran.stdout.contains("the same command goes on"));
}

#[test]
fn images_of_earlier_runs_are_copied_when_the_very_same_is_asked_for() {
    let sandbox = Sandbox::new();
    sandbox.write("ref.png", include_bytes!("../../../fixtures/refs/BATCH-005.png"));
    sandbox.write(
        "rows.csv",
        "scene_id,prompt,n,reference_urls\nA,a cow,2,\nB,a hen,1,ref.png\nC,a pig,1,\n",
    );
    ends(&sandbox.run(LIVE).exits(0), "rows=3/3 images=4/4 cost=$0.16");
    let first = sandbox.only_run("out");
    let ask = |rows: &str, more: &str| {
        sandbox.write("more.csv", rows);
        sandbox.run(&format!("{} --reuse {more}", LIVE.replace("rows.csv", "more.csv")))
    };
    let rows = "scene_id,prompt,n,reference_urls\nX,a cow,2,\nY,a hen,1,ref.png\n\
                Z,a pig,1,https://h.example/x.png\n";
    let plan = ask(rows, "--plan-only").exits(0);
    assert!(
        plan.stdout.contains("2 rows made by earlier runs: 3 images, not sent (--reuse)"),
        "{}",
        plan.stdout
    );
    assert!(plan.stdout.contains("1 row with references by URL made anew"), "{}", plan.stdout);
    let rows = "scene_id,prompt,n,reference_urls\nX,a cow,2,\nY,a hen,1,ref.png\nZ,a dog,1,\n";
    ends(&ask(rows, "").exits(0), "rows=1/3 images=4/4 cost=$0.04");
    let runs = fs::read_dir(sandbox.path("out")).expect("runs").map(|it| it.expect("one").path());
    let others: Vec<_> = runs.filter(|it| it.is_dir() && *it != first).collect();
    let [second] = others.as_slice() else { panic!("{others:?}") };
    let read = |run: &std::path::Path, name: &str| fs::read(run.join("images").join(name));
    assert_eq!(read(second, "X-v2.png").expect("one"), read(&first, "A-v2.png").expect("one"));
    let again = ask(rows, "").exits(0);
    assert!(again.stdout.contains("3 rows done; 0 images to make now"), "{}", again.stdout);
    // What is not what it was is bought: an edited image, a changed reference, another quality.
    fs::write(first.join("images/A-v1.png"), "edited").expect("a file");
    fs::write(second.join("images/X-v1.png"), "edited").expect("a file");
    sandbox.write("ref.png", include_bytes!("../../../fixtures/refs/BATCH-010.png"));
    let rows = "scene_id,prompt,n,reference_urls,quality\nP,a cow,2,,\nQ,a hen,1,ref.png,\n\
                R,a pig,1,,low\n";
    ends(&ask(rows, "").exits(0), "rows=3/3 images=4/4 cost=$0.16");
}

#[cfg(unix)]
#[test]
fn a_run_that_died_between_its_copies_goes_on_without_buying_one() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", "scene_id,prompt,n\nA,a cow,2\nB,a cow,2\nC,a cow,2\n");
    sandbox.run(&format!("{LIVE} --dedupe")).exits(0);
    let run = sandbox.only_run("out");
    let journal = fs::read_to_string(run.join("journal.jsonl")).expect("a journal");
    let lines: Vec<&str> = journal.lines().collect();
    let first = lines.iter().position(|line| line.contains("\"B\"")).expect("a copy");
    // Cut off behind every event from the first copy on: its files may be there or not.
    for cut in first..lines.len() {
        fs::write(run.join("journal.jsonl"), lines[..cut].join("\n") + "\n").expect("a journal");
        ends(&sandbox.run(&format!("{LIVE} --dedupe")).exits(0), "rows=1/3 images=6/6 cost=$0.08");
        let told = results(&sandbox);
        assert!(told[1].starts_with("skipped ") && told[2].starts_with("skipped "), "{told:?}");
    }
}

#[test]
fn a_row_is_copied_from_whichever_row_has_the_image_and_from_none_that_lost_it() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", "scene_id,prompt\nA,[sim:refused x1] a\nB,[sim:refused x1] a\n");
    let server = SimServer::start("--sim latency=1ms");
    // One of both is refused, the other one is made.
    sandbox.run(&over_the_wire(&server, "--concurrency 1")).exits(0);
    sandbox.write(
        "rows.csv",
        "scene_id,prompt\nA,[sim:refused x1] a\nB,[sim:refused x1] a\nC,[sim:refused x1] a\n",
    );
    let ran = sandbox.run(&over_the_wire(&server, "--dedupe")).exits(0);
    ends(&ran, "rows=1/3 images=2/3");
    assert!(results(&sandbox)[2].starts_with("skipped images/C-v1.png"));
    // The copy alone is left: a new row is copied from it.
    let rows = "scene_id,prompt\nC,[sim:refused x1] a\nD,[sim:refused x1] a\n";
    sandbox.write("rows.csv", rows);
    ends(&sandbox.run(&over_the_wire(&server, "--dedupe")).exits(0), "rows=0/2 images=2/2");
    assert_eq!(server.stats()["requests"], 2);
    // What is not there as it was is not copied: the row is sent itself.
    let run = sandbox.only_run("out");
    fs::write(run.join("images/C-v1.png"), "edited").expect("a file");
    fs::write(run.join("images/D-v1.png"), "edited").expect("a file");
    sandbox.write("rows.csv", format!("{rows}E,[sim:refused x1] a\n"));
    ends(&sandbox.run(&over_the_wire(&server, "--dedupe")).exits(0), "rows=1/3 images=3/3");
    assert_eq!(server.stats()["requests"], 3);
}

#[test]
fn a_run_of_copies_is_over_when_its_last_row_is_copied_and_gates_judge_what_they_show() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", "scene_id,prompt\nA,[sim:blank] a\n");
    let server = SimServer::start("--sim latency=1ms");
    sandbox.run(&over_the_wire(&server, "")).exits(0);
    sandbox.write("rows.csv", "scene_id,prompt\nX,[sim:blank] a\n");
    let ask = over_the_wire(&server, "--reuse").replace("rows.csv", "more.csv");
    sandbox.write("more.csv", "scene_id,prompt\nX,[sim:blank] a\n");
    let gate = " --gates-only --gate 'images.blank == 0'";
    let ran = sandbox.run(&(ask.replace(" --gate none", "") + gate)).exits(99);
    assert!(ran.stdout.contains("images.blank 1 (showing nothing)"), "{}", ran.stdout);
    let all_copied = sandbox.run(&ask.replace(" --gate none", "")).exits(0);
    assert!(all_copied.stdout.contains("every image was there already"), "{}", all_copied.stdout);
    let runs = fs::read_dir(sandbox.path("out")).expect("runs").map(|it| it.expect("one").path());
    for run in runs.filter(|it| it.is_dir()) {
        let status = sandbox.run(&format!("runs status {}", run.display())).exits(0);
        assert!(!status.stdout.contains("pending"), "{}", status.stdout);
    }
}

#[test]
fn kept_images_are_found_in_any_run_and_rows_that_ask_for_the_same_get_different_ones() {
    let sandbox = Sandbox::new();
    let ask = |rows: &str, more: &str| {
        sandbox.write(
            &format!("{rows}.csv"),
            format!(
                "scene_id,prompt\n{}\n",
                match rows {
                    "one" => "A,a cow",
                    "two" => "B,a cow",
                    _ => "P,a cow\nQ,a cow\nR,a cow",
                }
            ),
        );
        sandbox.run(&format!("{} {more}", LIVE.replace("rows.csv", &format!("{rows}.csv"))))
    };
    ask("one", "").exits(0);
    ask("two", "").exits(0);
    // Two were made, so two are copied, and the third is made.
    ends(&ask("three", "--reuse").exits(0), "rows=1/3 images=3/3 cost=$0.04");
    let images = |name: &str| -> Vec<u8> {
        let runs = fs::read_dir(sandbox.path("out")).expect("runs");
        let paths = runs.map(|it| it.expect("one").path().join("images").join(name));
        fs::read(paths.into_iter().find(|it| it.is_file()).expect(name)).expect("a file")
    };
    assert_ne!(images("P-v1.png"), images("Q-v1.png"));
}
