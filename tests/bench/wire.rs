//! Over the wire: live runs against the rehearsal server beside the ideal and a plain client.
//!
//! `cargo bench --bench wire` compares ratios taken in this one run with their bars. Images and
//! journals lie on a memory file system where there is one, the ledger on the disk. What a run
//! takes with everything on the disk is told beside it, without a bar: a file system that remembers
//! what was deleted minutes ago makes new files several times slower, whoever deleted. No run
//! removes what it has on the disk. Exits with 1 when a bar is missed.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark reads the clock and prints its table"
)]

mod plain;
mod support;

use std::cell::Cell;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use support::{Failure, Look, Table, growth, look_at_memory, median, mib, ratio, shown, smallest};

/// Requests in flight.
const CONCURRENCY: u32 = 64;
/// How often each side is timed, one after the other.
const N_TRIES: usize = 12;

/// Rows of the run at a steady latency, and what they take in whole waves.
const N_WAVE_ROWS: u32 = 1_000;
const LATENCY: Duration = Duration::from_millis(50);
const MAX_WAVE_RATIO: f64 = 1.15;

/// Rows of the run without latency.
const N_FAST_ROWS: u32 = 4_000;
const SMALL_IMAGE: usize = 2 << 10;
/// 1.42 to 1.47 where it was set to 1.5. Where system calls cost more beside the rest (they are
/// more than half of a run), the same program takes 1.52 to 1.65 times the plain client; it is held
/// to that, so that what makes a run slower is still found.
const MAX_PLAIN_RATIO: f64 = 1.7;
/// The same with a look at each image, which the plain client does not have.
const MAX_LOOKING_RATIO: f64 = 3.0;

/// Rows of the run with large images.
const N_LARGE_ROWS: u32 = 300;
const LARGE_IMAGE: usize = 1 << 20;
const MAX_PEAK_MB: f64 = 100.0;

/// Where a memory file system commonly is.
const MEMORY: &str = "/dev/shm";

/// What makes this program the plain client: its arguments follow.
const PLAIN: &str = "--plain";

fn main() -> Result<ExitCode, Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [mark, base_url, folder] = &args[..]
        && mark == PLAIN
    {
        plain::run(base_url, N_FAST_ROWS, CONCURRENCY, Path::new(folder))?;
        return Ok(ExitCode::SUCCESS);
    }
    let disk_folder = tempfile::tempdir()?;
    let memory_folder = match Path::new(MEMORY).is_dir() {
        true => tempfile::tempdir_in(MEMORY)?,
        false => tempfile::tempdir()?,
    };
    let (disk, memory) = (disk_folder.path().to_owned(), memory_folder.path().to_owned());
    let bench = Bench { disk, memory, n_runs: Cell::new(0) };
    let mut table = Table::default();
    bench.waves(&mut table)?;
    bench.beside_a_plain_client(&mut table)?;
    bench.large_images(&mut table)?;
    println!("{}", if table.n_missed == 0 { "every bar is held" } else { "a bar is missed" });
    Ok(ExitCode::from(u8::from(table.n_missed > 0)))
}

/// What is measured, and where its files are.
struct Bench {
    disk: PathBuf,
    memory: PathBuf,
    /// Runs so far: each has folders of its own.
    n_runs: Cell<u32>,
}

impl Bench {
    /// A steady latency: how close a run comes to whole waves of it.
    fn waves(&self, table: &mut Table) -> Result<(), Failure> {
        let server = Server::start(LATENCY, SMALL_IMAGE)?;
        let rows = self.rows(N_WAVE_ROWS)?;
        let ideal = LATENCY * N_WAVE_ROWS.div_ceil(CONCURRENCY);
        let (mut times, mut on_disk) = (Vec::new(), Vec::new());
        for _ in 0..N_TRIES {
            times.push(self.run(&server, &rows, &self.memory, &[])?);
            on_disk.push(self.run(&server, &rows, &self.disk, &[])?);
        }
        table.title("1,000 rows at 50 ms, 64 at a time");
        table.figure("ideal", &shown(ideal));
        table.figure("whole run, in the middle", &shown(median(&mut times)));
        table.figure("all on the disk", &shown(smallest(&on_disk)));
        table.at_most("times the ideal", ratio(smallest(&times), ideal), MAX_WAVE_RATIO);
        Ok(())
    }

    /// No latency: what bookkeeping costs beside a client that has none.
    fn beside_a_plain_client(&self, table: &mut Table) -> Result<(), Failure> {
        let server = Server::start(Duration::ZERO, SMALL_IMAGE)?;
        let rows = self.rows(N_FAST_ROWS)?;
        let (mut ours, mut plain, mut looking) = (Vec::new(), Vec::new(), Vec::new());
        for n in 0..N_TRIES {
            plain.push(self.run_plain(&server, n)?);
            // The plain client looks at no image either.
            ours.push(self.run(&server, &rows, &self.memory, &["--no-image-checks"])?);
            looking.push(self.run(&server, &rows, &self.memory, &[])?);
        }
        table.title("4,000 rows without latency, 2 KiB each");
        // In the middle: the best of many is a matter of luck for the one as for the other.
        let (plain, ours) = (median(&mut plain), median(&mut ours));
        table.figure("plain client", &shown(plain));
        table.figure("whole run", &shown(ours));
        let ratio = ratio(ours, plain);
        table.at_most("times the plain client", ratio, MAX_PLAIN_RATIO);
        let looking = median(&mut looking);
        table.figure("looking at each image", &shown(looking));
        let ratio = self::ratio(looking, plain);
        table.at_most("times the plain client", ratio, MAX_LOOKING_RATIO);
        Ok(())
    }

