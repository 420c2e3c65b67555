//! Every fault of the rehearsal server: what the row, the ledger and the exit say.

use crate::support::sandbox::Sandbox;
use crate::support::sim_server::SimServer;
use crate::wire::books::{Rehearsed, rehearse, rehearse_unchecked};

/// No paid retries, and a short patience.
const PLAIN: &str = "--paid-retries 0 --request-timeout 1s";

/// What is expected of a run of three rows, the second of which has the fault.
struct Expect {
    outcome: &'static str,
    reason: &'static str,
    exit: i32,
    /// How the money of the second row's attempt ends.
    state: &'static str,
    /// Files under `raw/`.
    n_raw: usize,
}

fn run(word: &str, args: &str) -> Rehearsed {
    let sandbox = Sandbox::new();
    let rows = format!("scene_id,prompt\na,a cat\nb,a dog [sim:{word}]\nc,a fox\n");
    sandbox.write("rows.csv", rows);
    let server = SimServer::start("--sim latency=1ms");
    // One at a time, so that the order is known.
    rehearse(sandbox, &server, &format!("--concurrency 1 {args}"))
}

fn check(word: &str, expect: &Expect) {
    let rehearsed = run(word, PLAIN);
    assert_eq!(rehearsed.ran.code, Some(expect.exit), "{word}: {}", rehearsed.ran.everything());
    let rows = rehearsed.rows();
    assert_eq!(rows[1].0, expect.outcome, "{word}: {rows:?}");
    assert!(rows[1].1.contains(expect.reason), "{word}: {:?}", rows[1].1);
    assert_eq!(rows[0].0, "ok", "{word}");
    let n = |key: &str| rehearsed.summary[key].as_u64().expect("a count");
    let counted =
        [("settled", n("settles")), ("released", n("releases")), ("unknown", n("unknowns"))];
    let goes_on = expect.exit == 0;
    for (state, count) in counted {
        let good = if state == "settled" { 1 + u64::from(goes_on) } else { 0 };
        let own = u64::from(state == expect.state);
        assert_eq!(count, good + own, "{word}: {state} in {}", rehearsed.summary);
    }
    assert_eq!(rehearsed.raw().len(), expect.n_raw, "{word}: {:?}", rehearsed.raw());
    if goes_on {
        assert_eq!(rows[2].0, "ok", "{word}: the next row is not touched by it");
    } else {
        assert!(rows.len() == 2 || rows[2].0 == "cancelled", "{word}: {rows:?}");
    }
}

#[test]
fn answers_that_may_be_billed_are_unknown_row_4() {
    for (word, reason, n_raw) in [
        ("500", "the provider answered 500; it may have been billed: server_error", 0),
        ("hang", "no answer within 1s; it may have been billed", 0),
        ("drop", "the connection broke after the request was sent", 0),
        ("truncated", "the connection broke after the request was sent", 2),
        ("malformed", "an answer that cannot be read; it may have been billed: it is no JSON", 2),
        ("html", "an answer that cannot be read", 1),
    ] {
        let expect = Expect { outcome: "unknown", reason, exit: 0, state: "unknown", n_raw };
        check(word, &expect);
    }
}

#[test]
fn complete_answers_without_an_image_fail_and_keep_their_money() {
    let empty = Expect {
        outcome: "failed",
        reason: "a complete answer without an image",
        exit: 0,
        state: "unknown",
        n_raw: 1,
    };
    check("empty", &empty);
    check("short", &empty);
    let no_image = Expect {
        outcome: "failed",
        reason: "the answer is no image (its bytes are kept in raw/b-v1-",
        state: "settled",
        ..empty
    };
    check("not-an-image", &no_image);
}

#[test]
fn refusals_are_their_own_outcome() {
    let free = Expect {
        outcome: "refused",
        reason: "the content policy refused the prompt or a reference: moderation_blocked",
        exit: 0,
        state: "released",
        n_raw: 0,
    };
    check("refused", &free);
    let open = Expect {
        reason: "the content policy refused the finished image",
        state: "unknown",
        ..free
    };
    check("refused-output", &open);
}

#[test]
fn an_invalid_request_is_the_rows_own_fault() {
    let expect = Expect {
        outcome: "failed",
        reason: "the provider found the request invalid (400): invalid_value",
        exit: 0,
        state: "released",
        n_raw: 0,
    };
    check("400", &expect);
}

#[test]
fn what_every_further_row_would_meet_stops_the_run() {
    for (word, outcome, reason, state) in [
        ("401", "cancelled", "refused the credentials (401): invalid_api_key", "released"),
        ("403", "cancelled", "refused the credentials (403)", "released"),
        ("404", "cancelled", "no such model or address (404): model_not_found", "released"),
        ("quota", "cancelled", "no credit or is at its limit (429): credit_balance_", "released"),
        ("402", "unknown", "no credit or is at its limit (402)", "unknown"),
        ("redirect", "unknown", "a redirect (307), which is not followed", "unknown"),
    ] {
        check(word, &Expect { outcome, reason, exit: 75, state, n_raw: 0 });
    }
}

#[test]
fn the_stop_says_what_to_fix() {
    for (word, fix) in [
        ("401", "; a rehearsal sends no key of yours; a server that asks for one takes a live run"),
        ("quota", "; add credit or raise the limit in the provider's console"),
        ("404", "; check --model and --base-url"),
        ("redirect", "; give the address that it leads to as --base-url"),
    ] {
        let rehearsed = run(word, PLAIN);
        let reason = rehearsed.report["reason"].as_str().expect("a reason");
        assert!(reason.ends_with(fix), "{word}: {reason}");
    }
}

