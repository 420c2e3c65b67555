//! References over HTTP: the memory that a thousand large ones take, and the speed beside curl.
//!
//! `cargo bench --bench references` compares ratios taken in this one run with their bars. A plain
//! file server in this process serves both sides; ours fetches, checks, hashes and keeps, `curl`
//! fetches and keeps and `sha256sum` hashes. Both write to a memory file system where there is one;
//! what they take with everything on the disk is told beside it, without a bar. Exits with 1 when a
//! bar is missed.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark reads the clock and prints its table"
)]
#![expect(dead_code, reason = "the other benchmarks share more with this module than this one")]

mod file_server;
mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use file_server::FileServer;
use futures_util::{StreamExt, TryStreamExt, stream};
use imagemill::adapters::references::cache::ContentCache;
use imagemill::adapters::references::web::WebReferences;
use imagemill::adapters::system::TokioClock;
use imagemill::domain::fetch::FetchSettings;
use imagemill::domain::reference::Reference;
use imagemill::domain::request::ReferenceContent;
use imagemill::ports::references::ReferenceSource;
use support::{Failure, Table, look, look_at_memory, median, mib, ratio, shown};

/// The length of a reference: a photograph as a camera makes it.
const N_BYTES: usize = 5_000_000;
/// Fetches at once, all of them from one host.
const CONCURRENCY: usize = 4;

/// References of the run whose memory is watched.
const N_WATCHED: u32 = 1_000;
/// Four fetches hold a few chunks each; a source that holds whole files would need 20 MB more, one
/// that keeps what it has fetched 5 GB.
const MAX_ABOVE_IDLE_MB: f64 = 80.0;

/// References of a timed run.
const N_TIMED: u32 = 100;
/// How often each side is timed, one after the other.
const N_PAIRS: usize = 7;
/// 0.8 of the throughput of curl is 1.25 of its time.
const MAX_CURL_RATIO: f64 = 1.25;

/// Where a memory file system commonly is.
const MEMORY: &str = "/dev/shm";

/// What makes this program the fetching side: its arguments follow.
const FETCH: &str = "--fetch";
/// The same, which waits until its input ends and leaves no file behind.
const WATCHED: &str = "--fetch-watched";

fn main() -> Result<ExitCode, Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [mark, base, n_files, folder] = &args[..]
        && (mark == FETCH || mark == WATCHED)
    {
        fetch(base, n_files.parse()?, Path::new(folder), mark == WATCHED)?;
        return Ok(ExitCode::SUCCESS);
    }
    let disk = tempfile::tempdir()?;
    let memory = match Path::new(MEMORY).is_dir() {
        true => tempfile::tempdir_in(MEMORY)?,
        false => tempfile::tempdir()?,
    };
    let server = FileServer::start(N_BYTES)?;
    let mut table = Table::default();
    memory_of_many(&server, &memory.path().join("watched"), &mut table)?;
    table.title("100 references of 5 MB from one host, 4 at a time");
    let mut timed = pairs(&server, memory.path(), N_PAIRS)?;
    let (ours, curl) = (median(&mut timed.ours), median(&mut timed.curl));
    let theirs = median(&mut timed.curl_and_sha256sum);
    table.figure("curl alone", &shown(curl));
    table.figure("curl, then sha256sum", &shown(theirs));
    table.figure("ours", &shown(ours));
    table.at_most("times curl, sha256sum", ratio(ours, theirs), MAX_CURL_RATIO);
    // Not every sha256sum uses what the processor has for it, so this one says more.
    table.figure("times curl alone", &format!("{:.2}", ratio(ours, curl)));
    let mut timed = pairs(&server, disk.path(), N_PAIRS.div_ceil(2))?;
    table.figure("curl all on the disk", &shown(median(&mut timed.curl)));
    table.figure("ours all on the disk", &shown(median(&mut timed.ours)));
    println!("{}", if table.n_missed == 0 { "every bar is held" } else { "a bar is missed" });
    Ok(ExitCode::from(u8::from(table.n_missed > 0)))
}

/// A child fetches many, and its memory is watched.
fn memory_of_many(server: &FileServer, folder: &Path, table: &mut Table) -> Result<(), Failure> {
    let mut child = Command::new(std::env::current_exe()?)
        .args([WATCHED, &server.base, &N_WATCHED.to_string()])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut ready = String::new();
    BufReader::new(child.stdout.take().ok_or("no pipe")?).read_line(&mut ready)?;
    let id = child.id();
    let idle = look(id);
    let watch = thread::spawn(move || look_at_memory(id));
    let begin = Instant::now();
    drop(child.stdin.take());
    let status = child.wait()?;
    let elapsed = begin.elapsed();
    let looks = watch.join().map_err(|_| "the watch has panicked")?;
    if !status.success() {
        return Err(format!("{status}").into());
    }
    table.title("1,000 references of 5 MB, 4 at a time");
    table.figure("fetched in", &shown(elapsed));
    let peak = looks.iter().map(|look| look.peak).max();
    let above = idle.zip(peak).map(|(idle, peak)| peak.saturating_sub(idle.now));
    if let Some(idle) = idle {
        table.figure("idle MB", &format!("{:.2}", megabytes(idle.now)));
    }
    table.memory("peak MB above idle", above.map(megabytes), MAX_ABOVE_IDLE_MB);
    Ok(())
}

