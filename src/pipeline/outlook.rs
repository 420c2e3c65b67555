//! Whether addresses that were fresh by the forecast still are at the pace that is measured: a run
//! that is slower than expected says so while something can be done about it.

use std::time::Duration;

use crate::domain::event::RunEvent;
use crate::domain::freshness::need;
use crate::domain::reference_plan::{Pace, UrlLives};
use crate::pipeline::context::RunContext;

/// The run is looked at when so many parts of its rows have been started, in percent.
const LOOKS: [u64; 7] = [2, 5, 10, 20, 40, 60, 80];

/// The addresses of a run that end at a known time.
#[derive(Debug)]
pub struct Outlook {
    lives: UrlLives,
    /// Whether any of them ends at a known time: asked for every row, so it is kept.
    has_ends: bool,
    n_looks: usize,
    n_told: u64,
}

impl Outlook {
    /// Takes the addresses of a batch.
    pub fn new(lives: UrlLives) -> Self {
        Self { has_ends: lives.has_ends(), lives, n_looks: 0, n_told: 0 }
    }

    /// Looks now and then, and tells when more rows than before will come too late.
    pub(crate) async fn look(&mut self, cx: &RunContext, n_started: u64) {
        let Some(percent) = LOOKS.get(self.n_looks) else { return };
        if !self.has_ends || n_started * 100 < cx.batch.n_selected() * percent {
            return;
        }
        self.n_looks += 1;
        let images =
            |position: u32| u64::from(cx.batch.class(cx.batch.class_of(position)).variants);
        let mut n_done = 0;
        let rest = cx.batch.selected().enumerate().filter_map(|(n, position)| {
            let is_done = (n as u64) < n_started;
            n_done += if is_done { images(position) } else { 0 };
            (!is_done).then(|| (position, images(position)))
        });
        let rest: Vec<(u32, u64)> = rest.collect();
        let n_left: u64 = rest.iter().map(|(_, images)| images).sum();
        let pace = Pace {
            now: cx.clock.now(),
            whole: scaled(cx.clock.elapsed(), n_left, n_done),
            images: n_left,
            need: need(&cx.settings.fetch),
            fresh_for: cx.settings.fetch.fresh_for,
        };
        let (_, too_late) = self.lives.judge(rest.into_iter(), &pace);
        let n_late = too_late.len() as u64;
        if n_late > self.n_told {
            self.n_told = n_late;
            let reason = format!(
                "at the pace measured so far, {n_late} rows will come after their addresses have \
                 expired; they will be rejected before any money moves for them"
            );
            cx.events.emit(RunEvent::ReferenceNews { reason }).await;
        }
    }
}

/// The time for so many images when others took `elapsed`.
fn scaled(elapsed: Duration, images: u64, done: u64) -> Duration {
    let nanos = elapsed.as_nanos() * u128::from(images) / u128::from(done.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
