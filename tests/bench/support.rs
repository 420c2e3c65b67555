//! What the benchmarks share: a table with bars, a watch on a child's memory, a little arithmetic.

use std::fs;
use std::thread;
use std::time::Duration;

/// Between two looks at the memory of a child.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Whatever goes wrong ends a benchmark.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// One look at the memory of a child, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// What it has now.
    pub(crate) now: u64,
    /// The most that it ever had.
    pub(crate) peak: u64,
}

/// The largest memory of the second half by that of the first.
pub(crate) fn growth(looks: &[Look]) -> Option<f64> {
    let (first, second) = looks.split_at(looks.len() / 2);
    let largest = |half: &[Look]| half.iter().map(|look| look.now).max();
    Some(largest(second)? as f64 / largest(first)? as f64)
}

/// Looks at the memory of a process once; nothing where the system does not tell.
pub(crate) fn look(id: u32) -> Option<Look> {
    fs::read_to_string(format!("/proc/{id}/status")).ok().as_deref().and_then(look_of)
}

/// Looks at the memory of a process until it is gone.
pub(crate) fn look_at_memory(id: u32) -> Vec<Look> {
    let mut looks = Vec::new();
    while let Some(look) = look(id) {
        looks.push(look);
        thread::sleep(LOOK_EVERY);
    }
    looks
}

fn look_of(status: &str) -> Option<Look> {
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
    };
    Some(Look { now: bytes("VmRSS:")?, peak: bytes("VmHWM:")? })
}

/// Prints figures, and counts the bars that are missed.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) n_missed: usize,
}

impl Table {
    pub(crate) fn title(&self, title: &str) {
        println!("\n{title}");
    }

    pub(crate) fn figure(&self, name: &str, figure: &str) {
        println!("  {name:<24} {figure}");
    }

    pub(crate) fn at_most(&mut self, name: &str, figure: f64, most: f64) {
        let is_held = figure <= most;
        self.n_missed += usize::from(!is_held);
        let word = if is_held { "PASS" } else { "MISS" };
        println!("  {name:<24} {figure:<10.2} at most {most:<10.2} {word}");
    }

    /// A bar on memory, which not every system tells.
    pub(crate) fn memory(&mut self, name: &str, figure: Option<f64>, most: f64) {
        match figure {
            Some(figure) => self.at_most(name, figure, most),
            None => self.figure(name, "not told by this system"),
        }
    }
}

pub(crate) fn smallest(times: &[Duration]) -> Duration {
    times.iter().min().copied().unwrap_or_default()
}

pub(crate) fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

pub(crate) fn ratio(time: Duration, measure: Duration) -> f64 {
    time.as_secs_f64() / measure.as_secs_f64()
}

pub(crate) fn shown(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}
