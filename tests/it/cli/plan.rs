//! Plans: shown alone, saved, bound to, and refused once anything has changed.

use std::fs;

use crate::support::sandbox::Sandbox;

#[test]
fn only_the_plan() {
    let sandbox = Sandbox::with_fixture();
    let ran = sandbox.run("run rows-100.csv --plan-only").exits(0);
    let expect = ["pass exit=0 mode=dry-run rows=0/100 images=0/199", "plan only"];
    assert!(ran.clone().result_has(&expect).stdout.lines().count() <= 30);
    assert!(!ran.stdout.contains('┌') && ran.stderr.is_empty(), "{}", ran.everything());
    sandbox.run("run rows-100.csv --plan-only --limit-per-day 1").exits(97);
    let live = "run rows-100.csv --plan-only --live --provider sim";
    sandbox.run(live).exits(0).result_has(&["mode=live", "images=0/199", "plan only"]);
    assert!(!sandbox.path("out").exists(), "a plan of a live run makes nothing either");
    let report = sandbox.run("run rows-100.csv --plan-only --format json").exits(0).report();
    assert_eq!((&report["cost"]["estimated"], &report["attempts"]), (&"7.96".into(), &0.into()));
}

#[test]
fn a_plan_stays_short_whatever_is_in_it() {
    let sandbox = Sandbox::new();
    let rows: String = (0..2_000).map(|n| format!("r{n},x,{}x{}\n", 64 + n, 64 + n)).collect();
    sandbox.write("rows.csv", format!("id,prompt,size\n{rows}"));
    let ran = sandbox.run("run rows.csv --plan-only --limit-per-day 1000").exits(0);
    assert!(ran.stdout.lines().count() <= 30, "{}", ran.stdout);
}

#[test]
fn a_saved_plan_runs_dry_and_live() {
    let sandbox = Sandbox::with_rows(4);
    let save = "run rows.csv --sim latency=1ms --canary 50 --plan-out plan.json";
    let ran = sandbox.run(save).exits(0);
    assert!(ran.stdout.contains("Saved plan: plan.json\n"), "{}", ran.stdout);
    sandbox.run("run --plan plan.json").exits(0).result_has(&["mode=dry-run rows=2/4"]);
    sandbox.run("run --plan plan.json --live").exits(0).result_has(&["mode=live rows=2/4"]);
    assert_eq!(fs::read_dir(sandbox.only_run("out").join("images")).expect("images").count(), 4);
}

#[test]
fn a_stale_plan_is_refused_and_says_what_changed() {
    let sandbox = Sandbox::with_rows(4);
    sandbox.write("prices.toml", "schema = 1\n[sim.sim-1]\nper_image = \"0.04\"\n");
    let save = "run rows.csv --prices prices.toml --plan-out plan.json --sim latency=1ms";
    sandbox.run(save).exits(0);
    let with_prices = "--prices prices.toml";
    let before = sandbox.files();
    let refused = |args: &str, part: &str| {
        let ran = sandbox.run(&format!("run --plan plan.json {args}")).exits(3);
        let line = ran.result_has(&["invalid exit=3", "images=0/", "does not match any more"]);
        assert!(line.last_line().contains(part), "{part:?}: {}", line.last_line());
    };
    sandbox.run(&format!("run --plan plan.json {with_prices}")).exits(0);
    let other = |flag: &str| format!("{with_prices} {flag}");
    refused(&other("--concurrency 4"), "concurrency was unset and is 4");
    refused(&other("--live --quality high"), "quality was medium and is high");
    refused(&other("--gate 'errors < 1%'"), "gates have changed");
    refused(&other("--fit-budget"), "--fit-budget has changed");
    refused(&other("--canary 50"), "canary was unset and is 50");
    assert!(sandbox.files() == before, "a stale plan sends and writes nothing");
    sandbox.write("prices.toml", "schema = 1\n[sim.sim-1]\nper_image = \"0.05\"\n");
    refused(with_prices, "prices have changed (at most $0.20 then, $0.25 now)");
    sandbox.write("prices.toml", "schema = 1\n[sim.sim-1]\nper_image = \"0.04\"\n");
    sandbox.write("rows.csv", "scene_id,prompt\nROW-001,another\n");
    refused(with_prices, "rows.csv has changed (4 rows then, 1 now)");
}

#[test]
fn what_is_no_plan_is_refused() {
    let sandbox = Sandbox::with_rows(1);
    sandbox.run("run --plan none.json").exits(3).result_has(&["failed to read"]);
    sandbox.write("plan.json", "{}");
    sandbox
        .run("run --plan plan.json")
        .exits(3)
        .result_has(&["is no plan that this version wrote"]);
    sandbox.run("run rows.csv --plan-out plan.json --plan-only").exits(0);
    let later = sandbox.read("plan.json").replace("imagemill.plan/1", "imagemill.plan/2");
    sandbox.write("plan.json", later);
    sandbox.run("run --plan plan.json").exits(3).result_has(&["imagemill.plan/2"]);
    sandbox.run("run rows.csv --plan plan.json").exits(2);
}

#[test]
fn a_plan_says_where_requests_go_and_what_is_odd_about_it() {
    let sandbox = Sandbox::with_rows(4);
    let plan = |args: &str| {
        let args = format!("run rows.csv --plan-only --provider openai --model gpt-image-2 {args}");
        sandbox.run(&args).exits(0).stdout
    };
    let own = plan("--live");
    assert!(
        own.contains("Server      https://api.openai.com/v1; key: env OPENAI_API_KEY\n"),
        "{own}"
    );
    assert!(own.contains("in flight, if an image takes 12.0s\n"), "{own}");
    assert!(!own.contains("Unusual"), "{own}");
    let odd = plan(
        "--live --base-url http://192.168.1.9/v1 --api-key-env MINE --request-timeout 20s \
         --sim latency=30s",
    );
    assert!(odd.contains("Server      http://192.168.1.9/v1; key: env MINE\n"), "{odd}");
    assert!(odd.contains("if an image takes 30.0s\n"), "{odd}");
    assert!(odd.contains("! the key goes to http://192.168.1.9 without encryption\n"), "{odd}");
    assert!(odd.contains("! --sim counts for the forecast only"), "{odd}");
    assert!(odd.contains("! an answer may take only 20.0s (usually 5m00s)"), "{odd}");
    // Nothing is odd about another address without a key, about this machine, or about a rehearsal.
    let other = plan("--live --base-url http://192.168.1.9/v1");
    assert!(other.contains("v1; key: none\n") && !other.contains("Unusual"), "{other}");
    let here = plan("--live --base-url http://127.0.0.1:9/v1 --api-key-env MINE");
    assert!(!here.contains("Unusual"), "{here}");
    let rehearsal = plan("--live --rehearsal --base-url http://127.0.0.1:9/v1");
    assert!(rehearsal.contains("key: none of yours, this is a rehearsal\n"), "{rehearsal}");
    assert!(
        rehearsal.contains("about 0.1s at 8 in flight, if an image takes 0.1s\n"),
        "{rehearsal}"
    );
}
