//! Bad rows: drawn with their place, counted, written to be mended, and nothing is sent.

use crate::support::sandbox::Sandbox;

const BAD: &str = "\
scene_id,prompt,variants
BATCH-001,a cat,1
BATCH-002,\"a dog, running\",nine
BATCH-003,a bird,0
BATCH-004,a fish,11
";

#[test]
fn a_bad_cell_is_drawn_and_nothing_is_sent() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", BAD);
    let ran = sandbox.run("run rows.csv").exits(3);
    insta::assert_snapshot!(ran.stderr);
    ran.result_has(&["invalid exit=3", "rows=0/4", "images=0/", "3 of 4 rows cannot be used"]);
    let report = sandbox.run("run rows.csv --format json").exits(3).report();
    let rows = &report["rows"];
    assert_eq!((&rows["planned"], &rows["accepted"]), (&4.into(), &1.into()));
    assert_eq!((&rows["rejected"], &rows["ok"]), (&3.into(), &0.into()));
}

#[test]
fn every_kind_of_bad_cell_is_placed() {
    // The input's name, its text, the error code, and line and column of the fault.
    let check = |name: &str, text: &str, code: &str, place: &str| {
        let sandbox = Sandbox::new();
        sandbox.write(name, text);
        let ran = sandbox.run(&format!("run {name}")).exits(3).result_has(&["exit=3"]);
        let first = ran.stderr.lines().next().unwrap_or_default();
        assert!(first.starts_with(&format!("error[{code}]: ")), "{code}:\n{}", ran.stderr);
        let second = ran.stderr.lines().nth(1).unwrap_or_default();
        let expect = format!(" --> {name}:{place}   ");
        assert!(format!("{second} ").starts_with(&expect), "{expect}:\n{}", ran.stderr);
        assert!(ran.stderr.contains("\nfix: "), "{}", ran.stderr);
        assert!(!ran.everything().contains('\u{1b}'));
    };
    let csv = |cells: &str| format!("scene_id,prompt,variants,reference_urls,max_cost\n{cells}\n");
    check("r.csv", &csv("a,b,nine,,"), "row.variants", "2:5");
    check("r.csv", &csv("a,b,0,,"), "row.variants", "2:5");
    check("r.csv", &csv("a,b,11,,"), "row.variants", "2:5");
    check("r.csv", &csv("a,b,-1,,"), "row.variants", "2:5");
    check("r.csv", &csv("a,b,1.5,,"), "row.variants", "2:5");
    check("r.csv", &csv("a,b,1000000000,,"), "row.variants", "2:5");
    check("r.csv", &csv("a,,1,,"), "row.prompt", "2:3");
    check("r.csv", &csv("a,b,1,ftp://x/y,"), "row.reference", "2:7");
    check("r.csv", &csv("a,b,1,,lots"), "row.max_cost", "2:8");
    check("r.csv", &csv("a,b,1,,0.01"), "row.max_cost", "2:8");
    check("r.csv", &csv("a,b"), "row.cells", "2:4");
    check("r.csv", &csv("a,b,1,,\na,c,1,,"), "row.duplicate", "3:1");
    check("r.csv", &csv("A1,b,1,,\na1,c,1,,"), "output.collision", "3:1");
    check("r.csv", &csv("é,b,1,,\ne\u{301},c,1,,"), "output.collision", "3:1");
    check("r.jsonl", "{\"id\":\"a\",\"prompt\":\"x\",\"n\":\"nine\"}\n", "row.variants", "1:28");
    check("r.jsonl", "{\"id\":\"a\",\"prompt\":\"x\"}\n{\"id\":\"b\"}\n", "row.prompt", "2:1");
    check("r.jsonl", "{\"id\":\"a\",\"prompt\":\"x\"}\n{\"id\":\n", "row.json", "2:6");
    check(
        "r.json",
        "[{\"id\":\"a\",\"prompt\":\"x\"},\n {\"id\":\"b\",\"prompt\":\"y\",\"n\":11}]",
        "row.variants",
        "2:29",
    );
    check(
        "r.json",
        "[{\"id\":\"a\",\"prompt\":\"x\"},\n {\"id\":\"a\",\"prompt\":\"y\"}]",
        "row.duplicate",
        "2:8",
    );
}

