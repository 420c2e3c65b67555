//! What an answer does to its money, and what is bought again.

use std::sync::Arc;
use std::time::Duration;

use imagemill::adapters::output::images::ImageFolder;
use imagemill::domain::ledger::{Evidence, UnknownClass};
use imagemill::domain::money::NanoUsd;
use imagemill::domain::row::Outcome;
use imagemill::domain::settings::{PaidRetries, PaidRetryOn};
use imagemill::pipeline::stop::StopReason;

use crate::ledger::support::cents;
use crate::sim::bench::{Act, Bench, billed, free, image};
use crate::sim::fakes::{Play, Reply};
use crate::sim::ran::End;

fn retries(share: &str, attempts: u32, on: &[PaidRetryOn]) -> PaidRetries {
    PaidRetries { share: share.parse().ok(), attempts, on: on.to_vec() }
}

#[test]
fn each_answer_ends_its_money_in_its_own_way() {
    let check = |reply: Reply, outcome: Outcome, end: End| {
        let bench = Bench { paid_retries: retries("none", 1, &[]), ..Bench::new(1) };
        let charge = if reply == Reply::NotAnImage { cents(5) } else { NanoUsd::ZERO };
        let ran = bench.plays(move |_| Play { charge, ..free(reply) }).run();
        assert_eq!((ran.outcome(1), ran.ends()), (outcome, vec![end]), "{reply:?}");
        assert_eq!((ran.calls().len(), ran.count("reserve")), (1, 1), "{reply:?}");
    };
    check(Reply::REFUSED, Outcome::Refused, End::Released(Evidence::Invalid, Some(400)));
    check(Reply::BAD_REQUEST, Outcome::Failed, End::Released(Evidence::Invalid, Some(422)));
    check(Reply::SERVER_ERROR, Outcome::Unknown, End::Unknown(UnknownClass::ServerError));
    check(Reply::TIMED_OUT, Outcome::Unknown, End::Unknown(UnknownClass::Timeout));
    check(Reply::NotAnImage, Outcome::Failed, End::Settled(cents(5)));
    check(Reply::NotKept, Outcome::Failed, End::Unknown(UnknownClass::BadBody));
}

#[test]
fn the_bytes_of_an_answer_that_is_no_image_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = ImageFolder::create(folder.path(), 8).expect("folders");
    let bench = Bench { image_folder: Some(Arc::new(store)), ..Bench::new(2) };
    let ran =
        bench.plays(|call| if call.row == 1 { billed(Reply::NotAnImage) } else { image() }).run();
    assert_eq!((ran.outcome(1), ran.outcome(2)), (Outcome::Failed, Outcome::Ok));
    assert_eq!(ran.count("settle"), 2);
    let raw = std::fs::read_dir(folder.path().join("raw")).expect("a folder");
    let raw: Vec<_> = raw.map(|entry| entry.expect("an entry").path()).collect();
    assert_eq!(raw.len(), 1);
    assert_eq!(std::fs::read(&raw[0]).expect("bytes"), b"no picture");
}

#[test]
fn server_errors_are_bought_again_within_the_allowance_and_never_beyond() {
    let check = |rows: u32, share: &str, attempts: u32, n_bought: usize| {
        let paid_retries = retries(share, attempts, &[PaidRetryOn::ServerError]);
        let bench = Bench { paid_retries, ..Bench::new(rows) };
        // Every second row is answered, so that the circuit stays closed.
        let ran = bench
            .plays(|call| match call.row % 2 {
                0 => free(Reply::BAD_REQUEST),
                _ => billed(Reply::SERVER_ERROR),
            })
            .run();
        let n_failing = rows.div_ceil(2) as usize;
        assert_eq!(ran.calls().len(), rows as usize + n_bought, "{rows} {share} {attempts}");
        assert_eq!(ran.count("unknown"), n_failing + n_bought, "{rows} {share} {attempts}");
        let most = ran.calls().iter().map(|(_, call)| call.attempt).max();
        assert!(most <= Some(attempts), "{most:?} attempts at one image");
        assert_eq!(ran.stats.rows.unknown, n_failing as u64);
    };
    check(100, "5", 2, 5);
    check(101, "5", 2, 6);
    check(199, "5", 2, 10);
    check(1, "5", 2, 1);
    check(10, "100", 2, 5);
    check(10, "100", 3, 10);
    check(10, "100", 1, 0);
    check(10, "none", 2, 0);
    check(3, "100", 4, 3);
}

#[test]
fn a_server_error_that_is_bought_again_keeps_its_first_hold() {
    let ran = Bench::new(20)
        .plays(|call| match (call.row, call.attempt) {
            (3, 1) => billed(Reply::SERVER_ERROR),
            _ => image(),
        })
        .run();
    assert_eq!(ran.outcome(3), Outcome::Ok);
    assert_eq!((ran.count("settle"), ran.count("unknown"), ran.count("release")), (20, 1, 0));
    assert_eq!(ran.stats.money.unknown, cents(10));
}

