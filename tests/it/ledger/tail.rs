//! The side file that vouches for the newest lines, for which no later line does.

use std::path::Path;

use imagemill::adapters::ledger::audit::check;
use imagemill::adapters::ledger::read::summary;
use imagemill::ports::ledger::StoreError;

use crate::ledger::support::{START, ask, begin, cents, copy_folder, crashed, in_folder, runtime};

const SEGMENT: &str = "2026-11-21/0001.jsonl";

fn seen(root: &Path) -> Result<bool, StoreError> {
    summary(root, START.parse().expect("a time")).map(|summary| summary.torn_tail)
}

/// The number of the last line, and its offset.
fn last_line(bytes: &[u8]) -> (u64, usize) {
    let newlines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
    let body = &bytes[..bytes.len() - 1];
    (newlines, body.iter().rposition(|byte| *byte == b'\n').expect("lines") + 1)
}

#[test]
fn a_bit_flipped_in_the_last_synced_line_is_found_after_a_kill() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let segment = crashed(root);
    let bytes = std::fs::read(&segment).expect("a segment");
    let promise = std::fs::read(root.join("tail")).expect("a side file");
    let (line, start) = last_line(&bytes);
    for offset in (start..bytes.len()).step_by(11) {
        let mut flipped = bytes.clone();
        flipped[offset] ^= 0x10;
        std::fs::write(&segment, &flipped).expect("a segment");
        match begin(root) {
            Err(StoreError::Corrupt { path, line: named, .. }) => {
                assert_eq!((path, named), (segment.clone(), line), "byte {offset}");
            }
            other => panic!("byte {offset}: {other:?}"),
        }
        assert!(matches!(seen(root), Err(StoreError::Corrupt { .. })), "byte {offset}");
        let findings = check(root).expect("a ledger").findings;
        assert_eq!((findings.len(), findings[0].line), (1, line), "byte {offset}");
        assert_eq!(std::fs::read(&segment).expect("a segment"), flipped, "nothing was cut");
    }
    // Nobody else vouches for that line: without the side file it is taken for a torn one.
    let mut flipped = bytes.clone();
    flipped[start + 20] ^= 0x10;
    std::fs::write(&segment, &flipped).expect("a segment");
    std::fs::remove_file(root.join("tail")).expect("a file");
    assert!(seen(root).expect("a ledger"), "a torn tail");
    assert!(begin(root).expect("it is healed").repair.is_some());
    // Bytes as they were written keep the promise.
    std::fs::write(&segment, &bytes).expect("a segment");
    std::fs::write(root.join("tail"), promise).expect("a side file");
    assert_eq!(begin(root).expect("a ledger").records.len() as u64, line);
}

#[test]
fn promised_lines_that_were_cut_off_or_whose_segment_is_gone_stop_spending() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let segment = crashed(root);
    let bytes = std::fs::read(&segment).expect("a segment");
    let (line, start) = last_line(&bytes);
    std::fs::write(&segment, &bytes[..start]).expect("a shorter segment");
    let cut = begin(root).expect_err("it was cut");
    assert!(matches!(cut, StoreError::Corrupt { line: named, .. } if named == line), "{cut:?}");
    assert_eq!(check(root).expect("a ledger").findings[0].line, line);
    std::fs::write(&segment, b"").expect("an empty segment");
    begin(root).expect_err("what it had was promised");
    assert!(segment.exists(), "it is not taken for one that was never started");
    std::fs::remove_file(&segment).expect("a file");
    assert!(matches!(begin(root), Err(StoreError::Missing { path }) if path == segment));
    assert!(matches!(seen(root), Err(StoreError::Missing { .. })));
    std::fs::remove_file(root.join("ledger.json")).expect("a file");
    let again = begin(root).expect_err("a new ledger would forget what was spent");
    assert!(matches!(again, StoreError::Missing { path } if path == segment));
}

#[test]
fn another_line_in_the_place_of_a_promised_one_stops_spending() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    crashed(&one);
    crashed(&two);
    // A whole ledger that was put in the place of another one, but for its side file.
    std::fs::copy(one.join("tail"), two.join("tail")).expect("a copy");
    let other = begin(&two).expect_err("another ledger's lines");
    assert!(matches!(other, StoreError::Corrupt { .. }), "{other:?}");
}

#[test]
fn a_torn_or_older_promise_and_a_tail_torn_behind_it_stop_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let original = folder.path().join("original");
    let segment = crashed(&original);
    let promise = std::fs::read(original.join("tail")).expect("a side file");
    let lines =
        std::fs::read(&segment).expect("a segment").iter().filter(|it| **it == b'\n').count();
    for torn in [&b""[..], &promise[..promise.len() / 2], &[0; 80]] {
        let root = folder.path().join("torn");
        copy_folder(&original, &root);
        std::fs::write(root.join("tail"), torn).expect("a side file");
        assert_eq!(begin(&root).expect("a ledger").records.len(), lines);
        std::fs::remove_dir_all(&root).expect("a folder");
    }
    let root = folder.path().join("older");
    copy_folder(&original, &root);
    runtime().block_on(async {
        let (handle, _) = in_folder(&root, cents(100)).await;
        handle.reserve(ask(cents(4))).await.expect("it fits");
        handle.shutdown().await.expect("a ledger");
    });
    std::fs::write(root.join("tail"), &promise).expect("an older side file");
    let mut bytes = std::fs::read(root.join(SEGMENT)).expect("a segment");
    bytes.extend_from_slice(b"{\"v\":1,\"seq\":");
    std::fs::write(root.join(SEGMENT), &bytes).expect("a segment");
    assert!(begin(&root).expect("it heals").repair.is_some());
    assert_eq!(check(&root).expect("a ledger").findings, []);
}

#[test]
fn a_side_file_that_cannot_be_written_stops_no_spending() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    std::fs::create_dir(root.join("tail")).expect("a folder in its place");
    crashed(root);
    assert!(begin(root).is_ok());
    assert_eq!(check(root).expect("a ledger").findings, []);
}
