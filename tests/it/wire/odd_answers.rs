//! Answers that no vendor documents and some server sends: what is paid is never taken for cheap,
//! and never thrown away.

use std::fs;

use serde_json::Value;

use crate::support::sandbox::Sandbox;
use crate::wire::raw::{Act, PIXEL, RawServer, answer};

/// The worst case of one small image at low quality, and what 300 output tokens cost.
const WORST: &str = "0.01412";

/// One run and what came of it.
struct Odd {
    sandbox: Sandbox,
    report: Value,
    summary: Value,
    code: Option<i32>,
    said: String,
    n_requests: usize,
}

/// Runs `n_rows` rows, one at a time, against a server that always answers like this.
fn run(n_rows: u32, args: &str, act: impl Fn() -> Act + Send + Sync + 'static) -> Odd {
    let sandbox = Sandbox::with_rows(n_rows);
    let server = RawServer::start(move |_, _| act());
    let base = server.base_url();
    let ran = sandbox.run_with(
        &[("MY_KEY", KEY)],
        &format!(
            "run rows.csv --live --provider openai --model gpt-image-2 --quality low --yes \
             --gate none --concurrency 1 --format json --progress plain --ledger l \
             --base-url {base} --api-key-env MY_KEY {args}"
        ),
    );
    let summary = sandbox.run("ledger summary --format json --ledger l").exits(0).json();
    let (said, report, code) = (ran.everything(), ran.report(), ran.code);
    let n_requests = server.requests().len();
    for (path, bytes) in sandbox.files() {
        let has_key = memchr::memmem::find(&bytes, KEY.as_bytes()).is_some();
        assert!(!has_key, "the key is in {}", path.display());
    }
    assert!(!said.contains(KEY), "{said}");
    Odd { sandbox, report, summary, code, said, n_requests }
}

/// The key of these runs.
const KEY: &str = "sk-odd0answers1key2canary3";

fn body(text: &str) -> Vec<u8> {
    answer("200 OK", "", text)
}

fn image(before: &str, letters: &str, after: &str) -> String {
    format!("{{{before}\"data\":[{{\"b64_json\":\"{letters}\"}}]{after}}}")
}

impl Odd {
    fn stored(&self) -> Vec<u8> {
        let run = self.sandbox.only_run("out");
        fs::read(run.join("images/ROW-001-v1.png")).expect(&self.said)
    }

    fn raw(&self) -> Vec<(String, Vec<u8>)> {
        let folder = self.sandbox.only_run("out").join("raw");
        let mut files: Vec<_> = fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
            .map(|path| {
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                (name, fs::read(path).expect("a file"))
            })
            .collect();
        files.sort();
        files
    }
}

#[test]
fn a_usage_that_cannot_be_read_is_booked_as_the_worst_case() {
    for usage in [
        "{\"input_tokens\":10,\"output_tokens\":196.0}",
        "{\"input_tokens\":10,\"output_tokens\":\"196\"}",
        "{\"input_tokens\":10,\"output_tokens\":-5}",
        "{\"input_tokens\":10,\"output_tokens\":99999999999999999999}",
        "{\"input_tokens\":10}",
        "{\"input_tokens\":10,\"output_tokens\":0}",
        "[10,196]",
        "null",
    ] {
        let after = format!(",\"usage\":{usage}");
        let odd = run(1, "", move || Act::Send(body(&image("", PIXEL, &after))));
        assert_eq!((odd.code, &odd.summary["settled"]), (Some(0), &WORST.into()), "{usage}");
    }
}

#[test]
fn more_images_than_asked_for_are_paid_for_where_images_are_counted() {
    let flat = "schema = 1\nas_of = 2026-11-28\n[openai.\"gpt-image-2\"]\nper_image = \"0.05\"\n";
    let two = format!("{{\"data\":[{{\"b64_json\":\"{PIXEL}\"}},{{\"b64_json\":\"{PIXEL}\"}}]}}");
    let sandbox = Sandbox::with_rows(1);
    sandbox.write("flat.toml", flat);
    let server = RawServer::start(move |_, _| Act::Send(body(&two)));
    let base = server.base_url();
    sandbox
        .run(&format!(
            "run rows.csv --live --rehearsal --provider openai --model gpt-image-2 --gate none \
             --prices flat.toml --ledger l --base-url {base}"
        ))
        .exits(0);
    let summary = sandbox.run("ledger summary --format json --ledger l").exits(0).json();
    // Twice the price of one, with what the book adds for the prompt.
    assert_eq!((&summary["settled"], &summary["overruns"]), (&"0.10256".into(), &1.into()));
}

