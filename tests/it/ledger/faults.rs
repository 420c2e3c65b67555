//! A disk that fails: short writes and sync errors, through the seam of the segments.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;
use imagemill::adapters::ledger::audit::check;
use imagemill::adapters::ledger::directory::DirectoryLedger;
use imagemill::adapters::ledger::read::summary;
use imagemill::adapters::ledger::segment::DiskFolder;
use imagemill::domain::ledger::{CostSource, OwnerId, Record, RecordKind, SegmentName};
use imagemill::pipeline::ledger_task::{LedgerHandle, ReserveError, spawn};
use imagemill::ports::ledger::{
    CatchUp, FAIL_POINTS, LedgerStore, Manners, SegmentFile, SegmentFolder, StoreError,
};

use crate::ledger::support::{
    START, TestClock, ask, cents, in_folder, open_or_create, options, run, runtime,
};

const WELL: u8 = 0;
const SHORT_WRITE: u8 = 1;
const SYNC_ERROR: u8 = 2;

#[derive(Debug)]
struct Faulty<T> {
    inner: T,
    fault: Arc<AtomicU8>,
}

impl Faulty<DiskFolder> {
    fn wrap(&self, inner: Box<dyn SegmentFile>) -> Box<dyn SegmentFile> {
        Box::new(Faulty { inner, fault: Arc::clone(&self.fault) })
    }
}

impl SegmentFolder for Faulty<DiskFolder> {
    fn segments(&self) -> io::Result<Vec<SegmentName>> {
        self.inner.segments()
    }
    fn open(&self, name: SegmentName) -> io::Result<Option<Box<dyn SegmentFile>>> {
        Ok(self.inner.open(name)?.map(|file| self.wrap(file)))
    }
    fn create(&self, name: SegmentName) -> io::Result<Box<dyn SegmentFile>> {
        Ok(self.wrap(self.inner.create(name)?))
    }
    fn sync_folder(&self, name: SegmentName) -> io::Result<()> {
        self.inner.sync_folder(name)
    }
    fn save_aside(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.inner.save_aside(name, bytes)
    }
    fn remove(&self, name: SegmentName) -> io::Result<()> {
        self.inner.remove(name)
    }
    fn path(&self, name: SegmentName) -> PathBuf {
        self.inner.path(name)
    }
}

impl SegmentFile for Faulty<Box<dyn SegmentFile>> {
    fn length(&mut self) -> io::Result<u64> {
        self.inner.length()
    }
    fn is_linked(&mut self) -> io::Result<bool> {
        self.inner.is_linked()
    }
    fn read_from(&mut self, offset: u64) -> io::Result<Vec<u8>> {
        self.inner.read_from(offset)
    }
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let short = self.fault.load(Ordering::SeqCst) == SHORT_WRITE;
        self.inner.append(if short { &bytes[..bytes.len() / 2] } else { bytes })
    }
    fn sync(&mut self) -> io::Result<()> {
        match self.fault.load(Ordering::SeqCst) {
            SYNC_ERROR => Err(io::Error::other("the disk said no")),
            _ => self.inner.sync(),
        }
    }
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.inner.truncate(length)
    }
}

fn on_faulty_disk(root: &std::path::Path) -> (LedgerHandle, Arc<AtomicU8>) {
    let fault = Arc::new(AtomicU8::new(WELL));
    let folder = Faulty { inner: DiskFolder::new(root), fault: Arc::clone(&fault) };
    let how = open_or_create(root, cents(100));
    let owner = how.founding.owner;
    let store = DirectoryLedger::open_in(how, Box::new(folder)).expect("a ledger");
    (spawn(Box::new(store), TestClock::new(), options(owner)).0, fault)
}

#[test]
fn a_short_write_is_taken_back_and_stops_spending_row_40() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    runtime().block_on(async {
        let (handle, fault) = on_faulty_disk(root);
        handle.reserve(ask(cents(4))).await.expect("it fits");
        fault.store(SHORT_WRITE, Ordering::SeqCst);
        for _ in 0..2 {
            let answer = handle.reserve(ask(cents(4))).await;
            assert!(matches!(answer, Err(ReserveError::Stopped(_))));
            fault.store(WELL, Ordering::SeqCst);
        }
        handle.shutdown().await.expect_err("it failed before");
        let seen = summary(root, START.parse().expect("a time")).expect("a ledger");
        assert_eq!((seen.reserved.saturating_add(seen.unknown), seen.torn_tail), (cents(4), false));
    });
}

