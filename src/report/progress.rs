//! Progress on standard error: a bar on a terminal, plain lines elsewhere, JSON, or nothing.
//! It lives on a thread with the real clock and only looks; it can fail without the run noticing.

use std::cmp::Ordering;
use std::io::IsTerminal;
use std::sync::atomic::{self, AtomicBool};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::domain::measure::Measure;
use crate::domain::sanitize;
use crate::domain::stats::Notice;
use crate::report::bar_terminal::BarTerminal;
use crate::report::words;

/// The most pictures of the bar in a second.
const PER_SECOND: u8 = 20;

/// How often the thread looks.
const TICK: Duration = Duration::from_millis(100);

/// Ticks between two plain lines: 10 s, or 5 % if that takes longer.
const TICKS_PER_LINE: u32 = 100;

/// Percent between two plain lines.
const PERCENT_PER_LINE: u64 = 5;

/// Ticks after which a plain line comes in any case, a minute: silence looks like a hang.
const MOST_TICKS: u32 = 600;

/// The most attempts in flight that are shown.
const MOST_IN_FLIGHT: usize = 8;

/// The most notices that are printed; the result counts them all.
const MOST_NOTICES: u64 = 20;

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressKind {
    /// A bar.
    Bar,
    /// Plain lines.
    Lines,
    /// JSON lines.
    Json,
    /// Nothing at all.
    Silent,
}

/// Asks a display, whatever its kind, to print once how the run stands.
#[derive(Clone, Debug, Default)]
pub struct StatusRequest(Arc<AtomicBool>);

impl StatusRequest {
    /// Asks; the display answers at its next look.
    pub fn ask(&self) {
        self.0.store(true, atomic::Ordering::Release);
    }

    fn take(&self) -> bool {
        self.0.swap(false, atomic::Ordering::AcqRel)
    }
}

