//! What became of each row, as tables and sums in the run's folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::sandbox::Sandbox;
use crate::support::sim_server::SimServer;

const ASK: &str = "run rows.csv --live --provider sim --gate none --progress none";

/// A run over the wire, where words in a prompt decide what becomes of it.
fn over_the_wire(server: &SimServer) -> String {
    format!(
        "run rows.csv --live --rehearsal --provider openai --model gpt-image-2 --quality low \
         --base-url {} --gate none --progress lines",
        server.base_url()
    )
}

/// The rows of a table, each by its columns.
fn table(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).expect("a table");
    let head = reader.headers().expect("a head").clone();
    let named = |row: csv::StringRecord| {
        head.iter().map(str::to_owned).zip(row.iter().map(str::to_owned)).collect()
    };
    reader.records().map(|row| named(row.expect("a row"))).collect()
}

#[test]
fn every_row_is_told_in_the_columns_of_the_input_and_no_cell_is_a_formula() {
    let sandbox = Sandbox::new();
    let prompt = "=HYPERLINK(\"\"http://x\"\")";
    sandbox.write(
        "rows.csv",
        format!(
            "scene_id,prompt,n,color,error\nA,\"{prompt}\",2,+red,old\nB,[sim:400] bad,1,,\n\
             C,[sim:refused] no,1,-blue,\nD,a cow,1,@x,\n"
        ),
    );
    let server = SimServer::start("--sim latency=1ms");
    let ran = sandbox.run(&over_the_wire(&server)).exits(0);
    let run = sandbox.only_run("out");
    for told in ["failed.csv", "refused.csv"] {
        assert!(ran.stderr.contains("1 row did not end well: out"), "{}", ran.stderr);
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
    }
    let rows = table(&run.join("results.csv"));
    let cell = |row: usize, column: &str| rows[row][column].as_str();
    let column = |column: &str| -> Vec<&str> { (0..4).map(|row| cell(row, column)).collect() };
    assert_eq!(column("outcome"), ["ok", "failed", "refused", "ok"]);
    assert_eq!(cell(0, "files"), "images/A-v1.png|images/A-v2.png");
    assert_eq!(column("color"), ["'+red", "", "'-blue", "'@x"]);
    assert_eq!(cell(0, "prompt"), "'=HYPERLINK(\"http://x\")");
    assert_eq!((cell(0, "attempts"), cell(0, "error"), cell(1, "cost")), ("2", "", "0.00"));
    assert!(cell(0, "cost").starts_with("0.0") && !cell(1, "error").is_empty(), "{rows:?}");
    assert_eq!(rows[0].len(), 4 + 5, "the input's error column is ours to replace: {:?}", rows[0]);
    let names = |table: Vec<BTreeMap<String, String>>| -> Vec<String> {
        table.iter().map(|row| row["scene_id"].clone()).collect()
    };
    assert_eq!(names(table(&run.join("failed.csv"))), ["B"]);
    assert_eq!(names(table(&run.join("refused.csv"))), ["C"]);
}

#[cfg(unix)]
#[test]
fn the_sums_of_a_run_are_checked_by_the_tool_that_everybody_has() {
    let sandbox = Sandbox::with_rows(6);
    sandbox.run(ASK).exits(0);
    let run = sandbox.only_run("out");
    let sums = |expect: bool| {
        let check = Command::new("sha256sum").args(["-c", "SHA256SUMS"]).current_dir(&run).output();
        let check = check.expect("sha256sum runs");
        let told = String::from_utf8_lossy(&check.stdout).into_owned();
        assert_eq!(check.status.success(), expect, "{told}");
        told
    };
    let told = sums(true);
    assert_eq!(told.lines().count(), 7, "six images and the table: {told}");
    let image = fs::read_dir(run.join("images")).expect("images").map(|it| it.expect("one").path());
    let image = image.filter(|it| it.extension().is_some_and(|it| it == "png")).min();
    fs::write(image.expect("an image"), "damaged").expect("written");
    assert!(sums(false).contains("FAILED"));
}

#[test]
fn tables_are_made_anew_and_what_somebody_edited_is_kept() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", "scene_id,prompt\nA,a cat\nB,[sim:400] bad\n");
    let server = SimServer::start("--sim latency=1ms");
    let ask = over_the_wire(&server);
    sandbox.run(&ask).exits(0);
    let run = sandbox.only_run("out");
    assert!(run.join("failed.csv").is_file());
    sandbox.write("rows.csv", "scene_id,prompt\nA,a cat\nB,a good one\n");
    sandbox.run(&ask).exits(0).result_has(&["rows=2/2"]);
    assert!(!run.join("failed.csv").exists(), "nothing has failed now");
    let rows = table(&run.join("results.csv"));
    assert_eq!(rows.iter().map(|row| row["outcome"].as_str()).collect::<Vec<_>>(), ["ok", "ok"]);
    let text = fs::read_to_string(run.join("results.csv")).expect("a table");
    sandbox.run(&ask).exits(0);
    assert_eq!(fs::read_to_string(run.join("results.csv")).expect("a table"), text);
    fs::write(run.join("results.csv"), "my notes").expect("edited");
    sandbox.run(&ask).exits(0);
    assert_eq!(fs::read_to_string(run.join("results-1.csv")).expect("kept"), "my notes");
    assert_eq!(fs::read_to_string(run.join("results.csv")).expect("a table"), text);
}

