//! References of every kind in a fixture, and what `seed` refuses.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::sandbox::Sandbox;
use crate::support::sim_server::SimServer;

/// The reference of the only row that a fixture with these flags has.
fn reference(flags: &str) -> String {
    let sandbox = Sandbox::new();
    // Into a file: what a test reads from standard output is searched for signatures.
    sandbox.run(&format!("seed --rows 1 --references 1 --out rows.jsonl {flags}")).exits(0);
    let rows = sandbox.read("rows.jsonl");
    let row: serde_json::Value = serde_json::from_str(&rows).expect("one row");
    row["reference_urls"][0].as_str().expect("a reference").to_owned()
}

#[test]
fn references_of_every_kind_are_written() {
    let check = |flags: &str, expect: &str| assert_eq!(reference(flags), expect, "{flags}");
    check("--references-kind s3", "s3://refs/BATCH-001.png");
    check("--references-kind gs", "gs://refs/BATCH-001.png");
    check("--references-kind az", "az://refs/BATCH-001.png");
    let base = "--reference-base gs://mine/deep/";
    check(&format!("--references-kind gs {base}"), "gs://mine/deep/BATCH-001.png");
    check(base, "gs://mine/deep/BATCH-001.png");
    let base = "--reference-base https://cdn.example/x";
    check(&format!("--references-kind url {base}"), "https://cdn.example/x/BATCH-001.png");
    let sandbox = Sandbox::new();
    sandbox.run("seed --rows 5 --references-kind local --out rows.csv").exits(0);
    assert!(sandbox.path("refs/BATCH-005.png").is_file());
}

#[test]
fn wishes_about_references_that_do_not_fit_are_refused_with_a_way_out() {
    let sandbox = Sandbox::new();
    let rehearsal = "--reference-base http://127.0.0.1:8787/refs";
    let check = |flags: &str, expect: &[&str]| {
        let ran = sandbox.run(&format!("seed --out rows.csv {flags}")).exits(2);
        for expect in expect {
            assert!(ran.stderr.contains(expect), "{flags}: {}", ran.stderr);
        }
        assert!(!sandbox.path("rows.csv").exists(), "{flags}");
    };
    let local = format!("--references-kind local {rehearsal}");
    check(&local, &["have no base address", "leave --references-kind out"]);
    check("--references-kind url", &["need a base address", "--reference-base URL"]);
    check(&format!("--references-kind s3 {rehearsal}"), &["kind s3 are not at http", "leave out"]);
    check("--references-ttl 15m", &["kind local carry no signature", "127.0.0.1:8787/refs"]);
    check("--references-kind gs --references-ttl 15m", &["kind gs carry no signature"]);
    let elsewhere = "--reference-base https://cdn.example/x --references-ttl 15m";
    check(elsewhere, &["not on a rehearsal server"]);
    check(&format!("{rehearsal} --references-ttl soon"), &["takes a time such as 15m"]);
    check(&format!("{rehearsal} --references-ttl 8days"), &["1s to 7days"]);
    check("--references-kind file", &["possible values: local, url, gs, s3, az"]);
}

fn status(address: &str, target: &str) -> u16 {
    let mut stream = TcpStream::connect(address).expect("a connection");
    write!(stream, "GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
        .expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let head = String::from_utf8_lossy(&answer);
    head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status")
}

#[test]
fn signed_references_work_on_the_rehearsal_server_and_expire() {
    let server = SimServer::start("--refs-signed");
    let base = format!("http://{}/refs", server.address);
    let signed = |ttl: &str| {
        let address = reference(&format!("--reference-base {base} --references-ttl {ttl}"));
        let target = address.strip_prefix(&format!("http://{}", server.address)).expect("there");
        target.to_owned()
    };
    let short = signed("1s");
    assert_eq!(status(&server.address, &signed("15m")), 200);
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    assert_eq!(status(&server.address, &short), 403);
    let seen = &server.stats()["references"];
    assert_eq!((&seen["served"], &seen["refused_expired"]), (&1.into(), &1.into()));
    let sandbox = Sandbox::new();
    let flags = format!("--references-kind url --reference-base {base} --references-ttl 15m");
    let ran = sandbox.run(&format!("seed --rows 20 --out rows.csv {flags}")).exits(0);
    assert!(ran.stdout.contains("signed until 20"), "{}", ran.stdout);
}

#[test]
fn the_next_step_can_be_taken_as_it_is_printed() {
    let check = |base: &str, next: &str| {
        let sandbox = Sandbox::new();
        let ran = sandbox.run(&format!("seed --rows 5 --out n.csv {base}")).exits(0);
        let told = ran.last_line().strip_prefix("Next: imagemill ").map(str::to_owned);
        assert_eq!(told.as_deref(), Some(next), "{}", ran.stdout);
        sandbox.run(next).exits(0);
    };
    check("", "run n.csv");
    check("--reference-base https://cdn.example/x", "run n.csv");
    let opened = "run n.csv --allow-refs-from 127.0.0.1/32";
    check("--reference-base http://127.0.0.1:8787/refs", opened);
}
