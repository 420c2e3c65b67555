//! Waiting for money: without a lane permit, in the order of asking, and never for ever.

use std::time::Duration;

use imagemill::domain::row::Outcome;
use imagemill::pipeline::stop::StopReason;

use crate::ledger::support::cents;
use crate::sim::bench::{Act, Bench, image};
use crate::sim::fakes::Play;
use crate::sim::ran::End;

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

#[test]
fn no_permit_is_held_while_waiting_for_money() {
    // Row 1 is out for an hour and fills the limit; five others wait for its money.
    let acts = vec![(Duration::from_secs(60), Act::Look)];
    let bench = Bench { limit: cents(16), acts, ..Bench::new(6) };
    let ran = bench
        .plays(|call| Play {
            after: Duration::from_secs(if call.row == 1 { 3_600 } else { 1 }),
            charge: cents(1),
            ..image()
        })
        .run();
    assert_eq!(ran.free_permits, [7], "of eight");
    assert_eq!(ran.stats.rows.ok, 6);
}

#[test]
fn who_waits_for_money_goes_before_those_who_come_later() {
    // Row 2 is dear: it fits only when nobody else is out. Row 3 has ten images, and comes when
    // row 1 ends, at the moment at which there is room for row 2.
    for seconds in 1..20 {
        let bench = Bench {
            concurrency: 2,
            variants: |row| if row == 2 { 10 } else { 1 },
            is_dear: |row| row == 1,
            limit: cents(45),
            ..Bench::new(3)
        };
        let ran = bench
            .plays(move |_| Play {
                after: Duration::from_secs(seconds),
                charge: cents(1),
                ..image()
            })
            .run();
        let rows: Vec<u64> = ran.calls().iter().map(|(_, call)| call.row).collect();
        let dear = rows.iter().position(|row| *row == 2).expect("the dear row was called");
        let first = rows.iter().position(|row| *row == 3).expect("the last row was called");
        assert!(dear < first, "{seconds}: {rows:?}");
    }
}

#[test]
fn money_is_given_in_the_order_of_asking() {
    // Two fit at a time and eight rows are open, so that six wait, and new ones keep coming.
    for seed in 0..20_u64 {
        let bench = Bench { limit: cents(25), ..Bench::new(40) };
        let ran = bench
            .plays(move |call| Play {
                after: Duration::from_secs(1 + (call.row * (seed + 3)) % 11),
                charge: cents(0),
                ..image()
            })
            .run();
        let order: Vec<u64> = ran.calls().iter().map(|(_, call)| call.row).collect();
        assert!(order.is_sorted(), "seed {seed}: {order:?}");
    }
}

#[test]
fn money_that_falls_at_once_goes_to_those_who_wait_and_not_to_who_comes() {
    // The dear row 1 fills the limit alone. When it ends there is room for four, seven wait,
    // and row 9 comes at that very moment.
    let bench = Bench { limit: cents(45), is_dear: |row| row == 0, ..Bench::new(20) };
    let ran = bench.plays(|_| Play { charge: cents(0), ..image() }).run();
    let order: Vec<u64> = ran.calls().iter().map(|(_, call)| call.row).collect();
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn the_dear_are_not_starved_by_the_cheap() {
    // Cheap images are always out in numbers; the dear row needs most of the limit.
    let bench = Bench {
        limit: cents(75),
        concurrency: 6,
        is_dear: |row| row == 2,
        variants: |row| if row == 2 { 1 } else { 3 },
        ..Bench::new(12)
    };
    let ran = bench
        .plays(|call| Play {
            after: Duration::from_secs(10 + (call.row * 7 + u64::from(call.variant)) % 13),
            charge: cents(i64::from(call.row == 3)),
            ..image()
        })
        .run();
    assert_eq!(ran.stats.rows.ok, 12);
    let order: Vec<u64> = ran.calls().iter().map(|(_, call)| call.row).collect();
    let place = order.iter().position(|row| *row == 3).expect("the dear row was called");
    // Those before it were let in before it asked: one set for each permit at most.
    assert!(place <= 12, "the dear row was overtaken: {order:?}");
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
    assert_eq!(ran.ends(), [End::Settled(cents(1)); 6]);
}
