//! Clocks that are wrong: they open no day's money early, and never an old day again.

use std::time::Duration;

use imagemill::domain::ledger::CostSource;
use imagemill::domain::ledger::clock::Doubt;
use imagemill::pipeline::ledger_task::ReserveError;
use imagemill::ports::clock::Clock;
use jiff::SignedDuration;

use crate::ledger::support::{ask, cents, in_memory, run};

const HOURS: fn(i64) -> SignedDuration = SignedDuration::from_hours;

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_ahead_opens_no_new_day_until_the_time_has_passed_row_18() {
    let (handle, clock) = in_memory(cents(10));
    let held = handle.reserve(ask(cents(4))).await.expect("it fits");
    handle.settle(held.rid, cents(4), CostSource::Usage, None).await.expect("a ledger");
    assert_eq!(handle.doubt(), None);
    clock.jump(HOURS(14));
    let more = handle.reserve(ask(cents(6))).await.expect("the old day has six left");
    assert_eq!(more.time, clock.now(), "a hold is as old as this machine's clock says");
    let none = handle.reserve(ask(cents(7))).await;
    assert!(matches!(none, Err(ReserveError::Refused(_))), "{none:?}");
    let seen = handle.snapshot(run()).await.expect("a ledger");
    assert_eq!((&*seen.day.to_string(), seen.today.exposure()), ("2026-11-21", cents(10)));
    assert!(matches!(handle.doubt(), Some(Doubt::Ahead { .. })), "{:?}", handle.doubt());
    handle.settle(more.rid, cents(6), CostSource::Usage, None).await.expect("a ledger");
    clock.sleep(Duration::from_secs(14 * 3600)).await;
    handle.reserve(ask(cents(10))).await.expect("now it is tomorrow");
    let day = handle.snapshot(run()).await.expect("a ledger").day;
    assert_eq!(day.to_string(), "2026-11-22", "not the day after, as the clock says");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_goes_back_keeps_the_day_and_is_doubted_row_17() {
    let (handle, clock) = in_memory(cents(10));
    clock.shift(HOURS(14));
    handle.reserve(ask(cents(4))).await.expect("it fits");
    assert_eq!(handle.doubt(), None);
    clock.jump(HOURS(-14));
    handle.reserve(ask(cents(4))).await.expect("it fits");
    let seen = handle.snapshot(run()).await.expect("a ledger");
    assert_eq!((&*seen.day.to_string(), seen.today.exposure()), ("2026-11-22", cents(8)));
    assert!(matches!(handle.doubt(), Some(Doubt::Behind { .. })), "{:?}", handle.doubt());
}

#[tokio::test(start_paused = true)]
async fn a_minute_of_disagreement_is_none() {
    let (handle, clock) = in_memory(cents(10));
    clock.shift(HOURS(13) + SignedDuration::from_mins(59));
    handle.snapshot(run()).await.expect("a ledger");
    clock.jump(SignedDuration::from_secs(60));
    handle.reserve(ask(cents(1))).await.expect("it fits");
    let day = handle.snapshot(run()).await.expect("a ledger").day;
    assert_eq!((day.to_string().as_str(), handle.doubt()), ("2026-11-22", None));
}

#[tokio::test(start_paused = true)]
async fn the_providers_date_forbids_a_day_and_opens_none() {
    let (handle, clock) = in_memory(cents(10));
    handle.snapshot(run()).await.expect("a ledger");
    // By the provider's clock it is an hour and a half earlier than by ours.
    let date = |clock: &dyn Clock| clock.now() - SignedDuration::from_mins(90);
    assert_eq!(handle.provider_date(date(&*clock), Duration::ZERO).await.expect("a ledger"), None);
    clock.shift(HOURS(14) + SignedDuration::from_mins(30));
    handle.reserve(ask(cents(4))).await.expect("it fits");
    let day = handle.snapshot(run()).await.expect("a ledger").day;
    assert_eq!(day.to_string(), "2026-11-21", "our clock says half past midnight");
    assert!(matches!(handle.doubt(), Some(Doubt::Ahead { .. })));
    let later = clock.now() + HOURS(48);
    assert_eq!(handle.provider_date(later, Duration::ZERO).await.expect("a ledger"), None);
    handle.reserve(ask(cents(1))).await.expect("it fits");
    let day = handle.snapshot(run()).await.expect("a ledger").day;
    assert_eq!(day.to_string(), "2026-11-21", "a date opens no day");
    clock.shift(HOURS(1));
    handle.reserve(ask(cents(1))).await.expect("it fits");
    let day = handle.snapshot(run()).await.expect("a ledger").day;
    assert_eq!(day.to_string(), "2026-11-22", "by both clocks");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_some_minutes_behind_delays_midnight_and_stops_nobody() {
    let (handle, clock) = in_memory(cents(10_000));
    clock.shift(HOURS(13) + SignedDuration::from_mins(50));
    let mut opened = None;
    for _ in 0..60 {
        handle.reserve(ask(cents(1))).await.expect("it fits");
        // Each answer takes twenty seconds; its date is that of its beginning.
        let date = clock.now() - SignedDuration::from_mins(5);
        let took = Duration::from_secs(20);
        clock.sleep(took).await;
        assert_eq!(handle.provider_date(date, took).await.expect("a ledger"), None);
        let day = handle.snapshot(run()).await.expect("a ledger").day;
        if day.to_string() == "2026-11-22" {
            opened.get_or_insert(clock.now());
        }
    }
    let delay =
        opened.expect("a new day").duration_since("2026-11-22T00:00:00Z".parse().expect(""));
    assert!((240..=360).contains(&delay.as_secs()), "{delay}");
}

#[tokio::test(start_paused = true)]
async fn a_day_that_a_wrong_clock_opened_is_named() {
    let (handle, clock) = in_memory(cents(10));
    clock.shift(HOURS(14));
    handle.reserve(ask(cents(4))).await.expect("it fits");
    let date = clock.now() - HOURS(1);
    let early = handle.provider_date(date, Duration::ZERO).await.expect("a ledger").expect("a day");
    assert_eq!(early.to_string(), "2026-11-22");
}
