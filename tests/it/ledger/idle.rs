//! When nothing more is written for a second, a checkpoint vouches for the newest lines.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use imagemill::adapters::ledger::audit::check;
use imagemill::adapters::ledger::memory::MemoryLedger;
use imagemill::domain::ledger::{CostSource, Draft, OwnerId, Record};
use imagemill::pipeline::ledger_task::{LedgerHandle, spawn};
use imagemill::ports::clock::Clock;
use imagemill::ports::ledger::{CatchUp, LedgerStore, Manners, StoreError};
use jiff::tz::TimeZone;

use crate::ledger::support::{
    TestClock, ask, cents, founding, fresh_id, in_folder, in_memory, options, run, runtime,
};

type Records = Arc<Mutex<Vec<Record>>>;

/// A ledger in memory with the manners of a folder; it remembers its records.
#[derive(Debug)]
struct Noted {
    inner: MemoryLedger,
    written: Records,
    /// What another process appends before the next group.
    from_others: Records,
}

#[async_trait]
impl LedgerStore for Noted {
    async fn begin(&mut self) -> Result<CatchUp, StoreError> {
        let mut found = self.inner.begin().await?;
        found.records.append(&mut self.from_others.lock().expect("a list"));
        Ok(found)
    }
    async fn commit(&mut self, records: &[Record]) -> Result<(), StoreError> {
        self.written.lock().expect("a list").extend_from_slice(records);
        Ok(())
    }
    async fn abandon(&mut self) -> Result<(), StoreError> {
        self.inner.abandon().await
    }
    async fn dead_owners(&mut self, owners: Vec<OwnerId>) -> Result<Vec<OwnerId>, StoreError> {
        self.inner.dead_owners(owners).await
    }
    async fn retire(&mut self) -> Result<(), StoreError> {
        self.inner.retire().await
    }
    fn manners(&self) -> Manners {
        let (linger, poll) = (Duration::from_millis(200), Duration::from_millis(100));
        Manners { linger: Some(linger), poll: Some(poll) }
    }
}

struct Watched {
    handle: LedgerHandle,
    clock: Arc<TestClock>,
    first: Vec<Record>,
    written: Records,
    from_others: Records,
}

impl Watched {
    fn new() -> Self {
        let clock = TestClock::new();
        let founding = founding(cents(100));
        let (written, from_others) = (Records::default(), Records::default());
        let first = founding.records(clock.now(), "2026-11-21".parse().expect("a day")).into();
        let inner = MemoryLedger::new(&founding, clock.now(), &TimeZone::UTC);
        let (list, others) = (Arc::clone(&written), Arc::clone(&from_others));
        let store = Noted { inner, written: list, from_others: others };
        let (handle, _) = spawn(Box::new(store), clock.clone(), options(founding.owner));
        Self { handle, clock, first, written, from_others }
    }

    async fn wait(&self, millis: u64) {
        self.clock.sleep(Duration::from_millis(millis)).await;
    }

    fn kinds(&self) -> Vec<String> {
        let written = self.written.lock().expect("a list");
        written.iter().map(|record| record.kind.word().to_owned()).collect()
    }

    /// Another process has read everything, and writes a checkpoint.
    fn check_by_another(&self) {
        let mut draft = Draft::new(OwnerId::new(fresh_id()), TimeZone::UTC, "test".into());
        draft.catch_up(&self.first).expect("records");
        draft.catch_up(&self.written.lock().expect("a list")).expect("records");
        draft.start(self.clock.now(), None, None).expect("a segment");
        draft.check().expect("the sums");
        self.from_others.lock().expect("a list").extend_from_slice(draft.records());
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_after_the_last_line_one_checkpoint_is_written_and_no_more() {
    let it = Watched::new();
    it.wait(5000).await;
    assert!(it.kinds().is_empty(), "nothing was written, so nothing needs to be vouched for");
    let held = it.handle.reserve(ask(cents(4))).await.expect("it fits");
    it.wait(990).await;
    assert_eq!(it.kinds(), ["reserve"]);
    it.wait(20).await;
    assert_eq!(it.kinds(), ["reserve", "check"]);
    it.wait(60_000).await;
    assert_eq!(it.kinds(), ["reserve", "check"], "one, not one each second");
    it.handle.settle(held.rid, cents(3), CostSource::Usage, None).await.expect("a ledger");
    it.wait(1190).await;
    assert_eq!(it.kinds()[2..], ["settle"], "a second after the line, which waited for company");
    it.wait(20).await;
    assert_eq!(it.kinds()[2..], ["settle", "check"]);
}

#[tokio::test(start_paused = true)]
async fn who_is_busy_writes_no_checkpoint_and_who_waits_for_money_does() {
    let it = Watched::new();
    for _ in 0..20 {
        it.handle.reserve(ask(cents(4))).await.expect("it fits");
        it.wait(500).await;
    }
    assert_eq!(it.kinds(), ["reserve"; 20]);
    let other = it.handle.clone();
    let waiting = tokio::spawn(async move { other.reserve(ask(cents(50))).await });
    it.wait(3000).await;
    assert!(!waiting.is_finished(), "80 of 100 cents are held");
    assert_eq!(it.kinds()[20..], ["check"]);
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_of_another_process_is_enough() {
    let it = Watched::new();
    let held = it.handle.reserve(ask(cents(4))).await.expect("it fits");
    it.wait(1100).await;
    it.handle.settle(held.rid, cents(0), CostSource::Usage, None).await.expect("a ledger");
    it.handle.snapshot(run()).await.expect("a ledger");
    assert_eq!(it.kinds(), ["reserve", "check", "settle"]);
    it.check_by_another();
    it.wait(5000).await;
    assert_eq!(it.kinds(), ["reserve", "check", "settle"], "no second checkpoint");
    it.handle.reserve(ask(cents(4))).await.expect("it states the same sums");
}

#[tokio::test(start_paused = true)]
async fn a_ledger_in_memory_writes_none() {
    let (handle, clock) = in_memory(cents(100));
    handle.reserve(ask(cents(4))).await.expect("it fits");
    let lines = handle.snapshot(run()).await.expect("a ledger");
    clock.sleep(Duration::from_secs(10)).await;
    assert_eq!(handle.snapshot(run()).await.expect("a ledger"), lines);
}

#[test]
fn a_folder_has_it_and_is_sound() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    runtime().block_on(async {
        let (handle, clock) = in_folder(root, cents(100)).await;
        handle.reserve(ask(cents(4))).await.expect("it fits");
        clock.sleep(Duration::from_millis(1500)).await;
        let text = std::fs::read_to_string(root.join("2026-11-21/0001.jsonl")).expect("a segment");
        assert!(text.lines().last().expect("a line").contains("\"k\":\"check\""), "{text}");
        handle.shutdown().await.expect("a ledger");
    });
    assert_eq!(check(root).expect("a ledger").findings, []);
}
