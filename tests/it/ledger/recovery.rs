//! What a crash or a hand leaves in the files, and what the next process makes of it.

use imagemill::adapters::ledger::audit::check;
use imagemill::adapters::ledger::by_hand::{ByHand, set_limit};
use imagemill::adapters::ledger::directory::DirectoryLedger;
use imagemill::adapters::ledger::read::summary;
use imagemill::domain::ledger::{CostSource, LineHash, RecordKind, UnknownClass};
use imagemill::ports::ledger::{LedgerStore, StoreError};
use jiff::SignedDuration;

use crate::ledger::support::{
    START, ask, begin, cents, copy_folder, crashed, in_folder, open_or_create, runtime,
};

const SEGMENT: &str = "2026-11-21/0001.jsonl";

#[test]
fn a_tail_torn_at_any_byte_is_cut_and_kept_aside_row_37() {
    let folder = tempfile::tempdir().expect("a folder");
    let original = folder.path().join("original");
    let bytes = std::fs::read(crashed(&original)).expect("a segment");
    // A power loss tears synced lines only when nothing vouches for them.
    std::fs::remove_file(original.join("tail")).expect("a side file");
    let last = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').expect("lines") + 1;
    let whole = bytes.iter().filter(|byte| **byte == b'\n').count();
    for length in last..=bytes.len() {
        let root = folder.path().join(length.to_string());
        copy_folder(&original, &root);
        std::fs::write(root.join(SEGMENT), &bytes[..length]).expect("a torn segment");
        let found = begin(&root).expect("it heals");
        let lines = if length == bytes.len() { whole } else { whole - 1 };
        assert_eq!(found.records.len(), lines, "{length}");
        assert_eq!(found.repair.is_some(), length > last && length < bytes.len(), "{length}");
        if let Some(repair) = found.repair {
            assert_eq!((repair.at, repair.bytes), (last as u64, (length - last) as u64));
            let aside = std::fs::read(root.join(&*repair.side_file)).expect("a side file");
            assert_eq!(aside, bytes[last..length]);
            assert_eq!(std::fs::read(root.join(SEGMENT)).expect("a segment"), bytes[..last]);
        }
        std::fs::remove_dir_all(&root).expect("a folder");
    }
}

#[test]
fn a_byte_flipped_before_the_watermark_stops_spending_and_is_named_row_35_48() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let segment = crashed(root);
    std::fs::remove_file(root.join("tail")).expect("a side file, which would vouch for it too");
    let bytes = std::fs::read(&segment).expect("a segment");
    let text = String::from_utf8(bytes.clone()).expect("text");
    let last: serde_json::Value =
        serde_json::from_str(text.lines().next_back().expect("lines")).expect("JSON");
    let watermark = usize::try_from(last["d"].as_u64().expect("a watermark")).expect("small");
    for offset in (0..watermark).step_by(7) {
        let mut flipped = bytes.clone();
        flipped[offset] ^= 0x10;
        std::fs::write(&segment, &flipped).expect("a segment");
        let line = bytes[..offset].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        match begin(root) {
            Err(StoreError::Corrupt { path, line: named, .. }) => {
                assert_eq!((path, named), (segment.clone(), line), "byte {offset}");
            }
            other => panic!("byte {offset}: {other:?}"),
        }
        let report = check(root).expect("a ledger");
        assert_eq!(report.findings[0].line, line, "byte {offset}");
        assert_eq!(std::fs::read(&segment).expect("a segment"), flipped, "nothing was cut");
    }
}

#[test]
fn what_a_dead_process_left_is_unknown_and_what_a_living_one_holds_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    crashed(root);
    let now = START.parse().expect("a time");
    let before = summary(root, now).expect("a ledger");
    assert_eq!((before.reserved, before.unknown), (cents(0), cents(4)));
    assert_eq!(before.held[0].unknown, Some(UnknownClass::Lost), "a reader can tell");
    runtime().block_on(async {
        let (living, _) = in_folder(root, cents(100)).await;
        living.reserve(ask(cents(5))).await.expect("it fits");
        let (next, _) = in_folder(root, cents(100)).await;
        next.shutdown().await.expect("a ledger");
        let after = summary(root, now).expect("a ledger");
        assert_eq!((after.settled, after.unknown, after.reserved), (cents(9), cents(4), cents(5)));
    });
    assert_eq!(check(root).expect("a ledger").findings, []);
}

#[test]
fn a_roll_whose_segment_was_never_opened_is_completed_row_49() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    runtime().block_on(async {
        let (handle, clock) = in_folder(root, cents(100)).await;
        let held = handle.reserve(ask(cents(4))).await.expect("it fits");
        clock.shift(SignedDuration::from_hours(24));
        handle.settle(held.rid, cents(3), CostSource::Usage, None).await.expect("a ledger");
        handle.shutdown().await.expect("a ledger");
    });
    let opened = root.join("2026-11-22/0001.jsonl");
    let whole = std::fs::read(&opened).expect("a segment");
    // A process that dies before the new segment is synced has not promised it.
    std::fs::remove_file(root.join("tail")).expect("a side file");
    for kept in [None, Some(0), Some(100)] {
        match kept {
            None => std::fs::remove_file(&opened).expect("a file"),
            Some(length) => std::fs::write(&opened, &whole[..length]).expect("a file"),
        }
        runtime().block_on(async {
            let (handle, clock) = in_folder(root, cents(100)).await;
            clock.shift(SignedDuration::from_hours(24 * 2));
            handle.reserve(ask(cents(4))).await.expect("it fits");
            handle.shutdown().await.expect("a ledger");
        });
        assert_eq!(check(root).expect("a ledger").findings, [], "{kept:?}");
        std::fs::remove_dir_all(root.join("2026-11-23")).expect("a folder");
        std::fs::remove_file(root.join("tail")).expect("a side file");
    }
}

