//! A journal of a million lines read back, beside `wc -l` and a plain JSON parser on the same file.
//!
//! `cargo bench --bench journal` compares ratios taken in this one run with their bars. Exits with
//! 1 when a bar is missed.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark reads the clock and prints its table"
)]
#![expect(dead_code, reason = "the other benchmarks share more with this module than this one")]

mod support;

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use imagemill::adapters::output::replay::replay;
use imagemill::domain::digest::Sha256Digest;
use imagemill::domain::event::{
    AttemptEnded, AttemptStarted, Ending, ImageStored, RowFinished, RowWork, RunEvent, Stamped,
    Tags,
};
use imagemill::domain::history::History;
use imagemill::domain::ids::{AttemptId, SceneId};
use imagemill::domain::ledger::CostSource;
use imagemill::domain::money::NanoUsd;
use imagemill::domain::row::Outcome;
use support::{Failure, Table, median, ratio, shown};
use uuid::Uuid;

/// Lines of the journal: a run of two hundred thousand images.
const N_LINES: u64 = 1_000_000;
/// How often each side is timed, one after the other.
const N_PAIRS: usize = 5;
/// Counting the lines and parsing them as JSON is the least that reading them takes.
const MAX_RATIO: f64 = 4.0;

fn main() -> Result<ExitCode, Failure> {
    let folder = tempfile::tempdir()?;
    let journal = folder.path().join("journal.jsonl");
    write(&journal)?;
    let mut plain = Vec::new();
    let mut ours = Vec::new();
    for _ in 0..N_PAIRS {
        plain.push(timed(|| count(&journal).and_then(|()| parse(&journal)))?);
        ours.push(timed(|| read_back(folder.path()))?);
    }
    let (plain, ours) = (median(&mut plain), median(&mut ours));
    let mut table = Table::default();
    table.title("a journal of 1,000,000 lines");
    table.figure("wc -l, JSON parser", &shown(plain));
    table.figure("replay", &shown(ours));
    table.at_most("times wc and parser", ratio(ours, plain), MAX_RATIO);
    println!("{}", if table.n_missed == 0 { "every bar is held" } else { "a bar is missed" });
    Ok(ExitCode::from(u8::from(table.n_missed > 0)))
}

/// The journal of a run without trouble: five events an image.
fn write(path: &Path) -> Result<(), Failure> {
    let mut file = BufWriter::new(File::create(path)?);
    for seq in 1..=N_LINES {
        let ts = "2026-11-29T06:11:00.48633502Z".parse()?;
        serde_json::to_writer(&mut file, &Stamped { seq, ts, event: event(seq) })?;
        file.write_all(b"\n")?;
    }
    file.flush()?;
    Ok(())
}

fn event(seq: u64) -> RunEvent {
    let n = seq / 5 + 1;
    let digest = Sha256Digest::of(&n.to_le_bytes());
    let rid = AttemptId::new(Uuid::from_u128(u128::from(n) << 64));
    let (scene_id, cent) = (SceneId::new(format!("ROW-{n:07}")), NanoUsd::from_nanos(10_000_000));
    let (row, variant, attempt, max) = (n, 1, 1, cent);
    match seq % 5 {
        0 => RunEvent::RowStarted { row, scene_id },
        1 => RunEvent::AttemptStarted(Box::new(AttemptStarted {
            rid,
            row,
            scene_id,
            variant,
            attempt,
            max,
            work: Some(digest),
            name: None,
        })),
        2 => RunEvent::AttemptEnded(Box::new(AttemptEnded {
            rid,
            row,
            scene_id,
            variant,
            attempt,
            max,
            expected: cent,
            ending: Ending::Settled { amount: cent, source: CostSource::Price },
            latency: Duration::from_secs(12),
            kind: None,
            error: None,
            provider_request_id: None,
            kept: Vec::new(),
            tags: Tags::unsaid(),
        })),
        3 => RunEvent::RowFinished(Box::new(RowFinished {
            row,
            scene_id,
            outcome: Outcome::Ok,
            error_kind: None,
            reason: None,
            latency: Some(Duration::from_secs(12)),
            queue: Some(Duration::from_millis(3)),
            fetch: None,
            work: RowWork { attempts: 1, cost: cent, images_expected: 1, ..RowWork::default() },
            counts_as_error: false,
            tags: Tags::unsaid(),
        })),
        _ => RunEvent::ImageStored(Box::new(ImageStored {
            rid,
            row,
            file: format!("images/{scene_id}-v1.png"),
            scene_id,
            variant,
            n_bytes: 1_200_345,
            sha256: Some(digest),
            pixels: Some((1024, 1024)),
            flaws: Default::default(),
            look: None,
            ask: None,
            work: None,
        })),
    }
}

fn timed(work: impl FnOnce() -> Result<(), Failure>) -> Result<Duration, Failure> {
    let begun = Instant::now();
    work()?;
    Ok(begun.elapsed())
}

fn count(journal: &Path) -> Result<(), Failure> {
    let counted = Command::new("wc").arg("-l").arg(journal).stdout(Stdio::piped()).output()?;
    assert!(counted.status.success(), "wc counts");
    Ok(())
}

fn parse(journal: &Path) -> Result<(), Failure> {
    let mut reader = BufReader::with_capacity(1 << 16, File::open(journal)?);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        let value: serde_json::Value = serde_json::from_slice(&line)?;
        assert!(value["seq"].is_u64(), "a line has its number");
        line.clear();
    }
    Ok(())
}

fn read_back(folder: &Path) -> Result<(), Failure> {
    let mut history = History::default();
    replay(folder, &mut |stamped| history.fold(stamped))?;
    assert_eq!(history.seq, N_LINES, "every line was read");
    Ok(())
}
