//! The lane: pace, parking and the circuit.

use std::time::Duration;

use imagemill::domain::event::RunEvent;
use imagemill::domain::failure::{Charge, Denial, FailureClass};
use imagemill::domain::ledger::{CostSource, Evidence, UnknownClass};
use imagemill::domain::pace::Rates;
use imagemill::domain::row::Outcome;
use imagemill::domain::settings::{PaidRetries, PaidRetryOn};
use imagemill::pipeline::stop::StopReason;

use crate::ledger::support::cents;
use crate::sim::bench::{Act, Bench, billed, free, image};
use crate::sim::fakes::{Play, Reply};
use crate::sim::ran::{End, Ran};

fn stopped_by(ran: &Ran) -> &str {
    match &ran.reasons[..] {
        [StopReason::Provider(text) | StopReason::Environment(text), ..] => text,
        other => panic!("{other:?}"),
    }
}

/// No paid retries.
fn none() -> PaidRetries {
    PaidRetries { share: None, attempts: 1, on: Vec::new() }
}

#[test]
fn no_minute_has_more_requests_than_asked_for() {
    let rates = Rates { requests_per_minute: Some(60), images_per_minute: Some(12) };
    let ran = Bench { rates, ..Bench::new(40) }.run();
    assert_eq!(ran.stats.rows.ok, 40);
    let calls = ran.calls();
    for (n, (start, _)) in calls.iter().enumerate() {
        let end = *start + Duration::from_secs(60);
        let in_minute = calls[n..].iter().filter(|(at, _)| *at < end).count();
        assert!(in_minute <= 12, "{in_minute} from {start:?} on");
    }
    assert_eq!(ran.elapsed, Duration::from_secs(39 * 5 + 10), "and no fewer than that");
}

#[test]
fn no_permit_is_held_while_waiting_for_the_pace() {
    let rates = Rates { requests_per_minute: Some(1), images_per_minute: None };
    let acts = vec![(Duration::from_secs(30), Act::Look)];
    let ran = Bench { rates, acts, ..Bench::new(3) }.run();
    assert_eq!(ran.free_permits, [8], "the first is done, two wait for their minute");
    assert_eq!(ran.stats.rows.ok, 3);
}

#[test]
fn a_drain_ends_the_wait_for_the_pace() {
    let rates = Rates { requests_per_minute: Some(1), images_per_minute: None };
    let acts = vec![(Duration::from_secs(30), Act::Drain)];
    let ran = Bench { rates, acts, ..Bench::new(10) }.run();
    assert_eq!((ran.elapsed, ran.stats.rows.ok), (Duration::from_secs(30), 1));
}

#[test]
fn a_long_wait_parks_the_lane_for_everybody() {
    // Row 1 is told to wait ten minutes: nobody else asks before that.
    let ran = Bench { concurrency: 2, ..Bench::new(12) }
        .plays(|call| match (call.row, call.attempt) {
            (1, 1) => free(Reply::Throttled(Duration::from_mins(10))),
            _ => image(),
        })
        .run();
    assert_eq!(ran.stats.rows.ok, 12);
    let early = ran.calls().iter().filter(|(at, _)| at.as_secs() < 10).count();
    let in_park = |at: &Duration| (11..610).contains(&at.as_secs());
    let parked = ran.calls().iter().filter(|(at, _)| in_park(at)).count();
    assert_eq!((early, parked), (2, 0));
    let told = ran.events.iter().filter(|it| matches!(it, RunEvent::LaneParked { .. })).count();
    assert_eq!(told, 1);
}

#[test]
fn a_short_wait_is_the_business_of_one_request() {
    let ran = Bench { concurrency: 2, ..Bench::new(12) }
        .plays(|call| match (call.row, call.attempt) {
            (1, 1) => free(Reply::Throttled(Duration::from_secs(100))),
            _ => image(),
        })
        .run();
    let meanwhile = ran.calls().iter().filter(|(at, _)| (11..110).contains(&at.as_secs())).count();
    assert!(meanwhile >= 8, "{meanwhile}");
}

#[test]
fn an_image_that_is_put_off_without_a_word_backs_off_longer_each_time() {
    let class = FailureClass::RateLimited { retry_after: None };
    let ran = Bench::new(1)
        .plays(move |call| if call.attempt < 6 { free(Reply::Failed(class)) } else { image() })
        .run();
    assert_eq!(ran.outcome(1), Outcome::Ok);
    let at: Vec<Duration> = ran.calls().iter().map(|(at, _)| *at).collect();
    for (n, pair) in at.windows(2).enumerate() {
        let pause = pair[1] - pair[0] - Duration::from_secs(10);
        let most = Duration::from_secs(2 << n);
        assert!(pause >= most / 2 && pause <= most, "{n}: {pause:?} of {most:?}");
    }
}