#[test]
fn a_429_is_waited_for_in_full_and_costs_nothing() {
    let rehearsed = run("429 x2", PLAIN);
    assert_eq!(rehearsed.ran.code, Some(0), "{}", rehearsed.ran.everything());
    assert_eq!(
        (rehearsed.stats["outcomes"]["429"].as_u64(), rehearsed.summary["releases"].as_u64()),
        (Some(2), Some(2))
    );
    assert_eq!(rehearsed.report["images"]["stored"], 3);
    let elapsed = rehearsed.report["elapsed_ms"].as_u64().expect("a time");
    assert!(elapsed >= 2_000, "{elapsed} ms for two waits of a second");
}

#[test]
fn a_server_error_is_bought_again_within_the_allowance_only() {
    let again = run("500 x1", "--request-timeout 1s");
    assert_eq!(again.ran.code, Some(0));
    assert_eq!(
        (again.report["images"]["stored"].as_u64(), again.report["attempts"].as_u64()),
        (Some(3), Some(4))
    );
    // The first hold stays, since the first attempt is on the bill too.
    assert_eq!(again.summary["unknowns"], 1);
    let never = run("500", "--request-timeout 1s");
    assert_eq!(
        (never.report["images"]["stored"].as_u64(), never.report["attempts"].as_u64()),
        (Some(2), Some(4))
    );
    let asked = run("drop x1", "--paid-retry-on reset --request-timeout 1s");
    assert_eq!(asked.report["images"]["stored"], 3);
}

#[test]
fn a_usage_of_zeros_is_no_report() {
    let rehearsed = {
        let sandbox = Sandbox::new();
        sandbox.write("rows.csv", "scene_id,prompt\na,a cat [sim:zero-usage]\n");
        let server = SimServer::start("--sim latency=1ms");
        rehearse_unchecked(sandbox, &server, PLAIN)
    };
    assert_eq!(rehearsed.ran.code, Some(0));
    // What nobody can compute is booked at its worst, and never below the bill.
    assert!(rehearsed.day("settled") >= rehearsed.bill.amount("total"));
    let sidecar = std::fs::read_to_string(rehearsed.folder.join("images/a-v1.json"));
    assert!(sidecar.expect("a sidecar").contains("\"cost_source\": \"maximum\""));
}

#[test]
fn an_image_that_nobody_asked_for_is_kept_too() {
    let rehearsed = run("extra", PLAIN);
    assert_eq!(rehearsed.ran.code, Some(0), "{}", rehearsed.ran.everything());
    let raw = rehearsed.raw();
    assert_eq!((raw.len(), raw[0].extension().is_some_and(|it| it == "png")), (1, true), "{raw:?}");
    let journal = std::fs::read_to_string(rehearsed.folder.join("journal.jsonl"));
    assert!(journal.expect("a journal").contains("1 more than was asked for, kept under raw/"));
}

#[test]
fn a_price_that_is_too_low_is_booked_shouted_and_stops_the_run_row_23() {
    let sandbox = Sandbox::new();
    let rows: String = (1..=9).map(|n| format!("r{n},thing {n} [sim:overrun]\n")).collect();
    sandbox.write("rows.csv", format!("scene_id,prompt\n{rows}"));
    let server = SimServer::start("--sim latency=1ms");
    let rehearsed = rehearse_unchecked(sandbox, &server, "--concurrency 1");
    assert_eq!(rehearsed.ran.code, Some(75), "{}", rehearsed.ran.everything());
    assert_eq!(rehearsed.report["images"]["stored"], 3);
    assert_eq!(rehearsed.day("settled"), rehearsed.bill.amount("total"), "reality is booked");
    assert_eq!(rehearsed.summary["overruns"], 3);
    assert!(
        rehearsed.ran.stderr.contains("more than the worst case of"),
        "{}",
        rehearsed.ran.stderr
    );
}

#[test]
fn a_provider_that_is_down_stops_the_run_after_ten_failures_and_two_probes() {
    let sandbox = Sandbox::with_rows(40);
    let server = SimServer::start("--sim latency=1ms,errors=100%");
    let rehearsed = rehearse(sandbox, &server, "--paid-retries 0 --concurrency 1");
    assert_eq!(rehearsed.ran.code, Some(75), "{}", rehearsed.ran.everything());
    assert_eq!(rehearsed.stats["requests"], 12);
    let reason = rehearsed.report["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("the provider is down: "), "{reason}");
    assert!(
        rehearsed.ran.stderr.contains("one request tries again in 5s"),
        "{}",
        rehearsed.ran.stderr
    );
}

#[test]
fn faults_by_rate_keep_the_books_whatever_comes() {
    let sandbox = Sandbox::with_rows(120);
    let spec = "latency=5ms±50%,429=5%,errors=4%,drops=4%,truncated=4%,malformed=4%,empty=4%,\
                not-images=4%,refusals=4%,bad-requests=4%,retry-after=10ms,seed=11";
    let server = SimServer::start(&format!("--sim {spec}"));
    let args = "--concurrency 16 --paid-retries 20% --paid-retry-on all";
    let rehearsed = rehearse(sandbox, &server, args);
    assert_eq!(rehearsed.ran.code, Some(0), "{}", rehearsed.ran.everything());
    let stored = rehearsed.report["images"]["stored"].as_u64().expect("a count");
    assert!(stored > 80, "{stored} of 120");
    assert_eq!(stored as usize, rehearsed.stored().0.len());
}