#[test]
fn a_terminal_cannot_be_reached_through_a_row() {
    let sandbox = Sandbox::new();
    let evil = "\u{1b}]52;c;aGk=\u{7}\u{1b}[2J\u{202e}";
    sandbox.write("rows.csv", format!("scene_id,prompt,n\nx,{evil},nine\n"));
    let ran = sandbox.run("run rows.csv").exits(3);
    for hazard in ['\u{1b}', '\u{7}', '\u{202e}'] {
        assert!(!ran.everything().contains(hazard), "{:?}", ran.stderr);
    }
}

#[test]
fn skipping_goes_on_with_the_good_rows() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", BAD);
    let expect = ["pass exit=0 mode=dry-run rows=1/4 images=1/1 cost=$0.04"];
    let ran = sandbox.run("run rows.csv --on-bad-row skip").exits(0).result_has(&expect);
    assert!(ran.stderr.contains("warning: 3 of 4 rows cannot be used"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("--on-bad-row skip"), "it is asked for: {}", ran.stderr);
    let args = "run rows.csv --on-bad-row skip --format json";
    let report = sandbox.run(args).exits(0).report();
    assert_eq!((&report["rows"]["rejected"], &report["rows"]["ok"]), (&3.into(), &1.into()));
}

#[test]
fn rejected_rows_can_be_mended_and_fed_back() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", BAD);
    let ran = sandbox.run("run rows.csv --rejected again.csv").exits(3);
    assert!(ran.stderr.contains("(the bad ones are listed in again.csv)"), "{}", ran.stderr);
    insta::assert_snapshot!(sandbox.read("again.csv"));
    // Fed back as it is, it has the same faults; mended, all of it runs.
    sandbox.run("run again.csv").exits(3).result_has(&["3 of 3 rows"]);
    let mended = sandbox.read("again.csv").replace(",nine,", ",2,").replace(",0,", ",1,");
    sandbox.write("again.csv", mended.replace(",11,", ",3,"));
    sandbox.run("run again.csv").exits(0).result_has(&["rows=3/3 images=6/6"]);
}

#[test]
fn a_live_run_keeps_its_bad_rows_by_itself() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", BAD);
    let live = "run rows.csv --live --provider sim --sim latency=1ms";
    let ran = sandbox.run(live).exits(3).result_has(&["rows=0/4 images=0/"]);
    let kept: Vec<_> = std::fs::read_dir(sandbox.path("out")).expect("out").flatten().collect();
    assert_eq!(kept.len(), 1, "bad rows, and no run: {kept:?}");
    let name = kept[0].file_name().to_string_lossy().into_owned();
    assert!(name.ends_with(".rejected.csv"), "{name}");
    assert!(ran.stderr.contains(&format!("listed in out/{name}")), "{}", ran.stderr);
    std::fs::remove_dir_all(sandbox.path("out")).expect("removed");
    let skips = format!("{live} --on-bad-row skip");
    let ran = sandbox.run(&skips).exits(0).result_has(&["rows=1/4 images=1/1"]);
    let run = sandbox.only_run("out");
    let id = run.file_name().expect("a name").to_string_lossy();
    let told = format!("listed in out/{id}/rejected.csv");
    assert!(ran.stderr.contains(&told), "where the file ends up is told: {}", ran.stderr);
    let text = std::fs::read_to_string(run.join("rejected.csv")).expect("bad rows");
    assert_eq!(text.lines().count(), 4, "{text}");
}

