//! Before the first run: `init`, `doctor` and `config` as a user meets them.

use std::fs;

use serde_json::Value;

use crate::support::sandbox::Sandbox;

/// The checks of a `doctor` by their names: health, text and fix.
fn checks(report: &Value) -> Vec<(String, String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    report["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .map(|check| {
            let of = |key: &str| text(&check[key]);
            (of("name"), of("health"), of("text"), of("fix"))
        })
        .collect()
}

fn check(report: &Value, name: &str) -> (String, String, String) {
    let found = checks(report).into_iter().find(|(known, ..)| known == name);
    let (_, health, text, fix) = found.unwrap_or_else(|| panic!("{name} in {report}"));
    (health, text, fix)
}

#[test]
fn init_writes_what_runs_at_once_and_keeps_what_is_there() {
    let sandbox = Sandbox::new();
    sandbox.run("init").exits(0);
    sandbox.run("run rows.example.csv").exits(0).result_has(&["pass", "rows=3/3 images=4/4"]);
    // Every setting in the file is a comment, and each of them is one that exists.
    let config = sandbox.read("imagemill.toml");
    let settings: Vec<&str> = config.lines().filter_map(|line| line.strip_prefix("# ")).collect();
    let settings = settings.into_iter().filter(|line| line.contains(" = ")).count();
    assert!(settings >= 10, "{config}");
    assert!(config.lines().all(|line| line.is_empty() || line.starts_with('#')), "{config}");
    let before = sandbox.files();
    let again = sandbox.run("init").exits(0);
    assert_eq!(again.stdout.matches("Kept").count(), 3, "{}", again.stdout);
    assert!(sandbox.files() == before, "what is there stays as it is");
    // What a user has changed stays too, and only what is missing is written.
    sandbox.write("imagemill.toml", "concurrency = 3\n");
    fs::remove_file(sandbox.path("rows.example.csv")).expect("it was there");
    let third = sandbox.run("init").exits(0).stdout;
    assert!(third.contains("Wrote rows.example.csv") && third.contains("Kept  imagemill.toml"));
    assert_eq!(sandbox.read("imagemill.toml"), "concurrency = 3\n");
}

#[test]
fn init_says_which_lines_a_gitignore_lacks() {
    let sandbox = Sandbox::new();
    for (text, expect) in [
        ("/target\n", "Kept  .gitignore        add to it: /out/ /.imagemill/\n"),
        ("out\n", "Kept  .gitignore        add to it: /.imagemill/\n"),
        ("out/\n/.imagemill\n", "Kept  .gitignore        it is there already\n"),
    ] {
        sandbox.write(".gitignore", text);
        let ran = sandbox.run("init").exits(0);
        assert!(ran.stdout.contains(expect), "{text}: {}", ran.stdout);
        assert_eq!(sandbox.read(".gitignore"), text);
    }
}

#[test]
fn a_doctor_says_what_is_fine_and_changes_nothing() {
    let sandbox = Sandbox::new();
    let before = sandbox.files();
    let ran = sandbox.run("doctor").exits(0);
    for name in ["config", "key", "roots", "prices", "clock", "ledger", "disk", "terminal"] {
        assert!(ran.stdout.lines().any(|line| line.contains(&format!("  {name} "))), "{name}");
    }
    assert!(ran.last_line().ends_with(" 0 failing"), "{}", ran.last_line());
    assert!(sandbox.files() == before, "it only reads");
    let report = sandbox.run("doctor --format json").exits(0).json();
    assert_eq!(report["schema"], "imagemill.checkup/1");
    assert_eq!(checks(&report).len(), 8);
}

