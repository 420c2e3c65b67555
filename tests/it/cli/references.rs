//! Local references of a live run: a bad one is found before anything is spent.

use crate::support::sandbox::Sandbox;

#[test]
fn a_missing_reference_stops_a_live_run_before_it_spends() {
    let sandbox = Sandbox::new();
    sandbox.run("seed --rows 10 --out rows.csv").exits(0);
    std::fs::remove_file(sandbox.path("refs/BATCH-005.png")).expect("a reference of the fixture");
    let live = "run rows.csv --live --provider sim --sim latency=1ms";
    let ran = sandbox.run(live).exits(3);
    assert!(ran.stderr.contains("BATCH-005: reference refs/BATCH-005.png"), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 of 10 rows"), "{}", ran.stderr);
    assert!(!sandbox.path("out").exists(), "nothing was begun");
    let ran = sandbox.run(&format!("{live} --on-bad-row skip --format json")).exits(0);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("one object");
    assert_eq!(report["rows"]["rejected"], 1);
    assert_eq!(report["rows"]["ok"], 9);
}
