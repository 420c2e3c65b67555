//! Signals of a run: the first stops admitting and drains, the second leaves what is out, the third
//! does not wait for anything. A fourth kind, SIGUSR1, asks how the run stands.

use std::io;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::adapters::system::TokioClock;
use crate::exit::Exit;
use crate::pipeline::stop::{Stop, StopReason};
use crate::ports::clock::Clock;
use crate::report::progress::StatusRequest;

/// One press of Ctrl-C can arrive twice within this time.
const ONE_PRESS: Duration = Duration::from_millis(50);

/// How long an orderly end may take after the second signal; many press more than once.
const ORDERLY: Duration = Duration::from_secs(2);

/// Listens on a thread of its own with the real clock, until the guard is dropped: a rehearsal's
/// virtual time has no room for signals. It listens already when this returns.
pub(super) fn listen(stop: &Arc<Stop>, wanted: StatusRequest) -> DropGuard {
    let ended = CancellationToken::new();
    let (stop, until) = (Arc::clone(stop), ended.clone());
    let (is_ready, ready) = mpsc::channel();
    // Without the thread a signal ends the process at once, and the holds stay as they are.
    let _ = thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            let Ok(signals) = Signals::catch() else { return };
            let _ = is_ready.send(());
            tokio::select! {
                // Biased: the end of the run is the end of listening.
                biased;
                () = until.cancelled() => {}
                () = signals.obey(&stop, &wanted) => {}
            }
        });
    });
    // An error means that nothing will ever listen; the run goes on all the same.
    let _ = ready.recv();
    ended.drop_guard()
}

/// From here on, whoever asks how a run stands does not end it: it may not have begun yet.
pub(super) fn survive_questions() {
    #[cfg(unix)]
    if let Ok(runtime) = Builder::new_current_thread().enable_all().build() {
        use tokio::signal::unix::{SignalKind, signal};
        // Once it is caught, it stays caught for as long as the process lives.
        let _ = runtime.block_on(async { signal(SignalKind::user_defined1()) });
    }
}

#[cfg(unix)]
struct Signals {
    interrupts: tokio::signal::unix::Signal,
    terminations: tokio::signal::unix::Signal,
    questions: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn catch() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupts: signal(SignalKind::interrupt())?,
            terminations: signal(SignalKind::terminate())?,
            questions: signal(SignalKind::user_defined1())?,
        })
    }

    async fn obey(mut self, stop: &Stop, wanted: &StatusRequest) {
        let (mut interrupts, mut terminations) = (Presses::default(), Presses::default());
        loop {
            tokio::select! {
                // Biased: two signals at once are both counted, in either order.
                biased;
                _ = self.interrupts.recv() => {
                    obey_one(stop, StopReason::Interrupted, &mut interrupts, ONE_PRESS);
                }
                _ = self.terminations.recv() => {
                    obey_one(stop, StopReason::Terminated, &mut terminations, Duration::ZERO);
                }
                _ = self.questions.recv() => wanted.ask(),
            }
        }
    }
}

/// How often a signal came, and when it did first.
#[derive(Debug)]
struct Presses {
    clock: TokioClock,
    n: u32,
    last: Duration,
}

impl Default for Presses {
    fn default() -> Self {
        Self { clock: TokioClock::live(), n: 0, last: Duration::ZERO }
    }
}

/// Does what a signal says; one that comes within `same` after the last is the same.
fn obey_one(stop: &Stop, reason: StopReason, presses: &mut Presses, same: Duration) {
    let now = presses.clock.elapsed();
    let same = if presses.n >= 2 { ORDERLY } else { same };
    if presses.n > 0 && now.saturating_sub(presses.last) <= same && !same.is_zero() {
        return;
    }
    (presses.n, presses.last) = (presses.n + 1, now);
    match presses.n {
        1 => stop.drain(reason),
        2 => stop.abort(),
        _ => leave(&reason),
    }
}

/// Ends the process on the spot: a disk, a lock or a reader of the output holds it up. The ledger
/// takes that for a crash, and every hold stays.
#[expect(clippy::disallowed_methods, reason = "nothing is left that could be waited for")]
fn leave(reason: &StopReason) {
    let is_term = matches!(reason, StopReason::Terminated);
    let exit = if is_term { Exit::Terminated } else { Exit::Interrupted };
    std::process::exit(exit.code().into());
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn catch() -> io::Result<Self> {
        Ok(Self)
    }

    async fn obey(self, stop: &Stop, _: &StatusRequest) {
        let mut presses = Presses::default();
        while tokio::signal::ctrl_c().await.is_ok() {
            obey_one(stop, StopReason::Interrupted, &mut presses, ONE_PRESS);
        }
        std::future::pending().await
    }
}
