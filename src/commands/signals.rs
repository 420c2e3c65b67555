//! Signals of a run: the first stops admitting and drains, the second leaves now.

use std::io;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::adapters::system::TokioClock;
use crate::pipeline::stop::{Stop, StopReason};
use crate::ports::clock::Clock;

/// One press of Ctrl-C can arrive twice within this time.
const ONE_PRESS: Duration = Duration::from_millis(50);

/// Listens on a thread of its own with the real clock, until the guard is dropped: a rehearsal's
/// virtual time has no room for signals. It listens already when this returns.
pub(super) fn listen(stop: &Arc<Stop>) -> DropGuard {
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
                () = signals.obey(&stop) => {}
            }
        });
    });
    // An error means that nothing will ever listen; the run goes on all the same.
    let _ = ready.recv();
    ended.drop_guard()
}

#[cfg(unix)]
struct Signals {
    interrupts: tokio::signal::unix::Signal,
    terminations: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn catch() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupts: signal(SignalKind::interrupt())?,
            terminations: signal(SignalKind::terminate())?,
        })
    }

    async fn obey(mut self, stop: &Stop) {
        let clock = TokioClock::live();
        let mut interrupted_at = None;
        let mut terminated = false;
        loop {
            tokio::select! {
                // Biased: two signals at once are both counted, in either order.
                biased;
                _ = self.interrupts.recv() => match interrupted_at {
                    None => {
                        interrupted_at = Some(clock.elapsed());
                        stop.drain(StopReason::Interrupted);
                    }
                    Some(first) if clock.elapsed().saturating_sub(first) <= ONE_PRESS => {}
                    Some(_) => stop.abort(),
                },
                _ = self.terminations.recv() => {
                    if terminated {
                        stop.abort();
                    } else {
                        terminated = true;
                        stop.drain(StopReason::Terminated);
                    }
                }
            }
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn catch() -> io::Result<Self> {
        Ok(Self)
    }

    async fn obey(self, stop: &Stop) {
        let clock = TokioClock::live();
        let mut interrupted_at = None;
        while tokio::signal::ctrl_c().await.is_ok() {
            match interrupted_at {
                None => {
                    interrupted_at = Some(clock.elapsed());
                    stop.drain(StopReason::Interrupted);
                }
                Some(first) if clock.elapsed().saturating_sub(first) <= ONE_PRESS => {}
                Some(_) => stop.abort(),
            }
        }
        std::future::pending().await
    }
}
