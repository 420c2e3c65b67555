//! Counts and shows the events of a run that keeps none, such as a rehearsal, where they are
//! emitted: no task is woken for them.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::domain::event::{RunEvent, Stamped};
use crate::domain::measure::Measure;
use crate::pipeline::keeper::{Views, show};
use crate::pipeline::stop::{Stop, StopReason};
use crate::ports::clock::Clock;

/// Counts and shows events where they are emitted.
pub(super) struct Counter {
    clock: Arc<dyn Clock>,
    measure: Arc<Mutex<Measure>>,
    stop: Arc<Stop>,
    is_doomed: AtomicBool,
    /// Who is shown them, and the number of the last one.
    views: Mutex<(Views, u64)>,
}

impl fmt::Debug for Counter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Counter").field("is_doomed", &self.is_doomed).finish_non_exhaustive()
    }
}

impl Counter {
    /// Counts on from the event of this number.
    pub(super) fn new(
        clock: Arc<dyn Clock>,
        measure: Arc<Mutex<Measure>>,
        stop: Arc<Stop>,
        views: Views,
        seq: u64,
    ) -> Self {
        let (is_doomed, views) = (AtomicBool::new(false), Mutex::new((views, seq)));
        Self { clock, measure, stop, is_doomed, views }
    }

    /// Counts one event, shows it, and stops the run when a gate cannot pass any more.
    pub(super) fn count(&self, event: RunEvent) {
        let elapsed = self.clock.elapsed();
        // Only these say anything to a gate that may stop the run.
        let may_doom = matches!(event, RunEvent::AttemptEnded(_) | RunEvent::RowFinished(_));
        let reason = {
            let mut measure = self.measure.lock().expect("no view panics");
            measure.apply(&event, elapsed);
            let looks = may_doom && !self.is_doomed.load(Ordering::Relaxed);
            if looks { measure.doomed(elapsed) } else { None }
        };
        if let Some(reason) = reason {
            self.is_doomed.store(true, Ordering::Relaxed);
            self.stop.drain(StopReason::Gate(reason));
        }
        let mut views = self.views.lock().expect("a view that panics is caught");
        let (views, seq) = &mut *views;
        *seq += 1;
        if !views.is_empty() {
            let stamped = Stamped { seq: *seq, ts: self.clock.now(), event };
            *views = show(std::mem::take(views), std::slice::from_ref(&stamped));
        }
    }
}
