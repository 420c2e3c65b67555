//! Every fail point of the ledger: a process fails or dies there, at each time that it comes by,
//! alone or together with the power. What the next process finds must be enough.
//!
//! Fail points belong to a whole process, so the walk has one of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use imagemill::adapters::ledger::audit::check;
use imagemill::adapters::ledger::directory::{DirectoryLedger, OpenOrCreate};
use imagemill::domain::ids::AttemptId;
use imagemill::domain::ledger::{CostSource, Evidence};
use imagemill::pipeline::ledger_task::{LedgerHandle, ReserveError, spawn};
use imagemill::ports::clock::Clock;
use imagemill::ports::ledger::FAIL_POINTS;
use tokio::task::JoinHandle;

use crate::ledger::disk::{Disk, scratch};
use crate::ledger::machine::reader::{Files, Seen};
use crate::ledger::support::{StillClock, alone, ask, cents, founding, options, run};

/// Power losses tried for each death.
const SEEDS: u64 = 3;
/// The limit per day, in cents: it is used up by the life that is walked.
const LIMIT: i64 = 40;

/// A ledger on a disk of its own.
struct Place {
    folder: tempfile::TempDir,
    disk: Disk,
    clock: Arc<StillClock>,
}

/// A process.
struct Process {
    handle: LedgerHandle,
    task: JoinHandle<()>,
}

/// What a life was told, and said, before it ended.
#[derive(Default)]
struct Told {
    granted: Vec<AttemptId>,
    ends: BTreeMap<AttemptId, i64>,
}

/// How a process ends at a point.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// The step returns an error.
    Error,
    /// The process is gone, and nothing that it would do then is done.
    Death,
}

#[test]
fn whatever_point_a_process_fails_or_dies_at_the_next_one_finds_what_was_granted() {
    let name = "whatever_point_a_process_fails_or_dies_at_the_next_one_finds_what_was_granted";
    alone(&format!("{}::{name}", module_path!()), walk);
}

#[expect(clippy::print_stdout, reason = "its parent reads its figures")]
fn walk() {
    let points = FAIL_POINTS.iter().filter(|point| point.starts_with("ledger::"));
    let (mut n_points, mut n_ends, mut n_losses) = (0, 0, 0);
    for point in points {
        let n_hits = hits(point);
        assert!(n_hits > 0, "{point} is never reached");
        for hit in 0..n_hits {
            for way in [Way::Error, Way::Death] {
                for seed in 0..=SEEDS {
                    one(point, hit, way, seed);
                    n_ends += 1;
                    n_losses += u64::from(seed > 0);
                }
            }
        }
        n_points += 1;
        println!(
            "fail point figures: {point} is reached {n_hits} times in a life, each of them survived"
        );
    }
    println!(
        "fail point figures: {n_points} walked, {n_ends} ends, {n_losses} of them with power loss"
    );
}

/// How often a life that nothing happens to comes by a point.
fn hits(point: &str) -> u64 {
    block_on(async {
        let place = Place::with_history().await;
        let count = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&count);
        let add = move || {
            counter.fetch_add(1, Ordering::SeqCst);
        };
        fail::cfg_callback(point, add).expect("a point");
        let told = place.life().await;
        fail::remove(point);
        assert!(told.is_some_and(|told| told.granted.len() == 4), "nothing went wrong");
        count.load(Ordering::SeqCst)
    })
}

/// One life that ends at one point, and what its successor makes of it. Without a power loss when
/// the seed is zero.
fn one(point: &str, hit: u64, way: Way, seed: u64) {
    let text = format!("{point}, time {hit}, {way:?}, power loss {seed}");
    block_on(async {
        let place = Place::with_history().await;
        let count = Arc::new(AtomicU64::new(0));
        match way {
            Way::Error => fail::cfg(point, &format!("{hit}*off->1*return->off")).expect("a point"),
            Way::Death => {
                let counter = Arc::clone(&count);
                let die = move || {
                    if counter.fetch_add(1, Ordering::SeqCst) == hit {
                        // Unlike a panic, it says nothing.
                        std::panic::resume_unwind(Box::new("dead"));
                    }
                };
                fail::cfg_callback(point, die).expect("a point");
            }
        }
        let told = place.life().await;
        fail::remove(point);
        let told = told.unwrap_or_default();
        if seed > 0 {
            place.disk.power_loss(seed);
        }
        place.next_finds(&told, &text).await;
    });
}

