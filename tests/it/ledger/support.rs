//! Clocks, ids and a ledger in a folder that is thrown away.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use imagemill::adapters::ledger::directory::{DirectoryLedger, OpenOrCreate};
use imagemill::adapters::ledger::memory::MemoryLedger;
use imagemill::domain::ids::{AttemptId, RunId};
use imagemill::domain::ledger::{
    Ceilings, CostSource, Founding, LedgerId, LimitOrigin, Money, OwnerId,
};
use imagemill::domain::money::NanoUsd;
use imagemill::pipeline::ledger_task::{LATE_CALL, LedgerHandle, ReserveAsk, TaskOptions, spawn};
use imagemill::ports::clock::Clock;
use imagemill::ports::ledger::{CatchUp, LedgerStore, StoreError};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// When every test starts.
pub(crate) const START: &str = "2026-11-21T10:00:00Z";

/// The runtime's time, real or paused, with a wall clock that can be set.
#[derive(Debug)]
pub(crate) struct TestClock {
    start: tokio::time::Instant,
    /// When it starts by the wall clock.
    start_at: Timestamp,
    ahead_ms: AtomicI64,
    /// How long the machine slept, while the runtime's time stood still.
    slept_ms: AtomicI64,
}

impl TestClock {
    pub(crate) fn new() -> Arc<Self> {
        Self::starting(START)
    }

    /// A clock whose wall time starts at `at`.
    pub(crate) fn starting(at: &str) -> Arc<Self> {
        #[expect(clippy::disallowed_methods, reason = "this is the tests' clock")]
        let start = tokio::time::Instant::now();
        let start_at = at.parse().expect("a time");
        let (ahead_ms, slept_ms) = (AtomicI64::new(0), AtomicI64::new(0));
        Arc::new(Self { start, start_at, ahead_ms, slept_ms })
    }

    /// Lets time pass as in a sleep of the machine, or sets the wall clock back.
    pub(crate) fn shift(&self, by: SignedDuration) {
        let slept = i64::try_from(by.as_millis()).expect("a short shift").max(0);
        self.slept_ms.fetch_add(slept, Ordering::SeqCst);
        self.jump(by);
    }

