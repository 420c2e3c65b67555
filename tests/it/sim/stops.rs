//! Drain and abort: what is out, what waits, and what never began.

use std::time::Duration;

use imagemill::domain::gate::Gate;
use imagemill::domain::row::Outcome;
use imagemill::pipeline::stop::StopReason;

use crate::sim::bench::{Act, Bench, free, image};
use crate::sim::fakes::Reply;

#[test]
fn a_drain_finishes_what_is_out_and_sends_nothing_more() {
    let acts = vec![(Duration::from_secs(15), Act::Drain)];
    let ran = Bench { acts, concurrency: 4, ..Bench::new(40) }.run();
    assert_eq!(ran.stats.rows.ok, 8, "two waves of four");
    assert_eq!(ran.elapsed, Duration::from_secs(20));
    assert_eq!((ran.count("reserve"), ran.count("settle")), (8, 8));
    assert_eq!(ran.stats.rows.cancelled, 32);
    assert_eq!(ran.reasons, [StopReason::Interrupted]);
}

#[test]
fn an_abort_leaves_what_is_out_unknown_at_once() {
    let acts = vec![(Duration::from_secs(12), Act::Drain), (Duration::from_secs(13), Act::Abort)];
    let ran = Bench { acts, concurrency: 4, ..Bench::new(40) }.run();
    assert_eq!(ran.elapsed, Duration::from_secs(13));
    assert_eq!((ran.count("settle"), ran.count("unknown")), (4, 4));
    assert_eq!((ran.stats.rows.ok, ran.stats.rows.unknown), (4, 4));
    assert_eq!(ran.stats.rows.cancelled, 32);
}

#[test]
fn a_drain_at_any_moment_counts_every_row_once() {
    for second in 0..60 {
        let acts = vec![(Duration::from_millis(second * 1_000 + 500), Act::Drain)];
        let bench = Bench { acts, variants: |row| (row % 3) as u8 + 1, ..Bench::new(30) };
        let ran = bench
            .plays(|call| match (call.row % 5, call.attempt) {
                (0, 1) => free(Reply::Throttled(Duration::from_secs(7))),
                (1, 1) => free(Reply::SERVER_ERROR),
                _ => image(),
            })
            .run();
        let rows = &ran.stats.rows;
        let n = rows.ok + rows.partial + rows.failed + rows.unknown + rows.cancelled;
        assert_eq!(n, 30, "second {second}: {rows:?}");
        assert_eq!(ran.stats.rows_open, 0, "second {second}");
        assert!(ran.stats.in_flight.is_empty(), "second {second}");
    }
}

#[test]
fn a_put_off_request_does_not_delay_a_drain() {
    let acts = vec![(Duration::from_secs(30), Act::Drain)];
    let bench = Bench { acts, ..Bench::new(1) };
    let ran = bench.plays(|_| free(Reply::Throttled(Duration::from_mins(50)))).run();
    assert_eq!(ran.elapsed, Duration::from_secs(30));
    assert_eq!(ran.outcome(1), Outcome::Cancelled);
    assert_eq!((ran.count("reserve"), ran.count("release")), (1, 1));
}

#[test]
fn a_gate_that_cannot_pass_any_more_drains() {
    let gate = Gate::parse("errors rate < 5% abort=doomed").expect("a gate");
    for concurrency in [1, 3, 8] {
        let ran = Bench { gates: vec![gate.clone()], concurrency, ..Bench::new(100) }
            .plays(|_| free(Reply::BAD_REQUEST))
            .run();
        assert!(matches!(ran.reasons[..], [StopReason::Gate(_)]), "{:?}", ran.reasons);
        // The fifth failure dooms it; what is sent beyond is what was in flight then.
        let most = 4 + concurrency as usize;
        let n_calls = ran.calls().len();
        assert!((5..=most).contains(&n_calls), "{n_calls} calls at {concurrency}");
    }
}

#[test]
fn a_wait_of_many_hours_stops_the_run_and_says_until_when() {
    let bench = Bench { concurrency: 2, ..Bench::new(20) };
    let ran = bench.plays(|_| free(Reply::Throttled(Duration::from_secs(999_999)))).run();
    let [StopReason::Provider(text)] = &ran.reasons[..] else { panic!("{:?}", ran.reasons) };
    assert!(text.starts_with("the provider asks to wait until 2026-"), "{text}");
    assert!(ran.calls().len() <= 2, "{} calls", ran.calls().len());
    assert_eq!(ran.stats.rows.cancelled, 20);
    assert_eq!(ran.count("reserve"), ran.count("release"));
}