    /// Large images: they are decoded while they arrive, so that memory stays small.
    fn large_images(&self, table: &mut Table) -> Result<(), Failure> {
        let server = Server::start(Duration::ZERO, LARGE_IMAGE)?;
        let rows = self.rows(N_LARGE_ROWS)?;
        let run = self.watch(&server, &rows)?;
        table.title("300 images of 1 MiB, 64 at a time");
        table.figure("whole run", &shown(run.elapsed));
        let peak = run.looks.iter().map(|look| look.peak).max();
        table.memory("peak MB", peak.map(|peak| mib(peak) * 1.048_576), MAX_PEAK_MB);
        if let Some(growth) = growth(&run.looks) {
            table.figure("second half by first", &format!("{growth:.2}"));
        }
        Ok(())
    }

    /// Runs the plain client.
    fn run_plain(&self, server: &Server, n: usize) -> Result<Duration, Failure> {
        let folder = self.memory.join(format!("plain-{n}"));
        let mut command = Command::new(std::env::current_exe()?);
        command.args([PLAIN, &server.base_url]).arg(&folder).stdin(Stdio::null());
        let begin = Instant::now();
        let status = command.status()?;
        let elapsed = begin.elapsed();
        fs::remove_dir_all(&folder)?;
        if status.success() { Ok(elapsed) } else { Err(format!("{status}").into()) }
    }

    fn rows(&self, n_rows: u32) -> Result<PathBuf, Failure> {
        let path = self.disk.join(format!("rows-{n_rows}.csv"));
        let rows: String = (0..n_rows).map(|n| format!("R-{n:05},a thing number {n}\n")).collect();
        fs::write(&path, format!("scene_id,prompt\n{rows}"))?;
        Ok(path)
    }

    /// Runs the rows against the server; images and journal in a folder of `place`, money on the
    /// disk.
    fn run(
        &self,
        server: &Server,
        rows: &Path,
        place: &Path,
        args: &[&str],
    ) -> Result<Duration, Failure> {
        let out = self.folder(place, "out");
        let begin = Instant::now();
        let child = self.start(server, rows, &out, args)?;
        self.end(child, begin, &out)
    }

    /// A folder for the next run.
    fn folder(&self, place: &Path, name: &str) -> PathBuf {
        self.n_runs.set(self.n_runs.get() + 1);
        place.join(format!("{name}-{}", self.n_runs.get()))
    }

    /// Runs the rows and looks at the memory meanwhile, which costs time.
    fn watch(&self, server: &Server, rows: &Path) -> Result<Run, Failure> {
        let out = self.folder(&self.memory, "out");
        let begin = Instant::now();
        let child = self.start(server, rows, &out, &[])?;
        let id = child.id();
        let watch = thread::spawn(move || look_at_memory(id));
        let elapsed = self.end(child, begin, &out)?;
        let looks = watch.join().map_err(|_| "the watch has panicked")?;
        Ok(Run { elapsed, looks })
    }

    fn end(&self, mut child: Child, begin: Instant, out: &Path) -> Result<Duration, Failure> {
        let status = child.wait()?;
        let elapsed = begin.elapsed();
        if !out.starts_with(&self.disk) {
            fs::remove_dir_all(out)?;
        }
        if status.success() { Ok(elapsed) } else { Err(format!("{status}").into()) }
    }

    fn start(
        &self,
        server: &Server,
        rows: &Path,
        out: &Path,
        args: &[&str],
    ) -> Result<Child, Failure> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imagemill"));
        command
            .arg("run")
            .arg(rows)
            .args(["--live", "--rehearsal", "--provider", "openai", "--model", "gpt-image-2"])
            // The page is for people to look at when a run is over, and no part of what it costs to
            // keep books. Its tables of results are made.
            .args(["--quality", "low", "--gate", "none", "--progress", "none", "--no-html"])
            .args(["--limit-per-day", "1000", "--base-url", &server.base_url])
            .args(args)
            .args(["--concurrency", &CONCURRENCY.to_string()])
            .arg("--out")
            .arg(out)
            .arg("--ledger")
            .arg(self.folder(&self.disk, "ledger"))
            .env("HOME", &self.disk)
            .env_remove("XDG_STATE_HOME")
            .env_remove("XDG_CONFIG_HOME")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(command.spawn()?)
    }
}

/// A run whose memory was watched.
struct Run {
    elapsed: Duration,
    /// Empty where the system does not tell.
    looks: Vec<Look>,
}

/// The rehearsal server; it ends with this value.
struct Server {
    child: Child,
    base_url: String,
}

impl Server {
    fn start(latency: Duration, n_image_bytes: usize) -> Result<Self, Failure> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_imagemill"))
            .args(["sim", "--listen", "127.0.0.1:0"])
            .args(["--sim", &format!("latency={}ms", latency.as_millis())])
            .args(["--image-bytes", &n_image_bytes.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut first = String::new();
        BufReader::new(child.stdout.take().ok_or("no pipe")?).read_line(&mut first)?;
        let base_url = first.trim().strip_prefix("listening on ").ok_or("no address")?.to_owned();
        Ok(Self { child, base_url })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
