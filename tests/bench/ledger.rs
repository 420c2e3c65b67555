//! The ledger: reservations beside bare appends to a file on the same disk.
//!
//! `cargo bench --bench ledger` compares ratios taken in this one run with their bars: one
//! reservation at a time beside an append and a sync, and many waiting together beside one sync
//! for each; and the replay of a million lines beside a bare pass. Exits with 1 when a bar is
//! missed.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark reads the clock and prints its table"
)]
#![expect(dead_code, reason = "the other benchmarks share more with this module than this one")]

mod replay;
mod support;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use imagemill::adapters::ledger::directory::{DirectoryLedger, OpenOrCreate};
use imagemill::adapters::system::{self, TokioClock};
use imagemill::domain::ids::{AttemptId, RunId};
use imagemill::domain::ledger::{
    Ceilings, CostSource, Founding, LedgerId, LimitOrigin, Money, OwnerId,
};
use imagemill::domain::money::NanoUsd;
use imagemill::pipeline::ledger_task::{LATE_CALL, LedgerHandle, ReserveAsk, TaskOptions, spawn};
use jiff::tz::TimeZone;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use support::{Table, median, ratio};

/// Reservations and appends that are timed one by one, in turns.
const N_ALONE: usize = 1_000;
/// Reservations of the run with many waiting, and how many wait.
const N_TOGETHER: u64 = 32_000;
const N_WAITING: u64 = 64;
/// Appends that are timed just before.
const N_APPENDS: u32 = 300;
/// Times that run is made; the middle one counts.
const N_TRIES: usize = 5;

const MAX_ALONE: f64 = 2.0;
/// The rate is at least twenty times that of one sync for each.
const MAX_TOGETHER: f64 = 1.0 / 20.0;

/// Bytes of a reservation's line.
const LINE: usize = 480;

fn main() -> Result<ExitCode, Broken> {
    let disk = tempfile::tempdir()?;
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut table = Table::default();
    let folder = disk.path().to_owned();
    // On a worker, where the pipeline asks from as well.
    let alone = runtime.block_on(async { tokio::spawn(alone(folder)).await? })?;
    let (mut reserves, mut appends) = alone;
    let at = |times: &mut Vec<Duration>, percent: usize| {
        times.sort();
        times[times.len() * percent / 100]
    };
    table.title("one at a time");
    for percent in [50, 99] {
        let (ours, bare) = (at(&mut reserves, percent), at(&mut appends, percent));
        table.figure(&format!("append and sync, p{percent}"), &format!("{bare:.1?}"));
        table.figure(&format!("reservation, p{percent}"), &format!("{ours:.1?}"));
        table.at_most(&format!("times the append, p{percent}"), ratio(ours, bare), MAX_ALONE);
    }
    table.title("64 waiting together");
    for (settles, name) in [(false, "reservations a second"), (true, "each with its settle")] {
        let (mut ratios, mut spans) = (Vec::new(), Vec::new());
        for n in 0..N_TRIES {
            let folder = disk.path().join(format!("together-{n}-{settles}"));
            let (each, append) =
                runtime.block_on(async { tokio::spawn(together(folder, settles)).await? })?;
            spans.push(each);
            ratios.push(ratio(each, append));
        }
        ratios.sort_by(f64::total_cmp);
        let middle = ratios[N_TRIES / 2];
        let rate = 1.0 / median(&mut spans).as_secs_f64();
        table.figure(name, &format!("{rate:.0}, {:.1} times one sync each", 1.0 / middle));
        if !settles {
            table.at_most("of one sync for each", middle, MAX_TOGETHER);
        }
    }
    replay::replay(&mut table, &disk.path().join("replay"))?;
    println!("{}", if table.n_missed == 0 { "every bar is held" } else { "a bar is missed" });
    Ok(ExitCode::from(u8::from(table.n_missed > 0)))
}

pub(crate) type Broken = Box<dyn std::error::Error + Send + Sync>;

/// Reservations and appends in turns, so that both see the same disk.
async fn alone(folder: PathBuf) -> Result<(Vec<Duration>, Vec<Duration>), Broken> {
    let ledger = open(&folder.join("alone"))?;
    let mut bare = OpenOptions::new().append(true).create(true).open(folder.join("bare"))?;
    let run = RunId::new(system::uuid());
    let (mut reserves, mut appends) = (Vec::new(), Vec::new());
    for _ in 0..N_ALONE {
        let begin = Instant::now();
        ledger.reserve(ask(run)).await?;
        reserves.push(begin.elapsed());
        appends.push(append(&mut bare)?);
    }
    ledger.shutdown().await?;
    Ok((reserves, appends))
}

fn append(file: &mut File) -> std::io::Result<Duration> {
    let line = [b'x'; LINE];
    let begin = Instant::now();
    file.write_all(&line)?;
    file.sync_data()?;
    Ok(begin.elapsed())
}

/// What a reservation takes among many that wait, and an append with a sync of its own just before
/// on the same disk.
async fn together(folder: PathBuf, settles: bool) -> Result<(Duration, Duration), Broken> {
    std::fs::create_dir(&folder)?;
    let mut bare = OpenOptions::new().append(true).create(true).open(folder.join("bare"))?;
    let mut appends = Duration::ZERO;
    for _ in 0..N_APPENDS {
        appends += append(&mut bare)?;
    }
    let ledger = open(&folder.join("ledger"))?;
    let run = RunId::new(system::uuid());
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..N_WAITING {
        let ledger = ledger.clone();
        tasks.spawn(async move {
            for _ in 0..N_TOGETHER / N_WAITING {
                let held = ledger.reserve(ask(run)).await?;
                if settles {
                    ledger.settle(held.rid, held.max, CostSource::Price, None).await?;
                }
            }
            Ok::<(), Broken>(())
        });
    }
    while let Some(joined) = tasks.join_next().await {
        joined??;
    }
    let span = begin.elapsed();
    ledger.shutdown().await?;
    Ok((span / u32::try_from(N_TOGETHER)?, appends / N_APPENDS))
}

fn open(root: &Path) -> Result<LedgerHandle, Broken> {
    let founding = founding();
    let owner = founding.owner;
    let now = system::now();
    let store =
        DirectoryLedger::open_blocking(OpenOrCreate { root: root.to_owned(), founding, now })?;
    let tool = "imagemill bench".into();
    let options = TaskOptions { owner, zone: TimeZone::UTC, tool, ceilings: Ceilings::default() };
    let (handle, _) = spawn(Box::new(store), Arc::new(TokioClock::live()), options);
    Ok(handle)
}

pub(crate) fn founding() -> Founding {
    Founding {
        ledger: LedgerId::new(system::uuid()),
        zone: "UTC".into(),
        money: Money::Simulated,
        limit_per_day: Some((NanoUsd::from_dollars(1_000_000), LimitOrigin::Flag)),
        further_limits: Vec::new(),
        owner: OwnerId::new(system::uuid()),
        tool: "imagemill bench".into(),
    }
}

fn ask(run: RunId) -> ReserveAsk {
    ReserveAsk {
        rid: AttemptId::new(system::uuid()),
        run,
        row: 1,
        variant: 1,
        attempt_no: 1,
        provider: "openai".into(),
        model: "gpt-image-2".into(),
        max: NanoUsd::from_nanos(40_000_000),
        beside: NanoUsd::ZERO,
        request_digest: [7; 32],
        timeout: Duration::from_secs(300),
        late: LATE_CALL,
        tags: Vec::new(),
        canary: false,
    }
}
