//! Live against the simulator: real files, a real ledger, a journal, and the second run.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use imagemill::domain::money::NanoUsd;
use serde_json::Value;

use crate::support::sandbox::{Sandbox, walk};

/// As fast as the machine is.
const FAST: &str = "--live --provider sim --sim latency=1ms";

#[test]
fn a_live_run_makes_199_images_whose_sum_is_the_ledgers() {
    let sandbox = Sandbox::with_fixture();
    let expect = ["pass exit=0 mode=live rows=100/100 images=199/199 cost=$7.96 "];
    let ran = sandbox.run(&format!("run rows-100.csv {FAST}")).exits(0).result_has(&expect);
    assert!(!ran.everything().contains("DRY RUN"), "{}", ran.stdout);
    let run = sandbox.only_run("out");
    let (n_images, sum) = images(&run);
    assert_eq!((n_images, sum.to_string().as_str()), (199, "7.96"));
    let ledger = run.join("ledger").display().to_string();
    let checked = sandbox.run(&format!("ledger check --ledger {ledger}")).exits(0);
    assert_eq!(checked.everything(), "", "a sound ledger is silent");
    let summary =
        sandbox.run(&format!("ledger summary --format json --ledger {ledger}")).exits(0).json();
    for (key, expect) in [
        ("settled", "7.96"),
        ("exposure_today", "7.96"),
        ("reserved", "0.00"),
        ("unknown", "0.00"),
        ("limit_per_day", "10.00"),
        ("tz", "UTC"),
    ] {
        assert_eq!(summary[key], expect, "{key} in {summary}");
    }
    assert_eq!(summary["attempts"], 199);
    summary["day"].as_str().expect("a day").parse::<jiff::civil::Date>().expect("a day");
    journal(&run, 199);
    assert!(!sandbox.real_ledger().exists(), "simulated money never touches the real ledger");
}

/// Every image decodes, is the only one of its bytes, and has a sidecar that knows it.
fn images(run: &Path) -> (usize, NanoUsd) {
    let mut contents = BTreeSet::new();
    let mut sum = NanoUsd::ZERO;
    let mut n_images = 0;
    for entry in fs::read_dir(run.join("images")).expect("images") {
        let path = entry.expect("an entry").path();
        match path.extension().and_then(|it| it.to_str()) {
            Some("png") => {
                n_images += 1;
                let bytes = fs::read(&path).expect("an image");
                let mut reader =
                    png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().expect("a header");
                let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
                reader.next_frame(&mut pixels).expect("pixels");
                assert!(contents.insert(bytes), "{} is there twice", path.display());
            }
            Some("json") => {
                let sidecar: Value =
                    serde_json::from_slice(&fs::read(&path).expect("a sidecar")).expect("JSON");
                let amount = sidecar["amount"].as_str().expect("an amount");
                sum = sum.checked_add(amount.parse().expect("an amount")).expect("a sum");
                assert!(run.join(sidecar["file"].as_str().expect("a file")).is_file());
            }
            other => panic!("{other:?}: {}", path.display()),
        }
    }
    (n_images, sum)
}

/// Every line parses, the sequence has no gap, and the run begins and ends.
fn journal(run: &Path, n_images: usize) {
    let text = fs::read_to_string(run.join("journal.jsonl")).expect("a journal");
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for (n, line) in lines.iter().enumerate() {
        assert_eq!(line["seq"], n + 1, "{line}");
        line["ts"].as_str().expect("a time").parse::<jiff::Timestamp>().expect("RFC 3339");
    }
    assert_eq!(lines[0]["event"]["type"], "run_started");
    assert_eq!(lines[lines.len() - 1]["event"]["type"], "run_finished");
    let stored = lines.iter().filter(|line| line["event"]["type"] == "image_stored").count();
    assert_eq!(stored, n_images);
}

#[test]
fn the_same_run_is_not_bought_twice_unless_asked_row_28() {
    let sandbox = Sandbox::with_rows(3);
    let args = format!("run rows.csv {FAST}");
    sandbox.run(&args).exits(0);
    let before = sandbox.files();
    let again = sandbox.run(&args).exits(0).result_has(&["pass exit=0", "images=3/3 cost=$0.12"]);
    assert!(again.stdout.contains("3 rows done; 0 images to make now"), "{}", again.stdout);
    assert!(sandbox.files() == before, "a run that has nothing left writes nothing");
    sandbox.run(&format!("{args} --fresh")).exits(0).result_has(&["images=3/3"]);
    assert_eq!(fs::read_dir(sandbox.path("out")).expect("runs").flatten().count(), 3);
}

#[test]
fn other_rows_or_other_requests_are_another_run_row_29() {
    let sandbox = Sandbox::with_rows(2);
    sandbox.run(&format!("run rows.csv {FAST}")).exits(0);
    sandbox.run(&format!("run rows.csv {FAST} --quality high")).exits(0);
    sandbox
        .run(&format!("run rows.csv {FAST} --concurrency 1"))
        .exits(0)
        .result_has(&["cost=$0.08"]);
    sandbox.write("rows.csv", "scene_id,prompt\nROW-001,another thing\n");
    sandbox.run(&format!("run rows.csv {FAST}")).exits(0).result_has(&["rows=1/1"]);
}

