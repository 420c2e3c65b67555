//! Consent before real money moves, and rehearsals that need none.

use crate::support::sandbox::Sandbox;
use crate::wire::raw::{Act, RawServer, image_answer};

/// Ten images at five cents, at worst.
const PRICES: &str = "schema = 1\n[openai.m]\nper_image = 0.05\n";

fn sandbox(n_rows: u32) -> Sandbox {
    let sandbox = Sandbox::with_rows(n_rows);
    sandbox.write("prices.toml", PRICES);
    sandbox
}

fn ask(server: &RawServer) -> String {
    let base = server.base_url();
    format!(
        "run rows.csv --live --provider openai --model m --prices prices.toml --base-url {base} \
         --paid-retries 0"
    )
}

#[test]
fn without_a_terminal_consent_is_a_flag_and_nothing_hangs() {
    let sandbox = sandbox(10);
    let server = RawServer::start(|_, _| Act::Send(image_answer()));
    let ask = ask(&server);
    let check = |flags: &str, error: &str, hint: &str| {
        let ran = sandbox.run(&format!("{ask} {flags}")).exits(2);
        assert!(ran.stderr.contains(error), "{flags}: {}", ran.stderr);
        assert!(ran.stderr.contains(hint), "{flags}: {}", ran.stderr);
        ran.result_has(&["usage exit=2", "images=0/10 cost=$0.00"]);
    };
    check("", "needs your consent to spend up to $0.50", "--confirm-cost 0.50");
    check("--confirm-cost 0.49", "more than the $0.49 of --confirm-cost", "--confirm-cost 0.50");
    assert_eq!(server.requests().len(), 0);
    assert!(!sandbox.real_ledger().exists(), "nothing was spent, nothing was written");
    assert!(!sandbox.path("out").exists());
    sandbox.run(&format!("{ask} --confirm-cost $0.50")).exits(0).result_has(&["images=10/10"]);
    let summary = sandbox.run("ledger summary --format json").exits(0).json();
    assert_eq!(
        (summary["settled"].as_str(), summary["money"].as_str()),
        (Some("0.50"), Some("real"))
    );
}

#[test]
fn yes_is_answer_enough_up_to_a_small_amount() {
    let sandbox = sandbox(30);
    let server = RawServer::start(|_, _| Act::Send(image_answer()));
    let ask = ask(&server);
    let ran = sandbox.run(&format!("{ask} --yes")).exits(2);
    assert!(
        ran.stderr.contains("up to $1.50, and --yes is answer enough only up to $1.00"),
        "{}",
        ran.stderr
    );
    sandbox.write("own.toml", "confirm_above = 1.50\n");
    sandbox.run(&format!("--config own.toml {ask} --yes")).exits(0);
    assert_eq!(server.requests().len(), 30);
}

#[test]
fn what_costs_nothing_needs_no_consent() {
    let sandbox = sandbox(2);
    let server = RawServer::start(|_, _| Act::Send(image_answer()));
    let base = server.base_url();
    sandbox
        .run(&format!("run rows.csv --live --provider local --model x --base-url {base}"))
        .exits(0);
    // It leaves entries in the ledger of real money all the same.
    let summary = sandbox.run("ledger summary --format json").exits(0).json();
    assert_eq!(
        (summary["attempts"].as_u64(), summary["settled"].as_str()),
        (Some(2), Some("0.00"))
    );
}

#[test]
fn a_rehearsal_stays_on_this_machine_and_off_the_real_ledger() {
    let sandbox = sandbox(2);
    let server = RawServer::start(|_, _| Act::Send(image_answer()));
    let env = [("OPENAI_API_KEY", "sk-canary-0123456789abcdef")];
    let ask = "run rows.csv --live --rehearsal --provider openai --model m --prices prices.toml";
    for (flags, error) in [
        ("", "not https://api.openai.com/v1"),
        ("--base-url http://10.0.0.1/v1", "not http://10.0.0.1/v1"),
        ("--base-url http://localhost.example/v1", "not http://localhost.example/v1"),
    ] {
        let ran = sandbox.run_with(&env, &format!("{ask} {flags}")).exits(3);
        assert!(ran.stderr.contains(error), "{flags}: {}", ran.stderr);
    }
    let base = server.base_url();
    let report = sandbox.run_with(&env, &format!("{ask} --base-url {base} --format json")).exits(0);
    assert_eq!(report.report()["simulated"], true);
    let key = server.requests()[0].header("authorization").map(str::to_owned);
    assert_eq!(key.as_deref(), Some("Bearer rehearsal"), "never a real one");
    assert!(!sandbox.real_ledger().exists());
}