/// A running display.
#[derive(Debug)]
pub struct Progress {
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Starts to show; `rehearsal` chooses words that do not claim that anything was sent.
    pub fn start(
        kind: ProgressKind,
        measure: Arc<Mutex<Measure>>,
        rehearsal: bool,
        wanted: StatusRequest,
    ) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let is_done = Arc::clone(&done);
        let thread = thread::Builder::new()
            .name("progress".to_owned())
            .spawn(move || Display::new(kind, measure, rehearsal, wanted).run(&is_done))
            .ok();
        Self { done, thread }
    }

    /// Shows the last state and ends.
    pub fn finish(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.done.store(true, atomic::Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A display that died is no reason to stop.
            let _ = thread.join();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

struct Display {
    kind: ProgressKind,
    measure: Arc<Mutex<Measure>>,
    rehearsal: bool,
    wanted: StatusRequest,
    bars: Option<(MultiProgress, ProgressBar, ProgressBar)>,
    n_notices: u64,
    line_at_percent: u64,
    ticks: u32,
    /// The time of the last event, and the ticks since then.
    seen: (Duration, u32),
}

impl Display {
    fn new(
        kind: ProgressKind,
        measure: Arc<Mutex<Measure>>,
        rehearsal: bool,
        wanted: StatusRequest,
    ) -> Self {
        let bars = (kind == ProgressKind::Bar).then(|| {
            let target = match std::io::stderr().is_terminal() {
                true => {
                    ProgressDrawTarget::term_like_with_hz(Box::<BarTerminal>::default(), PER_SECOND)
                }
                false => ProgressDrawTarget::hidden(),
            };
            let all = MultiProgress::with_draw_target(target);
            let images = all.add(ProgressBar::new(1));
            let style =
                ProgressStyle::with_template(" images {bar:30} {pos}/{len} {percent} % {msg}")
                    .expect("the template is a constant");
            images.set_style(style);
            let rest = all.add(ProgressBar::new_spinner());
            rest.set_style(
                ProgressStyle::with_template("{msg}").expect("the template is a constant"),
            );
            (all, images, rest)
        });
        Self {
            kind,
            measure,
            rehearsal,
            wanted,
            bars,
            n_notices: 0,
            line_at_percent: 0,
            ticks: 0,
            seen: (Duration::ZERO, 0),
        }
    }

    fn run(mut self, done: &AtomicBool) {
        while !done.load(atomic::Ordering::Acquire) {
            self.tick(false);
            thread::park_timeout(TICK);
        }
        self.tick(true);
        if let Some((all, ..)) = &self.bars {
            let _ = all.clear();
        }
    }

    fn tick(&mut self, last: bool) {
        self.ticks = self.ticks.saturating_add(1);
        // The lock is held for as long as a few numbers take to copy into text.
        let (notices, status) = {
            let shared = Arc::clone(&self.measure);
            let Ok(measure) = shared.lock() else { return };
            let elapsed = self.elapsed(measure.elapsed());
            let mut status = Status::of(&measure, elapsed);
            if last {
                status.eta = None;
            }
            (self.new_notices(&measure), status)
        };
        if !notices.is_empty() {
            self.say(&notices);
        }
        if self.wanted.take() {
            let block = match self.kind {
                ProgressKind::Json => status.json(),
                ProgressKind::Bar | ProgressKind::Lines | ProgressKind::Silent => {
                    format!("{}\n{}", status.line(), status.block())
                }
            };
            self.print(&[block]);
        }
        match self.kind {
            ProgressKind::Bar => self.draw(&status),
            ProgressKind::Silent => {}
            ProgressKind::Lines | ProgressKind::Json => {
                if self.is_line_due(&status, last) {
                    let json = self.kind == ProgressKind::Json;
                    self.say(&[if json { status.json() } else { status.line() }]);
                }
            }
        }
    }

    /// The time of the run: that of its last event, and what has passed since then. Virtual time
    /// stands still between events.
    fn elapsed(&mut self, at_event: Duration) -> Duration {
        if self.seen.0 == at_event && !self.rehearsal {
            self.seen.1 = self.seen.1.saturating_add(1);
        } else {
            self.seen = (at_event, 0);
        }
        at_event.saturating_add(TICK.saturating_mul(self.seen.1))
    }

    fn is_line_due(&mut self, status: &Status, last: bool) -> bool {
        let percent = status.percent();
        let moved =
            self.ticks >= TICKS_PER_LINE && percent >= self.line_at_percent + PERCENT_PER_LINE;
        let due = moved || self.ticks >= MOST_TICKS;
        if due {
            self.ticks = 0;
            self.line_at_percent = percent;
        }
        due || last
    }

    fn draw(&self, status: &Status) {
        let Some((_, images, rest)) = &self.bars else { return };
        images.set_length(status.images_total.max(1));
        images.set_position(status.images_done);
        images.set_message(status.speed());
        rest.set_message(status.block());
    }

    /// Prints lines, unless nothing is to be shown.
    fn say(&self, lines: &[String]) {
        if self.kind != ProgressKind::Silent {
            self.print(lines);
        }
    }

    /// Prints lines, above the bar where there is one.
    fn print(&self, lines: &[String]) {
        use std::io::Write;
        let print = || {
            let mut out = std::io::stderr().lock();
            for line in lines {
                let _ = writeln!(out, "{line}");
            }
        };
        match &self.bars {
            // The bar is taken away meanwhile, so that lines may be as long as they are.
            Some((all, ..)) => all.suspend(print),
            None => print(),
        }
    }

    fn new_notices(&mut self, measure: &Measure) -> Vec<String> {
        let stats = measure.stats();
        let mut lines = Vec::new();
        for (number, notice) in &stats.notices {
            if *number <= self.n_notices {
                continue;
            }
            self.n_notices = *number;
            if self.kind == ProgressKind::Json {
                continue;
            }
            match (notice, (*number).cmp(&(MOST_NOTICES + 1))) {
                (Notice::Stopping(_) | Notice::Lane(_), _)
                | (Notice::Row { .. }, Ordering::Less) => {
                    lines.push(notice_line(notice, self.rehearsal));
                }
                (Notice::Row { .. }, Ordering::Equal) => {
                    lines.push("more rows did not end well; the result counts them".to_owned());
                }
                (Notice::Row { .. }, Ordering::Greater) => {}
            }
        }
        lines
    }
}

fn notice_line(notice: &Notice, rehearsal: bool) -> String {
    match notice {
        Notice::Row { scene_id, outcome, reason } => {
            let scene_id = sanitize::cut(scene_id.as_str(), 60).into_owned();
            let reason = sanitize::cut(reason, 200).into_owned();
            let verb = if rehearsal { "would end " } else { "" };
            let colon = if reason.is_empty() { "" } else { ": " };
            format!("! {scene_id} {verb}{outcome}{colon}{reason}")
        }
        Notice::Lane(news) => {
            format!("! {}", sanitize::one_line(&sanitize::cut(news, 300)))
        }
        Notice::Stopping(reason) => {
            let reason = sanitize::cut(reason, 300);
            if rehearsal {
                format!("Stopping: {reason}")
            } else {
                format!(
                    "Stopping: {reason}; no new images, waiting for those already sent. Ctrl-C \
                     again leaves them unknown"
                )
            }
        }
    }
}

/// The state of a run at one look.
struct Status {
    images_done: u64,
    images_total: u64,
    rows_ok: u64,
    rows_bad: u64,
    rows_open: u64,
    retries: u64,
    settled: crate::domain::money::NanoUsd,
    held: crate::domain::money::NanoUsd,
    limit: crate::domain::money::NanoUsd,
    p95: u64,
    elapsed: Duration,
    eta: Option<Duration>,
    in_flight: Vec<String>,
    n_in_flight: usize,
}

impl Status {
    fn of(measure: &Measure, elapsed: Duration) -> Self {
        let stats = measure.stats();
        let mut oldest: Vec<_> = stats.in_flight.values().collect();
        oldest.sort_by_key(|attempt| attempt.since);
        Self {
            images_done: stats.images_stored,
            images_total: measure.frame().images_selected,
            rows_ok: stats.rows.ok,
            rows_bad: stats.rows.sent() + stats.rows.rejected - stats.rows.ok,
            rows_open: stats.rows_open,
            retries: stats.retries,
            settled: stats.money.settled,
            held: stats.money.reserved.saturating_add(stats.money.unknown),
            limit: measure.frame().limit_per_day,
            p95: stats.latency().p95,
            elapsed,
            eta: measure.eta(elapsed),
            in_flight: oldest
                .iter()
                .take(MOST_IN_FLIGHT)
                .map(|attempt| {
                    format!(
                        "{} v{}  {}",
                        sanitize::cut(attempt.scene_id.as_str(), 40),
                        attempt.variant,
                        words::duration(elapsed.saturating_sub(attempt.since))
                    )
                })
                .collect(),
            n_in_flight: oldest.len(),
        }
    }

    fn percent(&self) -> u64 {
        (self.images_done * 100).checked_div(self.images_total).unwrap_or(100)
    }

    fn speed(&self) -> String {
        let seconds = self.elapsed.as_secs();
        let rate = match seconds {
            0 => "-".to_owned(),
            _ => (self.images_done * 60 / seconds).to_string(),
        };
        format!("{rate}/min  ETA {}", self.eta.map_or("-".to_owned(), words::duration))
    }

    fn block(&self) -> String {
        let mut text = format!(
            " cost   {} settled + {} held of {}\n \
             rows   {} ok, {} not, {} in flight, {} waiting, {} retries, p95 {}",
            words::dollars(self.settled),
            words::dollars(self.held),
            words::dollars(self.limit),
            self.rows_ok,
            self.rows_bad,
            self.n_in_flight,
            self.n_waiting(),
            self.retries,
            words::duration(Duration::from_millis(self.p95)),
        );
        for line in &self.in_flight {
            text.push_str("\n   ");
            text.push_str(line);
        }
        if self.n_in_flight > self.in_flight.len() {
            text.push_str(&format!("\n   and {} more", self.n_in_flight - self.in_flight.len()));
        }
        text
    }

    /// Open rows without a request in flight: they wait for their turn, or were told to.
    fn n_waiting(&self) -> u64 {
        self.rows_open.saturating_sub(self.n_in_flight as u64)
    }

    fn line(&self) -> String {
        let eta = self.eta.map_or(String::new(), |eta| format!("  eta {}", words::duration(eta)));
        format!(
            "+{} {}/{} images ({} %) rows {} ok {} not {} open  {} settled {} held  p95 {}{eta}",
            words::duration(self.elapsed),
            self.images_done,
            self.images_total,
            self.percent(),
            self.rows_ok,
            self.rows_bad,
            self.rows_open,
            words::dollars(self.settled),
            words::dollars(self.held),
            words::duration(Duration::from_millis(self.p95)),
        )
    }

    fn json(&self) -> String {
        serde_json::json!({
            "type": "progress",
            "elapsed_ms": u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX),
            "images": { "done": self.images_done, "total": self.images_total },
            "rows": { "ok": self.rows_ok, "not_ok": self.rows_bad, "open": self.rows_open },
            "cost": { "settled": self.settled, "held": self.held, "limit_per_day": self.limit },
            "eta_ms": self.eta.map(|eta| u64::try_from(eta.as_millis()).unwrap_or(u64::MAX)),
        })
        .to_string()
    }
}