#[test]
fn a_disk_that_is_full_when_an_attempt_ends_leaves_its_hold_row_41() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    runtime().block_on(async {
        let (handle, fault) = on_faulty_disk(root);
        let held = handle.reserve(ask(cents(4))).await.expect("it fits");
        fault.store(SHORT_WRITE, Ordering::SeqCst);
        let settled = handle.settle(held.rid, cents(3), CostSource::Usage, None).await;
        settled.expect("it is written later");
        handle.shutdown().await.expect_err("it could not be written");
        fault.store(WELL, Ordering::SeqCst);
        let (next, _) = in_folder(root, cents(100)).await;
        next.reserve(ask(cents(5))).await.expect("there is room on the disk again");
        next.shutdown().await.expect("a ledger");
    });
    let seen = summary(root, START.parse().expect("a time")).expect("a ledger");
    assert_eq!((seen.settled, seen.exposure_today), (cents(0), cents(4 + 5)));
    assert_eq!(check(root).expect("a ledger").findings, []);
}

#[test]
fn a_sync_error_poisons_the_process_and_the_next_one_starts_a_new_segment_row_39() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    runtime().block_on(async {
        let (other, _) = in_folder(root, cents(100)).await;
        other.reserve(ask(cents(5))).await.expect("it fits");
        let (handle, fault) = on_faulty_disk(root);
        handle.reserve(ask(cents(4))).await.expect("it fits");
        fault.store(SYNC_ERROR, Ordering::SeqCst);
        handle.reserve(ask(cents(4))).await.expect_err("it may not survive");
        fault.store(WELL, Ordering::SeqCst);
        handle.reserve(ask(cents(4))).await.expect_err("a later sync proves nothing");
        other.reserve(ask(cents(5))).await.expect("another process goes on, in a new segment");
        assert!(root.join("2026-11-21/0002.jsonl").exists());
        let (third, _) = in_folder(root, cents(100)).await;
        third.reserve(ask(cents(6))).await.expect("it fits");
        third.shutdown().await.expect("a ledger");
        other.shutdown().await.expect("a ledger");
    });
    assert!(!root.join("2026-11-21/0003.jsonl").exists());
    let seen = summary(root, START.parse().expect("a time")).expect("a ledger");
    assert_eq!(seen.exposure_today, cents(4 + 4 + 5 + 5 + 6), "what may have been kept counts");
    assert_eq!(check(root).expect("a ledger").findings, []);
}

#[test]
fn every_fail_point_is_listed_and_stands_in_the_code_once() {
    let sources = [
        include_str!("../../../src/adapters/ledger/files.rs"),
        include_str!("../../../src/adapters/ledger/lock.rs"),
        include_str!("../../../src/adapters/ledger/segment.rs"),
        include_str!("../../../src/pipeline/ledger_task/group.rs"),
        include_str!("../../../src/pipeline/generate.rs"),
    ];
    let code = sources.concat();
    for name in FAIL_POINTS {
        let used = code.matches(&format!("fail_point!(\"{name}\"")).count();
        assert_eq!(used, 1, "{name}");
    }
    assert_eq!(code.matches("fail_point!(\"").count(), FAIL_POINTS.len());
}

/// A store that keeps what others wrote to itself, so that the numbers do not follow each other.
#[derive(Debug)]
struct Forgetful(DirectoryLedger);

#[async_trait]
impl LedgerStore for Forgetful {
    async fn begin(&mut self) -> Result<CatchUp, StoreError> {
        let mut found = self.0.begin().await?;
        if !found.records.iter().any(|record| matches!(record.kind, RecordKind::Open(_))) {
            found.records.pop();
            found.records.drain(..found.records.len().min(1));
        }
        Ok(found)
    }
    async fn commit(&mut self, records: &[Record]) -> Result<(), StoreError> {
        self.0.commit(records).await
    }
    async fn abandon(&mut self) -> Result<(), StoreError> {
        self.0.abandon().await
    }
    async fn dead_owners(&mut self, owners: Vec<OwnerId>) -> Result<Vec<OwnerId>, StoreError> {
        self.0.dead_owners(owners).await
    }
    async fn retire(&mut self) -> Result<(), StoreError> {
        self.0.retire().await
    }
    fn manners(&self) -> Manners {
        self.0.manners()
    }
}

#[test]
fn a_process_that_finds_a_broken_rule_gives_the_lock_back_to_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    runtime().block_on(async {
        let (other, _) = in_folder(root, cents(100)).await;
        let how = open_or_create(root, cents(100));
        let owner = how.founding.owner;
        let store = Forgetful(DirectoryLedger::open(how).await.expect("a ledger"));
        let (handle, _) = spawn(Box::new(store), TestClock::new(), options(owner));
        handle.snapshot(run()).await.expect("it has read everything");
        for _ in 0..3 {
            other.reserve(ask(cents(1))).await.expect("it fits");
        }
        handle.reserve(ask(cents(1))).await.expect_err("a number is missing");
        // It lives on, and must not stand in the way.
        other.reserve(ask(cents(1))).await.expect("the lock is free");
    });
}
