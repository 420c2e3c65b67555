//! Where keys come from, and where they may go.

#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;

use crate::support::ran::Ran;
use crate::support::sandbox::Sandbox;
use crate::wire::raw::{Act, RawServer, image_answer};

const KEY: &str = "sk-canary-0123456789abcdef";

/// Runs one row against a server; what it got as authorization.
fn sent(sandbox: &Sandbox, env: &[(&str, &str)], args: &str) -> (Ran, Option<String>) {
    let server = RawServer::start(|_, _| Act::Send(image_answer()));
    let base = server.base_url();
    let args = args.replace("BASE", &base);
    let ran = sandbox.run_with(env, &format!("run rows.csv --live --fresh --gate none {args}"));
    let requests = server.requests();
    let got = requests.first().and_then(|request| request.header("authorization"));
    (ran, got.map(str::to_owned))
}

#[test]
fn an_address_without_a_binding_receives_no_key() {
    let sandbox = Sandbox::with_rows(1);
    let env = [("OPENAI_API_KEY", KEY), ("IMAGEMILL_API_KEY_ENV", "OPENAI_API_KEY")];
    let ask = "--provider openai --model gpt-image-2 --confirm-cost 1 --base-url BASE";
    let (ran, got) = sent(&sandbox, &env, ask);
    ran.exits(0);
    assert_eq!(got, None, "a key from a lower level does not follow an address");
    let (ran, got) = sent(&sandbox, &env, "--provider local --model m --base-url BASE");
    ran.exits(0);
    assert_eq!(got, None);
}

#[test]
fn an_address_gets_the_key_that_is_named_beside_it() {
    let sandbox = Sandbox::with_rows(1);
    let bearer = Some(format!("Bearer {KEY}"));
    let ask = "--provider local --model m --base-url BASE --api-key-env MY_KEY";
    let (ran, got) = sent(&sandbox, &[("MY_KEY", KEY)], ask);
    ran.exits(0);
    assert_eq!(got, bearer);
}

#[cfg(unix)]
#[test]
fn a_key_may_come_from_a_file_or_from_a_command() {
    let sandbox = Sandbox::with_rows(1);
    let bearer = Some(format!("Bearer {KEY}"));
    sandbox.write("key", format!("{KEY}\n"));
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(sandbox.path("key"), private).expect("a mode");
    let config = |server: &RawServer, source: &str| {
        sandbox.write("own.toml", format!("base_url = \"{}\"\n{source}\n", server.base_url()));
    };
    for source in [
        "api_key_file = \"key\"",
        "api_key_command = [\"cat\", \"key\"]",
        "api_key_command = \"cat key\"",
    ] {
        let server = RawServer::start(|_, _| Act::Send(image_answer()));
        config(&server, source);
        let ask = "--config own.toml run rows.csv --live --fresh --provider local --model m";
        sandbox.run(ask).exits(0);
        let requests = server.requests();
        let got = requests[0].header("authorization").map(str::to_owned);
        assert_eq!(got, bearer, "{source}");
    }
}

#[cfg(unix)]
#[test]
fn a_key_that_cannot_be_had_stops_the_run_before_anything_is_sent() {
    let sandbox = Sandbox::with_rows(1);
    sandbox.write("open-key", format!("{KEY}\n"));
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(sandbox.path("open-key"), open).expect("a mode");
    for (source, error, hint) in [
        ("api_key_file = \"open-key\"", "can be read by others", "chmod 600"),
        ("api_key_file = \"no-such-key\"", "cannot be read", "imagemill doctor"),
        ("api_key_command = \"false\"", "false ended with", "imagemill doctor"),
        ("api_key_command = \"no-such-program x\"", "cannot be started", "imagemill doctor"),
        ("api_key_command = [\"printf\", \"\"]", "has no key in it", "imagemill doctor"),
        ("api_key_env = \"UNSET\"", "UNSET is not set", "export UNSET="),
        ("api_key_env = \"A\"\napi_key_file = \"b\"", "are both given", ""),
    ] {
        let server = RawServer::start(|_, _| Act::Send(image_answer()));
        sandbox.write("own.toml", format!("base_url = \"{}\"\n{source}\n", server.base_url()));
        let ask = "--config own.toml run rows.csv --live --provider local --model m";
        let ran = sandbox.run(ask).exits(3);
        assert!(ran.stderr.contains(error), "{source}: {}", ran.stderr);
        assert!(ran.stderr.contains(hint), "{source}: {}", ran.stderr);
        assert_eq!(server.requests().len(), 0, "{source}");
        assert!(!ran.everything().contains(KEY), "{source}");
    }
}

