//! What goes over the wire, and that each attempt goes over it once.

use serde_json::Value;

use crate::support::sandbox::Sandbox;
use crate::wire::raw::{Act, RawServer, Request, answer, image_answer};

/// A live run against a server of this machine, with free images.
fn local(server: &RawServer, args: &str) -> String {
    let base = server.base_url();
    format!(
        "run rows.csv --live --provider local --model m --base-url {base} --gate none \
         --format json --request-timeout 2s {args}"
    )
}

fn json(request: &Request) -> Value {
    serde_json::from_slice(&request.body).expect("JSON")
}

#[test]
fn a_prompt_alone_is_json_with_every_price_relevant_field_row_25() {
    let sandbox = Sandbox::with_rows(1);
    let server = RawServer::start(|_, _| Act::Send(image_answer()));
    let args = "--size 512x768 --quality low --image-format webp --concurrency 1";
    sandbox.run(&local(&server, args)).exits(0);
    let request = &server.requests()[0];
    assert!(
        request.head.starts_with("POST /v1/images/generations HTTP/1.1\r\n"),
        "{}",
        request.head
    );
    let expect = serde_json::json!({
        "model": "m", "prompt": "a thing 1", "n": 1, "size": "512x768", "quality": "low",
        "output_format": "webp", "response_format": "b64_json",
    });
    assert_eq!(json(request), expect);
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    assert_eq!(request.header("authorization"), None, "nobody named a key");
    let agent = concat!("imagemill/", env!("CARGO_PKG_VERSION"));
    assert_eq!(request.header("user-agent"), Some(agent));
    let rid = request.header("x-client-request-id").expect("a name");
    let run = sandbox.only_run("out");
    let sidecar = std::fs::read_to_string(run.join("images/ROW-001-v1.json")).expect("a sidecar");
    assert!(sidecar.contains(rid), "the attempt has one name on both sides");
}

#[test]
fn openai_is_asked_for_no_response_format() {
    let sandbox = Sandbox::with_rows(1);
    let server = RawServer::start(|_, _| Act::Send(image_answer()));
    let base = server.base_url();
    let args = "run rows.csv --live --rehearsal --provider openai --model gpt-image-2";
    sandbox.run(&format!("{args} --base-url {base}")).exits(0);
    let body = json(&server.requests()[0]);
    assert!(body.get("response_format").is_none(), "{body}");
    assert_eq!(
        (body["size"].as_str(), body["quality"].as_str()),
        (Some("1024x1024"), Some("medium"))
    );
}

#[test]
fn references_go_as_a_form_byte_for_byte() {
    let sandbox = Sandbox::with_fixture();
    let first = std::fs::read(sandbox.path("refs/BATCH-005.png")).expect("a reference");
    let mask = std::fs::read(sandbox.path("refs/BATCH-010.png")).expect("a reference");
    let rows = "scene_id,prompt,reference_urls,mask,seed,negative_prompt\n\
                a,a cat,refs/BATCH-005.png|refs/BATCH-015.png,refs/BATCH-010.png,7,no dogs\n";
    sandbox.write("rows.csv", rows);
    let server = RawServer::start(|_, _| Act::Send(image_answer()));
    sandbox.run(&local(&server, "")).exits(0);
    let request = &server.requests()[0];
    assert!(request.head.starts_with("POST /v1/images/edits HTTP/1.1\r\n"), "{}", request.head);
    let kind = request.header("content-type").expect("a type");
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").expect("a form");
    let parts = parts(&request.body, boundary);
    let files: Vec<&str> = parts
        .iter()
        .filter(|(head, _)| head.contains("filename="))
        .map(|(head, _)| head.as_str())
        .collect();
    assert_eq!(files.len(), 3, "{files:?}");
    assert!(files[0].contains("name=\"image[]\"; filename=\"image-1.png\""), "{}", files[0]);
    assert!(files[2].contains("name=\"mask\""), "{}", files[2]);
    assert!(files.iter().all(|head| head.contains("image/png")), "{files:?}");
    let bytes = |name: &str| {
        let found = parts.iter().find(|(head, _)| head.contains(name));
        found.unwrap_or_else(|| panic!("no {name}")).1.clone()
    };
    assert_eq!(bytes("image-1.png"), first);
    assert_eq!(bytes("name=\"mask\""), mask);
    for (name, value) in
        [("prompt", "a cat"), ("n", "1"), ("seed", "7"), ("negative_prompt", "no dogs")]
    {
        assert_eq!(bytes(&format!("name=\"{name}\"")), value.as_bytes(), "{name}");
    }
}

