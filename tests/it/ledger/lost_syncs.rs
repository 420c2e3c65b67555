//! What the state machine has found: syncs that failed or never came, and then the power fails.

use std::path::Path;
use std::sync::Arc;

use imagemill::adapters::ledger::audit::check;
use imagemill::adapters::ledger::directory::{DirectoryLedger, OpenOrCreate};
use imagemill::adapters::ledger::read::Follower;
use imagemill::domain::ids::AttemptId;
use imagemill::pipeline::ledger_task::{LedgerHandle, spawn};
use imagemill::ports::clock::Clock;
use tokio::task::JoinHandle;

use crate::ledger::disk::{Disk, Fault, scratch};
use crate::ledger::machine::reader::Files;
use crate::ledger::support::{StillClock, ask, cents, founding, options, run};

/// Power losses tried for each case.
const SEEDS: u64 = 24;

/// One process, which dies when it is told to.
struct Process(LedgerHandle, JoinHandle<()>);

impl Process {
    fn open(root: &Path, disk: &Disk, clock: &Arc<StillClock>) -> Self {
        let founding = founding(cents(100));
        let owner = founding.owner;
        let how = OpenOrCreate { root: root.to_owned(), founding, now: clock.now() };
        let store = DirectoryLedger::open_in(how, disk.process().0).expect("a ledger");
        let (handle, task) = spawn(Box::new(store), clock.clone(), options(owner));
        Self(handle, task)
    }

    async fn reserve(&self) -> Option<AttemptId> {
        self.0.reserve(ask(cents(4))).await.ok().map(|held| held.rid)
    }

    async fn die(self) {
        self.1.abort();
        let _ = self.1.await;
    }
}

/// One process meets a fault when it starts the segment of a new day, and dies; the next one is
/// granted an attempt; the power fails. Returns what was granted, and the ledger.
async fn at_midnight(fault: Fault, after: u32, seed: u64) -> (Vec<AttemptId>, tempfile::TempDir) {
    let folder = scratch();
    let root = folder.path();
    let disk = Disk::new(root, 512, seed);
    let clock = Arc::<StillClock>::default();
    let first = Process::open(root, &disk, &clock);
    let mut granted = vec![first.reserve().await.expect("it fits")];
    clock.shift(14 * 60);
    disk.plan(fault, after);
    assert_eq!(first.reserve().await, None, "it met its fault");
    first.die().await;
    let next = Process::open(root, &disk, &clock);
    granted.push(next.reserve().await.expect("it fits"));
    next.die().await;
    disk.power_loss(seed);
    let last = Process::open(root, &disk, &clock);
    last.0.snapshot(run()).await.expect("it heals");
    last.0.shutdown().await.expect("a ledger");
    (granted, folder)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.build().expect("a runtime").block_on(future)
}

#[test]
fn a_segment_whose_name_its_creator_did_not_sync_is_not_lost_with_what_the_next_one_grants_row_42()
{
    // The roll is synced first, then the new file, then its name.
    for (fault, after) in [(Fault::SyncError, 2), (Fault::Death(0), 7), (Fault::Death(255), 7)] {
        for seed in 0..SEEDS {
            let (granted, folder) = block_on(at_midnight(fault, after, seed));
            let mut files = Files::default();
            files.read(folder.path());
            for rid in granted {
                assert!(files.attempts.contains_key(&rid), "{fault:?}, seed {seed}: {rid}");
            }
            assert_eq!(check(folder.path()).expect("a ledger").findings, []);
        }
    }
}

#[test]
fn a_roll_that_a_dead_process_did_not_sync_is_synced_before_the_next_segment_is_opened() {
    for seed in 0..SEEDS {
        let (granted, folder) = block_on(at_midnight(Fault::Death(255), 4, seed));
        assert_eq!(granted.len(), 2);
        assert_eq!(check(folder.path()).expect("a ledger").findings, [], "seed {seed}");
    }
}

#[test]
fn what_a_failed_sync_lost_is_no_finding_and_the_same_loss_without_one_is() {
    let mut n_torn = 0;
    for seed in 0..SEEDS {
        let (_, folder) = block_on(at_midnight(Fault::SyncError, 0, seed));
        let root = folder.path();
        assert_eq!(check(root).expect("a ledger").findings, [], "seed {seed}");
        let mut follower = Follower::new(root).expect("a ledger");
        follower.read_on().expect("it goes on behind what was lost");
        let first = root.join("2026-11-21/0001.jsonl");
        let bytes = std::fs::read(&first).expect("a segment");
        n_torn += u64::from(!bytes.ends_with(b"\"}\n"));
        // Promised bytes are no one's to lose.
        let mut damaged = bytes;
        damaged[20] ^= 1;
        std::fs::write(&first, damaged).expect("a segment");
        assert_ne!(check(root).expect("a ledger").findings, [], "seed {seed}");
    }
    assert!(n_torn > 0, "no power loss has torn the old segment");
    let (_, folder) = block_on(at_midnight(Fault::Death(0), 5, 1));
    let first = folder.path().join("2026-11-21/0001.jsonl");
    let bytes = std::fs::read(&first).expect("a segment");
    std::fs::write(&first, &bytes[..bytes.len() - 9]).expect("a segment");
    let findings = check(folder.path()).expect("a ledger").findings;
    assert!(findings[0].problem.contains("a segment follows"), "{findings:?}");
}
