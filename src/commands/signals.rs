//! Signals of a run: the first stops admitting and drains, the second leaves now.

use std::sync::Arc;
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
/// virtual time has no room for signals.
pub(super) fn listen(stop: &Arc<Stop>) -> DropGuard {
    let ended = CancellationToken::new();
    let (stop, until) = (Arc::clone(stop), ended.clone());
    // Without the thread a signal ends the process at once, and the holds stay as they are.
    let _ = thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            tokio::select! {
                // Biased: the end of the run is the end of listening.
                biased;
                () = until.cancelled() => {}
                () = interrupts(&stop) => {}
                () = terminations(&stop) => {}
            }
        });
    });
    ended.drop_guard()
}

async fn interrupts(stop: &Stop) {
    let clock = TokioClock::live();
    if tokio::signal::ctrl_c().await.is_err() {
        return std::future::pending().await;
    }
    stop.drain(StopReason::Interrupted);
    let first = clock.elapsed();
    while tokio::signal::ctrl_c().await.is_ok() {
        if clock.elapsed().saturating_sub(first) > ONE_PRESS {
            stop.abort();
        }
    }
}

#[cfg(unix)]
async fn terminations(stop: &Stop) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminations) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    if terminations.recv().await.is_some() {
        stop.drain(StopReason::Terminated);
    }
    while terminations.recv().await.is_some() {
        stop.abort();
    }
    std::future::pending().await
}

#[cfg(not(unix))]
async fn terminations(_: &Stop) {
    std::future::pending().await
}
