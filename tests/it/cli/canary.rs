//! The canary share: chosen by a frozen order, set for a project, overridden by a flag.

use serde_json::Value;

use crate::support::sandbox::Sandbox;

fn rows(sandbox: &Sandbox, args: &str) -> Value {
    let args = format!("run rows-100.csv --format json {args}");
    sandbox.run(&args).exits(0).report()["rows"].clone()
}

#[test]
fn five_percent_pass_weakly_and_the_others_are_held_row_33() {
    let sandbox = Sandbox::with_fixture();
    let expect = ["weak-pass exit=0", "rows=5/100", "every gate holds so far"];
    let ran = sandbox.run("run rows-100.csv --canary 5").exits(0).result_has(&expect);
    let line = ran.stdout.lines().find(|line| line.starts_with("Canary")).expect("a line");
    let expect = "Canary      5 % (order \"default\"): 5 rows with 12 images; 95 held";
    assert!(line.starts_with(expect), "{line}");
    let report = sandbox.run("run rows-100.csv --canary 5 --format json").exits(0).report();
    assert_eq!((&report["rows"]["held"], &report["rows"]["ok"]), (&95.into(), &5.into()));
    assert_eq!((&report["verdict"], &report["error_rate"]), (&"weak-pass".into(), &0.0.into()));
    let held = 199 - report["images"]["stored"].as_u64().expect("a number");
    assert!(held > 150, "{report}");
}

#[test]
fn a_share_is_set_honoured_overridden_and_cleared() {
    let sandbox = Sandbox::with_fixture();
    let status = || sandbox.run("canary status").exits(0).stdout;
    let percent = || sandbox.run("canary status --format json").exits(0).json()["percent"].clone();
    assert!(status().contains("No canary is set"), "{}", status());
    assert_eq!((percent(), &rows(&sandbox, "")["held"]), (Value::Null, &0.into()));
    let ran = sandbox.run("canary set 5").exits(0);
    assert!(ran.stdout.contains("Canary 5 %, named default"), "{}", ran.stdout);
    assert!(status().starts_with("Canary 5 %, named default, set "), "{}", status());
    assert_eq!((percent(), &rows(&sandbox, "")["held"]), ("5".into(), &95.into()));
    assert_eq!(rows(&sandbox, "--canary 50")["held"], 50);
    assert_eq!(rows(&sandbox, "--canary 100")["held"], 0);
    sandbox.run("canary set 100").exits(0);
    assert_eq!((percent(), &rows(&sandbox, "")["held"]), (Value::Null, &0.into()));
    assert!(status().contains("No canary is set"), "{}", status());
}

#[test]
fn shares_are_nested_and_the_name_is_the_salt() {
    let sandbox = Sandbox::with_fixture();
    let sent = |args: &str| -> Vec<String> {
        let ran = sandbox.run(&format!("run rows-100.csv --format ndjson {args}")).exits(0);
        let events = ran.stdout.lines().map(|it| serde_json::from_str::<Value>(it).expect("JSON"));
        let mut ids: Vec<String> = events
            .filter(|it| it["event"]["type"] == "row_started")
            .map(|it| it["event"]["scene_id"].as_str().expect("an id").to_owned())
            .collect();
        ids.sort();
        ids
    };
    let (five, twenty) = (sent("--canary 5"), sent("--canary 20"));
    assert_eq!((five.len(), twenty.len()), (5, 20));
    assert!(five.iter().all(|id| twenty.contains(id)), "{five:?} in {twenty:?}");
    assert_eq!(sent("--canary 5"), five);
    assert_ne!(sent("--canary 5 --canary-name other"), five);
}

#[test]
fn a_share_that_is_none_is_a_usage_error() {
    let sandbox = Sandbox::with_rows(2);
    for share in ["0", "101", "-1", "some", "5%%"] {
        sandbox.run(&format!("canary set -- {share}")).exits(2);
        sandbox.run(&format!("run rows.csv --canary={share}")).exits(2);
    }
    assert!(!sandbox.path(".imagemill").exists());
    sandbox.run("canary set 7.5%").exits(0);
    sandbox.write(".imagemill/canary/share.json", "{}");
    sandbox.run("run rows.csv").exits(3).result_has(&["no canary share that this version wrote"]);
}