#[test]
fn rows_for_another_provider_are_not_mixed_into_a_live_run() {
    let sandbox = sandbox(1);
    sandbox.write("rows.csv", "scene_id,prompt,provider,model\na,a cat,,\nb,a dog,sim,sim-1\n");
    let server = RawServer::start(|_, _| Act::Send(image_answer()));
    let ran = sandbox.run(&format!("{} --confirm-cost 5", ask(&server))).exits(3);
    assert!(ran.stderr.contains("some rows ask for provider \"sim\""), "{}", ran.stderr);
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_plan_is_bound_to_its_address_and_to_being_a_rehearsal() {
    let sandbox = sandbox(2);
    let server = RawServer::start(|_, _| Act::Send(image_answer()));
    let base = server.base_url();
    let ask = "run rows.csv --provider openai --model m --prices prices.toml --rehearsal";
    sandbox.run(&format!("{ask} --base-url {base} --plan-only --plan-out p.json")).exits(0);
    let other = "run --plan p.json --prices prices.toml --live --base-url http://127.0.0.1:9/v1";
    let ran = sandbox.run(other).exits(3);
    assert!(ran.stderr.contains("base_url was "), "{}", ran.stderr);
    // A rehearsal that was planned is a rehearsal when it is run, without a word.
    sandbox.run("run --plan p.json --prices prices.toml --live").exits(0);
    assert!(!sandbox.real_ledger().exists());
    assert_eq!(server.requests().len(), 2);
}

#[cfg(unix)]
mod terminal {
    use super::*;
    use crate::wire::pty::Terminal;

    #[test]
    fn on_a_terminal_the_question_names_the_maximum_and_no_is_the_default() {
        let sandbox = sandbox(10);
        let server = RawServer::start(|_, _| Act::Send(image_answer()));
        for (answer, code, n_requests) in [
            ("n\r", Some(2), 0),
            ("\r", Some(2), 0),
            ("yep\r", Some(2), 0),
            // The end of the input, and Ctrl-C.
            ("\x04", Some(2), 0),
            ("\x03", None, 0),
            ("y\r", Some(0), 10),
        ] {
            let mut terminal = Terminal::start(&sandbox, &ask(&server));
            let text = terminal.wait_for("Continue?");
            assert!(text.contains("spend about $0.50, at most $0.50, on openai"), "{text}");
            terminal.type_in(answer);
            assert_eq!(terminal.end(), code, "{answer:?}");
            assert_eq!(server.requests().len(), n_requests, "{answer:?}");
        }
    }

    #[test]
    fn a_letter_alone_spends_nothing() {
        let sandbox = sandbox(10);
        let server = RawServer::start(|_, _| Act::Send(image_answer()));
        let mut terminal = Terminal::start(&sandbox, &ask(&server));
        terminal.wait_for("Continue? [y/N]");
        // Erased again before the line ends.
        terminal.type_in("y");
        terminal.type_in("\x7fn\r");
        assert_eq!(terminal.end(), Some(2));
        assert_eq!(server.requests().len(), 0);
    }

    #[test]
    fn nobody_is_asked_about_a_run_of_which_nothing_is_left() {
        let sandbox = sandbox(2);
        let server = RawServer::start(|_, _| Act::Send(image_answer()));
        sandbox.run(&format!("{} --yes", ask(&server))).exits(0);
        sandbox.run(&ask(&server)).exits(0).result_has(&["rows=2/2"]);
        assert_eq!(server.requests().len(), 2, "nothing more was sent");
    }

    #[test]
    fn more_than_half_of_a_day_has_to_be_typed() {
        let sandbox = sandbox(110);
        let server = RawServer::start(|_, _| Act::Send(image_answer()));
        for (answer, code, n_requests) in [("y\r", 2, 0), ("5.5\r", 0, 110)] {
            let mut terminal = Terminal::start(&sandbox, &ask(&server));
            let text = terminal.wait_for("type 5.50 to continue");
            assert!(text.contains("at most $5.50"), "{text}");
            terminal.type_in(answer);
            assert_eq!(terminal.end(), Some(code), "{answer:?}");
            assert_eq!(server.requests().len(), n_requests, "{answer:?}");
        }
    }
}
