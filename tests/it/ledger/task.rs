//! The task over memory, in virtual time.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use imagemill::domain::ledger::{CostSource, Evidence, UnknownClass};
use imagemill::pipeline::ledger_task::{LedgerStopped, ReserveError};
use imagemill::ports::clock::Clock;
use jiff::SignedDuration;
use tokio::task::JoinSet;

use crate::ledger::support::{ask, cents, in_memory, run};

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_attempts_pass_in_virtual_time() {
    let (handle, clock) = in_memory(cents(100_000_000));
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let (handle, clock) = (handle.clone(), clock.clone());
        tasks.spawn(async move {
            for _ in 0..1000 {
                let held = handle.reserve(ask(cents(4))).await.expect("a reservation");
                clock.sleep(Duration::from_secs(12)).await;
                let source = CostSource::Price;
                handle.settle(held.rid, cents(3), source, None).await.expect("a ledger");
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("a worker");
    }
    let sums = handle.snapshot(run()).await.expect("a ledger").run;
    assert_eq!((sums.attempts, sums.settles), (100_000, 100_000));
    assert_eq!((sums.settled, sums.reserved), (cents(300_000), cents(0)));
    assert_eq!(clock.elapsed(), Duration::from_secs(12_000));
    assert_eq!(handle.shutdown().await.expect("a ledger").left, []);
}

#[tokio::test(start_paused = true)]
async fn a_full_limit_makes_asks_wait_in_their_order() {
    let (handle, clock) = in_memory(cents(10));
    let first = handle.reserve(ask(cents(6))).await.expect("it fits");
    let (second, third) = (handle.clone(), handle.clone());
    let second = tokio::spawn(async move { second.reserve(ask(cents(6))).await });
    clock.sleep(Duration::from_secs(1)).await;
    // The third would fit at once, but the second came before it.
    let third = tokio::spawn(async move { third.reserve(ask(cents(1))).await });
    clock.sleep(Duration::from_secs(1)).await;
    assert_eq!(handle.snapshot(run()).await.expect("a ledger").waiting, 2);
    handle.settle(first.rid, cents(3), CostSource::Usage, None).await.expect("a ledger");
    assert!(second.await.expect("a task").is_ok());
    assert!(third.await.expect("a task").is_ok());
    assert_eq!(handle.snapshot(run()).await.expect("a ledger").today.exposure(), cents(10));
}

#[tokio::test(start_paused = true)]
async fn what_can_never_fit_is_refused_with_the_smallest_limit_that_would_do() {
    let (handle, _) = in_memory(cents(10));
    let first = handle.reserve(ask(cents(4))).await.expect("it fits");
    let second = handle.reserve(ask(cents(4))).await.expect("it fits");
    handle.settle(first.rid, cents(4), CostSource::Usage, None).await.expect("a ledger");
    handle.unknown(second.rid, UnknownClass::Timeout).await.expect("a ledger");
    let Err(ReserveError::Refused(refusal)) = handle.reserve(ask(cents(3))).await else {
        panic!("4 settled, 4 unknown and 3 more are beyond 10");
    };
    assert_eq!(refusal.smallest_limit, cents(11));
    let shown = "$0.03 would go past the limit of $0.10 per day: $0.04 settled, $0.00 reserved, \
                 $0.04 unknown; the smallest limit that would do is $0.11";
    assert_eq!(refusal.to_string(), shown);
    handle.reserve(ask(cents(2))).await.expect("it fits");
}

#[tokio::test(start_paused = true)]
async fn a_waiting_ask_is_refused_once_the_holds_have_become_lasting() {
    let (handle, clock) = in_memory(cents(10));
    let first = handle.reserve(ask(cents(6))).await.expect("it fits");
    let other = handle.clone();
    let second = tokio::spawn(async move { other.reserve(ask(cents(6))).await });
    clock.sleep(Duration::from_secs(1)).await;
    handle.unknown(first.rid, UnknownClass::Reset).await.expect("a ledger");
    assert!(matches!(second.await.expect("a task"), Err(ReserveError::Refused(_))));
}

/// Polls once; the future stays as it is.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_reservation_that_arrives_nowhere_is_released_as_never_sent() {
    let (handle, clock) = in_memory(cents(10));
    for waits in [false, true] {
        let mut asking = Box::pin(handle.reserve(ask(cents(6))));
        assert!(poll_once(&mut asking).await.is_none(), "the task has not run yet");
        if waits {
            // The answer is on its way, and nobody takes it.
            clock.sleep(Duration::from_millis(1)).await;
        }
        drop(asking);
        clock.sleep(Duration::from_millis(1)).await;
        let today = handle.snapshot(run()).await.expect("a ledger").today;
        assert_eq!((today.reserved, today.attempts), (cents(0), u64::from(waits)));
        assert_eq!(today.releases, u64::from(waits));
    }
    handle.reserve(ask(cents(10))).await.expect("nothing is held");
}

#[tokio::test(start_paused = true)]
async fn ends_that_do_not_fit_and_attempts_without_an_end_are_named_at_the_close() {
    let (handle, clock) = in_memory(cents(100));
    let over = handle.reserve(ask(cents(4))).await.expect("it fits");
    handle.settle(over.rid, cents(9), CostSource::Reported, None).await.expect("a ledger");
    handle.release(over.rid, Evidence::NotSent, None).await.expect("a ledger");
    let left = handle.reserve(ask(cents(4))).await.expect("it fits");
    clock.sleep(Duration::from_secs(1)).await;
    let sums = handle.snapshot(run()).await.expect("a ledger").today;
    assert_eq!((sums.settled, sums.overruns), (cents(9), 1));
    let closing = handle.shutdown().await.expect("a ledger");
    assert_eq!((closing.left, closing.misfits), (vec![left.rid], vec![over.rid]));
    let after = handle.reserve(ask(cents(1))).await;
    assert!(matches!(after, Err(ReserveError::Stopped(LedgerStopped::Closed))));
}

#[tokio::test(start_paused = true)]
async fn midnight_brings_a_new_limit_but_what_is_under_way_counts_in_both_days_row_16() {
    let (handle, clock) = in_memory(cents(10));
    let first = handle.reserve(ask(cents(4))).await.expect("it fits");
    let second = handle.reserve(ask(cents(6))).await.expect("it fits");
    handle.settle(first.rid, cents(4), CostSource::Usage, None).await.expect("a ledger");
    handle.snapshot(run()).await.expect("everything is written on the first day");
    clock.shift(SignedDuration::from_hours(14));
    let third = handle.reserve(ask(cents(4))).await.expect("a new day");
    let today = handle.snapshot(run()).await.expect("a ledger");
    assert_eq!(today.day, "2026-11-22".parse().expect("a day"));
    assert_eq!((today.today.settled, today.today.reserved), (cents(0), cents(10)));
    assert_eq!(today.run.exposure(), cents(14));
    clock.shift(SignedDuration::from_hours(-14));
    for rid in [second.rid, third.rid] {
        handle.settle(rid, cents(4), CostSource::Usage, None).await.expect("a ledger");
    }
    let late = handle.reserve(ask(cents(2))).await.expect("the clock went back, the day did not");
    assert_eq!(late.max, cents(2));
    let after = handle.snapshot(run()).await.expect("a ledger");
    assert_eq!((after.day, after.today.settled), (today.day, cents(8)));
}

#[tokio::test(start_paused = true)]
async fn who_cannot_wait_is_told_so_and_overtakes_no_one() {
    let (handle, _) = in_memory(cents(50));
    let held = handle.reserve(ask(cents(30))).await.expect("a reservation");
    // The dear one waits for room; a cheap one would fit, but came later.
    let turn = handle.turn().await;
    let mut room = pin!(handle.room(&turn, ask(cents(40))));
    let is_waiting = poll_fn(|cx| Poll::Ready(room.as_mut().poll(cx).is_pending())).await;
    assert!(is_waiting);
    let now = handle.reserve_now(ask(cents(10))).await.expect("a ledger");
    assert!(now.is_none(), "the cheap one overtakes");
    let never = handle.reserve_now(ask(cents(60))).await;
    assert!(matches!(never, Err(ReserveError::Refused(_))), "{never:?}");
    handle.release(held.rid, Evidence::RateLimited, Some(429)).await.expect("a ledger");
    room.await.expect("there is room");
    // Room is only told; it is taken by asking once more.
    assert_eq!(handle.snapshot(run()).await.expect("a ledger").today.reserved, cents(0));
    let now = handle.reserve_now(ask(cents(40))).await.expect("a ledger");
    assert!(now.is_some(), "the dear one has its turn");
    let full = handle.reserve_now(ask(cents(20))).await.expect("a ledger");
    assert!(full.is_none(), "the limit is full of holds that may fall");
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_waiting_for_room_is_forgotten() {
    let (handle, _) = in_memory(cents(50));
    let _held = handle.reserve(ask(cents(30))).await.expect("a reservation");
    {
        let turn = handle.turn().await;
        let mut room = pin!(handle.room(&turn, ask(cents(40))));
        let is_waiting = poll_fn(|cx| Poll::Ready(room.as_mut().poll(cx).is_pending())).await;
        assert!(is_waiting);
    }
    let now = handle.reserve_now(ask(cents(10))).await.expect("a ledger");
    assert!(now.is_some(), "nobody waits any more");
}
