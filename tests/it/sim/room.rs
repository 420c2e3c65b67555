//! Waiting for money: without a lane permit, in the order of asking, and never for ever.

use std::time::Duration;

use imagemill::domain::ledger::RecordKind;
use imagemill::domain::row::Outcome;
use imagemill::pipeline::stop::StopReason;

use crate::ledger::support::cents;
use crate::sim::bench::{Act, Bench, image};
use crate::sim::fakes::Play;

#[test]
fn admission_waits_while_holds_may_fall_and_then_goes_on() {
    // Room for two worst cases at a time; each settles at less than half.
    let bench = Bench { limit: cents(24), ..Bench::new(4) };
    let ran = bench.plays(|_| Play { charge: cents(2), ..image() }).run();
    assert_eq!(ran.stats.rows.ok, 4);
    assert_eq!(ran.reasons, []);
    assert_eq!(ran.charged(), cents(8));
    assert_eq!(ran.elapsed, Duration::from_secs(20), "two at a time");
}

#[test]
fn a_limit_that_fills_up_stops_the_run_and_settles_what_is_out() {
    // 50 cents: each image settles at four, so the eleventh is the last that fits (40 + 10).
    let ran = Bench { limit: cents(50), ..Bench::new(40) }.run();
    assert_eq!(ran.stats.rows.ok, 11);
    assert_eq!(ran.charged(), cents(44));
    assert!(ran.reasons.iter().all(|reason| matches!(reason, StopReason::Budget(_))));
    assert!(!ran.reasons.is_empty());
    assert_eq!(ran.count("reserve"), ran.count("settle"));
    let rows = &ran.stats.rows;
    assert_eq!(rows.ok + rows.rejected + rows.cancelled, 40);
}

#[test]
fn the_limit_of_the_run_stops_it_as_well() {
    let bench = Bench { per_run: Some(cents(50)), ..Bench::new(40) };
    let ran = bench.run();
    assert_eq!(ran.stats.rows.ok, 11);
    let Some(StopReason::Budget(text)) = ran.reasons.first() else { panic!("no reason") };
    assert!(text.contains("per run"), "{text}");
}

/// Row 1 is dear. It has to wait for two cheap ones to end.
fn dear_among_cheap(rows: u32, concurrency: u32) -> Bench {
    let bench = Bench { is_dear: |row| row == 2, concurrency, ..Bench::new(rows) };
    Bench { limit: cents(200), ..bench }
}

#[test]
fn no_permit_is_held_while_waiting_for_money() {
    // Two permits; another process holds nothing. Row 1 takes 20 s, row 2 waits for its end.
    // If row 2 kept its permit, the second image of row 1 could not go.
    let bench = Bench {
        concurrency: 2,
        variants: |row| if row == 0 { 2 } else { 1 },
        is_dear: |row| row == 1,
        limit: cents(55),
        ..Bench::new(2)
    };
    let ran = bench
        .plays(|call| match (call.row, call.variant, call.attempt) {
            // Put off at once: it gives back its money and its permit.
            (1, 2, 1) => Play {
                after: Duration::from_secs(1),
                ..crate::sim::bench::free(crate::sim::fakes::Reply::Throttled(Duration::from_secs(
                    5,
                )))
            },
            (1, 1, _) => Play { after: Duration::from_secs(100), charge: cents(10), ..image() },
            (2, ..) => Play { charge: cents(30), ..image() },
            _ => image(),
        })
        .run();
    assert_eq!(ran.stats.rows.ok, 2);
    let at = |row: u64, variant: u8| {
        let calls = ran.calls();
        let last = calls.iter().rfind(|(_, call)| (call.row, call.variant) == (row, variant));
        last.expect("it was called").0.as_secs()
    };
    assert!(at(1, 2) < 100, "the put-off image went at {}", at(1, 2));
}

#[test]
fn who_waits_for_money_is_not_overtaken_for_ever() {
    // The dear row needs 40 of 50 cents, so it fits only when at most one cheap one is out.
    let bench = Bench { limit: cents(75), concurrency: 4, ..dear_among_cheap(9, 4) };
    let ran = bench
        .plays(|call| Play {
            after: Duration::from_secs(10 + call.row),
            charge: if call.row == 3 { cents(3) } else { cents(1) },
            ..image()
        })
        .run();
    assert_eq!(ran.stats.rows.ok, 9);
    let order: Vec<u64> = ran.calls().iter().map(|(_, call)| call.row).collect();
    let place = order.iter().position(|row| *row == 3).expect("the dear row was called");
    assert!(place <= 4, "the dear row was overtaken: {order:?}");
}

#[test]
fn a_drain_ends_the_wait_for_money() {
    // One image is out for an hour and fills the limit; the second row waits for its money.
    let acts = vec![(Duration::from_secs(60), Act::Drain)];
    let bench = Bench { limit: cents(12), acts, ..Bench::new(2) };
    let ran = bench
        .plays(|call| Play {
            after: Duration::from_secs(if call.row == 1 { 3_600 } else { 1 }),
            ..image()
        })
        .run();
    assert_eq!((ran.outcome(1), ran.outcome(2)), (Outcome::Ok, Outcome::Cancelled));
    assert_eq!(ran.count("reserve"), 1, "the waiting row reserved after the drain");
    let at = |row| {
        let closes = ran.events.iter().position(|event| {
            matches!(event,
                imagemill::domain::event::RunEvent::RowFinished(it) if it.row == row)
        });
        closes.expect("it finished")
    };
    assert!(at(2) < at(1), "the waiting row ends with the drain, not with the other one");
}

#[test]
fn a_folder_ledger_waits_and_goes_on_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let bench =
        Bench { limit: cents(22), folder: Some(folder.path().join("ledger")), ..Bench::new(6) };
    let ran = bench.plays(|_| Play { charge: cents(1), ..image() }).run();
    assert_eq!(ran.stats.rows.ok, 6);
    let sum = ran.records().filter_map(|kind| match kind {
        RecordKind::Settle(settle) => Some(settle.amount.nanos()),
        _ => None,
    });
    assert_eq!(sum.sum::<i64>(), cents(6).nanos());
}
