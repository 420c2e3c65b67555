//! Scale: planning, rehearsing and starting beside a bare parse and an empty program.
//!
//! `cargo bench --bench scale` makes a file of a million rows and compares ratios taken in this
//! one run with their bars; `-- --rows N` takes fewer rows, for which no bar was meant. Exits
//! with 1 when a bar is missed.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark reads the clock and prints its table"
)]

mod support;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use support::{Failure, Look, Table, growth, look_at_memory, median, mib, ratio, shown, smallest};

/// Rows of the measured file.
const N_ROWS: u64 = 1_000_000;
/// How often the bare parse and the plan are timed, one after the other.
const N_PLANS: usize = 9;
/// How often the rehearsal is timed: it takes seconds.
const N_REHEARSALS: usize = 2;
/// How often a start is timed.
const N_STARTS: usize = 30;
/// More than the file costs, so that its plan is not refused.
const MAX_DOLLARS: &str = "1000000";

const MAX_PLAN_RATIO: f64 = 3.0;
const MAX_PLAN_BYTES: u64 = 64 * 1024 * 1024;
const MAX_PLAN_BYTES_A_ROW: u64 = 32;
const MAX_REHEARSAL_RATIO: f64 = 60.0;
/// The peak of a rehearsal's second half beside that of its first; what grows with the rows that
/// are done would double.
const MAX_GROWTH: f64 = 1.1;
const MAX_START_RATIO: f64 = 2.0;
const MAX_START_EXTRA: Duration = Duration::from_millis(5);

fn main() -> Result<ExitCode, Failure> {
    let n_rows = rows_asked()?;
    let folder = tempfile::tempdir()?;
    let rows = folder.path().join("rows.csv");
    let n_bytes = write_rows(&rows, n_rows)?;
    println!("{n_rows} rows, {:.1} MiB", mib(n_bytes));
    let bench = Bench { folder: folder.path().to_owned(), rows, n_rows };
    let mut table = Table::default();
    let bare = bench.plans(&mut table)?;
    bench.rehearsals(bare, &mut table)?;
    bench.starts(&mut table)?;
    println!("{}", if table.n_missed == 0 { "every bar is held" } else { "a bar is missed" });
    Ok(ExitCode::from(u8::from(table.n_missed > 0)))
}

/// What is measured.
struct Bench {
    folder: PathBuf,
    rows: PathBuf,
    n_rows: u64,
}

impl Bench {
    /// Times bare parses and plans in turn; the median of the former is the measure of others.
    fn plans(&self, table: &mut Table) -> Result<Duration, Failure> {
        let (mut bare, mut plans, mut peak) = (Vec::new(), Vec::new(), None);
        self.parse()?;
        for _ in 0..N_PLANS {
            bare.push(self.parse()?);
            let run = self.run(&["--plan-only", "--limit-per-day", MAX_DOLLARS], &[0])?;
            plans.push(run.elapsed);
            peak = peak.max(run.peak());
        }
        let (bare_min, plan_min) = (smallest(&bare), smallest(&plans));
        let (bare, plan) = (median(&mut bare), median(&mut plans));
        table.title("planning");
        table.figure("bare csv parse", &format!("{} (least {})", shown(bare), shown(bare_min)));
        table.figure("--plan-only", &format!("{} (least {})", shown(plan), shown(plan_min)));
        // Other work on the machine lengthens single runs; it cannot shorten the least ones.
        let ratio = ratio(plan, bare).min(ratio(plan_min, bare_min));
        table.at_most("times the bare parse", ratio, MAX_PLAN_RATIO);
        let most = MAX_PLAN_BYTES + MAX_PLAN_BYTES_A_ROW * self.n_rows;
        table.memory("peak MiB", peak.map(mib), mib(most));
        Ok(bare)
    }

    fn rehearsals(&self, bare: Duration, table: &mut Table) -> Result<(), Failure> {
        let flags = ["--progress", "none", "--limit-per-day", MAX_DOLLARS];
        let (mut times, mut growths, mut peak) = (Vec::new(), Vec::new(), None);
        for _ in 0..N_REHEARSALS {
            // A million rows at the pace of the simulator may well fail a gate on time.
            let run = self.run(&flags, &[0, 98, 99])?;
            times.push(run.elapsed);
            growths.extend(growth(&run.looks));
            peak = peak.max(run.peak());
        }
        let rehearsal = smallest(&times);
        table.title("rehearsal");
        table.figure("whole run", &shown(rehearsal));
        table.at_most("times the bare parse", ratio(rehearsal, bare), MAX_REHEARSAL_RATIO);
        if let Some(peak) = peak {
            table.figure("peak MiB", &format!("{:.1}", mib(peak)));
        }
        table.memory("second half by first", growths.into_iter().reduce(f64::max), MAX_GROWTH);
        Ok(())
    }