fn megabytes(bytes: u64) -> f64 {
    mib(bytes) * 1.048_576
}

/// What each side took, turn by turn.
#[derive(Default)]
struct Timed {
    ours: Vec<Duration>,
    curl: Vec<Duration>,
    curl_and_sha256sum: Vec<Duration>,
}

impl Timed {
    fn ours(&mut self, server: &FileServer, folder: &Path) -> Result<(), Failure> {
        self.ours.push(timed(server, &folder.join("ours"))?);
        Ok(())
    }

    fn theirs(&mut self, server: &FileServer, folder: &Path) -> Result<(), Failure> {
        let (fetched, hashed) = curl(server, &folder.join("curl"))?;
        self.curl.push(fetched);
        self.curl_and_sha256sum.push(fetched + hashed);
        Ok(())
    }
}

/// Times both sides in turns: ours, and the two programs.
fn pairs(server: &FileServer, place: &Path, n_pairs: usize) -> Result<Timed, Failure> {
    let mut timed = Timed::default();
    for n in 0..n_pairs {
        let folder = place.join(format!("pair-{n}"));
        fs::create_dir_all(&folder)?;
        // Who comes first has the cleaner caches; it is each of them in turn.
        if n % 2 == 0 {
            timed.theirs(server, &folder)?;
            timed.ours(server, &folder)?;
        } else {
            timed.ours(server, &folder)?;
            timed.theirs(server, &folder)?;
        }
        fs::remove_dir_all(&folder)?;
    }
    Ok(timed)
}

/// Our side as a process.
fn timed(server: &FileServer, folder: &Path) -> Result<Duration, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([FETCH, &server.base, &N_TIMED.to_string()]).arg(folder);
    time(&mut command)
}

/// Their side: fetched by one program, hashed by another; the time of each.
fn curl(server: &FileServer, folder: &Path) -> Result<(Duration, Duration), Failure> {
    fs::create_dir_all(folder)?;
    let mut curl = Command::new("curl");
    curl.args(["--disable", "--silent", "--fail", "--noproxy", "*"])
        .args(["--parallel", "--parallel-max", &CONCURRENCY.to_string()])
        .arg("--output")
        .arg(folder.join("#1.png"))
        .arg(format!("{}/[1-{N_TIMED}].png", server.base))
        // Some versions draw their progress although they are told not to.
        .stderr(Stdio::null());
    let fetched = time(&mut curl)?;
    let files = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let files: Vec<PathBuf> = files.collect::<Result<_, _>>()?;
    if files.len() != N_TIMED as usize {
        return Err(format!("curl has left {} files", files.len()).into());
    }
    Ok((fetched, time(Command::new("sha256sum").args(files))?))
}

/// Runs a program to its end.
fn time(command: &mut Command) -> Result<Duration, Failure> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let begin = Instant::now();
    let status = command.status()?;
    let elapsed = begin.elapsed();
    if status.success() { Ok(elapsed) } else { Err(format!("{command:?}: {status}").into()) }
}

/// Fetches so many references into a folder.
fn fetch(base: &str, n_files: u32, folder: &Path, is_watched: bool) -> Result<(), Failure> {
    let settings = FetchSettings { allowed: "127.0.0.0/8".parse()?, ..FetchSettings::default() };
    // As in a live run.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let fetched: Result<(), SharedFailure> = runtime.block_on(async {
        let cache = ContentCache::in_folder(folder.to_owned());
        let web = WebReferences::new(&settings, cache, Arc::new(TokioClock::live()))?;
        let web = Arc::new(web);
        if is_watched {
            println!("ready");
            std::io::stdin().read_to_end(&mut Vec::new())?;
        }
        stream::iter(1..=n_files)
            .map(|n| {
                let (web, url) = (Arc::clone(&web), format!("{base}/{n}.png"));
                let task = tokio::spawn(one(web, url, is_watched));
                async move { task.await? }
            })
            .buffer_unordered(CONCURRENCY)
            .try_for_each(|()| async { Ok(()) })
            .await
    });
    fetched.map_err(|failure| -> Failure { failure })
}

/// Fetches one reference; a watched run removes it at once, so that it needs no room.
async fn one(web: Arc<WebReferences>, url: String, is_watched: bool) -> Result<(), SharedFailure> {
    let fetched = web.fetch(&Reference::Url(url)).await.map_err(|failed| failed.error)?;
    if fetched.n_received < N_BYTES as u64 {
        return Err("a reference is too short".into());
    }
    match fetched.loaded.content {
        ReferenceContent::File { path, .. } if is_watched => Ok(fs::remove_file(&*path)?),
        ReferenceContent::File { .. } => Ok(()),
        ReferenceContent::Memory(_) | ReferenceContent::Unread => Err("it is in no file".into()),
    }
}

/// Whatever goes wrong in a task.
type SharedFailure = Box<dyn std::error::Error + Send + Sync>;
