//! A key and a prompt that must not show: not on a stream, not in a ledger or a journal, whatever
//! goes wrong. The prompt stands in the sidecar and in what a server answered, and nowhere else;
//! the key stands nowhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::ran::Ran;
use crate::support::sandbox::Sandbox;
use crate::support::sim_server::SimServer;
use crate::wire::raw::{Act, RawServer, Request, answer};

const KEY: &str = "sk-CANARYKEY-7f3a9c2e51d84b06";
const PROMPT: &str = "a CANARYPROMPT fox, 8c1e77, jumping over a quiet river at dawn";

/// Every answer of the rehearsal server that is no plain image.
const WORDS: &[&str] = &[
    "500",
    "429 x1",
    "hang",
    "drop",
    "truncated",
    "malformed",
    "empty",
    "short",
    "extra",
    "not-an-image",
    "zero-usage",
    "overrun",
    "html",
    "refused",
    "refused-output",
    "400",
    "401",
    "402",
    "403",
    "404",
    "quota",
    "redirect",
    "echo",
];

fn sandbox(word: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", format!("scene_id,prompt\na,\"{PROMPT} [sim:{word}]\"\n"));
    sandbox
}

/// Looks for both in everything that was said and written.
fn look(what: &str, sandbox: &Sandbox, ran: &Ran) {
    let said = ran.everything();
    for secret in [KEY, "CANARYKEY", PROMPT, "CANARYPROMPT"] {
        assert!(!said.contains(secret), "{what}: {secret} is said: {said}");
    }
    for (path, bytes) in sandbox.files() {
        let holds = |secret: &str| memchr::memmem::find(&bytes, secret.as_bytes()).is_some();
        assert!(!holds("CANARYKEY"), "{what}: the key is in {}", path.display());
        assert!(may_have_prompt(&path) || !holds("CANARYPROMPT"), "{what}: {}", path.display());
    }
}

/// The user's own rows and what became of them, the sidecars, and what a server answered.
fn may_have_prompt(path: &Path) -> bool {
    let is_table = ["results.csv", "failed.csv", "refused.csv", "report.html"];
    if is_table.iter().any(|name| path.ends_with(name)) {
        return true;
    }
    let is_below = |name: &str| path.parent().is_some_and(|folder| folder.ends_with(name));
    path.ends_with("work/rows.csv") || is_below("images") || is_below("raw")
}

#[test]
fn neither_key_nor_prompt_shows_whatever_the_server_does() {
    let server = SimServer::start("--sim latency=1ms");
    let base = server.base_url();
    for word in WORDS {
        let sandbox = sandbox(word);
        let ask = format!(
            "run rows.csv --live --provider openai --model gpt-image-2 --quality low --gate none \
             --base-url {base} --api-key-env MY_KEY --confirm-cost 1 --request-timeout 1s"
        );
        for format in ["table", "ndjson"] {
            let ran =
                sandbox.run_with(&[("MY_KEY", KEY)], &format!("{ask} --fresh --format {format}"));
            look(word, &sandbox, &ran);
        }
        let ledger = sandbox.run("ledger summary --format json");
        look(word, &sandbox, &ledger);
    }
}

#[test]
fn an_error_that_echoes_both_in_parts_shows_neither() {
    let echo = |request: &Request| {
        let key = request.header("authorization").unwrap_or_default().to_owned();
        let (half, tail) = (&key[..key.len() / 2 + 4], &key[key.len() / 2..]);
        let text = format!(
            "bad: {PROMPT}; the middle {}; keys {key} {half} {tail}; \\u001b]52;c;AAAA\\u0007",
            &PROMPT[10..40]
        );
        format!("{{\"error\":{{\"message\":\"{text}\",\"code\":\"{key}\",\"type\":\"t\"}}}}")
    };
    for status in ["400 Bad Request", "401 Unauthorized", "500 Oops", "200 OK", "418 Teapot"] {
        let server =
            RawServer::start(move |_, request| Act::Send(answer(status, "", &echo(request))));
        let sandbox = sandbox("none");
        let base = server.base_url();
        let ask = format!(
            "run rows.csv --live --provider local --model m --gate none --base-url {base} \
             --api-key-env MY_KEY --paid-retries 0"
        );
        let ran = sandbox.run_with(&[("MY_KEY", KEY)], &ask);
        look(status, &sandbox, &ran);
        assert!(!ran.everything().contains('\u{1b}'), "{:?}", ran.everything());
        assert_eq!(server.requests().len(), 1, "{status}");
    }
}

#[test]
fn no_other_command_shows_a_key() {
    let sandbox = sandbox("none");
    sandbox.write(
        "own.toml",
        format!("api_key_command = [\"echo\", \"{KEY}\"]\nprovider = \"openai\"\n"),
    );
    let env: BTreeMap<&str, &str> = [("OPENAI_API_KEY", KEY), ("MY_KEY", KEY)].into();
    let env: Vec<(&str, &str)> = env.into_iter().collect();
    for command in [
        "config show --origin",
        "config show --format json",
        "doctor",
        "doctor --format json",
        "doctor --api-key-env MY_KEY",
        "run rows.csv --provider openai --model gpt-image-2 --plan-out plan.json",
        "run rows.csv --provider openai --model no-such-model",
    ] {
        let ran = sandbox.run_with(&env, &format!("--config own.toml {command}"));
        let said = ran.everything();
        assert!(!said.contains("CANARYKEY"), "{command}: {said}");
    }
    let holders: Vec<PathBuf> = sandbox
        .files()
        .into_iter()
        .filter(|(_, bytes)| memchr::memmem::find(bytes, b"CANARYKEY").is_some())
        .map(|(path, _)| path)
        .collect();
    assert_eq!(holders, [sandbox.path("own.toml")], "only the user's own file has it");
}
