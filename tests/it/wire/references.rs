//! Live runs whose references come from the rehearsal server: fetched once, fresh, and refused in
//! time.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::support::ran::Ran;
use crate::support::sandbox::Sandbox;
use crate::support::sim_server::SimServer;

/// A signature that must not show.
const CANARY: &str = "CANARYSIGNATURE5e1f";

/// What opens the rehearsal server for references.
const OPEN: &str = "--allow-refs-from 127.0.0.1/32";

/// The same with little patience, for what never comes.
const HASTY: &str = "--fetch-timeout 2s";

/// The credentials of the rehearsal server's bucket, which are public.
fn bucket_env(endpoint: &str) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
        ("AWS_ACCESS_KEY_ID", "imagemill-sim".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "imagemill-sim".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
    ]
}

struct Stage {
    sandbox: Sandbox,
    sim: SimServer,
}

impl Stage {
    fn new(sim: &str) -> Self {
        Self { sandbox: Sandbox::new(), sim: SimServer::start(&format!("{sim} --sim latency=1ms")) }
    }

    /// The address of a reference, without signature.
    fn address(&self, path: &str) -> String {
        format!("http://{}/refs/{path}", self.sim.address)
    }

    /// Writes rows of one image each with these references.
    fn rows(&self, references: &[&str]) {
        let mut text = "scene_id,prompt,reference_urls\n".to_owned();
        for (n, reference) in references.iter().enumerate() {
            text.push_str(&format!("R-{n:03},a thing,{reference}\n"));
        }
        self.sandbox.write("rows.csv", text);
    }

    fn live(&self, env: &[(&str, String)], more: &str) -> Ran {
        let base = self.sim.base_url();
        let env: Vec<(&str, &str)> = env.iter().map(|(name, it)| (*name, it.as_str())).collect();
        let ask = format!(
            "run rows.csv --live --rehearsal --provider openai --model gpt-image-2 --quality low \
             --base-url {base} {OPEN} {more}"
        );
        self.sandbox.run_with(&env, &ask)
    }

    fn seen(&self, key: &str) -> u64 {
        let stats = self.sim.stats();
        stats["references"][key].as_u64().unwrap_or_else(|| panic!("{key}: {stats}"))
    }

    /// A program that signs anew by taking what stands in a file.
    fn refresher(&self, script: &str) {
        let path = self.sandbox.path("sign-again");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a program");
        self.config(&format!("[refresh]\ncommand = [\"{}\"]\n", path.display()));
    }

    /// The user's own config.
    fn config(&self, text: &str) {
        let folder = self.sandbox.path("../home/config/imagemill");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("config.toml"), text).expect("a file");
    }
}

/// The references of a fixture that was written with signed addresses.
fn signed_rows(stage: &Stage, ttl: &str, n: u32) {
    let base = format!("http://{}/refs", stage.sim.address);
    let seed = format!(
        "seed --rows {n} --references {n} --reference-base {base} --references-ttl {ttl} \
         --out rows.csv --force"
    );
    stage.sandbox.run(&seed).exits(0);
}

#[test]
fn signed_references_are_fetched_checked_and_sent() {
    let stage = Stage::new("--refs-signed");
    signed_rows(&stage, "15m", 6);
    let ran = stage.live(&[], "--format json").exits(0);
    let report = ran.report();
    assert_eq!((report["rows"]["ok"].as_u64(), stage.seen("served")), (Some(6), 6));
    let sidecar = stage.sandbox.only_run("out").join("images/BATCH-001-v1.json");
    let sidecar: Value = serde_json::from_str(&stage.sandbox.read(sidecar)).expect("a sidecar");
    let digest = sidecar["references"][0]["sha256"].as_str().expect("a digest").to_owned();
    let cache = stage.sandbox.path("../home/cache/imagemill/references");
    assert!(cache.join(&digest[..2]).join(&digest).is_file(), "{digest} is kept by its content");
    // The next run asks whether they have changed, and takes what is kept.
    let again = stage.live(&[], "--fresh --format json").exits(0);
    assert_eq!(again.report()["rows"]["ok"], 6);
    assert_eq!(stage.seen("served"), 6, "nothing was transferred again");
}