#[test]
fn bad_rows_are_listed_where_they_are_when_no_run_begins() {
    let check = |rows: &str, more: &str, exit: u8| {
        let sandbox = Sandbox::new();
        sandbox.write("rows.csv", rows);
        let live = "run rows.csv --live --provider sim --sim latency=1ms --on-bad-row skip";
        let ran = sandbox.run(&format!("{live} {more}")).exits(exit.into());
        let kept: Vec<_> = std::fs::read_dir(sandbox.path("out")).expect("out").flatten().collect();
        assert_eq!(kept.len(), 1, "bad rows, and no run: {kept:?}");
        let name = kept[0].file_name().to_string_lossy().into_owned();
        assert!(name.ends_with(".rejected.csv"), "{name}");
        assert!(ran.stderr.contains(&format!("listed in out/{name})")), "{}", ran.stderr);
        ran
    };
    check(BAD, "--plan-only", 0);
    let all_bad = BAD.replace("BATCH-001,a cat,1\n", "");
    for more in ["", "--plan-only"] {
        let ran = check(&all_bad, more, 4);
        let ran = ran.result_has(&["no-rows exit=4", "no row is left: 3 of 3 rows are rejected"]);
        assert!(!ran.stderr.contains("goes on"), "{}", ran.stderr);
    }
    let dry = Sandbox::new();
    dry.write("rows.csv", &all_bad);
    dry.run("run rows.csv --on-bad-row skip").exits(4).result_has(&["no row is left: 3 of 3"]);
    dry.write("none.csv", "scene_id,prompt\n");
    dry.run("run none.csv").exits(4).result_has(&["the input has no rows"]);
}

#[test]
fn bad_rows_of_standard_input_get_the_ending_of_their_format() {
    let check = |rows: &str, format: &str| {
        let sandbox = Sandbox::new();
        let live = "run - --live --provider sim --sim latency=1ms";
        let ran = sandbox.run_fed(live, rows.as_bytes()).exits(3);
        assert!(ran.stderr.contains(&format!(".rejected.{format})")), "{}", ran.stderr);
        std::fs::remove_dir_all(sandbox.path("out")).expect("removed");
        let skips = format!("{live} --on-bad-row skip");
        let ran = sandbox.run_fed(&skips, rows.as_bytes()).exits(0);
        assert!(ran.stderr.contains(&format!("/rejected.{format})")), "{}", ran.stderr);
        let kept = sandbox.only_run("out").join(format!("rejected.{format}"));
        assert!(std::fs::read_to_string(kept).expect("bad rows").contains("nine"));
    };
    check(BAD, "csv");
    check(&BAD.replace(',', "\t"), "tsv");
    check("{\"id\":\"a\",\"prompt\":\"x\"}\n{\"prompt\":\"y\",\"n\":\"nine\"}\n", "jsonl");
    check("[{\"id\":\"a\",\"prompt\":\"x\"},{\"prompt\":\"y\",\"n\":\"nine\"}]", "json");
}

#[test]
fn a_file_that_the_user_named_stays_where_it_is() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", BAD);
    std::fs::create_dir(sandbox.path("out")).expect("a folder");
    let live = "run rows.csv --live --provider sim --sim latency=1ms --on-bad-row skip";
    sandbox.run(&format!("{live} --rejected out/mine.csv")).exits(0);
    assert_eq!(sandbox.read("out/mine.csv").lines().count(), 4);
}

#[test]
fn the_reason_is_no_formula_and_columns_are_kept() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.jsonl", "{\"prompt\":\"=1+1\",\"n\":\"x\",\"mine\":{\"a\":1.50}}\n");
    sandbox.run("run rows.jsonl --rejected bad.jsonl").exits(3);
    let text = sandbox.read("bad.jsonl");
    assert!(
        text.starts_with(
            "{\"prompt\": \"=1+1\", \"n\": \"x\", \"mine\": {\"a\":1.50}, \"error\": "
        )
    );
}
