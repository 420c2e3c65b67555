//! A ledger of a million lines: read and held against every rule, beside a pass that only parses.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use imagemill::adapters::ledger::audit;
use imagemill::adapters::ledger::directory::{DirectoryLedger, OpenOrCreate};
use imagemill::adapters::system;
use imagemill::domain::ids::{AttemptId, RunId};
use imagemill::domain::ledger::{CostSource, Draft, RecordKind, Reserve, Settle};
use imagemill::domain::money::NanoUsd;
use imagemill::ports::ledger::{CatchUp, LedgerStore};
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use tokio::runtime::Builder;

use super::support::{Table, look_at_memory, median, mib, ratio, shown};
use super::{Broken, founding};

/// Lines of the ledger; an attempt has two of them.
const N_LINES: usize = 1_000_000;
/// Attempts of one group, and the groups of a run.
const N_GROUP: usize = 500;
const N_GROUPS_OF_RUN: usize = 20;
/// Times that each pass is made, in turns; the middle one counts.
const N_TRIES: usize = 3;

const MAX_TIMES: f64 = 3.0;
/// 150 MB.
const MAX_MIB: f64 = 143.0;

pub(crate) fn replay(table: &mut Table, root: &Path) -> Result<(), Broken> {
    write(root)?;
    let (mut bare, mut replays, mut n_lines) = (Vec::new(), Vec::new(), 0);
    for _ in 0..N_TRIES {
        let begin = Instant::now();
        let parsed = parse_only(root)?;
        bare.push(begin.elapsed());
        let begin = Instant::now();
        let report = audit::check(root)?;
        replays.push(begin.elapsed());
        if !report.findings.is_empty() || report.lines != parsed {
            return Err(format!("{parsed} lines parsed: {report:?}").into());
        }
        n_lines = parsed;
    }
    let (bare, replayed) = (median(&mut bare), median(&mut replays));
    table.title(&format!("replay of {n_lines} lines"));
    table.figure("parse, CRC and hash", &shown(bare));
    table.figure("replay", &shown(replayed));
    table.at_most("times the bare pass", ratio(replayed, bare), MAX_TIMES);
    let (span, peak) = check(root)?;
    table.figure("ledger check", &shown(span));
    table.memory("its peak MiB", peak.map(mib), MAX_MIB);
    let (span, peak) = open(root)?;
    table.figure("to open it", &shown(span));
    table.memory("its peak MiB", peak.map(mib), MAX_MIB);
    Ok(())
}

/// Writes the ledger as runs write it, in groups.
fn write(root: &Path) -> Result<(), Broken> {
    let founding = founding();
    let (owner, tool) = (founding.owner, Arc::clone(&founding.tool));
    let options = OpenOrCreate { root: root.to_owned(), founding, now: system::now() };
    let mut ledger = DirectoryLedger::open_blocking(options)?;
    let mut draft = Draft::new(owner, TimeZone::UTC, tool);
    let runtime = Builder::new_current_thread().build()?;
    let mut run = RunId::new(system::uuid());
    let model: Arc<str> = "gpt-image-2".into();
    for n in 0..N_LINES / N_GROUP / 2 {
        if n % N_GROUPS_OF_RUN == 0 {
            run = RunId::new(system::uuid());
        }
        let CatchUp { records, repair, new_segment } = runtime.block_on(ledger.begin())?;
        draft.catch_up(&records)?;
        draft.start(system::now(), repair, new_segment)?;
        for row in 0..N_GROUP {
            let rid = AttemptId::new(system::uuid());
            let max = NanoUsd::from_nanos(40_000_000);
            draft.push(RecordKind::Reserve(Box::new(Reserve {
                rid,
                run,
                row: row as u64,
                variant: 1,
                attempt_no: 1,
                owner,
                provider: "openai".into(),
                model: Arc::clone(&model),
                max,
                request_digest: [7; 32],
                timeout_ms: 300_000,
                late_ms: 3_600_000,
                tags: Vec::new(),
                canary: false,
            })))?;
            let provider_id = Some(format!("req_{}", rid).into());
            let settle = Settle { rid, amount: max, source: CostSource::Usage, provider_id };
            draft.settle(settle)?;
        }
        draft.check()?;
        runtime.block_on(ledger.commit(draft.records()))?;
        draft.committed();
    }
    Ok(())
}

/// What any reader must do at least: read the files, parse each line, and compute its CRC and its
/// hash.
fn parse_only(root: &Path) -> Result<u64, Broken> {
    let mut n_lines = 0;
    for path in segments(root)? {
        for line in std::fs::read(path)?.split(|byte| *byte == b'\n').filter(|it| !it.is_empty()) {
            let value: serde_json::Value = serde_json::from_slice(line)?;
            let crc = crc32c::crc32c(line);
            let hash = Sha256::digest(line);
            n_lines += u64::from(std::hint::black_box((value, crc, hash)).0.is_object());
        }
    }
    Ok(n_lines)
}

fn segments(root: &Path) -> Result<Vec<PathBuf>, Broken> {
    let mut paths = Vec::new();
    for day in std::fs::read_dir(root)? {
        let day = day?.path();
        if day.is_dir() {
            for segment in std::fs::read_dir(day)? {
                paths.push(segment?.path());
            }
        }
    }
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
    Ok(paths)
}

/// `ledger check` of the whole, as a person runs it.
fn check(root: &Path) -> Result<(Duration, Option<u64>), Broken> {
    child(
        Command::new(env!("CARGO_BIN_EXE_imagemill"))
            .args(["ledger", "check", "--ledger"])
            .arg(root),
    )
}

/// `ledger summary`, which reads what a run reads before it spends.
fn open(root: &Path) -> Result<(Duration, Option<u64>), Broken> {
    child(
        Command::new(env!("CARGO_BIN_EXE_imagemill"))
            .args(["ledger", "summary", "--ledger"])
            .arg(root),
    )
}

fn child(command: &mut Command) -> Result<(Duration, Option<u64>), Broken> {
    let begin = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn()?;
    let looks = look_at_memory(child.id());
    let span = begin.elapsed();
    if !child.wait()?.success() {
        return Err("the ledger is not sound".into());
    }
    Ok((span, looks.iter().map(|look| look.peak).max()))
}