#[test]
fn rows_from_standard_input_are_told_apart_by_their_bytes() {
    let sandbox = Sandbox::new();
    let feed = |prompt: &str, goes_on: bool| {
        let rows = format!("scene_id,prompt\na,{prompt}\n");
        let ran = sandbox.run_fed(&format!("run - {FAST}"), rows.as_bytes()).exits(0);
        assert_eq!(ran.stdout.contains("Goes on"), goes_on, "{}", ran.stdout);
    };
    feed("a cat", false);
    feed("a dog", false);
    feed("a cat", true);
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_a_run_and_its_ledger() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::with_rows(2);
    sandbox.write("rows.csv", "scene_id,prompt,n\na,b,1\nc,d,nine\n");
    sandbox.run(&format!("run rows.csv {FAST} --on-bad-row skip")).exits(0);
    sandbox.run("ledger limit set --per-day 20 --why 'a test'").exits(0);
    let check = |path: &Path| {
        let mode = fs::metadata(path).expect("a file").permissions().mode() & 0o777;
        // Images lie in a folder that nobody else can enter, and may be handed on as they are.
        let expect = if path.is_dir() { 0o700 } else { 0o600 };
        let is_image = path.parent().is_some_and(|it| it.ends_with("images"));
        assert!(is_image || mode == expect, "{mode:o} {}", path.display());
    };
    check(&sandbox.path("out"));
    walk(&sandbox.path("out"), &mut |path| check(path));
    check(&sandbox.real_ledger());
    walk(&sandbox.real_ledger(), &mut |path| check(path));
}

#[test]
fn a_live_report_names_its_folder_and_every_dollar() {
    let sandbox = Sandbox::with_rows(40);
    let sim = "latency=1ms,errors=20%,refusals=10%,seed=5";
    let args = format!("run rows.csv --live --provider sim --gate none --format json --sim {sim}");
    let report = sandbox.run(&args).exits(0).report();
    let run = sandbox.only_run("out");
    assert!(run.ends_with(report["run_id"].as_str().expect("an id")));
    let folder = report["folder"].as_str().expect("a folder");
    assert_eq!(sandbox.path(folder), run);
    let (n_images, sum) = images(&run);
    assert_eq!(report["images"]["stored"], n_images);
    assert_eq!(report["cost"]["settled"], sum.to_string());
    let unknown = report["cost"]["unknown"].as_str().expect("an amount");
    assert!(unknown.parse::<NanoUsd>().expect("an amount") > NanoUsd::ZERO, "{report}");
    let ledger = run.join("ledger").display().to_string();
    sandbox.run(&format!("ledger check --ledger {ledger}")).exits(0);
    let summary =
        sandbox.run(&format!("ledger summary --format json --ledger {ledger}")).exits(0).json();
    for key in ["settled", "unknown", "exposure_today"] {
        assert_eq!(summary[key], report["cost"][key], "{key}");
    }
    let id = report["run_id"].as_str().expect("an id");
    let show = format!("ledger show {id} --format json --ledger {ledger}");
    let shown = sandbox.run(&show).exits(0).json();
    let records = shown["records"].as_array().expect("records");
    let reserves = records.iter().filter(|record| record["kind"] == "reserve").count();
    assert_eq!(report["attempts"], reserves);
}

#[test]
fn no_name_of_a_row_leads_out_of_the_images_folder() {
    let sandbox = Sandbox::new();
    let names = "../../x,/etc/x,CON,aux.png,ab.,a/b\\c,-rf,\"x\ny\"";
    let rows: String =
        names.split(',').enumerate().map(|(n, name)| format!("{name},thing {n}\n")).collect();
    sandbox.write("rows.csv", format!("scene_id,prompt\n{rows}"));
    let before: BTreeSet<_> = sandbox.files().into_keys().collect();
    let ran = sandbox.run(&format!("run rows.csv {FAST} --on-bad-row skip")).exits(0);
    let run = sandbox.only_run("out");
    let (n_images, _) = images(&run);
    assert!(n_images >= 7, "{}", ran.everything());
    let outside = sandbox.files().into_keys().filter(|path| !path.starts_with(&run));
    let outside: Vec<_> =
        outside.filter(|path| !before.contains(path) && !path.ends_with(".choice.lock")).collect();
    assert!(outside.is_empty(), "{outside:?}");
    for entry in fs::read_dir(run.join("images")).expect("images") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let is_safe = |one: char| one.is_ascii_alphanumeric() || "._-".contains(one);
        assert!(name.chars().all(is_safe), "{name}");
        let stem = name.split(['.', '-']).next().unwrap_or_default().to_lowercase();
        assert!(!["con", "aux"].contains(&stem.as_str()), "{name}");
    }
}

#[test]
fn a_row_whose_reference_is_missing_is_rejected_before_money() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", "scene_id,prompt,reference_urls\na,b,refs/none.png\nc,d,\n");
    let args = format!("run rows.csv {FAST} --on-bad-row skip --format json");
    let report = sandbox.run(&args).exits(0).report();
    assert_eq!((&report["rows"]["rejected"], &report["rows"]["ok"]), (&1.into(), &1.into()));
    assert_eq!(report["cost"]["settled"], "0.04");
    sandbox.write("rows.csv", "scene_id,prompt,reference_urls\na,b,https://10.0.0.1/1.png\n");
    let ran = sandbox.run(&format!("run rows.csv {FAST}")).exits(3);
    assert!(ran.stderr.contains("10.0.0.1 is a private address"), "{}", ran.stderr);
}
