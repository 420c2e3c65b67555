//! The task over real files: what is written, what is read back, and who may share it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use imagemill::adapters::ledger::audit::check;
use imagemill::adapters::ledger::by_hand::{ByHand, set_limit};
use imagemill::adapters::ledger::directory::DirectoryLedger;
use imagemill::adapters::ledger::read::{show, summary};
use imagemill::domain::ledger::{CostSource, Evidence, LimitOrigin, Money, UnknownClass};
use imagemill::pipeline::ledger_task::ReserveError;
use imagemill::ports::clock::Clock;
use imagemill::ports::ledger::StoreError;
use jiff::SignedDuration;

use crate::ledger::support::{START, ask, cents, in_folder, open_or_create, run, runtime};

fn sound(root: &Path) -> imagemill::domain::ledger::reading::CheckReport {
    let report = check(root).expect("a ledger");
    assert_eq!(report.findings, []);
    report
}

#[test]
fn what_is_written_is_what_every_reader_sees() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("ledger");
    runtime().block_on(async {
        let (handle, _) = in_folder(&root, cents(1000)).await;
        for number in 0..50 {
            let held = handle.reserve(ask(cents(4))).await.expect("it fits");
            match number % 5 {
                0 => handle.release(held.rid, Evidence::RateLimited, Some(429)).await,
                1 => handle.unknown(held.rid, UnknownClass::ServerError).await,
                _ => handle.settle(held.rid, cents(3), CostSource::Usage, None).await,
            }
            .expect("a ledger");
        }
        handle.shutdown().await.expect("a ledger");
    });
    let now = START.parse().expect("a time");
    let seen = summary(&root, now).expect("a ledger");
    assert_eq!((seen.settled, seen.unknown, seen.reserved), (cents(90), cents(40), cents(0)));
    assert_eq!((seen.exposure_today, seen.limit_per_day), (cents(130), cents(1000)));
    assert_eq!((seen.attempts, seen.releases, seen.held.len()), (50, 10, 10));
    assert_eq!((seen.money, seen.limit_origin), (Money::Simulated, LimitOrigin::Flag));
    let json = serde_json::to_value(&seen).expect("JSON");
    assert_eq!(json["exposure_today"], "1.30");
    let report = sound(&root);
    assert_eq!((report.attempts, report.torn_tail), (50, None));
    assert_eq!(report.settled_by_run[&run()], cents(90));
    assert_eq!(show(&root, run()).expect("a ledger").len(), 100);
    assert_eq!(std::fs::read_dir(root.join("owners")).expect("a folder").count(), 0);
}

#[cfg(unix)]
#[test]
fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("ledger");
    let ledger = DirectoryLedger::open_blocking(open_or_create(&root, cents(100)));
    drop(ledger.expect("a ledger"));
    let mode = |path: &str| {
        let path = root.join(path);
        std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777
    };
    for (path, expected) in [
        (".", 0o700),
        ("owners", 0o700),
        ("2026-11-21", 0o700),
        ("ledger.json", 0o600),
        ("ledger.lock", 0o600),
        ("2026-11-21/0001.jsonl", 0o600),
    ] {
        assert_eq!(mode(path), expected, "{path}");
    }
}

/// One process of several: reserves, asserts the bill, ends. `held` is what all of them may owe.
fn spend(root: &Path, held: &AtomicI64, limit: i64, attempts: i64) -> i64 {
    runtime().block_on(async {
        let (handle, _) = in_folder(root, cents(limit)).await;
        let mut spent = 0;
        for number in 0..attempts {
            let reservation = match handle.reserve(ask(cents(4))).await {
                Ok(reservation) => reservation,
                Err(ReserveError::Refused(_)) => break,
                Err(ReserveError::Stopped(error)) => panic!("{error:?}"),
            };
            let all = held.fetch_add(4, Ordering::SeqCst) + 4;
            assert!(all <= limit, "{all} cents are held under a limit of {limit}");
            let amount = [0, 1, 4][usize::try_from(number % 3).expect("small")];
            held.fetch_sub(4 - amount, Ordering::SeqCst);
            match amount {
                0 => handle.release(reservation.rid, Evidence::NotFound, Some(404)).await,
                _ => {
                    let source = CostSource::Usage;
                    handle.settle(reservation.rid, cents(amount), source, None).await
                }
            }
            .expect("a ledger");
            spent += amount;
        }
        handle.shutdown().await.expect("a ledger");
        spent
    })
}

#[test]
fn several_handles_on_one_folder_never_hold_more_than_the_limit() {
    const LIMIT: i64 = 100;
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let held = Arc::new(AtomicI64::new(0));
    let spent: i64 = std::thread::scope(|scope| {
        let spend = || scope.spawn(|| spend(root, &held, LIMIT, 60));
        let threads: Vec<_> = (0..3).map(|_| spend()).collect();
        threads.into_iter().map(|thread| thread.join().expect("no overspend")).sum()
    });
    let seen = summary(root, START.parse().expect("a time")).expect("a ledger");
    assert_eq!((seen.settled, seen.reserved), (cents(spent), cents(0)));
    assert!((LIMIT - 4..=LIMIT).contains(&spent), "the limit is used up: {spent}");
    sound(root);
}

