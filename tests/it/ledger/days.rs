//! Days of the ledger's zone: midnight, days of 23 and 25 hours, midnights that do not exist, and
//! attempts on both sides.

use std::path::Path;
use std::sync::Arc;

use imagemill::adapters::ledger::audit::check;
use imagemill::adapters::ledger::by_hand::{ByHand, set_limit};
use imagemill::adapters::ledger::directory::DirectoryLedger;
use imagemill::adapters::ledger::read::summary;
use imagemill::domain::ledger::{CostSource, UnknownClass};
use imagemill::pipeline::ledger_task::{
    LATE_JOB, LedgerHandle, ReserveAsk, ReserveError, TaskOptions, spawn,
};
use imagemill::ports::clock::Clock;
use imagemill::ports::ledger::StoreError;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::ledger::support::{
    START, TestClock, ask, cents, in_folder, open_or_create, options, run, runtime,
};

/// A day of a zone: its name, when it begins, and how long it lasts in minutes.
struct Day {
    zone: &'static str,
    day: &'static str,
    begins: &'static str,
    minutes: i64,
}

const fn day(zone: &'static str, day: &'static str, begins: &'static str, minutes: i64) -> Day {
    Day { zone, day, begins, minutes }
}

const DAYS: [Day; 10] = [
    day("UTC", "2026-11-21", "2026-11-21T00:00:00Z", 24 * 60),
    day("Asia/Kolkata", "2026-11-21", "2026-11-20T18:30:00Z", 24 * 60),
    day("Europe/Berlin", "2026-10-25", "2026-10-24T22:00:00Z", 25 * 60),
    day("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00Z", 23 * 60),
    day("America/New_York", "2026-11-01", "2026-11-01T04:00:00Z", 25 * 60),
    // Half an hour is taken back.
    day("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00:00Z", 24 * 60 + 30),
    // There is no 00:00 on these: the clocks go from 23:59:59 to 01:00:00.
    day("America/Havana", "2026-03-08", "2026-03-08T05:00:00Z", 23 * 60),
    day("Asia/Beirut", "2026-03-29", "2026-03-28T22:00:00Z", 23 * 60),
    // The first hour of the day is there twice.
    day("America/Havana", "2026-11-01", "2026-11-01T04:00:00Z", 25 * 60),
    // The last one is: when it would be midnight, it is 23:00 again.
    day("Asia/Beirut", "2026-10-24", "2026-10-23T21:00:00Z", 25 * 60),
];

/// A ledger in a folder whose days are those of `zone`, with a clock that starts at `at`.
async fn in_zone(root: &Path, zone: &str, at: Timestamp) -> (LedgerHandle, Arc<TestClock>) {
    let clock = TestClock::starting(&at.to_string());
    let mut how = open_or_create(root, cents(10));
    how.founding.zone = zone.into();
    how.now = at;
    let owner = how.founding.owner;
    let store = DirectoryLedger::open(how).await.expect("a ledger");
    let options = TaskOptions { zone: store.zone().clone(), ..options(owner) };
    (spawn(Box::new(store), clock.clone(), options).0, clock)
}

