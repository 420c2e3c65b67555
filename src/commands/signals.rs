//! Signals of a run: the first stops admitting and drains, the second leaves now.

use std::sync::Arc;
use std::time::Duration;

use crate::pipeline::stop::{Stop, StopReason};
use crate::ports::clock::Clock;

/// One press of Ctrl-C can arrive twice within this time.
const ONE_PRESS: Duration = Duration::from_millis(50);

/// Listens for signals until the runtime ends.
pub(super) fn listen(stop: &Arc<Stop>, clock: &Arc<dyn Clock>) {
    tokio::spawn(interrupts(Arc::clone(stop), Arc::clone(clock)));
    #[cfg(unix)]
    tokio::spawn(terminations(Arc::clone(stop)));
}

async fn interrupts(stop: Arc<Stop>, clock: Arc<dyn Clock>) {
    if tokio::signal::ctrl_c().await.is_err() {
        return;
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
async fn terminations(stop: Arc<Stop>) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminations) = signal(SignalKind::terminate()) else { return };
    if terminations.recv().await.is_some() {
        stop.drain(StopReason::Terminated);
    }
    if terminations.recv().await.is_some() {
        stop.abort();
    }
}