impl Place {
    /// A ledger with an attempt that a dead process left, a torn end, and a settled attempt.
    async fn with_history() -> Self {
        let folder = scratch();
        let disk = Disk::new(folder.path(), 512, 1);
        let place = Self { folder, disk, clock: Arc::<StillClock>::default() };
        let process = place.open().await.expect("nothing goes wrong yet");
        let first = process.handle.reserve(ask(cents(4))).await.expect("it fits");
        process.handle.reserve(ask(cents(6))).await.expect("it fits");
        let source = CostSource::Usage;
        process.handle.settle(first.rid, cents(3), source, None).await.expect("a ledger");
        process.handle.snapshot(run()).await.expect("a ledger");
        process.die().await;
        let segment = place.folder.path().join("2026-11-21/0001.jsonl");
        let mut bytes = std::fs::read(&segment).expect("a segment");
        bytes.extend_from_slice(b"{\"v\":1,\"seq\":7,");
        std::fs::write(segment, bytes).expect("a segment");
        place.disk.absorb();
        place
    }

    async fn open(&self) -> Option<Process> {
        let founding = founding(cents(LIMIT));
        let owner = founding.owner;
        let root = self.folder.path().to_owned();
        let how = OpenOrCreate { root, founding, now: self.clock.now() };
        let folder = self.disk.process().0;
        let opened =
            tokio::task::spawn_blocking(move || DirectoryLedger::open_in(how, folder)).await;
        let store = opened.ok()?.ok()?;
        let (handle, task) = spawn(Box::new(store), self.clock.clone(), options(owner));
        Some(Process { handle, task })
    }

    /// The life that is walked: it heals, declares what was lost, reserves, settles, and goes over
    /// midnight. Nothing when it could not even open.
    async fn life(&self) -> Option<Told> {
        let process = self.open().await?;
        let mut told = Told::default();
        // It ends with the first error, whatever that is.
        let _ = self.work(&process.handle, &mut told).await;
        process.die().await;
        Some(told)
    }

    async fn work(&self, handle: &LedgerHandle, told: &mut Told) -> Result<(), ReserveError> {
        let one = reserve(handle, 9, told).await?;
        let two = reserve(handle, 9, told).await?;
        told.ends.insert(one, 5);
        handle.settle(one, cents(5), CostSource::Usage, None).await?;
        handle.snapshot(run()).await?;
        self.clock.shift(14 * 60);
        let three = reserve(handle, 9, told).await?;
        told.ends.insert(two, 0);
        handle.release(two, Evidence::RateLimited, Some(429)).await?;
        told.ends.insert(three, 9);
        handle.settle(three, cents(9), CostSource::Usage, None).await?;
        reserve(handle, 9, told).await?;
        handle.shutdown().await?;
        Ok(())
    }

    /// Everything that was granted is held or ends as was said; the limit holds; it goes on.
    async fn next_finds(&self, told: &Told, text: &str) {
        let next = self.open().await.expect(text);
        next.handle.snapshot(run()).await.expect(text);
        let files = self.files();
        for rid in &told.granted {
            let seen = files.attempts.get(rid).unwrap_or_else(|| panic!("{text}: {rid} is lost"));
            match seen.end {
                None => {}
                Some((_, Some(amount))) => assert_eq!(told.ends.get(rid), Some(&amount), "{text}"),
                Some((_, None)) => assert!(told.ends.contains_key(rid), "{text}"),
            }
        }
        // It takes what is left to the last cent, and then no more.
        while next.handle.reserve_now(ask(cents(1))).await.is_ok_and(|it| it.is_some()) {}
        let exposed = next.handle.snapshot(run()).await.expect(text).today.exposure();
        assert_eq!(exposed, cents(LIMIT), "{text}");
        next.handle.shutdown().await.expect(text);
        next.die().await;
        assert_eq!(self.files().exposure(), LIMIT, "{text}");
        let report = check(self.folder.path()).expect(text);
        assert_eq!((report.findings, report.torn_tail), (Vec::new(), None), "{text}");
    }

    fn files(&self) -> Files {
        let mut files = Files::default();
        files.read(self.folder.path());
        files
    }
}

impl Process {
    /// Gone, without a word.
    async fn die(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

impl Files {
    /// What weighs on the ledger's day, in cents.
    fn exposure(&self) -> i64 {
        let weight = |seen: &Seen| match seen.end {
            _ if seen.until.is_some_and(|until| until < self.day) => 0,
            Some((day, _)) if day < self.day => 0,
            Some((_, amount)) => amount.expect("no sync has failed"),
            None => seen.max,
        };
        self.attempts.values().map(weight).sum()
    }
}

async fn reserve(
    handle: &LedgerHandle,
    max: i64,
    told: &mut Told,
) -> Result<AttemptId, ReserveError> {
    let held = handle.reserve_now(ask(cents(max))).await?;
    let rid = held.expect("it fits").rid;
    told.granted.push(rid);
    Ok(rid)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.build().expect("a runtime").block_on(future)
}