#[test]
fn a_provider_that_always_fails_costs_twelve_attempts_and_stops_the_run() {
    for reply in [
        Reply::SERVER_ERROR,
        Reply::TIMED_OUT,
        Reply::Failed(FailureClass::Reset),
        Reply::Failed(FailureClass::BadBody),
    ] {
        let bench = Bench { paid_retries: none(), concurrency: 1, ..Bench::new(100) };
        let ran = bench.plays(move |_| billed(reply)).run();
        assert!(stopped_by(&ran).contains("the provider is down"), "{:?}", ran.reasons);
        let calls = ran.calls();
        assert_eq!((calls.len(), ran.count("unknown")), (12, 12), "{reply:?}");
        let ended = |n: usize| calls[n].0 + Duration::from_secs(10);
        assert_eq!(calls[10].0 - ended(9), Duration::from_secs(5), "the first probe");
        assert_eq!(calls[11].0 - ended(10), Duration::from_secs(10), "the second probe");
        assert_eq!(ran.stats.rows.unknown, 12);
        assert_eq!(ran.stats.rows.cancelled, 88);
    }
}

#[test]
fn an_open_circuit_lets_one_probe_through_at_a_time() {
    let bench = Bench { paid_retries: none(), concurrency: 8, ..Bench::new(100) };
    let ran = bench.plays(|_| billed(Reply::SERVER_ERROR)).run();
    // Two waves of eight are out before the tenth failure is known; then the probes, one by one.
    let calls = ran.calls();
    assert_eq!(calls.len(), 18, "{calls:?}");
    assert!(stopped_by(&ran).contains("the provider is down"));
}

#[test]
fn a_provider_that_comes_back_is_used_again() {
    let bench = Bench { paid_retries: none(), concurrency: 1, ..Bench::new(60) };
    let ran = bench
        .plays(|call| match call.row {
            11..=21 => billed(Reply::SERVER_ERROR),
            _ => image(),
        })
        .run();
    // Ten failures open it, the first probe fails, the second one closes it.
    assert_eq!((ran.stats.rows.ok, ran.stats.rows.unknown), (49, 11));
    assert_eq!(ran.reasons, []);
    let closed = ran.events.iter().filter(|it| matches!(it, RunEvent::CircuitClosed)).count();
    assert_eq!(closed, 1);
}

#[test]
fn nine_failures_and_an_answer_open_nothing() {
    let bench = Bench { paid_retries: none(), concurrency: 1, ..Bench::new(100) };
    let ran = bench
        .plays(|call| match call.row % 10 {
            0 => free(Reply::BAD_REQUEST),
            _ => billed(Reply::SERVER_ERROR),
        })
        .run();
    assert_eq!((ran.calls().len(), ran.reasons.len()), (100, 0));
}

#[test]
fn a_provider_that_cannot_be_reached_stops_the_run_soon_and_costs_nothing() {
    for (refused, evidence) in [(true, Evidence::ConnectionRefused), (false, Evidence::NotSent)] {
        let class = FailureClass::NoConnection { refused };
        let bench = Bench { concurrency: 2, ..Bench::new(40) };
        let ran = bench
            .plays(move |_| Play { after: Duration::ZERO, ..free(Reply::Failed(class)) })
            .run();
        assert!(stopped_by(&ran).contains("cannot be reached"), "{:?}", ran.reasons);
        assert!(ran.calls().len() <= 12, "{} calls", ran.calls().len());
        assert!(ran.ends().iter().all(|end| *end == End::Released(evidence, None)));
        assert!(ran.elapsed <= Duration::from_secs(20), "{:?}", ran.elapsed);
        assert_eq!(ran.stats.rows.cancelled, 40);
    }
}

#[test]
fn a_connection_that_comes_back_costs_one_pause() {
    let class = FailureClass::NoConnection { refused: true };
    let ran = Bench { concurrency: 1, ..Bench::new(3) }
        .plays(move |call| match call.attempt {
            1 | 2 => free(Reply::Failed(class)),
            _ => image(),
        })
        .run();
    assert_eq!((ran.stats.rows.ok, ran.calls().len(), ran.reasons.len()), (3, 9, 0));
}