#[test]
fn two_hundred_rows_with_one_reference_fetch_it_once_and_send_it_two_hundred_times_row_84() {
    let stage = Stage::new("");
    let address = stage.address("size/5000000/shared.png");
    stage.rows(&vec![address.as_str(); 200]);
    let ran = stage.live(&[], "--limit-per-day 100 --format json").exits(0);
    assert_eq!(ran.report()["rows"]["ok"], 200);
    assert_eq!(stage.seen("requests"), 1);
    let stats = stage.sim.stats();
    assert_eq!(stats["requests"], 200, "{stats}");
    let cache = stage.sandbox.path("../home/cache/imagemill/references");
    let mut large = 0;
    crate::support::sandbox::walk(&cache, &mut |path: &Path| {
        large += u64::from(path.metadata().is_ok_and(|it| it.is_file() && it.len() > 1_000_000));
    });
    assert_eq!(large, 1, "kept once");
}

#[test]
fn bad_references_are_rejected_rows_that_cost_nothing() {
    let stage = Stage::new("");
    let bad = [
        ("wrong-type/a.png", "it is a web page"),
        ("svg/a.png", "no png, jpeg or webp"),
        ("bomb/a.png", "pixels"),
        ("gzip/a.png", "encod"),
        ("redirect-to-private/a.png", "redirect"),
        ("redirect-loop/a.png", "redirects"),
        ("status/404/a.png", "404"),
        ("trickle/a.png", "was not there within 2s"),
        ("endless/a.png", "more than 20971520 bytes|was not there within 2s"),
        ("short/a.png", "its answer broke off"),
    ];
    let mut references: Vec<String> = bad.iter().map(|(path, _)| stage.address(path)).collect();
    references.push(stage.address("redirect/good.png"));
    references.push(stage.address("flaky/2/good.png"));
    references.push(stage.address("good.png"));
    let references: Vec<&str> = references.iter().map(String::as_str).collect();
    stage.rows(&references);
    let ran = stage.live(&[], &format!("{HASTY} --on-bad-row skip --format json")).exits(0);
    let report = ran.report();
    let count = |key: &str| report["rows"][key].as_u64();
    assert_eq!((count("ok"), count("rejected")), (Some(3), Some(bad.len() as u64)), "{report}");
    let bill = stage.sim.bill();
    assert_eq!(bill.0["entries"].as_array().map(Vec::len), Some(3), "{:?}", bill.0);
    let rejected = stage.sandbox.read(stage.sandbox.only_run("out").join("rejected.csv"));
    for (path, reason) in bad {
        let line = rejected.lines().find(|line| line.contains(path));
        let line = line.unwrap_or_else(|| panic!("{path} is not in {rejected}"));
        assert!(reason.split('|').any(|it| line.contains(it)), "{reason}: {line}");
    }
    assert_eq!(rejected.lines().count(), 1 + bad.len(), "{rejected}");
    assert!(ran.stderr.contains("rejected since a reference could not be used"), "{}", ran.stderr);
    // Fed back, they are the same rows again.
    let fed = stage.sandbox.only_run("out").join("rejected.csv");
    let check =
        stage.sandbox.run(&format!("refs check {} {OPEN} {HASTY} --format json", fed.display()));
    assert_eq!(check.exits(3).json()["unusable"].as_u64(), Some(bad.len() as u64));
}

#[test]
fn without_skip_a_row_that_is_rejected_late_counts_as_an_error() {
    let stage = Stage::new("");
    stage.rows(&[&stage.address("status/404/a.png"), &stage.address("good.png")]);
    let ran = stage.live(&[], "--format json").exits(99);
    assert_eq!(ran.report()["rows"]["rejected"], 1);
}