#[test]
fn other_spellings_of_the_same_image_are_stored() {
    let plain = run(1, "", || Act::Send(body(&image("", PIXEL, "")))).stored();
    let numbered: String = PIXEL.chars().map(|one| format!("\\u{:04x}", u32::from(one))).collect();
    let wrapped: String =
        PIXEL.as_bytes().chunks(11).map(|it| format!("{}\\r\\n", text(it))).collect();
    for (name, letters) in [
        ("its letters by their numbers", numbered),
        ("an address with the data in it", format!("data:image/png;base64,{PIXEL}")),
        ("broken lines", wrapped),
        ("letters for addresses", PIXEL.replace('+', "-").replace('/', "_")),
        ("slashes behind backslashes", PIXEL.replace('/', "\\/")),
    ] {
        let answer = body(&image("", &letters, ""));
        let odd = run(1, "", move || Act::Send(answer.clone()));
        assert_eq!(odd.code, Some(0), "{name}: {}", odd.said);
        assert_eq!(odd.stored(), plain, "{name}");
    }
}

#[test]
fn what_does_not_belong_to_an_answer_does_not_spoil_its_image() {
    let good = image("", PIXEL, ",\"note\":\"x\"");
    let mut bad_letter = answer("200 OK", "", &good);
    let at = bad_letter.iter().rposition(|byte| *byte == b'x').expect("the note");
    bad_letter[at] = 0xe9;
    for (name, bytes) in [
        ("a mark of the byte order", body(&format!("\u{feff}{good}"))),
        ("a trailing zero", body(&format!("{good}\0"))),
        ("a byte that is no UTF-8", bad_letter),
    ] {
        let odd = run(1, "", move || Act::Send(bytes.clone()));
        assert_eq!(odd.code, Some(0), "{name}: {}", odd.said);
        assert_eq!(odd.report["images"]["stored"], 1, "{name}");
    }
}

#[test]
fn what_cannot_be_taken_apart_is_kept_to_the_last_byte() {
    let letters = format!("{}?{}", &PIXEL[..40], &PIXEL[40..]);
    let whole = image("\"created\":1,", &letters, ",\"tail\":\"the end\"");
    let odd = run(1, "", move || Act::Send(body(&whole)));
    assert_eq!((odd.summary["unknown"].as_str(), odd.n_requests), (Some(WORST), 1));
    let raw = odd.raw();
    for (name, _) in &raw {
        assert!(odd.said.contains(name), "{name} is named: {}", odd.said);
    }
    let all: Vec<u8> = raw.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    for part in ["\"created\":1", &letters[40..], "\"tail\":\"the end\""] {
        assert!(memchr::memmem::find(&all, part.as_bytes()).is_some(), "{part}: {raw:?}");
    }
}

#[test]
fn a_whole_image_in_an_answer_that_is_no_json_is_kept_and_named() {
    let odd = run(1, "", || Act::Send(body(&format!("{}]", image("", PIXEL, "")))));
    let raw = odd.raw();
    let png = raw.iter().find(|(name, _)| name.ends_with(".png")).expect("the image");
    assert!(odd.said.contains(&png.0), "{} is named: {}", png.0, odd.said);
    assert_eq!(odd.summary["unknown"], WORST);
}

#[test]
fn a_key_that_comes_back_is_written_nowhere() {
    let numbered: String = KEY.chars().map(|one| format!("\\u{:04x}", u32::from(one))).collect();
    for (name, headers, text) in [
        ("in the request's id", format!("x-request-id: {KEY}\r\n"), image("", PIXEL, "")),
        ("in an answer that is kept", String::new(), format!("{{\"echo\":\"{KEY}\"}}")),
        ("by its numbers", String::new(), format!("{{\"echo\":\"{numbered}\"}}")),
        ("behind what is broken", String::new(), image("", "????", &format!(",\"k\":\"{KEY}\""))),
    ] {
        let bytes = answer("200 OK", &headers, &text);
        // The check is in `run`.
        let odd = run(1, "", move || Act::Send(bytes.clone()));
        assert_eq!(odd.n_requests, 1, "{name}");
    }
}

#[test]
fn a_status_that_is_known_decides_though_its_text_never_comes() {
    let head = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 1000\r\n\r\n{\"error\":";
    let odd = run(3, "--request-timeout 60s", move || Act::Send(head.as_bytes().to_vec()));
    assert_eq!((odd.code, odd.n_requests), (Some(75), 1), "{}", odd.said);
    assert_eq!(odd.summary["exposure_today"], "0.00", "nothing is billed for a 401");
}

#[test]
fn answers_that_say_nothing_about_the_bill_stop_the_run() {
    let page = "<html>no</html>";
    let odd = run(60, "", move || Act::Send(answer("418 I'm a teapot", "", page)));
    assert_eq!(odd.code, Some(75), "{}", odd.said);
    assert!(odd.n_requests <= 12, "{} requests", odd.n_requests);
}

#[test]
fn an_answer_of_now_is_not_taken_at_its_word() {
    let headers = "Retry-After: 0\r\n";
    let odd = run(1, "", {
        let n = std::sync::atomic::AtomicU32::new(0);
        move || match n.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => Act::Send(answer("429 Too Many Requests", headers, "{}")),
            _ => Act::Send(body(&image("", PIXEL, ""))),
        }
    });
    assert_eq!((odd.code, odd.n_requests), (Some(0), 2), "{}", odd.said);
    let elapsed = odd.report["elapsed_ms"].as_u64().expect("a time");
    assert!(elapsed >= 1_000, "{elapsed} ms");
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("ASCII")
}