#[test]
fn what_is_denied_stops_the_run_at_once_and_says_what_to_fix() {
    let released = |evidence, status| End::Released(evidence, Some(status));
    let unknown = End::Unknown(UnknownClass::Denied);
    for (status, denial, end, fix) in [
        (401, Denial::Credentials, released(Evidence::Unauthorized, 401), "check the key"),
        (403, Denial::Credentials, released(Evidence::Unauthorized, 403), "check the key"),
        (429, Denial::Billing, released(Evidence::RateLimited, 429), "add credit"),
        (402, Denial::Billing, unknown, "add credit"),
        (404, Denial::NotFound, released(Evidence::NotFound, 404), "check --model"),
        (308, Denial::Redirect, unknown, "--base-url"),
    ] {
        let class = FailureClass::Denied { status, denial };
        let bench = Bench { concurrency: 2, ..Bench::new(50) };
        let ran = bench.plays(move |_| free(Reply::Failed(class))).run();
        assert!(stopped_by(&ran).contains(fix), "{status}: {:?}", ran.reasons);
        assert!(ran.calls().len() <= 2, "{status}: {} calls", ran.calls().len());
        assert!(ran.ends().iter().all(|one| *one == end), "{status}: {:?}", ran.ends());
    }
}

#[test]
fn an_answer_that_never_comes_is_unknown_after_its_time() {
    let timeout = Duration::from_secs(30);
    let bench = Bench { timeout, paid_retries: none(), ..Bench::new(1) };
    let ran = bench.plays(|_| Play { after: Duration::from_hours(9), ..image() }).run();
    assert_eq!(ran.elapsed, timeout);
    assert_eq!(ran.ends(), [End::Unknown(UnknownClass::Timeout)]);
    assert_eq!(ran.outcome(1), Outcome::Unknown);
    assert_eq!(ran.rows()[&1].error_kind, Some("timeout"));
}

#[test]
fn resets_and_bad_bodies_are_bought_again_only_when_asked_for() {
    let check = |class: FailureClass, kind: PaidRetryOn| {
        for (on, n_calls) in [(PaidRetryOn::ServerError, 1), (kind, 2)] {
            let paid_retries = PaidRetries { share: "100".parse().ok(), attempts: 2, on: vec![on] };
            let ran = Bench { paid_retries, ..Bench::new(1) }
                .plays(move |call| match call.attempt {
                    1 => billed(Reply::Failed(class)),
                    _ => image(),
                })
                .run();
            assert_eq!(ran.calls().len(), n_calls, "{class:?} {on:?}");
        }
    };
    check(FailureClass::Reset, PaidRetryOn::Reset);
    check(FailureClass::BadBody, PaidRetryOn::BadBody);
    check(FailureClass::NoImage { charge: Charge::Unknown }, PaidRetryOn::BadBody);
}

#[test]
fn a_refusal_keeps_its_money_where_nobody_says_that_it_is_free_row_6() {
    use imagemill::domain::failure::RefusalStage;
    let check = |charge: Charge, end: End| {
        let class = FailureClass::Refused { status: 400, stage: RefusalStage::Output, charge };
        let ran = Bench::new(1).plays(move |_| free(Reply::Failed(class))).run();
        assert_eq!((ran.outcome(1), ran.ends()), (Outcome::Refused, vec![end]), "{charge:?}");
    };
    check(Charge::Free, End::Released(Evidence::Invalid, Some(400)));
    check(Charge::Unknown, End::Unknown(UnknownClass::Refusal));
    check(Charge::Known(cents(3), CostSource::Usage), End::Settled(cents(3)));
}

#[test]
fn a_price_that_is_wrong_three_times_stops_the_run() {
    // The worst case is ten cents; each image costs twelve.
    let bench = Bench { concurrency: 1, ..Bench::new(30) };
    let ran = bench.plays(|_| Play { charge: cents(12), ..image() }).run();
    assert!(stopped_by(&ran).contains("its price is wrong"), "{:?}", ran.reasons);
    assert_eq!((ran.count("overrun"), ran.calls().len()), (3, 3));
    assert_eq!(ran.stats.rows.ok, 3, "what is paid is kept");
    let shouted = ran.events.iter().filter(|it| matches!(it, RunEvent::Overrun { .. })).count();
    assert_eq!(shouted, 3);
}