#[test]
fn addresses_that_the_gate_refuses_are_bad_rows_before_anything_is_sent() {
    let stage = Stage::new("");
    stage.rows(&[
        "http://169.254.169.254/latest",
        "https://10.0.0.1/a.png",
        "https://user@x.example/",
    ]);
    let ran = stage.live(&[], "--format json").exits(3);
    assert_eq!(ran.report()["rows"]["rejected"], 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("--allow-refs-from"), "{}", ran.stderr);
    stage.rows(&["http://169.254.169.254/latest", ""]);
    let ran = stage.live(&[], "--on-bad-row skip --format json").exits(0);
    let rejected = stage.sandbox.read(stage.sandbox.only_run("out").join("rejected.csv"));
    assert!(rejected.contains("169.254.169.254") && rejected.contains("metadata"), "{rejected}");
    assert_eq!(ran.report()["rows"]["ok"], 1);
}

#[test]
fn what_has_expired_is_named_before_the_first_dollar() {
    let stage = Stage::new("--refs-signed");
    signed_rows(&stage, "1m", 3);
    for mode in ["--mode dry-run", "--live --provider sim"] {
        let ran = stage.sandbox.run(&format!("run rows.csv {mode} {OPEN} --format json")).exits(3);
        assert_eq!(ran.report()["rows"]["rejected"], 3);
        assert!(ran.stderr.contains("nobody can sign it anew"), "{}", ran.stderr);
        assert!(!ran.everything().contains("X-Amz-Signature"), "{}", ran.everything());
    }
    assert_eq!(stage.seen("requests"), 0, "nobody was asked");
    // Less life is enough for who says so.
    stage.live(&[], "--fresh-for 0s --fetch-retries 0 --format json").exits(0);
}

#[test]
fn a_program_signs_anew_once_for_all_rows_that_share_the_object() {
    let stage = Stage::new("--refs-signed");
    signed_rows(&stage, "15m", 1);
    let rows = stage.sandbox.read("rows.csv");
    let good = rows.lines().nth(1).and_then(|line| line.rsplit(',').next()).expect("a cell");
    let good = good.trim_matches('"').to_owned();
    stage.refresher(&format!("cat >> asked.txt\necho '{{\"url\": \"{good}\"}}'"));
    let dead = format!(
        "{}?Expires=1700000000&Signature={CANARY}&AWSAccessKeyId=x",
        good.split('?').next().expect("an address")
    );
    stage.rows(&[dead.as_str(); 12]);
    let plan = stage.sandbox.run(&format!("run rows.csv --plan-only {OPEN}")).exits(0);
    assert!(plan.stdout.contains("12 to refresh"), "{}", plan.stdout);
    let ran = stage.live(&[], "--format ndjson").exits(0);
    assert!(ran.last_line().contains("\"ok\":12"), "{}", ran.last_line());
    assert_eq!((stage.seen("served"), stage.seen("requests")), (1, 1));
    assert_eq!(stage.sandbox.read("asked.txt").matches(CANARY).count(), 1, "it was asked once");
    // The old signature stands in the user's rows, in what the program wrote, and nowhere else.
    for (path, bytes) in stage.sandbox.files() {
        let may = path.ends_with("work/rows.csv") || path.ends_with("asked.txt");
        let holds = memchr::memmem::find(&bytes, CANARY.as_bytes()).is_some();
        assert!(may || !holds, "{}", path.display());
    }
    assert!(!ran.everything().contains(CANARY) && !plan.everything().contains(CANARY));
}

#[test]
fn a_program_that_cannot_help_leaves_a_rejected_row_and_no_signature_in_sight() {
    let scripts = [
        "exit 1",
        "echo junk",
        "echo '{\"url\": \"https://evil.example/a.png\"}'",
        "echo \"no: $(cat)\" >&2; exit 3",
        "sed 's/.*Signature=/sig: Signature=/; s/&.*//' >&2; exit 3",
        "sed 's/.*Signature=/bad /; s/&.*//' >&2; exit 3",
        "sed 's,.*//,no ,; s/&AWS.*//' >&2; exit 3",
        "head -c 200000 /dev/zero",
    ];
    for script in scripts {
        let stage = Stage::new("");
        stage.refresher(script);
        let address = stage.address("a.png");
        let dead = format!("{address}?Expires=1700000000&Signature={CANARY}&AWSAccessKeyId=x");
        stage.rows(&[&dead]);
        let ran = stage.live(&[], "--format ndjson --on-bad-row skip");
        assert!(ran.last_line().contains("\"rejected\":1"), "{script}: {}", ran.everything());
        assert_eq!(stage.seen("requests"), 0, "{script}");
        assert!(!ran.everything().contains(CANARY), "{script}: {}", ran.everything());
        for (path, bytes) in stage.sandbox.files() {
            // The rows themselves, and their echo.
            let may = path.ends_with("rows.csv") || path.ends_with("rejected.csv");
            let n_held = memchr::memmem::find_iter(&bytes, CANARY.as_bytes()).count();
            assert!(n_held <= usize::from(may), "{script}: {}", path.display());
        }
    }
}