#[test]
fn a_doctor_says_what_to_fix_in_a_line_for_each() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run("doctor --provider openai").exits(3);
    let fail = ran.stdout.find("fail  key").expect(&ran.stdout);
    assert!(ran.stdout[fail..].contains("OPENAI_API_KEY is not set\n      fix: export OPENAI_API"));
    // Everything that is wrong is told at once, and no key is shown.
    sandbox.write("key", "sk-secret-9\n");
    sandbox.write("imagemill.toml", "quality = \"low\"\nconcurency = 4\n");
    let report = sandbox.run("doctor --format json").exits(3).json();
    let (health, text, fix) = check(&report, "config");
    assert_eq!(health, "fail", "{text}");
    assert!(text.contains("concurency") && !fix.is_empty(), "{text} / {fix}");
    fs::remove_file(sandbox.path("imagemill.toml")).expect("it was there");
    let env = [("OPENAI_API_KEY", "sk-secret-9"), ("HTTPS_PROXY", "http://127.0.0.1:1")];
    let ran = sandbox.run_with(&env, "doctor --provider openai --format json").exits(0);
    assert!(!ran.everything().contains("sk-secret-9"), "{}", ran.everything());
    let report = ran.json();
    assert_eq!(check(&report, "key").0, "ok");
    let (health, text, _) = check(&report, "roots");
    assert!(health == "warn" && text.contains("HTTPS_PROXY"), "{health} {text}");
}

#[test]
fn a_doctor_looks_into_the_ledger() {
    let sandbox = Sandbox::new();
    sandbox.run("ledger limit set --per-day 3 --why test").exits(0);
    let report = sandbox.run("doctor --format json").exits(0).json();
    let (health, text, _) = check(&report, "ledger");
    assert!(health == "ok" && text.contains("$3.00"), "{health} {text}");
    let folder = sandbox.real_ledger();
    fs::write(folder.join("ledger.json"), "{").expect("a broken one");
    let report = sandbox.run("doctor --format json").json();
    let (health, text, fix) = check(&report, "ledger");
    assert!(health == "fail" && !fix.is_empty(), "{health} {text} {fix}");
    assert_ne!(report["exit"], 0);
}

#[test]
fn a_config_says_where_each_value_comes_from_and_what_it_hides() {
    let sandbox = Sandbox::new();
    sandbox.write("imagemill.toml", "quality = \"low\"\nconcurrency = 3\n");
    let env = [("IMAGEMILL_QUALITY", "high")];
    let ran = sandbox.run_with(&env, "config show --origin").exits(0);
    let line = |name: &str| {
        let mut lines = ran.stdout.lines();
        lines.find(|line| line.starts_with(&format!("│ {name} "))).expect(name).to_owned()
    };
    let quality = line("quality");
    for part in ["high", "IMAGEMILL_QUALITY", "low", "imagemill.toml:1"] {
        assert!(quality.contains(part), "{part}: {quality}");
    }
    let concurrency = line("concurrency");
    assert!(concurrency.contains("│ concurrency          ┆ 3"), "{concurrency}");
    assert!(line("size").contains("default"), "{}", line("size"));
    let shown = sandbox.run_with(&env, "config show --format json").exits(0).json();
    assert_eq!(shown["schema"], "imagemill.config/1");
}

#[test]
fn trust_is_for_a_file_as_it_is() {
    let sandbox = Sandbox::new();
    sandbox.run("config trust").exits(2);
    sandbox.write("imagemill.toml", "api_key_env = \"MINE\"\n");
    let shown = || sandbox.run("config show --origin").exits(0);
    assert!(shown().stderr.contains("left out"), "{}", shown().stderr);
    sandbox.run("config trust").exits(0);
    assert!(shown().stderr.is_empty() && shown().stdout.contains("MINE"), "{}", shown().stdout);
    sandbox.write("imagemill.toml", "api_key_env = \"OTHER\"\n");
    assert!(shown().stderr.contains("left out"), "a changed file is another file");
    let text =
        "[refs]\nbuckets = [\"s3://theirs\"]\n[refresh]\ncommand = [\"sh\", \"-c\", \"a | b\"]\n";
    sandbox.write("imagemill.toml", text);
    let trusted = sandbox.run("config trust").exits(0).stdout;
    for told in ["refs.buckets = s3://theirs", "refresh.command = sh -c 'a | b'"] {
        assert!(trusted.contains(told), "{told}: {trusted}");
    }
}
