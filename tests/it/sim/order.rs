//! Requests in flight, the order of hold and call, put-off requests, and a clock that jumps.

use std::collections::BTreeMap;
use std::time::Duration;

use imagemill::domain::ledger::Evidence;
use imagemill::domain::row::Outcome;
use imagemill::pipeline::stop::StopReason;
use jiff::SignedDuration;

use crate::sim::bench::{Bench, free, image};
use crate::sim::fakes::{ImageFaults, LedgerFaults, Play, Reply};
use crate::sim::ran::End;

const UNSENT: End = End::Released(Evidence::NotSent, None);
const RETRY_AFTER: Duration = Duration::from_secs(90);

#[test]
fn a_steady_run_keeps_the_lane_full_and_ends_in_time() {
    let ran = Bench { variants: |row| (row % 3) as u8 + 1, ..Bench::new(100) }.run();
    assert_eq!((ran.stats.rows.ok, ran.stats.images_stored), (100, 199));
    assert_eq!(ran.calls().len(), 199);
    assert_eq!((ran.count("reserve"), ran.count("settle")), (199, 199));
    assert_eq!(ran.sidecars.len(), 199);
    // 199 images, eight at a time, ten seconds each: 25 waves.
    assert_eq!(ran.elapsed.as_secs(), 250);
    assert_eq!(ran.reasons, []);
}

#[test]
fn a_slow_ledger_is_waited_for_before_every_call() {
    let takes = Duration::from_secs(3);
    let ledger = LedgerFaults { takes, ..LedgerFaults::default() };
    let ran = Bench { ledger, ..Bench::new(20) }.run();
    assert_eq!(ran.calls().len(), 20);
    assert!(ran.calls().iter().all(|(at, _)| *at >= takes), "a call left before its commit");
}

#[test]
fn a_put_off_request_gives_its_permit_back_and_waits_in_full() {
    let bench = Bench { concurrency: 1, ..Bench::new(3) };
    let ran = bench
        .plays(|call| match (call.row, call.attempt) {
            (1, 1) => free(Reply::Throttled(RETRY_AFTER)),
            _ => image(),
        })
        .run();
    // One open row at a time, so row 1 comes back before row 2 begins.
    assert_eq!(ran.stats.rows.ok, 3);
    let calls = ran.calls();
    assert_eq!(calls[1].1.row, 1);
    let waited = calls[1].0 - Duration::from_secs(10);
    assert!(waited >= RETRY_AFTER && waited < RETRY_AFTER * 11 / 10, "{waited:?}");
    assert_eq!(ran.ends()[0], End::Released(Evidence::RateLimited, Some(429)));
    assert_eq!((ran.count("reserve"), ran.count("settle")), (4, 3));
}

#[test]
fn others_use_the_permit_of_a_put_off_request() {
    // One row with two images and one permit: the second image goes while the first one waits.
    let bench = Bench { concurrency: 1, variants: |_| 2, ..Bench::new(1) };
    let ran = bench
        .plays(|call| match (call.variant, call.attempt) {
            (1, 1) => free(Reply::Throttled(RETRY_AFTER)),
            _ => image(),
        })
        .run();
    let order: Vec<(u64, u8)> =
        ran.calls().iter().map(|(at, call)| (at.as_secs(), call.variant)).collect();
    assert_eq!(order, [(0, 1), (10, 2), (100, 1)]);
    assert_eq!(ran.outcome(1), Outcome::Ok);
}

#[test]
fn a_lane_that_never_opens_is_given_up() {
    let bench = Bench::new(1).plays(|_| free(Reply::Throttled(RETRY_AFTER)));
    let ran = bench.run();
    assert_eq!(ran.outcome(1), Outcome::Failed);
    assert_eq!(ran.rows()[&1].error_kind, Some("throttled"));
    let [StopReason::Provider(text)] = &ran.reasons[..] else { panic!("{:?}", ran.reasons) };
    assert!(text.contains("puts every request off"), "{text}");
    assert_eq!(ran.count("reserve"), ran.count("release"));
    assert_eq!(ran.charged(), imagemill::domain::money::NanoUsd::ZERO);
}