#[test]
fn rows_without_a_name_of_their_own_get_a_column_for_it_and_pending_ones_say_so() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.jsonl", "{\"prompt\":\"a\",\"outcome\":\"mine\"}\n{\"prompt\":\"b\"}\n");
    let ask = ASK.replace("rows.csv", "rows.jsonl");
    sandbox.run(&format!("{ask} --limit-per-run 0.04 --fit-budget"));
    let rows = table(&sandbox.only_run("out").join("results.csv"));
    let column = |name: &str| -> Vec<&str> { rows.iter().map(|row| row[name].as_str()).collect() };
    assert_eq!(column("outcome"), ["mine", ""], "the input's own column stays");
    assert_eq!(column("imagemill_outcome"), ["ok", "pending"]);
    assert!(column("scene_id").iter().all(|name| !name.is_empty()), "{rows:?}");
}

/// How many rows of a table have each outcome.
fn outcomes(run: &Path) -> BTreeMap<String, usize> {
    let mut outcomes = BTreeMap::new();
    for row in table(&run.join("results.csv")) {
        *outcomes.entry(row["outcome"].clone()).or_default() += 1;
    }
    outcomes
}

/// Tables and reports say of a run that went on what its result says, and nothing of rows as they
/// were before.
#[test]
fn rows_that_ask_for_something_else_now_are_not_told_as_they_were() {
    let sandbox = Sandbox::new();
    let rows = |prompt: &str, n: u8| {
        let rows = (0..6).map(|row| format!("R-{row},{prompt} {row},{n}\n")).collect::<String>();
        sandbox.write("rows.csv", format!("scene_id,prompt,n\n{rows}"));
    };
    rows("a cat", 1);
    sandbox.run(ASK).exits(0);
    let run = sandbox.only_run("out");
    let id = run.file_name().expect("a name").to_string_lossy().into_owned();
    // One image more for each row, and money for two of them.
    rows("a cat", 2);
    let more = format!("{ASK} --limit-per-run 0.32 --fit-budget --report md=r.md");
    sandbox.run(&more).exits(0).result_has(&["rows=2/6", "images=8/12"]);
    let expect = BTreeMap::from([("ok".to_owned(), 2), ("pending".to_owned(), 4)]);
    assert_eq!(outcomes(&run), expect);
    assert!(sandbox.read("r.md").contains("2 of 6 rows ok, 8 of 12 images"));
    // All of them ask for something else, and none is made.
    rows("a dog", 1);
    sandbox.run(&format!("{ASK} --limit-per-run 0.36 --fit-budget --report md=r.md --resume {id}"));
    let told = sandbox.run(&format!("report {id} --report md=-")).exits(0).stdout;
    assert!(told.contains("1 of 6 rows ok, 1 of 6 images"), "{told}");
    assert_eq!(outcomes(&run)["pending"], 5);
}

#[test]
fn what_was_cleared_up_by_hand_counts_in_every_table_and_report() {
    for (cost, settled) in [("--not-billed", "0.48"), ("--as-billed", "0.48")] {
        let sandbox = Sandbox::with_rows(12);
        let rough = "--sim drops=40%,seed=2 --paid-retries 0";
        sandbox.run(&format!("{ASK} {rough}")).exits(0);
        let run = sandbox.only_run("out");
        let ledger = run.join("ledger").display().to_string();
        let resolve = format!("ledger resolve --all {cost} --why 'looked' --ledger {ledger}");
        sandbox.run(&resolve).exits(0);
        sandbox.run(&format!("{ASK} --sim drops=0%,seed=3 --report md=r.md")).exits(0);
        let sum: f64 = table(&run.join("results.csv"))
            .iter()
            .map(|row| row["cost"].parse::<f64>().expect("a cost"))
            .sum();
        assert!((sum - 0.48).abs() < 1e-9, "{cost}: {sum}");
        let md = sandbox.read("r.md");
        assert!(md.contains(&format!("${settled} settled")), "{cost}: {md}");
        assert!(md.contains("$0.00 unknown"), "{cost}: {md}");
    }
}