#[test]
fn buckets_are_read_directly_and_their_old_addresses_signed_anew() {
    let stage = Stage::new("--refs-signed");
    let env = bucket_env(&format!("http://{}", stage.sim.address));
    stage.config("[refs]\nbuckets = [\"s3://refs\"]\n");
    let dead = format!(
        "{}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20200101T000000Z&X-Amz-Expires=60\
         &X-Amz-Signature={CANARY}",
        stage.address("old.png")
    );
    stage.rows(&["s3://refs/direct.png", &dead]);
    let ran = stage.live(&env, "--format json").exits(0);
    assert_eq!(ran.report()["rows"]["ok"], 2, "{}", ran.stderr);
    assert_eq!((stage.seen("served"), stage.seen("refused_expired")), (2, 0));
    // Without credentials, the direct read fails and the address is doomed.
    let ran = stage.live(&[], "--fresh --format json").exits(3);
    assert!(ran.stderr.contains("nobody can sign it anew"), "{}", ran.stderr);
}

#[test]
fn a_strangers_address_gets_nothing_out_of_the_users_buckets() {
    let stage = Stage::new("");
    stage.rows(&["s3://refs/direct.png"]);
    stage.sandbox.write("imagemill.toml", format!("base_url = \"{}\"\n", stage.sim.base_url()));
    let env = bucket_env(&format!("http://{}", stage.sim.address));
    let env: Vec<(&str, &str)> = env.iter().map(|(name, it)| (*name, it.as_str())).collect();
    let ask = "run rows.csv --live --rehearsal --provider openai --model gpt-image-2 --yes";
    let ran = stage.sandbox.run_with(&env, ask).exits(3);
    assert!(ran.stderr.contains("only you can read"), "{}", ran.stderr);
    assert_eq!(stage.seen("requests"), 0);
    stage.sandbox.run("config trust").exits(0);
    stage.sandbox.run_with(&env, ask).exits(0);
}

#[test]
fn refs_check_says_what_can_be_used_and_asks_nobody_when_told_so() {
    let stage = Stage::new("");
    let good = stage.address("good.png");
    stage.sandbox.write("here.png", b"no image");
    stage.rows(&[&good, "here.png", "https://10.1.2.3/x.png", &stage.address("svg/a.png"), ""]);
    let ran = stage.sandbox.run(&format!("refs check rows.csv --no-fetch {OPEN}")).exits(3);
    assert_eq!(stage.seen("requests"), 0);
    let told = "4 references in 4 of 5 rows: 2 not refused, 2 refused\n";
    assert!(ran.stdout.contains(told), "{}", ran.stdout);
    let ran = stage.sandbox.run(&format!("refs check rows.csv {OPEN} --format json")).exits(3);
    let report = ran.json();
    assert_eq!(report["schema"], "imagemill.references/1");
    assert_eq!((report["usable"].as_u64(), report["unusable"].as_u64()), (Some(1), Some(3)));
    assert_eq!(report["references"][0]["use"], "usable", "{report}");
    assert_eq!(report["fetches"]["most_at_once"].as_u64().map(|n| n <= 4), Some(true));
    stage.rows(&[&good, &good]);
    let ran = stage.sandbox.run(&format!("refs check rows.csv {OPEN}")).exits(0);
    assert!(ran.stdout.contains("2 references in 2 of 2 rows: 2 usable, 0 not"), "{}", ran.stdout);
}
