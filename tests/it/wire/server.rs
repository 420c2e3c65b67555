//! The rehearsal server as a command, and `doctor` before a server that answers.

use std::net::TcpListener;

use crate::support::sandbox::Sandbox;
use crate::support::sim_server::SimServer;
use crate::wire::raw::{Act, RawServer, answer};

#[test]
fn a_server_is_for_this_machine_only() {
    let sandbox = Sandbox::new();
    for listen in ["0.0.0.0:0", "[::]:0", "192.168.1.9:0", "nowhere", "example.com:80"] {
        let ran = sandbox.run(&format!("sim --for 1s --listen {listen}")).exits(2);
        assert!(ran.stderr.contains("127.0.0.1:8787"), "{listen}: {}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{listen}: {}", ran.stdout);
    }
    for listen in ["127.0.0.1:0", "[::1]:0", "localhost:0"] {
        let ran = sandbox.run(&format!("sim --for 50ms --listen {listen}")).exits(0);
        assert!(ran.stdout.starts_with("listening on http://"), "{listen}: {}", ran.stdout);
    }
}

#[test]
fn a_taken_port_and_a_wrong_behavior_are_told_apart() {
    let sandbox = Sandbox::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address");
    let ran = sandbox.run(&format!("sim --for 1s --listen {address}")).exits(75);
    assert!(ran.stderr.contains("--listen 127.0.0.1:0 takes a free port"), "{}", ran.stderr);
    for wrong in ["--sim latenci=2s", "--prices none.toml"] {
        let ran = sandbox.run(&format!("sim --for 1s --listen 127.0.0.1:0 {wrong}"));
        assert!(matches!(ran.code, Some(2 | 3)), "{wrong}: {}", ran.everything());
        assert!(!ran.stdout.contains("listening"), "{wrong}");
    }
}

#[test]
fn a_server_says_in_the_end_what_it_has_seen() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run("sim --for 50ms --listen 127.0.0.1:0 --sim errors=5%,seed=3").exits(0);
    assert!(ran.stderr.contains("errors=5%,seed=3"), "{}", ran.stderr);
    assert!(ran.last_line().starts_with("received 0 requests"), "{}", ran.last_line());
}

/// What `doctor --online` says of a server.
fn online(base_url: &str, key: Option<&str>, code: i32) -> String {
    let sandbox = Sandbox::new();
    let args = format!("doctor --online --provider openai --base-url {base_url}");
    let ran = match key {
        Some(key) => sandbox.run_with(&[("MINE", key)], &format!("{args} --api-key-env MINE")),
        None => sandbox.run(&args),
    };
    let ran = ran.exits(code);
    if let Some(key) = key {
        assert!(!ran.everything().contains(key), "{}", ran.everything());
    }
    let at = ran.stdout.find("server ").unwrap_or_else(|| panic!("{}", ran.stdout));
    ran.stdout[at - 6..].lines().take(2).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_doctor_asks_the_server_once_and_for_free() {
    let sim = SimServer::start("");
    let said = online(&sim.base_url(), Some("sk-doctor-1"), 0);
    assert!(said.starts_with("ok    server"), "{said}");
    assert!(said.contains("answers and takes the key"), "{said}");
    assert!(online(&sim.base_url(), None, 0).contains("answers\n"));
    assert_eq!(sim.bill().amount("total").to_string(), "0.00");
    assert_eq!(sim.stats()["requests"], 0, "none of them was for an image");
}

#[test]
fn a_doctor_says_what_is_wrong_with_a_server() {
    let with = |status: &'static str, headers: &'static str| {
        let server = RawServer::start(move |_, _| Act::SendAndClose(answer(status, headers, "{}")));
        let code = if status.starts_with("401") { 75 } else { 0 };
        let said = online(&server.base_url(), Some("sk-doctor-2"), code);
        let requests = server.requests();
        assert_eq!(requests.len(), 1, "one request: {requests:?}");
        assert!(requests[0].head.starts_with("GET /v1/models "), "{requests:?}");
        assert_eq!(requests[0].header("authorization"), Some("Bearer sk-doctor-2"));
        said
    };
    let refused = with("401 Unauthorized", "");
    assert!(refused.starts_with("fail  server"), "{refused}");
    assert!(refused.contains("refused the key (401)"), "{refused}");
    assert!(refused.contains("fix: the key comes from env MINE: check it there"), "{refused}");
    let none = with("404 Not Found", "");
    assert!(none.starts_with("warn  server") && none.contains("with 404"), "{none}");
    // A server that is gone is a matter of the environment.
    let gone = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = gone.local_addr().expect("an address");
    drop(gone);
    let said = online(&format!("http://{address}/v1"), Some("sk-doctor-3"), 75);
    assert!(
        said.contains("cannot be reached") && said.contains("fix: check the address"),
        "{said}"
    );
}

#[test]
fn a_doctor_notices_a_clock_that_is_off() {
    let server = RawServer::start(|_, _| {
        let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
        Act::SendAndClose(answer("200 OK", date, "{}"))
    });
    let said = online(&server.base_url(), Some("sk-doctor-4"), 75);
    assert!(said.contains(" behind this one\n") && said.contains("fix: set the clock"), "{said}");
}