#[test]
fn there_is_no_flag_for_a_key() {
    let sandbox = Sandbox::with_rows(1);
    for flag in ["--api-key", "--key", "--token"] {
        let ran = sandbox.run(&format!("run rows.csv --live --provider openai {flag} {KEY}"));
        ran.exits(2);
    }
}

#[test]
fn a_strangers_project_cannot_send_a_key_anywhere() {
    let sandbox = Sandbox::with_rows(1);
    let server = RawServer::start(|_, _| Act::Send(image_answer()));
    let config = format!(
        "provider = \"local\"\nmodel = \"m\"\nbase_url = \"{}\"\napi_key_env = \"MY_KEY\"\n\
         api_key_command = \"touch owned\"\nconfirm_above = 1000\n",
        server.base_url()
    );
    sandbox.write("imagemill.toml", config);
    let env = [("MY_KEY", KEY)];
    let ran = sandbox.run_with(&env, "run rows.csv --live").exits(0);
    assert!(ran.stderr.contains("api_key_env (imagemill.toml:4) is left out"), "{}", ran.stderr);
    assert_eq!(server.requests()[0].header("authorization"), None);
    assert!(!sandbox.path("owned").exists(), "a command of a stranger was run");
    // Naming the key by hand does not help: the address is the stranger's.
    let ran = sandbox.run_with(&env, "run rows.csv --live --fresh --api-key-env MY_KEY").exits(3);
    assert!(ran.stderr.contains("a project's file that is not trusted"), "{}", ran.stderr);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_trusted_project_counts_until_it_changes() {
    let sandbox = Sandbox::with_rows(1);
    let server = RawServer::start(|_, _| Act::Send(image_answer()));
    let config = format!(
        "provider = \"local\"\nmodel = \"m\"\nbase_url = \"{}\"\napi_key_env = \"MY_KEY\"\n",
        server.base_url()
    );
    sandbox.write("imagemill.toml", &config);
    sandbox.run("config trust").exits(0);
    let env = [("MY_KEY", KEY)];
    let run = |n: usize| {
        sandbox.run_with(&env, "run rows.csv --live --fresh").exits(0);
        server.requests()[n].header("authorization").map(str::to_owned)
    };
    assert_eq!(run(0), Some(format!("Bearer {KEY}")));
    sandbox.write("imagemill.toml", format!("{config}\n# changed\n"));
    assert_eq!(run(1), None);
    sandbox.run("config trust").exits(0);
    assert!(run(2).is_some());
    sandbox.run("config trust --revoke").exits(0);
    assert_eq!(run(3), None);
}

#[test]
fn a_strangers_prices_are_not_believed_when_real_money_moves() {
    let sandbox = Sandbox::with_rows(1);
    let server = RawServer::start(|_, _| Act::Send(image_answer()));
    sandbox.write("free.toml", "schema = 1\n[openai.\"gpt-image-2\"]\nper_image = 0\n");
    sandbox.write("imagemill.toml", "prices = \"free.toml\"\n");
    let base = server.base_url();
    let ask =
        format!("run rows.csv --live --provider openai --model gpt-image-2 --base-url {base}");
    let ran = sandbox.run(&ask).exits(3);
    assert!(ran.stderr.contains("the prices come from free.toml"), "{}", ran.stderr);
    sandbox.run(&format!("{ask} --prices free.toml --yes")).exits(0);
    assert_eq!(server.requests().len(), 1);
}