/// The parts of a form: head and body.
fn parts(body: &[u8], boundary: &str) -> Vec<(String, Vec<u8>)> {
    let mark = format!("--{boundary}");
    let finder = memchr::memmem::Finder::new(mark.as_bytes());
    let at: Vec<usize> = finder.find_iter(body).collect();
    at.windows(2)
        .map(|pair| {
            let part = &body[pair[0] + mark.len() + 2..pair[1] - 2];
            let end = part.windows(4).position(|it| it == b"\r\n\r\n").expect("a head");
            (String::from_utf8_lossy(&part[..end]).into_owned(), part[end + 4..].to_vec())
        })
        .collect()
}

#[test]
fn what_a_provider_does_not_take_is_a_bad_cell_before_money() {
    let sandbox = Sandbox::new();
    for (column, value, expect) in [
        ("seed", "7", "openai takes no seed"),
        ("negative_prompt", "no dogs", "openai takes no negative prompt"),
        ("mask", "m.png", "openai takes a mask only together with a reference"),
    ] {
        sandbox.write("rows.csv", format!("scene_id,prompt,{column}\na,a cat,{value}\n"));
        let ran = sandbox.run("run rows.csv --provider openai --model gpt-image-2").exits(3);
        assert!(ran.stderr.contains(expect), "{column}: {}", ran.stderr);
    }
}

#[test]
fn a_connection_that_the_server_ends_is_not_used_again_and_nothing_is_sent_twice() {
    // Each answer is followed by the end of its connection, which the client may or may not have
    // seen when it sends the next request.
    let sandbox = Sandbox::with_rows(60);
    let server = RawServer::start(|_, _| Act::SendAndClose(image_answer()));
    let ran = sandbox.run(&local(&server, "--concurrency 4 --paid-retries 0"));
    check_once(&server, &ran.report());
}

#[test]
fn a_request_that_is_read_and_dropped_is_never_sent_again_by_itself() {
    // On a connection that has worked before: that is where some clients try again silently.
    let sandbox = Sandbox::with_rows(30);
    let server = RawServer::start(|n, _| match n % 3 {
        2 => Act::Close,
        _ => Act::Send(image_answer()),
    });
    let ran = sandbox.run(&local(&server, "--concurrency 1 --paid-retries 0"));
    let report = ran.report();
    check_once(&server, &report);
    assert_eq!(server.requests().len(), 30, "{report}");
    assert_eq!(report["rows"]["unknown"], 10, "{report}");
}

/// The server saw each attempt once, and as many as there were.
fn check_once(server: &RawServer, report: &Value) {
    let names: Vec<String> = server
        .requests()
        .iter()
        .map(|request| request.header("x-client-request-id").expect("a name").to_owned())
        .collect();
    let different: std::collections::BTreeSet<&String> = names.iter().collect();
    assert_eq!(different.len(), names.len(), "a request was sent twice");
    assert!(names.len() as u64 <= report["attempts"].as_u64().expect("a count"), "{report}");
}

#[test]
fn a_redirect_is_not_followed_and_gets_no_second_request() {
    let sandbox = Sandbox::with_rows(3);
    let other = RawServer::start(|_, _| Act::Send(image_answer()));
    let place = format!("Location: http://{}/v1/images/generations\r\n", other.address);
    let server =
        RawServer::start(move |_, _| Act::Send(answer("308 Permanent Redirect", &place, "")));
    sandbox.run(&local(&server, "--concurrency 1")).exits(75);
    assert_eq!((server.requests().len(), other.requests().len()), (1, 0));
}

#[test]
fn the_environments_proxy_is_not_used() {
    let sandbox = Sandbox::with_rows(1);
    let proxy = RawServer::start(|_, _| Act::Send(answer("502 Bad Gateway", "", "")));
    let server = RawServer::start(|_, _| Act::Send(image_answer()));
    let place = format!("http://{}", proxy.address);
    let env: Vec<(&str, &str)> = ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"]
        .iter()
        .map(|name| (*name, place.as_str()))
        .collect();
    sandbox.run_with(&env, &local(&server, "")).exits(0);
    assert_eq!((server.requests().len(), proxy.requests().len()), (1, 0));
}