#[test]
fn someone_who_cuts_the_file_of_a_running_process_stops_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    runtime().block_on(async {
        let (handle, _) = in_folder(root, cents(100)).await;
        handle.reserve(ask(cents(4))).await.expect("it fits");
        let bytes = std::fs::read(root.join(SEGMENT)).expect("a segment");
        std::fs::remove_file(root.join(SEGMENT)).expect("a file");
        std::fs::write(root.join(SEGMENT), bytes).expect("a file");
        handle.reserve(ask(cents(4))).await.expect_err("it is another file");
        handle.shutdown().await.expect_err("it failed before");
    });
}

#[test]
fn a_repair_is_recorded_by_whoever_writes_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let segment = crashed(root);
    let mut bytes = std::fs::read(&segment).expect("a segment");
    bytes.extend_from_slice(b"{\"v\":1,\"seq\":");
    std::fs::write(&segment, &bytes).expect("a segment");
    let torn = summary(root, START.parse().expect("a time")).expect("a ledger");
    assert!(torn.torn_tail);
    set_limit(open_or_create(root, cents(1)), cents(50), ByHand { by: "ann", why: "" })
        .expect("a limit");
    let found = begin(root).expect("a ledger");
    let kinds: Vec<&str> = found.records.iter().map(|record| record.kind.word()).collect();
    assert_eq!(kinds[kinds.len() - 2..], ["repair", "limit"]);
    let is_repair = |kind: &RecordKind| matches!(kind, RecordKind::Repair(_));
    assert_eq!(found.records.iter().filter(|record| is_repair(&record.kind)).count(), 1);
    assert_eq!(check(root).expect("a ledger").findings, []);
}

#[test]
fn a_record_that_a_newer_version_must_understand_stops_spending_row_50() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let segment = crashed(root);
    let text = std::fs::read_to_string(&segment).expect("a segment");
    let last = text.lines().next_back().expect("lines");
    let next: serde_json::Value = serde_json::from_str(last).expect("JSON");
    let seq = next["seq"].as_u64().expect("a number") + 1;
    let chained = LineHash::of(last.as_bytes());
    for (kind, must, spends) in [("poem", "", true), ("poem", ",\"mu\":true", false)] {
        let body = format!(
            "{{\"v\":1,\"seq\":{seq},\"t\":\"2026-11-21T10:00:00Z\",\"day\":\"2026-11-21\",\
             \"k\":\"{kind}\"{must},\"d\":{},\"p\":\"{chained}\"",
            text.len()
        );
        let line = format!("{body},\"c\":\"{:08x}\"}}\n", crc32c::crc32c(body.as_bytes()));
        std::fs::write(&segment, format!("{text}{line}")).expect("a segment");
        match begin(root) {
            Ok(found) => {
                assert!(spends, "{kind}{must}");
                assert_eq!(found.records.len() as u64, seq);
            }
            Err(error) => {
                assert!(!spends, "{kind}{must}: {error}");
                let StoreError::Corrupt { source, line, .. } = error else { panic!("{error}") };
                assert!(source.to_string().contains("newer version"), "{source}");
                assert_eq!(line, seq);
            }
        }
    }
}

#[test]
fn opening_reads_the_newest_segment_only_row_51() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    runtime().block_on(async {
        let (handle, clock) = in_folder(root, cents(100)).await;
        for _ in 0..5 {
            handle.reserve(ask(cents(4))).await.expect("it fits");
            clock.shift(SignedDuration::from_hours(24));
        }
        handle.shutdown().await.expect("a ledger");
    });
    let whole = check(root).expect("a ledger");
    let found = begin(root).expect("a ledger");
    assert!(whole.segments > 4 && whole.lines > found.records.len() as u64 + 8, "{whole:?}");
    std::fs::write(root.join(SEGMENT), "damaged").expect("a segment");
    assert_eq!(begin(root).expect("what is old is not read").records.len(), found.records.len());
    assert_ne!(check(root).expect("a ledger").findings, [], "but a check sees it");
}

#[test]
fn a_second_handle_neither_gets_the_lock_nor_loses_it_for_the_first_row_45() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let how = open_or_create(root, cents(100));
    let mut ledger = DirectoryLedger::open_blocking(how).expect("a ledger");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let try_lock = || {
        let file = std::fs::File::open(root.join("ledger.lock")).expect("a lock file");
        file.try_lock().is_ok()
    };
    assert!(try_lock(), "nobody is at work");
    runtime.block_on(ledger.begin()).expect("a ledger");
    assert!(!try_lock());
    assert!(!try_lock(), "closing the other handle gave nothing back");
    runtime.block_on(ledger.abandon()).expect("a ledger");
    assert!(try_lock());
}
