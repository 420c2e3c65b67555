//! References before anything is spent: bad files are found, addresses are judged.

use crate::support::sandbox::Sandbox;

#[test]
fn a_missing_reference_is_a_bad_row_in_every_mode() {
    let sandbox = Sandbox::new();
    sandbox.run("seed --rows 10 --out rows.csv").exits(0);
    let all = std::fs::read_to_string(sandbox.path("rows.csv")).expect("the rows");
    sandbox.write("rows.csv", format!("{all}NEW,a mug,1,refs/none.png\n"));
    let header = all.lines().next().expect("a header");
    assert!(header.starts_with("scene_id,prompt,variants,reference_urls"), "{header}");
    std::fs::remove_file(sandbox.path("refs/BATCH-005.png")).expect("a reference of the fixture");
    let live = "run rows.csv --live --provider sim --sim latency=1ms";
    for command in
        ["run rows.csv", "run rows.csv --plan-only", live, &format!("{live} --plan-only")]
    {
        let ran = sandbox.run(&format!("{command} --rejected bad.csv")).exits(3);
        let ran = ran.result_has(&["invalid exit=3", "2 of 11 rows cannot be used"]);
        for told in ["row 5 (BATCH-005)", "reference refs/BATCH-005.png cannot be read"] {
            assert!(ran.stderr.contains(told), "{command}: {}", ran.stderr);
        }
        let listed = std::fs::read_to_string(sandbox.path("bad.csv")).expect("the list");
        assert!(listed.contains("BATCH-005") && listed.contains("NEW"), "{listed}");
        std::fs::remove_file(sandbox.path("bad.csv")).expect("the list");
    }
    assert!(!sandbox.path("out").exists(), "nothing was begun");
    sandbox.run(&format!("{live} --plan-only --on-bad-row skip")).exits(0);
    let ran = sandbox.run(&format!("{live} --on-bad-row skip --format json")).exits(0);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("one object");
    assert_eq!(report["rows"]["rejected"], 2);
    assert_eq!(report["rows"]["ok"], 9);
}

#[test]
fn a_misnamed_column_and_missing_credentials_are_told_in_the_plan() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", "id,prompt,ref_url,qualty\na,a mug,https://x.example/a.png,high\n");
    let ran = sandbox.run("run rows.csv --plan-only").exits(0);
    for told in [
        "column \"ref_url\" is not used; did you mean \"reference_urls\"?",
        "column \"qualty\" is not used; did you mean \"quality\"?",
    ] {
        assert!(ran.stdout.contains(told), "{told} {}", ran.stdout);
    }
    sandbox.write("rows.csv", "id,prompt,reference_urls\na,a mug,s3://refs/a.png\n");
    let ran = sandbox.run("run rows.csv").exits(0);
    assert!(ran.stdout.contains("no credentials for s3://"), "{}", ran.stdout);
    let live = "run rows.csv --live --provider sim";
    for command in [live, &format!("{live} --plan-only")] {
        let ran = sandbox.run(command).exits(3);
        ran.result_has(&["no credentials for s3://"]);
    }
}

#[test]
fn whatever_lets_somebody_in_is_not_shown_with_a_bad_row() {
    let sandbox = Sandbox::new();
    for (reference, told) in [
        ("https://me:SECRET@x.example/a.png", "https://…@x.example/a.png"),
        ("x.example/a.png?sig=SECRET", "write https:// before it"),
    ] {
        sandbox.write("rows.csv", format!("id,prompt,reference_urls\na,a mug,{reference}\n"));
        let ran = sandbox.run("run rows.csv").exits(3);
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
        assert!(!ran.stderr.contains("SECRET") && !ran.stdout.contains("SECRET"), "{}", ran.stderr);
    }
}

/// An address of CloudFront that ends at this second.
fn ends_at(second: u64) -> String {
    format!("https://cdn.example/a.png?Expires={second}&Signature=x&Key-Pair-Id=K")
}

#[test]
fn what_is_judged_without_a_fetch_says_why_and_counts_every_row() {
    let sandbox = Sandbox::new();
    let writes = "https://store.example/a.png?sv=2022-11-02&sr=b&sp=w&se=2099-01-01&sig=x";
    let rows = ["https://cdn.example/a.png", &ends_at(1_700_000_000), writes];
    let rows: String = rows.iter().map(|it| format!("R{},a mug,{it}\n", it.len())).collect();
    sandbox.write("rows.csv", format!("id,prompt,reference_urls\n{rows}bad,,\n"));
    let ran = sandbox.run("refs check rows.csv --no-fetch").exits(3);
    for told in [
        "row 4 (bad) cannot be read: ",
        "1 row cannot be read\n",
        "3 references in 3 of 4 rows: 1 not refused, 2 refused\n",
        "1 without known expiry, 2 doomed\n",
        "doomed: expired ",
    ] {
        assert!(ran.stdout.contains(told), "{told} {}", ran.stdout);
    }
    let report = sandbox.run("refs check rows.csv --no-fetch --format json").exits(3).json();
    let count = |key: &str| report[key].as_u64();
    let counts = ["rows", "usable", "not_fetched", "unusable"].map(count);
    assert_eq!(counts, [4, 0, 1, 2].map(Some), "{report}");
    let references = &report["references"];
    assert_eq!(references[0]["use"], "not_fetched", "{report}");
    assert_eq!(references[1]["freshness"]["state"], "doomed", "{report}");
    for reference in [&references[1], &references[2]] {
        let reason = reference["freshness"]["reason"].as_str();
        assert!(reason.is_some_and(|it| !it.is_empty()), "{report}");
    }
    sandbox.write("rows.csv", "id,prompt,reference_urls\na,,\nb,,\n");
    let ran = sandbox.run("refs check rows.csv --no-fetch").exits(3);
    assert!(ran.stdout.contains("0 references in 0 of 2 rows: 0 not"), "{}", ran.stdout);
}

#[test]
fn a_report_says_how_fresh_the_addresses_are() {
    let sandbox = Sandbox::new();
    let rows = ["https://cdn.example/a.png", "https://cdn.example/b.png", &ends_at(4_000_000_000)];
    let rows: String = rows.iter().map(|it| format!("R{},a mug,{it}\n", it.len())).collect();
    let rows = rows.replacen("R25", "R1", 1);
    sandbox.write("rows.csv", format!("id,prompt,reference_urls\n{rows}"));
    let report = sandbox.run("run rows.csv --plan-only --format json").exits(0).report();
    let count = |key: &str| report["freshness"][key].as_u64();
    let counts = ["fresh", "in_buckets", "refreshed", "unknown", "doomed"].map(count);
    assert_eq!(counts, [1, 0, 0, 2, 0].map(Some), "{report}");
    let dead = ends_at(1_700_000_000);
    sandbox.write("rows.csv", format!("id,prompt,reference_urls\nold,a mug,{dead}\nnew,a,\n"));
    let skips = "run rows.csv --plan-only --format json --on-bad-row skip";
    let report = sandbox.run(skips).exits(0).report();
    assert_eq!(report["rows"]["rejected"], 1, "{report}");
    assert!(report["freshness"]["doomed"].is_u64(), "{report}");
}
