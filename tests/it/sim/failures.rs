//! Parts that fail: what spends stops; what is out is settled as far as it can be.

use std::io::ErrorKind;
use std::time::Duration;

use imagemill::domain::ledger::Evidence;
use imagemill::domain::row::Outcome;
use imagemill::pipeline::stop::StopReason;

use crate::sim::bench::{Bench, free, image};
use crate::sim::fakes::{ImageFaults, LedgerFaults, Note, Play, Reply};
use crate::sim::ran::{End, Ran};

fn is_environment(ran: &Ran) -> bool {
    matches!(ran.reasons.first(), Some(StopReason::Environment(_)))
}

fn is_broken(ran: &Ran) -> bool {
    ran.reasons.iter().any(|reason| matches!(reason, StopReason::Broken(_)))
}

#[test]
fn a_ledger_that_fails_at_its_nth_commit_ends_all_sending() {
    for nth in 1..30 {
        let ledger = LedgerFaults { commit: Some(nth), ..LedgerFaults::default() };
        let ran = Bench { ledger, concurrency: 3, ..Bench::new(60) }
            .plays(|call| Play { after: Duration::from_secs(5 + call.row % 4), ..image() })
            .run();
        // That every call has a durable hold is checked by the bench.
        assert!(ran.calls().len() < 60, "commit {nth}");
        let kept = ran.notes.iter().rposition(|(_, note)| matches!(note, Note::Kept(_)));
        let called = ran.notes.iter().rposition(|(_, note)| matches!(note, Note::Called(_)));
        let n_after = ran.notes.iter().skip(kept.map_or(0, |it| it + 1));
        let n_after = n_after.filter(|(_, note)| matches!(note, Note::Called(_))).count();
        assert!(n_after <= 3, "commit {nth}: {n_after} calls after the last record");
        assert_eq!(called.is_none(), nth == 1, "commit {nth}");
        assert!(is_environment(&ran), "commit {nth}: {:?}", ran.reasons);
        assert!(ran.closing.is_err(), "commit {nth}");
        let text = ran.reasons[0].sentence();
        assert!(text.contains("sync") && text.contains("no storage space"), "{text}");
    }
}

#[test]
fn a_ledger_that_fails_when_no_one_asks_any_more_is_told_all_the_same() {
    // One row: its reserve is the first commit, its settle the second, the closing the third.
    for nth in 1..=3 {
        let ledger = LedgerFaults { commit: Some(nth), ..LedgerFaults::default() };
        let ran = Bench { ledger, ..Bench::new(1) }.run();
        assert!(ran.closing.is_err(), "commit {nth}");
        assert_eq!(ran.calls().len(), usize::from(nth > 1), "commit {nth}");
        assert_eq!(ran.stats.rows.ok, u64::from(nth > 1), "commit {nth}");
    }
}

#[test]
fn a_journal_that_fails_stops_spending() {
    let ran = Bench { journal_fails_at: Some(5), ..Bench::new(200) }.run();
    assert!(is_environment(&ran), "{:?}", ran.reasons);
    assert!(ran.calls().len() < 30, "{} calls", ran.calls().len());
    assert_eq!(ran.count("settle"), ran.calls().len(), "what was out is settled");
    assert!(ran.events.len() < 100, "{} events", ran.events.len());
}

#[test]
fn nothing_is_journaled_after_a_gap() {
    let ran = Bench { journal_fails_at: Some(1), ..Bench::new(200) }.run();
    assert_eq!(ran.events.len(), 0, "what follows a gap cannot be trusted");
}

#[test]
fn a_disk_that_takes_no_new_file_stops_the_run_before_it_sends() {
    let images = ImageFaults { begin_from: Some(4), ..ImageFaults::default() };
    let ran = Bench { images, concurrency: 1, ..Bench::new(50) }.run();
    assert!(is_environment(&ran), "{:?}", ran.reasons);
    assert_eq!(ran.calls().len(), 3);
    assert_eq!((ran.count("settle"), ran.count("release")), (3, 1));
    assert_eq!(ran.rows()[&4].error_kind, Some("io"));
}

#[test]
fn a_disk_that_refuses_a_paid_image_stops_the_run_and_settles() {
    let images = ImageFaults { finish_from: Some(4), ..ImageFaults::default() };
    let ran = Bench { images, concurrency: 1, ..Bench::new(50) }.run();
    assert!(is_environment(&ran), "{:?}", ran.reasons);
    assert_eq!((ran.calls().len(), ran.count("settle")), (4, 4));
    assert_eq!((ran.outcome(3), ran.outcome(4)), (Outcome::Ok, Outcome::Failed));
    assert_eq!(ran.rows()[&4].error_kind, Some("io"));
}