fn begin(day: &Day) -> Timestamp {
    day.begins.parse().expect("a time")
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// Spends all of the day's ten cents, and is refused more.
async fn spend_the_day(handle: &LedgerHandle) -> String {
    let held = handle.reserve(ask(cents(10))).await.expect("a day's money");
    handle.settle(held.rid, cents(10), CostSource::Usage, None).await.expect("a ledger");
    refused(handle).await;
    handle.snapshot(run()).await.expect("a ledger").day.to_string()
}

async fn refused(handle: &LedgerHandle) {
    let more = handle.reserve(ask(cents(1))).await;
    assert!(matches!(more, Err(ReserveError::Refused(_))), "{more:?}");
}

#[test]
fn every_civil_day_has_its_money_once_however_long_it_is_row_20() {
    for it in &DAYS {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        runtime().block_on(async {
            let eve = begin(it) - SignedDuration::from_secs(30);
            let (handle, clock) = in_zone(root, it.zone, eve).await;
            let before = spend_the_day(&handle).await;
            clock.shift(SignedDuration::from_secs(20));
            refused(&handle).await;
            clock.shift(SignedDuration::from_secs(11));
            assert_eq!(spend_the_day(&handle).await, it.day, "{}", it.zone);
            clock.shift(minutes(it.minutes) - SignedDuration::from_secs(10));
            refused(&handle).await;
            clock.shift(SignedDuration::from_secs(10));
            let after = spend_the_day(&handle).await;
            handle.shutdown().await.expect("a ledger");
            for day in [&*before, it.day, &*after] {
                assert!(root.join(format!("{day}/0001.jsonl")).exists(), "{}: {day}", it.zone);
            }
        });
        let report = check(root).expect("a ledger");
        assert_eq!((report.findings.as_slice(), report.segments), (&[][..], 3), "{}", it.zone);
        let each = report.settled_by_day.values().copied();
        assert_eq!(each.collect::<Vec<_>>(), [cents(10); 3], "{}", it.zone);
    }
}

#[test]
fn an_attempt_that_spans_midnight_counts_on_both_sides_until_it_ends() {
    for it in &DAYS {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        runtime().block_on(async {
            let eve = begin(it) - SignedDuration::from_secs(30);
            let (handle, clock) = in_zone(root, it.zone, eve).await;
            let spans = handle.reserve(ask(cents(6))).await.expect("it fits");
            assert!(handle.reserve_now(ask(cents(5))).await.expect("a ledger").is_none());
            clock.shift(SignedDuration::from_secs(60));
            assert!(handle.reserve_now(ask(cents(5))).await.expect("a ledger").is_none());
            let seen = handle.snapshot(run()).await.expect("a ledger");
            assert_eq!((&*seen.day.to_string(), seen.today.reserved), (it.day, cents(6)));
            handle.settle(spans.rid, cents(3), CostSource::Usage, None).await.expect("a ledger");
            let seen = handle.snapshot(run()).await.expect("a ledger").today;
            assert_eq!((seen.settled, seen.reserved), (cents(3), cents(0)));
            handle.reserve(ask(cents(7))).await.expect("three are spent");
            handle.shutdown().await.expect("a ledger");
        });
        assert_eq!(check(root).expect("a ledger").findings, [], "{}", it.zone);
    }
}

#[test]
fn a_job_that_is_unknown_weighs_until_the_civil_day_of_its_last_hour() {
    // When it is declared, and the last day that a charge 24 hours later falls on.
    let table = [
        ("Europe/Berlin", "2026-10-24T21:30:00Z", "2026-10-25"),
        ("Europe/Berlin", "2026-10-24T22:30:00Z", "2026-10-25"),
        ("Europe/Berlin", "2026-10-24T23:30:00Z", "2026-10-26"),
        ("Europe/Berlin", "2026-03-28T22:30:00Z", "2026-03-30"),
        ("Asia/Beirut", "2026-03-28T21:30:00Z", "2026-03-30"),
        ("Asia/Kolkata", "2026-11-20T18:29:00Z", "2026-11-21"),
    ];
    for (zone, declared, last_day) in table {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let at: Timestamp = declared.parse().expect("a time");
        runtime().block_on(async {
            let (handle, clock) = in_zone(root, zone, at).await;
            let job = ReserveAsk { late: LATE_JOB, ..ask(cents(10)) };
            let held = handle.reserve(job).await.expect("it fits");
            handle.unknown(held.rid, UnknownClass::Timeout).await.expect("a ledger");
            handle.snapshot(run()).await.expect("a ledger");
            let held = summary(root, at).expect("a ledger").held;
            let found = held[0].last_day.expect("it is unknown");
            assert_eq!(found.to_string(), last_day, "{zone} {declared}");
            // It fills every day up to then, and none after.
            let zone = imagemill::adapters::system::zone_named(zone).expect("a zone");
            let next = found.tomorrow().expect("a day").to_zoned(zone).expect("a time").timestamp();
            clock.shift(next.duration_since(clock.now()) - SignedDuration::from_secs(5));
            refused(&handle).await;
            clock.shift(SignedDuration::from_secs(6));
            handle.reserve(ask(cents(10))).await.expect("it weighs no more");
            handle.shutdown().await.expect("a ledger");
        });
        assert_eq!(check(root).expect("a ledger").findings, [], "{zone} {declared}");
    }
}

#[test]
fn a_ledger_whose_zone_was_edited_is_refused_and_the_zones_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    runtime().block_on(async {
        let (handle, _) = in_folder(root, cents(10)).await;
        handle.reserve(ask(cents(4))).await.expect("it fits");
        handle.shutdown().await.expect("a ledger");
    });
    let path = root.join("ledger.json");
    let text = std::fs::read_to_string(&path).expect("a file");
    std::fs::write(&path, text.replace("\"UTC\"", "\"Asia/Tokyo\"")).expect("a file");
    let said = "says that its days are those of Asia/Tokyo, but its segments are kept by UTC";
    runtime().block_on(async {
        let (handle, _) = in_folder(root, cents(10)).await;
        let Err(ReserveError::Stopped(stopped)) = handle.reserve(ask(cents(1))).await else {
            panic!("another zone would begin another day");
        };
        let source = std::error::Error::source(&stopped).expect("a source").to_string();
        assert!(source.contains(said), "{source}");
    });
    let by_hand = set_limit(open_or_create(root, cents(1)), cents(9), ByHand { by: "a", why: "" });
    assert!(matches!(by_hand, Err(StoreError::OtherZone { .. })), "{by_hand:?}");
    let seen = summary(root, START.parse().expect("a time"));
    assert!(matches!(seen, Err(StoreError::OtherZone { .. })), "{seen:?}");
    let findings = check(root).expect("a ledger").findings;
    assert!(findings[0].problem.contains("another ledger than ledger.json"), "{findings:?}");
}