#[test]
fn time_outs_are_bought_again_only_when_asked_for() {
    let check = |on: &[PaidRetryOn], n_calls: usize, outcome: Outcome| {
        let bench = Bench { paid_retries: retries("100", 2, on), ..Bench::new(1) };
        let ran = bench
            .plays(|call| if call.attempt == 1 { billed(Reply::TIMED_OUT) } else { image() })
            .run();
        assert_eq!((ran.calls().len(), ran.outcome(1)), (n_calls, outcome), "{on:?}");
    };
    check(&[PaidRetryOn::ServerError], 1, Outcome::Unknown);
    check(&[PaidRetryOn::Timeout], 2, Outcome::Ok);
}

#[test]
fn a_paid_retry_that_does_not_fit_is_left_out_and_stops_nothing() {
    // Row 1: ten cents unknown. Its retry would need another ten of the twelve.
    let bench = Bench { concurrency: 1, limit: cents(12), ..Bench::new(1) };
    let ran = bench.plays(|_| billed(Reply::SERVER_ERROR)).run();
    assert_eq!((ran.calls().len(), ran.outcome(1)), (1, Outcome::Unknown));
    assert_eq!(ran.reasons, []);
}

#[test]
fn a_refused_first_attempt_stops_the_run_even_after_it_was_put_off() {
    // Row 1 is put off; meanwhile row 2 takes money, so that row 1 does not fit any more.
    let bench = Bench { concurrency: 2, limit: cents(20), ..Bench::new(3) };
    let ran = bench
        .plays(|call| match call.row {
            1 if call.attempt == 1 => free(Reply::Throttled(Duration::from_secs(60))),
            _ => Play { charge: cents(10), ..image() },
        })
        .run();
    assert!(matches!(ran.reasons[..], [StopReason::Budget(_), ..]), "{:?}", ran.reasons);
    assert_eq!(ran.outcome(1), Outcome::Rejected);
    assert_eq!(ran.stats.rows.ok, 2);
}

#[test]
fn what_may_be_billed_stays_unknown_when_its_retry_is_called_off() {
    // A server error, then put off: whatever ends the wait, attempt 1 may have been billed.
    let script = |call: crate::sim::fakes::Call| match call.attempt {
        1 => billed(Reply::SERVER_ERROR),
        _ => free(Reply::Throttled(Duration::from_secs(600))),
    };
    let acts = vec![(Duration::from_secs(60), Act::Drain)];
    let stopped = Bench { acts, ..Bench::new(1) }.plays(script).run();
    assert_eq!(stopped.calls().len(), 2);
    assert_eq!(stopped.outcome(1), Outcome::Unknown, "cancelled by a drain");
    // It says why money is at stake, not what happened to the retry.
    let reason = stopped.rows()[&1].reason.clone().unwrap_or_default();
    assert!(reason.contains("it may have been billed"), "{reason}");
    let given_up = Bench::new(1).plays(script).run();
    assert_eq!(given_up.outcome(1), Outcome::Unknown, "given up after many waits");
    let pause = |_: crate::sim::fakes::Call| billed(Reply::SERVER_ERROR);
    let acts = vec![(Duration::from_secs(10), Act::Drain)];
    let paused = Bench { acts, ..Bench::new(1) }.plays(pause).run();
    assert_eq!(paused.outcome(1), Outcome::Unknown, "cancelled in the pause before the retry");
}

#[test]
fn the_class_of_an_unknown_says_how_it_came() {
    let acts = vec![(Duration::from_secs(5), Act::Abort)];
    let left = Bench { acts, ..Bench::new(3) }.run();
    assert_eq!(left.ends(), [End::Unknown(UnknownClass::Left); 3]);
    let lost = Bench::new(1).plays(|_| free(Reply::Panic)).run();
    assert_eq!(lost.ends(), [End::Unknown(UnknownClass::Left)]);
}

#[test]
fn a_paid_retry_never_takes_the_money_of_a_first_attempt() {
    // The plan fits to the cent: twenty images that cost their worst case. The retry of row 3
    // would leave too little for the last row.
    let paid_retries = retries("100", 2, &[PaidRetryOn::ServerError]);
    let script = |call: crate::sim::fakes::Call| match (call.row, call.attempt) {
        (3 | 5, 1) => billed(Reply::SERVER_ERROR),
        (7, 1 | 2) => free(Reply::Throttled(Duration::from_secs(45))),
        _ => Play { charge: cents(10), ..image() },
    };
    let check = |limit: i64, n_ok: u64| {
        let bench =
            Bench { limit: cents(limit), paid_retries: paid_retries.clone(), ..Bench::new(20) };
        let ran = bench.plays(script).run();
        assert_eq!((ran.stats.rows.ok, ran.stats.rows.unknown), (n_ok, 20 - n_ok), "{limit}");
        assert_eq!(ran.reasons, [], "{limit}");
    };
    check(200, 18);
    check(210, 19);
    check(220, 20);
}