    /// Sets the wall clock forward or back, while no time passes.
    pub(crate) fn jump(&self, by: SignedDuration) {
        let by = i64::try_from(by.as_millis()).expect("a short shift");
        self.ahead_ms.fetch_add(by, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_millis(self.ahead_ms.load(Ordering::SeqCst));
        self.start_at + self.elapsed() + ahead
    }

    fn passed(&self) -> Duration {
        let slept = u64::try_from(self.slept_ms.load(Ordering::SeqCst)).expect("it only grows");
        self.elapsed() + Duration::from_millis(slept)
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the tests' clock")]
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A wall clock that stands still until it is set, and on which no wait ever ends: whatever happens
/// is asked for.
#[derive(Debug, Default)]
pub(crate) struct StillClock {
    ahead_minutes: AtomicI64,
    passed_minutes: AtomicU64,
}

impl StillClock {
    /// Lets time pass, or sets it back.
    pub(crate) fn shift(&self, minutes: i64) {
        self.ahead_minutes.fetch_add(minutes, Ordering::SeqCst);
        let passed = u64::try_from(minutes).unwrap_or(0);
        self.passed_minutes.fetch_add(passed, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        let start: Timestamp = START.parse().expect("a time");
        start + SignedDuration::from_mins(self.ahead_minutes.load(Ordering::SeqCst))
    }

    fn passed(&self) -> Duration {
        Duration::from_mins(self.passed_minutes.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep(&self, _duration: Duration) {
        std::future::pending().await
    }
}

/// An id that no other call returns.
pub(crate) fn fresh_id() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Uuid::from_u64_pair(0x0192_f0c1_2b3a_7c4d, 0x8000_0000_0000_0000 | number)
}

pub(crate) fn run() -> RunId {
    RunId::new(Uuid::from_u64_pair(0x0192_f0c1_2b3a_7c4d, 0x9000_0000_0000_0001))
}

pub(crate) fn cents(number: i64) -> NanoUsd {
    NanoUsd::from_nanos(number * 10_000_000)
}

pub(crate) fn founding(limit: NanoUsd) -> Founding {
    Founding {
        ledger: LedgerId::new(fresh_id()),
        zone: "UTC".into(),
        money: Money::Simulated,
        limit_per_day: Some((limit, LimitOrigin::Flag)),
        further_limits: Vec::new(),
        owner: OwnerId::new(fresh_id()),
        tool: "imagemill test".into(),
    }
}

pub(crate) fn ask(max: NanoUsd) -> ReserveAsk {
    ReserveAsk {
        rid: AttemptId::new(fresh_id()),
        run: run(),
        row: 1,
        variant: 1,
        attempt_no: 1,
        provider: "sim".into(),
        model: "sim-1".into(),
        max,
        beside: NanoUsd::ZERO,
        request_digest: [7; 32],
        timeout: Duration::from_secs(120),
        late: LATE_CALL,
        tags: Vec::new(),
        canary: false,
    }
}

pub(crate) fn options(owner: OwnerId) -> TaskOptions {
    TaskOptions {
        owner,
        zone: TimeZone::UTC,
        tool: "imagemill test".into(),
        ceilings: Ceilings::default(),
    }
}

/// A task over a ledger in memory.
pub(crate) fn in_memory(limit: NanoUsd) -> (LedgerHandle, Arc<TestClock>) {
    let clock = TestClock::new();
    let founding = founding(limit);
    let store = MemoryLedger::new(&founding, clock.now(), &TimeZone::UTC);
    let (handle, _) = spawn(Box::new(store), clock.clone(), options(founding.owner));
    (handle, clock)
}

pub(crate) fn open_or_create(root: &Path, limit: NanoUsd) -> OpenOrCreate {
    let now = START.parse().expect("a time");
    OpenOrCreate { root: root.to_owned(), founding: founding(limit), now }
}

/// A task over a ledger in a folder.
pub(crate) async fn in_folder(root: &Path, limit: NanoUsd) -> (LedgerHandle, Arc<TestClock>) {
    let clock = TestClock::new();
    let how = open_or_create(root, limit);
    let owner = how.founding.owner;
    let store = DirectoryLedger::open(how).await.expect("a ledger");
    let (handle, _) = spawn(Box::new(store), clock.clone(), options(owner));
    (handle, clock)
}

/// A runtime as a live run has it.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime")
}

/// A ledger whose process died with one attempt under way, its last group synced; its segment.
pub(crate) fn crashed(root: &Path) -> PathBuf {
    let runtime = runtime();
    runtime.block_on(async {
        let (handle, _) = in_folder(root, cents(100)).await;
        for _ in 0..3 {
            let held = handle.reserve(ask(cents(4))).await.expect("it fits");
            handle.settle(held.rid, cents(3), CostSource::Usage, None).await.expect("a ledger");
        }
        handle.reserve(ask(cents(4))).await.expect("it fits");
        // A dead process does not say goodbye.
        std::mem::forget(handle);
    });
    drop(runtime);
    root.join("2026-11-21/0001.jsonl")
}

/// The next process comes.
pub(crate) fn begin(root: &Path) -> Result<CatchUp, StoreError> {
    let how = open_or_create(root, cents(100));
    let mut ledger = DirectoryLedger::open_blocking(how)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(ledger.begin())
}

/// Copies a ledger's files, so that damage is done to the copy.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// A number of the environment, for those who want more of a test, or the same again.
#[expect(clippy::disallowed_methods, reason = "whoever starts the tests says how many")]
pub(crate) fn number_from(variable: &str, otherwise: u64) -> u64 {
    let text = std::env::var(variable).ok();
    text.map_or(otherwise, |text| {
        text.parse().unwrap_or_else(|_| panic!("{variable} is no number"))
    })
}

/// Does the work of a test in a process of its own, in which no other test runs: there, no fail
/// point of another test is set, and no child of one holds a copy of a dead owner's lock for the
/// moment between its fork and its exec. Prints the figures that the work printed.
#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "it is both processes")]
pub(crate) fn alone(test: &str, work: impl FnOnce()) {
    const ALONE: &str = "LEDGER_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return work();
    }
    let test = test.trim_start_matches("it::");
    let itself = std::env::current_exe().expect("this program");
    let mut command = std::process::Command::new(itself);
    let ran = command.args(["--exact", test, "--nocapture"]).env(ALONE, "1").output();
    let ran = ran.expect("it starts");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.contains("1 passed"), "{test} is the name of no test: {said}");
    said.lines().filter(|line| line.contains(" figures: ")).for_each(|line| println!("{line}"));
}