#[test]
fn a_zone_is_asked_for_once_and_a_founding_with_another_one_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    drop(DirectoryLedger::open_blocking(open_or_create(root, cents(1))).expect("a ledger"));
    let mut how = open_or_create(root, cents(1));
    how.founding.zone = "Asia/Tokyo".into();
    let again = DirectoryLedger::open_blocking(how).expect("a ledger");
    assert_eq!(again.description().zone, "UTC");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    /// However the hours pass, no civil day is exposed to more than its limit, and each day's
    /// segment is there.
    #[test]
    fn no_day_is_exposed_to_more_than_its_limit(
        which in 0..DAYS.len(),
        steps in prop::collection::vec((0_i64..500, 1_i64..6, 0_u8..4), 1..40),
    ) {
        let it = &DAYS[which];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime").block_on(async {
            let clock = TestClock::starting(&(begin(it) - minutes(600)).to_string());
            let zone = imagemill::adapters::system::zone_named(it.zone).expect("a zone");
            let mut founding = crate::ledger::support::founding(cents(10));
            founding.zone = it.zone.into();
            let store = imagemill::adapters::ledger::memory::MemoryLedger::new(
                &founding, clock.now(), &zone,
            );
            let options = TaskOptions { zone: zone.clone(), ..options(founding.owner) };
            let (handle, _) = spawn(Box::new(store), clock.clone(), options);
            let mut out = Vec::new();
            let mut spent = std::collections::BTreeMap::new();
            for (gone, amount, what) in steps {
                clock.shift(minutes(gone));
                let today = zone.to_datetime(clock.now()).date();
                match handle.reserve_now(ask(cents(amount))).await {
                    Ok(Some(held)) => out.push(held),
                    Ok(None) | Err(ReserveError::Refused(_)) => {}
                    Err(ReserveError::Stopped(error)) => panic!("{error}"),
                }
                if what == 0 && let Some(held) = out.pop() {
                    handle.settle(held.rid, held.max, CostSource::Usage, None).await.expect("open");
                    *spent.entry(today).or_insert(cents(0)) = held.max.saturating_add(
                        spent.get(&today).copied().unwrap_or_default(),
                    );
                }
                let seen = handle.snapshot(run()).await.expect("a ledger");
                assert_eq!(seen.day, today, "{}", it.zone);
                assert!(seen.today.exposure() <= cents(10), "{}: {:?}", it.zone, seen.today);
                assert_eq!(seen.today.settled, spent.get(&today).copied().unwrap_or_default());
            }
        });
    }
}