#[test]
fn an_ask_waits_for_money_that_another_process_gives_back() {
    let folder = tempfile::tempdir().expect("a folder");
    runtime().block_on(async {
        let (one, _) = in_folder(folder.path(), cents(10)).await;
        let (two, _) = in_folder(folder.path(), cents(10)).await;
        let held = one.reserve(ask(cents(6))).await.expect("it fits");
        let waiting = tokio::spawn(async move {
            let reservation = two.reserve(ask(cents(6))).await.expect("it fits later");
            two.settle(reservation.rid, cents(6), CostSource::Usage, None).await.expect("open");
            two.shutdown().await.expect("a ledger");
        });
        one.release(held.rid, Evidence::NotSent, None).await.expect("a ledger");
        waiting.await.expect("a task");
        one.shutdown().await.expect("a ledger");
    });
    sound(folder.path());
}

#[test]
fn days_become_segments_that_carry_what_has_not_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    runtime().block_on(async {
        let (handle, clock) = in_folder(root, cents(20)).await;
        let (other, _) = in_folder(root, cents(20)).await;
        let first = handle.reserve(ask(cents(4))).await.expect("it fits");
        let lost = handle.reserve(ask(cents(4))).await.expect("it fits");
        handle.unknown(lost.rid, UnknownClass::Timeout).await.expect("a ledger");
        handle.snapshot(run()).await.expect("everything is written on the first day");
        clock.shift(SignedDuration::from_hours(24 * 3));
        let second = handle.reserve(ask(cents(4))).await.expect("it fits");
        for rid in [first.rid, second.rid] {
            handle.settle(rid, cents(3), CostSource::Usage, None).await.expect("a ledger");
        }
        handle.reserve(ask(cents(14))).await.expect("an old unknown weighs no more");
        // The other process finds the new segment, whatever its own clock says.
        other.reserve(ask(cents(15))).await.expect_err("the day is full");
        handle.shutdown().await.expect("a ledger");
        other.shutdown().await.expect("a ledger");
        let seen = summary(root, clock.now()).expect("a ledger");
        assert_eq!((seen.settled, seen.unknown), (cents(6), cents(14)));
        assert_eq!(seen.held.len(), 2);
    });
    assert!(root.join("2026-11-24/0001.jsonl").exists());
    assert_eq!(sound(root).segments, 2);
}

#[test]
fn a_limit_set_by_hand_counts_at_once_and_is_recorded_row_26() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    runtime().block_on(async {
        let (handle, _) = in_folder(root, cents(10)).await;
        handle.reserve(ask(cents(11))).await.expect_err("too much");
        let how = open_or_create(root, cents(1));
        set_limit(how, cents(11), ByHand { by: "ann", why: "a larger batch" }).expect("a limit");
        let held = handle.reserve(ask(cents(11))).await.expect("it fits now");
        set_limit(open_or_create(root, cents(1)), cents(5), ByHand { by: "ann", why: "" })
            .expect("a limit");
        handle.settle(held.rid, cents(11), CostSource::Usage, None).await.expect("a ledger");
        handle.reserve(ask(cents(1))).await.expect_err("lowered below what is spent");
        handle.shutdown().await.expect("a ledger");
    });
    let seen = summary(root, START.parse().expect("a time")).expect("a ledger");
    assert_eq!((seen.limit_per_day, seen.settled), (cents(5), cents(11)));
    assert_eq!(seen.limit_origin, LimitOrigin::Person);
    sound(root);
}

#[test]
fn real_and_simulated_money_never_meet() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    drop(DirectoryLedger::open_blocking(open_or_create(root, cents(1))).expect("a ledger"));
    let mut real = open_or_create(root, cents(1));
    real.founding.money = Money::Real;
    let error = DirectoryLedger::open_blocking(real).expect_err("other money");
    assert!(matches!(error, StoreError::WrongMoney { kept: Money::Simulated, .. }));
}

#[test]
fn a_ledger_without_its_description_is_described_again_and_one_without_segments_is_refused_row_34()
{
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let first = DirectoryLedger::open_blocking(open_or_create(root, cents(1))).expect("a ledger");
    std::fs::remove_file(root.join("ledger.json")).expect("a file");
    let again = DirectoryLedger::open_blocking(open_or_create(root, cents(9))).expect("a ledger");
    assert_eq!(again.description(), first.description());
    let seen = summary(root, START.parse().expect("a time")).expect("a ledger");
    assert_eq!(seen.limit_per_day, cents(1), "the money is the same as before");
    std::fs::remove_dir_all(root.join("2026-11-21")).expect("a folder");
    runtime().block_on(async {
        let (handle, _) = in_folder(root, cents(1000)).await;
        let answer = handle.reserve(ask(cents(1))).await;
        assert!(matches!(answer, Err(ReserveError::Stopped(_))), "its money cannot be forgotten");
    });
}
