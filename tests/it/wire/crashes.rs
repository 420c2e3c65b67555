//! kill -9 in the middle of paid requests: the ledger opens again, and the limit holds.

use std::process::Stdio;
use std::time::Duration;

use imagemill::domain::money::NanoUsd;
use serde_json::Value;

use crate::support::sandbox::Sandbox;
use crate::support::sim_server::SimServer;

/// How often a run is killed, all of them on one ledger.
const KILLS: u64 = 50;

#[test]
fn fifty_kills_on_one_ledger_and_the_limit_holds_each_time_row_1() {
    let sandbox = Sandbox::with_rows(60);
    let server = SimServer::start("--sim latency=20ms±50%,errors=3%,drops=3%,seed=3");
    let base = server.base_url();
    // Real money, as far as the client knows: the ledger is the user's own, shared by all runs.
    sandbox.run("ledger limit set --per-day 12 --why 'many crashes'").exits(0);
    let ask = format!(
        "run rows.csv --live --fresh --provider openai --model gpt-image-2 --quality low \
         --gate none --base-url {base} --confirm-cost 5 --concurrency 6 --progress none"
    );
    for n in 0..KILLS {
        let mut child = sandbox
            .command(&ask)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the command starts");
        // Each time a little later, from before the first reserve to the middle of the batch.
        wait(Duration::from_millis(20 + n * 7));
        child.kill().expect("it is ours");
        child.wait().expect("it ends");
        check(&sandbox, &server, n);
    }
    // What the dead left is declared lost by the next run, which goes on within the limit.
    let ran = sandbox.run(&ask);
    assert!(matches!(ran.code, Some(0 | 97)), "{}", ran.everything());
    check(&sandbox, &server, KILLS);
    let summary = sandbox.run("ledger summary --format json").exits(0).json();
    assert_eq!(summary["reserved"], "0.00", "nothing is under way any more: {summary}");
}

/// The server's bill <= exposure <= limit; the ledger is sound.
fn check(sandbox: &Sandbox, server: &SimServer, n: u64) {
    // What the server still works on will be billed as well.
    let bill = server.bill().amount("total");
    let checked = sandbox.run("ledger check");
    assert_eq!(checked.code, Some(0), "kill {n}: {}", checked.everything());
    let summary = sandbox.run("ledger summary --format json").exits(0).json();
    let day = |key: &str| amount(&summary, key);
    let (exposure, limit) = (day("exposure_today"), day("limit_per_day"));
    assert!(bill <= exposure, "kill {n}: billed {bill}, exposed {exposure}");
    assert!(exposure <= limit, "kill {n}: exposed {exposure} of {limit}");
    assert_eq!(server.stats()["repeated_request_ids"], 0, "kill {n}");
}

/// An amount of a document.
pub(crate) fn amount(document: &Value, key: &str) -> NanoUsd {
    document[key].as_str().unwrap_or_else(|| panic!("{key}")).parse().expect("an amount")
}

/// Waits without a clock of its own: the other side of a pipe that nobody writes to.
pub(crate) fn wait(time: Duration) {
    let (_sender, receiver) = std::sync::mpsc::channel::<()>();
    let _ = receiver.recv_timeout(time);
}

#[test]
fn three_processes_at_once_share_one_limit_row_8_43() {
    let sandbox = Sandbox::with_rows(30);
    let server = SimServer::start("--sim latency=40ms±50%,errors=5%,drops=5%,seed=5");
    let base = server.base_url();
    // Each plan fits alone, and all of them together do not.
    sandbox.run("ledger limit set --per-day 0.45 --why 'a race'").exits(0);
    let ask = format!(
        "run rows.csv --live --fresh --provider openai --model gpt-image-2 --quality low \
         --gate none --base-url {base} --yes --concurrency 4 --progress none --paid-retries 0"
    );
    let runs: Vec<_> = (0..3)
        .map(|n| {
            let ask = format!("{ask} --out out-{n}");
            let mut command = sandbox.command(&ask);
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts")
        })
        .collect();
    let mut n_stopped = 0;
    for run in runs {
        let ended = run.wait_with_output().expect("it ends");
        assert!(matches!(ended.status.code(), Some(0 | 97)), "{ended:?}");
        n_stopped += u32::from(ended.status.code() == Some(97));
    }
    assert!(n_stopped > 0, "the limit has stopped nobody");
    check(&sandbox, &server, 0);
    // Settled money is the bill of the stored images, and the limit was used for what fits.
    let summary = sandbox.run("ledger summary --format json").exits(0).json();
    assert_eq!(amount(&summary, "settled"), server.bill().amount("delivered"), "{summary}");
    assert_eq!(summary["reserved"], "0.00", "{summary}");
    assert!(amount(&summary, "exposure_today") > "0.40".parse().expect("money"), "{summary}");
}

#[test]
fn eight_processes_use_one_dollar_to_the_last_images_and_never_more() {
    let sandbox = Sandbox::with_rows(10);
    sandbox.write("prices.toml", "schema = 1\n[openai.m]\nper_image = 0.04\n");
    let prices = sandbox.path("prices.toml");
    let sim = format!("--sim latency=30ms±80%,seed=8 --prices {}", prices.display());
    let server = SimServer::start(&sim);
    sandbox.run("ledger limit set --per-day 1 --why 'one dollar for eight'").exits(0);
    let runs: Vec<_> = (0..8)
        .map(|n| {
            let ask = format!(
                "run rows.csv --live --fresh --fit-budget --provider openai --model m --yes \
                 --prices prices.toml --gate none --base-url {} --concurrency 4 \
                 --progress none --out out-{n}",
                server.base_url()
            );
            let mut command = sandbox.command(&ask);
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts")
        })
        .collect();
    for run in runs {
        let ended = run.wait_with_output().expect("it ends");
        assert!(matches!(ended.status.code(), Some(0 | 97)), "{ended:?}");
    }
    check(&sandbox, &server, 0);
    let bill = server.bill().amount("total");
    let (least, limit): (NanoUsd, NanoUsd) =
        ("0.96".parse().expect("money"), "1".parse().expect("money"));
    assert!(least <= bill && bill <= limit, "billed {bill} of one dollar");
    let summary = sandbox.run("ledger summary --format json").exits(0).json();
    assert_eq!(amount(&summary, "settled"), bill, "{summary}");
}

/// A process that was stopped finds its answers when it goes on: that time was not the provider's.
#[cfg(unix)]
#[test]
fn a_pause_of_the_process_makes_no_answer_late() {
    let sandbox = Sandbox::with_rows(8);
    let server = SimServer::start("--sim latency=600ms --image-bytes 300000");
    let ask = format!(
        "run rows.csv --live --rehearsal --provider openai --model gpt-image-2 --quality low \
         --gate none --base-url {} --concurrency 8 --progress none --request-timeout 2s",
        server.base_url()
    );
    let child = sandbox.command(&ask).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let child = child.expect("it starts");
    let signal = |name: &str| {
        let id = child.id().to_string();
        let sent = std::process::Command::new("kill").args([name, &id]).status();
        assert!(sent.expect("kill runs").success(), "{name}");
    };
    wait(Duration::from_millis(500));
    signal("-STOP");
    wait(Duration::from_secs(4));
    signal("-CONT");
    let ran: crate::support::ran::Ran = child.wait_with_output().expect("it ends").into();
    ran.exits(0).result_has(&["rows=8/8 images=8/8"]);
}