#[test]
fn a_reference_that_is_gone_when_it_is_sent_ends_its_row_alone() {
    for kind in [ErrorKind::NotFound, ErrorKind::InvalidData] {
        let bench = Bench { concurrency: 1, ..Bench::new(50) };
        let ran = bench.plays(move |call| not_sent(call.row == 4, kind)).run();
        assert!(ran.reasons.is_empty(), "{:?}", ran.reasons);
        assert_eq!((ran.calls().len(), ran.stats.rows.ok), (50, 49));
        assert_eq!((ran.count("settle"), ran.count("release")), (49, 1));
        assert!(ran.ends().contains(&End::Released(Evidence::NotSent, None)));
        assert_eq!((ran.outcome(4), ran.rows()[&4].error_kind), (Outcome::Failed, Some("io")));
    }
    // Whatever else keeps a file from being opened is there for the next row as well.
    let bench = Bench { concurrency: 1, ..Bench::new(50) };
    let ran = bench.plays(|call| not_sent(call.row == 4, ErrorKind::Other)).run();
    assert!(is_environment(&ran), "{:?}", ran.reasons);
    assert_eq!((ran.calls().len(), ran.count("release")), (4, 1));
}

/// A call whose reference cannot be opened, or an image.
fn not_sent(is_gone: bool, kind: ErrorKind) -> Play {
    if is_gone { free(Reply::NotSent(kind)) } else { image() }
}

#[test]
fn a_sync_that_fails_stops_the_run_and_calls_nothing_stored_row_52() {
    let images = ImageFaults { persist_from: Some(2), ..ImageFaults::default() };
    let ran = Bench { images, concurrency: 1, ..Bench::new(50) }.run();
    assert!(is_environment(&ran), "{:?}", ran.reasons);
    assert_eq!(ran.stats.images_stored, 1);
    assert!(ran.calls().len() <= 3);
    assert_eq!(ran.count("reserve"), ran.count("settle"));
}

#[test]
fn an_image_that_cannot_be_made_durable_takes_no_other_with_it() {
    let linger = Duration::from_secs(60);
    let images = ImageFaults { persist_refuses: Some("S-3"), linger, ..ImageFaults::default() };
    let ran = Bench { images, concurrency: 8, ..Bench::new(8) }.run();
    assert!(is_environment(&ran), "{:?}", ran.reasons);
    assert_eq!((ran.calls().len(), ran.stats.images_stored), (8, 7), "all were in one group");
    assert!(ran.sidecars.iter().all(|sidecar| sidecar.scene_id != "S-3"));
    assert_eq!(ran.count("reserve"), ran.count("settle"));
}

#[test]
fn a_panic_in_the_keeper_of_images_does_not_pass_in_silence() {
    let images = ImageFaults { persist_panics: true, ..ImageFaults::default() };
    let ran = Bench { images, concurrency: 1, ..Bench::new(50) }.run();
    assert!(!ran.is_persist_sound);
    assert!(is_broken(&ran), "{:?}", ran.reasons);
    assert!(ran.calls().len() <= 3, "{} calls", ran.calls().len());
    assert_eq!(ran.count("reserve"), ran.count("settle"));
}

#[test]
fn a_panic_in_a_task_leaves_its_hold_and_stops_the_run() {
    for variants in [|_| 1, |_| 2_u8] {
        let bench = Bench { variants, concurrency: 2, ..Bench::new(30) };
        let ran = bench
            .plays(|call| match (call.row, call.variant) {
                (2, 1) => free(Reply::Panic),
                _ => image(),
            })
            .run();
        assert!(is_broken(&ran), "{:?}", ran.reasons);
        assert_eq!(ran.count("unknown"), 1);
        let left = &ran.closing.as_ref().expect("the ledger closes").left;
        assert_eq!(left.len(), 1, "the hold is left for the ledger to declare");
        assert!(ran.calls().len() <= 6, "{} calls", ran.calls().len());
        let rows = &ran.stats.rows;
        let n = rows.ok + rows.partial + rows.unknown + rows.cancelled;
        assert_eq!(n, 30, "every row is counted: {rows:?}");
    }
}

#[test]
fn a_view_that_panics_stops_nothing() {
    let ran = Bench { view_panics: true, ..Bench::new(20) }.run();
    assert_eq!((ran.stats.rows.ok, ran.events.len() > 80), (20, true));
    assert_eq!(ran.reasons, []);
}
