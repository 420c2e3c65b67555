//! The ledger's lock: deleted while it is held, and held by someone who does not go on.

use std::fs::File;
use std::time::Duration;

use imagemill::adapters::ledger::audit::check;
use imagemill::adapters::ledger::directory::DirectoryLedger;
use imagemill::adapters::ledger::lock::holder;
use imagemill::domain::ledger::CostSource;
use imagemill::ports::ledger::{LedgerStore, lock_wait};

use crate::ledger::support::{ask, cents, in_folder, open_or_create, runtime};

#[test]
fn a_lock_file_that_was_deleted_while_it_was_held_locks_the_next_ones_out_together_row_46() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    runtime().block_on(async {
        let (one, _) = in_folder(root, cents(100)).await;
        let (two, _) = in_folder(root, cents(100)).await;
        for _ in 0..10 {
            // Each has the old file open, and one of them would lock that, the other a new one.
            std::fs::remove_file(root.join("ledger.lock")).expect("a file");
            let both = tokio::join!(one.reserve(ask(cents(4))), two.reserve(ask(cents(4))));
            for (held, handle) in [(both.0, &one), (both.1, &two)] {
                let rid = held.expect("it fits").rid;
                handle.settle(rid, cents(1), CostSource::Usage, None).await.expect("a ledger");
            }
        }
        one.shutdown().await.expect("a ledger");
        two.shutdown().await.expect("a ledger");
    });
    let report = check(root).expect("a ledger");
    assert_eq!((report.findings.as_slice(), report.attempts), (&[][..], 20));
}

#[test]
fn a_group_is_waited_for_until_the_lock_is_free_and_its_holder_is_known() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().to_owned();
    runtime().block_on(async {
        let (handle, _) = in_folder(&root, cents(100)).await;
        let held = File::open(root.join("ledger.lock")).expect("a file");
        held.lock().expect("the lock");
        let waits = handle.lock_waits();
        let asking = tokio::spawn(async move { handle.reserve(ask(cents(4))).await });
        let mut told = waits.clone();
        told.changed().await.expect("it is told after some seconds");
        let holder = told.borrow_and_update().expect("somebody signed the file");
        assert_eq!(holder.pid, std::process::id());
        assert!(holder.age >= Duration::from_secs(4), "{holder:?}");
        assert!(!asking.is_finished(), "nobody breaks the lock");
        held.unlock().expect("the lock");
        asking.await.expect("a task").expect("it fits");
    });
}

#[test]
fn each_holder_signs_the_lock_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let mut ledger =
        DirectoryLedger::open_blocking(open_or_create(root, cents(1))).expect("a ledger");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(ledger.begin()).expect("a group");
    let found = holder(root).expect("a holder");
    assert_eq!(found.pid, std::process::id());
    let said = lock_wait(Some(found));
    assert!(said.starts_with(&format!("process {} has held", found.pid)), "{said}");
    std::fs::write(root.join("ledger.lock"), "").expect("a file of an older version");
    assert_eq!(holder(root), None);
}
