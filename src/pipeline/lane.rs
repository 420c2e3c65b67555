//! The lane: what shares one rate limit. It gives out permits for requests in flight, keeps the
//! pace, and has the circuit. Nobody holds a permit while waiting for the pace or for a probe.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use crate::domain::circuit::{Change, Circuit, Health, Pass};
use crate::domain::pace::{Pace, Rates};
use crate::ports::clock::Clock;

/// What shares one rate limit.
#[derive(Debug)]
pub struct Lane {
    permits: Semaphore,
    gate: Mutex<Gate>,
    /// Whose turn it is to wait for the gate; a fair lock, so that all are served in their order.
    turn: tokio::sync::Mutex<()>,
    /// How many wait for the gate; who comes meanwhile waits behind them.
    n_waiting: AtomicU32,
    /// How many requests were answered by more than a word to wait.
    n_answered: AtomicU64,
    /// Told when a probe has ended; only the one whose turn it is listens.
    probe_ended: Notify,
}

#[derive(Debug)]
struct Gate {
    pace: Pace,
    circuit: Circuit,
}

/// The right to have one request in flight.
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    lane: &'a Lane,
    is_probe: bool,
    _permit: SemaphorePermit<'a>,
}

impl Lane {
    /// A lane of so many requests in flight, at this pace.
    pub fn new(concurrency: u32, rates: &Rates) -> Self {
        let gate = Gate { pace: Pace::new(rates), circuit: Circuit::default() };
        Self {
            permits: Semaphore::new(concurrency as usize),
            gate: Mutex::new(gate),
            turn: tokio::sync::Mutex::new(()),
            n_waiting: AtomicU32::new(0),
            n_answered: AtomicU64::new(0),
            probe_ended: Notify::new(),
        }
    }

    /// How many requests were answered by more than a word to wait.
    pub(crate) fn n_answered(&self) -> u64 {
        self.n_answered.load(Ordering::Acquire)
    }

    /// Counts such an answer.
    pub(crate) fn count_answer(&self) {
        self.n_answered.fetch_add(1, Ordering::AcqRel);
    }

    /// Permits that nobody has.
    pub fn free_permits(&self) -> usize {
        self.permits.available_permits()
    }

    /// Waits for a permit and for the gate; dropping the future gives the wait up.
    pub(crate) async fn enter(&self, clock: &dyn Clock) -> Permit<'_> {
        let mut turn = None;
        loop {
            let permit = self.permits.acquire().await.expect("the lane is never closed");
            let must_queue = turn.is_none() && self.n_waiting.load(Ordering::Acquire) > 0;
            let now = clock.elapsed();
            let pass = if must_queue { Pass::At(now) } else { self.ask(now) };
            let is_probe = match pass {
                Pass::Go => false,
                Pass::Probe => true,
                Pass::At(_) | Pass::AfterProbe => {
                    // The permit goes back first: whoever is out can finish and come back.
                    drop(permit);
                    if turn.is_none() {
                        let waiting = Waiting::new(&self.n_waiting);
                        turn = Some((self.turn.lock().await, waiting));
                        continue;
                    }
                    match pass {
                        Pass::At(moment) => clock.sleep(moment.saturating_sub(now)).await,
                        Pass::AfterProbe => self.probe_ended.notified().await,
                        Pass::Go | Pass::Probe => {}
                    }
                    continue;
                }
            };
            return Permit { lane: self, is_probe, _permit: permit };
        }
    }

    /// Lets nothing go before this moment of the run's clock; whether that is news.
    pub(crate) fn park_until(&self, moment: Duration) -> bool {
        self.gate().pace.park_until(moment)
    }

    fn ask(&self, now: Duration) -> Pass {
        let mut gate = self.gate();
        if let Some(moment) = gate.pace.ready_at(now) {
            return Pass::At(moment);
        }
        let pass = gate.circuit.ask(now);
        if matches!(pass, Pass::Go | Pass::Probe) {
            gate.pace.go(now);
        }
        pass
    }

    fn gate(&self) -> std::sync::MutexGuard<'_, Gate> {
        self.gate.lock().expect("no holder panics")
    }
}

impl Permit<'_> {
    /// Ends the request: the permit goes back, and the circuit learns how it went.
    pub(crate) fn end(mut self, health: Health, now: Duration) -> Change {
        let change = self.lane.gate().circuit.learn(health, now, self.is_probe);
        if self.is_probe || change != Change::None {
            self.lane.probe_ended.notify_one();
        }
        self.is_probe = false;
        change
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        // A probe that was never sent, or whose task died, makes room for the next one.
        if self.is_probe {
            self.lane.gate().circuit.withdraw();
            self.lane.probe_ended.notify_one();
        }
    }
}

/// Counts one who waits, for as long as it lives.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn new(n_waiting: &'a AtomicU32) -> Self {
        n_waiting.fetch_add(1, Ordering::AcqRel);
        Self(n_waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