#[test]
fn a_hold_from_before_a_sleep_of_the_machine_is_taken_again() {
    let check = |seconds: i64, n_reserves: usize| {
        let jump = Some((1, SignedDuration::from_secs(seconds)));
        let ledger = LedgerFaults { jump, ..LedgerFaults::default() };
        let ran = Bench { ledger, ..Bench::new(1) }.run();
        assert_eq!(ran.outcome(1), Outcome::Ok);
        assert_eq!(ran.count("reserve"), n_reserves, "{seconds}");
        let unsent = ran.ends().iter().filter(|end| **end == UNSENT).count();
        assert_eq!(unsent, n_reserves - 1, "{seconds}");
        assert_eq!((ran.calls().len(), ran.stats.attempts), (1, 1), "{seconds}");
    };
    check(59, 1);
    check(61, 2);
    check(8 * 3_600, 2);
    check(-3_600, 2);
}

#[test]
fn time_that_passes_after_the_hold_and_before_the_first_byte_counts_too() {
    // The disk takes 61 seconds to open the first file.
    let images = ImageFaults { begin_takes: Duration::from_secs(61), ..ImageFaults::default() };
    let acts = vec![(Duration::from_secs(500), crate::sim::bench::Act::Drain)];
    let ran = Bench { images, acts, ..Bench::new(1) }.run();
    assert_eq!(ran.calls().len(), 0, "a call left with an old hold");
    assert!(ran.ends().iter().all(|end| *end == UNSENT), "{:?}", ran.ends());
    assert_eq!(ran.outcome(1), Outcome::Cancelled);
}

#[test]
fn the_same_seed_tells_the_same_story() {
    for seed in 0..50_u64 {
        let story = || {
            let bench = Bench {
                variants: |row| (row % 3) as u8 + 1,
                concurrency: 1 + (seed % 9) as u32,
                seed,
                ..Bench::new(20)
            };
            let ran = bench.plays(move |call| play_of(seed, call)).run();
            let events: Vec<String> = ran
                .events
                .iter()
                .map(|event| serde_json::to_string(event).expect("plain values serialize"))
                .collect();
            (events, ran.notes.len(), ran.elapsed)
        };
        let (one, other) = (story(), story());
        assert_eq!(one, other, "seed {seed}");
        assert!(one.0.len() > 120, "seed {seed}: a story of {} events", one.0.len());
    }
}

/// A mixed provider that depends on the call alone.
fn play_of(seed: u64, call: crate::sim::fakes::Call) -> Play {
    let mixed = seed
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(call.row * 1_000 + u64::from(call.variant) * 100 + u64::from(call.attempt))
        .wrapping_mul(0xbf58_476d_1ce4_e5b9)
        >> 33;
    let play = match mixed % 20 {
        0 => free(Reply::Throttled(Duration::from_secs(mixed % 50))),
        1 => free(Reply::SERVER_ERROR),
        2 => free(Reply::REFUSED),
        3 => free(Reply::TIMED_OUT),
        _ => image(),
    };
    Play { after: Duration::from_millis(1_000 + mixed % 30_000), ..play }
}

#[test]
fn an_hour_of_virtual_time_costs_less_than_a_second() {
    // The best of three, since other tests share the machine.
    let attempts = (0..3).map(|_| {
        let before = time_of_this_thread();
        let bench = Bench::new(8 * 60);
        let minute = Duration::from_mins(1);
        let ran = bench.plays(move |_| Play { after: minute, ..image() }).run();
        assert_eq!((ran.elapsed, ran.stats.rows.ok), (Duration::from_hours(1), 8 * 60));
        time_of_this_thread().saturating_sub(before)
    });
    let best = attempts.min().expect("three attempts");
    assert!(best < Duration::from_secs(1), "an hour took {best:?}");
}

/// The time that this thread has worked. Where the system does not tell it, the time that has
/// passed for all; other tests share the machine.
fn time_of_this_thread() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split_whitespace().next()?.parse().ok());
    nanos.map_or_else(time_of_all, Duration::from_nanos)
}

fn time_of_all() -> Duration {
    #[expect(clippy::disallowed_methods, reason = "this measures real time")]
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}

#[test]
fn images_of_one_row_wait_in_the_lane_with_all_others() {
    let bench = Bench { variants: |_| 10, concurrency: 3, ..Bench::new(6) };
    let ran = bench.run();
    let mut per_moment: BTreeMap<Duration, u32> = BTreeMap::new();
    for (at, _) in ran.calls() {
        *per_moment.entry(at).or_default() += 1;
    }
    assert!(per_moment.values().all(|&n| n == 3), "{per_moment:?}");
    assert_eq!(ran.stats.images_stored, 60);
}