#[test]
fn a_machine_without_certificates_can_ask_all_the_same() {
    let sandbox = Sandbox::with_rows(1);
    let server = RawServer::start(|_, _| Act::Send(image_answer()));
    let env = [("SSL_CERT_FILE", "/dev/null"), ("SSL_CERT_DIR", "/nonexistent")];
    sandbox.run_with(&env, &local(&server, "")).exits(0);
}

/// A run that finds no connection: the reason of its end.
fn unreachable(base: &str) -> String {
    let sandbox = Sandbox::with_rows(5);
    let args = "run rows.csv --live --provider local --model m --gate none --format json";
    let report = sandbox.run(&format!("{args} --base-url {base}")).exits(75).report();
    assert_eq!(report["cost"]["unknown"], "0.00", "{report}");
    assert_eq!(report["rows"]["cancelled"], 5, "{report}");
    report["reason"].as_str().expect("a reason").to_owned()
}

#[test]
fn a_refused_connection_costs_nothing_and_stops_the_run_row_7() {
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address")
    };
    let reason = unreachable(&format!("http://{address}/v1"));
    assert!(reason.contains("cannot be reached: the connection was refused"), "{reason}");
}

#[test]
fn a_failed_handshake_costs_nothing_since_no_byte_of_a_request_left() {
    let plain = RawServer::start(|_, _| Act::Close);
    let reason = unreachable(&format!("https://{}/v1", plain.address));
    assert!(reason.contains("cannot be reached: no connection could be made"), "{reason}");
    assert_eq!(plain.requests().len(), 0);
}

#[test]
fn an_answer_in_odd_chunks_and_odd_spellings_is_an_image_all_the_same() {
    let sandbox = Sandbox::with_rows(1);
    let body = format!(
        "{{ \"data\" : [ {{ \"revised_prompt\":\"b64_json\", \"b64_json\" : \"{}\" }} ],\n \
         \"usage\":null }}",
        crate::wire::raw::PIXEL.replace('/', "\\/")
    );
    let chunks: String = body
        .as_bytes()
        .chunks(7)
        .map(|chunk| format!("{:x}\r\n{}\r\n", chunk.len(), String::from_utf8_lossy(chunk)))
        .collect();
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let whole = format!("{head}{chunks}0\r\n\r\n").into_bytes();
    let server = RawServer::start(move |_, _| Act::Send(whole.clone()));
    sandbox.run(&local(&server, "")).exits(0);
    let image =
        std::fs::read(sandbox.only_run("out").join("images/ROW-001-v1.png")).expect("an image");
    assert!(image.starts_with(b"\x89PNG") && image.ends_with(b"IEND\xaeB`\x82"), "{image:?}");
}

#[test]
fn a_body_without_end_is_given_up_within_bounds() {
    let sandbox = Sandbox::with_rows(1);
    // Two megabytes beside any image, of which one is the most that is read.
    let body = format!("{{\"x\":\"{}\"}}", "y".repeat(2 << 20));
    let server = RawServer::start(move |_, _| Act::Send(answer("200 OK", "", &body)));
    let report = sandbox.run(&local(&server, "--paid-retries 0")).exits(0).report();
    assert_eq!(report["rows"]["unknown"], 1, "{report}");
}

#[test]
fn a_url_instead_of_an_image_is_kept_and_named() {
    let sandbox = Sandbox::with_rows(1);
    let body = r#"{"data":[{"url":"https://x.example/i.png"}],"usage":{"output_tokens":2}}"#;
    let server = RawServer::start(move |_, _| Act::Send(answer("200 OK", "", body)));
    let report = sandbox.run(&local(&server, "--paid-retries 0")).exits(0).report();
    assert_eq!(report["rows"]["failed"], 1, "{report}");
    let raw = std::fs::read_dir(sandbox.only_run("out").join("raw")).expect("a folder");
    let kept: Vec<String> = raw
        .map(|it| std::fs::read_to_string(it.expect("an entry").path()).expect("text"))
        .collect();
    assert_eq!(kept, [body]);
}
