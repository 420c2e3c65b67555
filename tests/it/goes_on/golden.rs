//! Journals of every version that was ever written: they must replay for ever, to the same facts.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use imagemill::adapters::output::replay::replay;
use imagemill::domain::event::Stamped;
use imagemill::domain::history::History;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/journal/v1")
}

/// What a journal comes to, in one line.
fn facts(name: &str) -> String {
    let run = tempfile::tempdir().expect("a folder");
    fs::copy(folder().join(name), run.path().join("journal.jsonl")).expect(name);
    let mut history = History::default();
    let whole = replay(run.path(), &mut |stamped| history.fold(stamped)).expect(name);
    assert_eq!(whole, fs::metadata(folder().join(name)).expect(name).len(), "every line counts");
    let mut standings: BTreeMap<String, u32> = BTreeMap::new();
    for (_, image) in history.images() {
        *standings.entry(format!("{:?}", image.standing())).or_default() += 1;
    }
    let money = history.money();
    format!(
        "run {} to {}: {} attempts, {} bought again, {} settled, {} unknown, {:?}, {:?} at work, \
         exit {:?}",
        history.run.expect("a run").alias(),
        history.seq,
        history.n_attempts(),
        history.n_bought(),
        money.settled,
        money.unknown,
        standings,
        history.active,
        history.finished.as_ref().map(|it| it.0)
    )
}

#[test]
fn journals_of_the_first_version_replay_to_the_same_facts() {
    assert_eq!(
        facts("whole.jsonl"),
        "run c129460a to 32: 8 attempts, 0 bought again, 0.08 settled, 0.08 unknown, \
         {\"Refused\": 3, \"Stored\": 2, \"Unknown(ServerError)\": 2}, 741.738829ms \
         at work, exit Some(0)"
    );
    assert_eq!(
        facts("killed.jsonl"),
        "run 7af8ee59 to 5: 2 attempts, 0 bought again, 0.00 settled, 0.00 unknown, \
         {\"Out\": 2}, 4.18455ms at work, exit None"
    );
    assert_eq!(
        facts("resumed.jsonl"),
        "run 7af8ee59 to 35: 7 attempts, 0 bought again, 0.20 settled, 0.08 unknown, \
         {\"Stored\": 5, \"Unknown(Lost)\": 2}, 111.104757ms at work, exit Some(0)"
    );
}

#[test]
fn their_lines_are_written_as_they_were() {
    for entry in fs::read_dir(folder()).expect("a folder") {
        let path = entry.expect("an entry").path();
        for line in fs::read_to_string(&path).expect("a journal").lines() {
            let read = Stamped::parse(line.as_bytes()).expect(line).expect(line);
            assert_eq!(serde_json::to_string(&read).expect("JSON"), line, "{}", path.display());
        }
    }
}

#[test]
fn a_journal_that_is_cut_anywhere_replays_up_to_its_last_whole_line() {
    let text = fs::read(folder().join("whole.jsonl")).expect("a journal");
    let run = tempfile::tempdir().expect("a folder");
    for end in (0..text.len()).step_by(7) {
        fs::write(run.path().join("journal.jsonl"), &text[..end]).expect("a journal");
        let mut seq = 0;
        let whole = replay(run.path(), &mut |stamped| seq = stamped.seq).expect("it is only cut");
        let lines = text[..end].iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(
            (seq, text[..whole as usize].last().copied()),
            (
                lines as u64,
                match lines {
                    0 => None,
                    _ => Some(b'\n'),
                }
            )
        );
    }
}