    fn starts(&self, table: &mut Table) -> Result<(), Failure> {
        let empty = self.empty_program()?;
        let (mut empties, mut helps) = (Vec::new(), Vec::new());
        for _ in 0..N_STARTS {
            empties.push(start(&mut Command::new(&empty))?);
            helps.push(start(self.imagemill().arg("--help"))?);
        }
        let (empty, help) = (median(&mut empties), median(&mut helps));
        let most = empty.mul_f64(MAX_START_RATIO) + MAX_START_EXTRA;
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        table.title("start");
        table.figure("empty program", &format!("{:.2} ms", millis(empty)));
        table.at_most("--help in ms", millis(help), millis(most));
        Ok(())
    }

    fn parse(&self) -> Result<Duration, Failure> {
        let begin = Instant::now();
        let mut reader = csv::Reader::from_path(&self.rows)?;
        let (mut record, mut n_rows) = (csv::ByteRecord::new(), 0);
        while reader.read_byte_record(&mut record)? {
            n_rows += 1;
        }
        let elapsed = begin.elapsed();
        if n_rows == self.n_rows { Ok(elapsed) } else { Err("rows are missing".into()) }
    }

    /// Runs the rows with flags; the exit code must be one of a few.
    fn run(&self, flags: &[&str], codes: &[i32]) -> Result<Run, Failure> {
        let mut command = self.imagemill();
        command.arg("run").arg(&self.rows).args(flags);
        let begin = Instant::now();
        let mut child = command.spawn()?;
        let id = child.id();
        let watch = thread::spawn(move || look_at_memory(id));
        let status = child.wait()?;
        let elapsed = begin.elapsed();
        let looks = watch.join().map_err(|_| "the watch has panicked")?;
        match status.code() {
            Some(code) if codes.contains(&code) => Ok(Run { elapsed, looks }),
            _ => Err(format!("imagemill run {}: {status}", flags.join(" ")).into()),
        }
    }

    /// The program in a world of its own, so that no config or ledger of the user counts.
    fn imagemill(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imagemill"));
        command
            .current_dir(&self.folder)
            .env("HOME", &self.folder)
            .env_remove("XDG_STATE_HOME")
            .env_remove("XDG_CONFIG_HOME")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    fn empty_program(&self) -> Result<PathBuf, Failure> {
        let (source, program) = (self.folder.join("empty.rs"), self.folder.join("empty"));
        fs::write(&source, "fn main() {}\n")?;
        let status =
            Command::new("rustc").arg("-O").arg(&source).arg("-o").arg(&program).status()?;
        if status.success() { Ok(program) } else { Err("rustc cannot make a program".into()) }
    }
}

/// One timed child.
struct Run {
    elapsed: Duration,
    /// None where the system does not tell.
    looks: Vec<Look>,
}

impl Run {
    fn peak(&self) -> Option<u64> {
        self.looks.iter().map(|look| look.peak).max()
    }
}

/// The number behind `--rows`; what cargo adds of its own is passed over.
fn rows_asked() -> Result<u64, Failure> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--rows").skip(1);
    match arguments.next() {
        Some(number) => Ok(number.parse()?),
        None => Ok(N_ROWS),
    }
}

/// Writes rows as people have them, always the same ones, and returns their bytes.
fn write_rows(path: &Path, n_rows: u64) -> io::Result<u64> {
    const LOOKS: [&str; 7] = ["quiet", "amber", "rugged", "matte", "glossy", "soft", "minimal"];
    const THINGS: [&str; 8] =
        ["lamp", "chair", "backpack", "mug", "bicycle", "sofa", "kettle", "watch"];
    const PLACES: [&str; 4] = [
        "on a clean studio background",
        "beside a window in the morning",
        "in a small kitchen, late in the evening",
        "on wet stone after the rain",
    ];
    const SIZES: [&str; 4] = ["1024x1024", "1536x1024", "1024x1536", ""];
    const QUALITIES: [&str; 3] = ["low", "medium", ""];
    let mut out = BufWriter::new(File::create(path)?);
    writeln!(out, "scene_id,prompt,variants,size,quality,tags,campaign,reference_urls")?;
    let pick = |words: &[&'static str], number: u64| words[(number % words.len() as u64) as usize];
    for number in 0..n_rows {
        let (look, thing) = (pick(&LOOKS, number), pick(&THINGS, number / 3));
        let place = pick(&PLACES, number);
        let quote = if place.contains(',') { "\"" } else { "" };
        write!(out, "SKU-{number:07},{quote}A {look} {thing} number {number} {place}")?;
        write!(out, " as a product photograph with soft natural shadows{quote}")?;
        let (size, quality) = (pick(&SIZES, number / 5), pick(&QUALITIES, number / 7));
        let (n_variants, campaign) = (number % 3 + 1, number % 12 + 1);
        write!(out, ",{n_variants},{size},{quality},{thing}|{look},spring-{campaign},")?;
        if number % 5 == 0 {
            write!(out, "https://cdn.example/refs/sku-{number:07}.png")?;
        }
        writeln!(out)?;
    }
    out.flush()?;
    Ok(out.get_ref().metadata()?.len())
}

fn start(command: &mut Command) -> io::Result<Duration> {
    let begin = Instant::now();
    command.stdout(Stdio::null()).status()?;
    Ok(begin.elapsed())
}
