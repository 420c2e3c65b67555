//! A whole process dies at each fail point, in the middle of a paid run: the program itself,
//! started by the test as a process of its own that aborts there.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use imagemill::cli::invocation::Invocation;
use imagemill::domain::money::NanoUsd;
use imagemill::ports::ledger::FAIL_POINTS;

use crate::goes_on::walk::{Figures, Walk};
use crate::support::sandbox::{Sandbox, words};
use crate::support::sim_server::SimServer;
use crate::wire::crashes::amount;

/// The point at which the process dies, the time that it comes by, and its arguments.
const DIES_AT: &str = "POINTS_DIES_AT";
const TIME: &str = "POINTS_TIME";
const ARGUMENTS: &str = "POINTS_ARGUMENTS";
/// The signal of an abort.
const SIGABRT: i32 = 6;

#[test]
#[expect(clippy::print_stdout, reason = "whoever starts it reads its figures")]
fn a_process_that_dies_at_any_point_leaves_a_ledger_that_knows_of_every_request_row_2() {
    if let Some(point) = variable(DIES_AT) {
        return die_at(point);
    }
    let mut n_deaths = 0;
    for point in FAIL_POINTS {
        let times: &[u32] = match point {
            // These come by once, when the ledger is opened or closed, or a segment is made.
            "ledger::read" | "ledger::cut" | "ledger::create_segment" | "ledger::before_close" => {
                &[1]
            }
            "ledger::sync_folder" => &[1, 2],
            _ => &[1, 2, 5],
        };
        for time in times {
            dies_at(point, *time);
            n_deaths += 1;
        }
    }
    println!("{n_deaths} processes died at {} fail points; 0 violations", FAIL_POINTS.len());
}

/// The writer's own files at every point, from which the same command goes on.
#[test]
#[expect(clippy::print_stdout, reason = "whoever starts it reads its figures")]
fn a_run_that_dies_at_any_point_goes_on_and_pays_nothing_twice() {
    let mut figures = Figures::default();
    let mut n_deaths = 0;
    for point in FAIL_POINTS {
        for time in [1, 4] {
            let walk = Walk::new();
            let test = "wire::points::a_process_that_dies_at_any_point_leaves_a_ledger_that_knows_\
                        of_every_request_row_2";
            // What comes by once only, or never in this ledger, leaves a run that has ended.
            n_deaths += u32::from(dies(&walk.sandbox, test, point, time, &walk.ask("")).0);
            walk.ends(&format!("{point}, time {time}"), &mut figures);
        }
    }
    println!("{n_deaths} deaths at {} points, then the rest: {figures:?}", FAIL_POINTS.len());
    assert!(n_deaths as usize > FAIL_POINTS.len(), "{n_deaths} deaths");
}

/// Starts a process that dies at a point; whether it did, and what it said.
fn dies(sandbox: &Sandbox, test: &str, point: &str, time: u32, ask: &str) -> (bool, String) {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", test, "--nocapture"]).current_dir(sandbox.path(".")).env_clear();
    command.envs(sandbox.environment()).stdin(Stdio::null()).stdout(Stdio::null());
    command.env(DIES_AT, point).env(TIME, time.to_string()).env(ARGUMENTS, ask);
    let ended = command.stderr(Stdio::piped()).output().expect("it starts");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    (ended.status.signal() == Some(SIGABRT), said)
}

/// A process on a ledger that has something to heal and a new segment to make.
fn dies_at(point: &str, time: u32) {
    let text = format!("{point}, time {time}");
    let sandbox = Sandbox::with_rows(8);
    let server = SimServer::start("--sim latency=5ms±50%,errors=3%,seed=3 --image-bytes 600");
    sandbox.run("ledger limit set --per-day 1 --why 'many deaths'").exits(0);
    let ledger = sandbox.real_ledger();
    if point == "ledger::cut" {
        tear(&ledger);
    } else {
        std::fs::write(ledger.join("sync-error"), "").expect("a mark");
    }
    let ask = format!(
        "run rows.csv --live --fresh --provider openai --model gpt-image-2 --quality low \
         --gate none --base-url {} --yes --concurrency 2 --progress none",
        server.base_url()
    );
    let name = "wire::points::\
                a_process_that_dies_at_any_point_leaves_a_ledger_that_knows_of_every_request_row_2";
    let (is_dead, said) = dies(&sandbox, name, point, time, &ask);
    assert!(is_dead, "{text} is never reached: {said}");
    audit(&sandbox, &server, &text);
    // The next run goes on in the same ledger.
    let ran = sandbox.run(&ask);
    assert!(matches!(ran.code, Some(0 | 97)), "{text}: {}", ran.everything());
    audit(&sandbox, &server, &text);
    let summary = sandbox.run("ledger summary --format json").exits(0).json();
    assert_eq!(summary["reserved"], "0.00", "{text}: {summary}");
}

/// Billed <= exposure <= limit, and the ledger is sound.
fn audit(sandbox: &Sandbox, server: &SimServer, text: &str) {
    let bill = server.bill().amount("total");
    sandbox.run("ledger check").exits(0);
    let summary = sandbox.run("ledger summary --format json").exits(0).json();
    let (exposure, limit) = (amount(&summary, "exposure_today"), amount(&summary, "limit_per_day"));
    assert!(bill <= exposure && exposure <= limit, "{text}: {bill}, {exposure}, {limit}");
    assert_eq!(server.stats()["repeated_request_ids"], 0, "{text}");
    assert!(limit > NanoUsd::ZERO, "{text}");
}

/// Half a line at the end of the newest segment.
fn tear(ledger: &std::path::Path) {
    let mut segments = Vec::new();
    crate::support::sandbox::walk(ledger, &mut |path| {
        if path.extension().is_some_and(|it| it == "jsonl") {
            segments.push(path.to_owned());
        }
    });
    let segment = segments.pop().expect("a segment");
    let mut bytes = std::fs::read(&segment).expect("a segment");
    bytes.extend_from_slice(b"{\"v\":1,\"seq\":");
    std::fs::write(segment, bytes).expect("a segment");
}

/// The process itself: the program, with a death in it.
fn die_at(point: String) {
    let time: u32 = variable(TIME).expect(TIME).parse().expect("a number");
    let n_times = AtomicU32::new(0);
    let die = move || {
        if n_times.fetch_add(1, Ordering::SeqCst) + 1 == time {
            std::process::abort();
        }
    };
    fail::cfg_callback(point, die).expect("a point");
    let mut invocation = Invocation::from_process();
    let arguments = format!("imagemill {}", variable(ARGUMENTS).expect(ARGUMENTS));
    invocation.args = words(&arguments).into_iter().map(Into::into).collect();
    let _ = imagemill::app::main(invocation);
}

#[expect(clippy::disallowed_methods, reason = "the test tells its other process what to be")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
