//! Random histories: whatever the provider plays, the limit holds and every dollar has a state.

use std::time::Duration;

use imagemill::domain::event::Ending;
use imagemill::domain::failure::{Charge, FailureClass};
use imagemill::domain::money::NanoUsd;
use imagemill::domain::pace::Rates;
use imagemill::domain::settings::{PaidRetries, PaidRetryOn};
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::ledger::support::cents;
use crate::sim::bench::{Act, Bench};
use crate::sim::fakes::{Call, LedgerFaults, Play, Reply};
use crate::sim::ran::Ran;

/// A stream that depends on its words alone.
fn stream(words: [u64; 4]) -> Xoshiro256PlusPlus {
    let mixed = words.into_iter().fold(0x51_7c_c1_b7, |sum: u64, word| {
        (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    });
    Xoshiro256PlusPlus::seed_from_u64(mixed)
}

/// What the provider does in the history `seed`. It may charge for what it does not deliver, and
/// never more than the worst case; the dear model is not told apart, so ten cents at most.
fn play(seed: u64, call: Call) -> Play {
    let words = [seed, call.row, u64::from(call.variant), u64::from(call.attempt)];
    let mut random = stream(words);
    let mut below = |n: u64| random.next_u64() % n;
    let charge = NanoUsd::from_nanos((below(1_001) * 100_000) as i64);
    let reply = match below(28) {
        0..=14 => Reply::Image,
        15 | 16 => Reply::Throttled(Duration::from_secs(below(200))),
        17 | 18 => Reply::SERVER_ERROR,
        19 => Reply::TIMED_OUT,
        20 => Reply::REFUSED,
        21 => Reply::BAD_REQUEST,
        22 => Reply::Failed(FailureClass::Reset),
        23 => Reply::Failed(FailureClass::BadBody),
        24 => Reply::Failed(FailureClass::NoImage { charge: Charge::Unknown }),
        25 => Reply::Failed(FailureClass::NoConnection { refused: below(2) == 0 }),
        26 => Reply::Failed(FailureClass::RateLimited { retry_after: None }),
        _ => Reply::NotAnImage,
    };
    let is_free = match reply {
        Reply::Throttled(_) | Reply::NotSent(_) => true,
        Reply::Failed(class) => matches!(class.ending(), Ending::Released { .. }),
        Reply::Image | Reply::NotAnImage | Reply::NotKept | Reply::Panic => false,
    };
    let charge = if is_free { NanoUsd::ZERO } else { charge };
    Play { after: Duration::from_millis(below(30_000)), reply, charge }
}

fn history(seed: u64) -> Bench {
    let mut random = stream([seed, 1, 2, 3]);
    let mut below = |n: u64| random.next_u64() % n;
    let on = PaidRetryOn::ALL;
    let paid_retries = PaidRetries {
        share: ["5", "20", "100", "none"][below(4) as usize].parse().ok(),
        attempts: 1 + below(4) as u32,
        on: on[..1 + below(4) as usize].to_vec(),
    };
    let takes = Duration::from_millis(below(4) * 40);
    let mut acts = Vec::new();
    if below(3) == 0 {
        acts.push((Duration::from_millis(below(120_000)), Act::Drain));
    }
    if below(4) == 0 {
        acts.push((Duration::from_millis(below(120_000)), Act::Abort));
    }
    let bench = Bench {
        variants: |row| (row % 4) as u8 + 1,
        is_dear: |row| row % 7 == 3,
        concurrency: 1 + below(10) as u32,
        rates: Rates {
            requests_per_minute: (below(3) == 0).then(|| 20 + below(200) as u32),
            images_per_minute: (below(5) == 0).then(|| 10 + below(200) as u32),
        },
        timeout: Duration::from_secs(if below(3) == 0 { 20 } else { 3_600 }),
        limit: cents(20 + below(400) as i64),
        per_run: (below(3) == 0).then(|| cents(20 + below(300) as i64)),
        paid_retries,
        seed,
        ledger: LedgerFaults { takes, ..LedgerFaults::default() },
        acts,
        ..Bench::new(5 + below(36) as u32)
    };
    bench.plays(move |call| play(seed, call))
}

/// What holds of every history beyond what the bench checks.
fn check(seed: u64, bench: &Bench, ran: &Ran) {
    let rows = &ran.stats.rows;
    let sum = rows.ok
        + rows.partial
        + rows.failed
        + rows.refused
        + rows.rejected
        + rows.cancelled
        + rows.unknown;
    assert_eq!(sum, u64::from(bench.rows), "seed {seed}: {rows:?}");
    assert_eq!(ran.stats.rows_open, 0, "seed {seed}");
    assert!(ran.stats.in_flight.is_empty(), "seed {seed}");
    assert_eq!(ran.stats.money.reserved, NanoUsd::ZERO, "seed {seed}");
    let n_images: u64 = (0..bench.rows).map(|row| u64::from((bench.variants)(row))).sum();
    let bought = u64::from(!bench.paid_retries.on.is_empty());
    let allowance = bought * bench.paid_retries.allowance(n_images);
    let n_throttled = ran.count("release");
    let most = n_images + allowance + n_throttled as u64;
    assert!(ran.calls().len() as u64 <= most, "seed {seed}: {} calls", ran.calls().len());
    // Every end stands in the journal and in the ledger alike.
    assert_eq!(ran.stats.attempts as usize, ran.calls().len(), "seed {seed}");
    assert_eq!(ran.sidecars.len() as u64, ran.stats.images_stored, "seed {seed}");
}

/// Runs `make` for many seeds and names the seed that fails.
fn for_seeds(seeds: std::ops::Range<u64>, make: impl Fn(u64) -> Bench) {
    for seed in seeds {
        let named = NameSeed(seed);
        let bench = make(seed);
        let ran = bench.clone().run();
        check(seed, &bench, &ran);
        drop(named);
    }
}

/// Prints the seed when a check inside of the bench panics.
struct NameSeed(u64);

impl Drop for NameSeed {
    #[expect(clippy::print_stderr, reason = "a failing test names its seed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the history with seed {} fails", self.0);
        }
    }
}

#[test]
fn the_limit_holds_in_every_random_history_row_9() {
    for_seeds(0..200, history);
}

#[test]
fn the_limit_holds_in_random_histories_on_a_ledger_in_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    for_seeds(200..212, |seed| Bench {
        folder: Some(folder.path().join(seed.to_string())),
        ..history(seed)
    });
}
