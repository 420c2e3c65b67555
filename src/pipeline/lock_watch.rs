//! Tells that another process holds the ledger's lock for long.

use tokio::sync::watch;

use crate::domain::event::RunEvent;
use crate::pipeline::event_task::EventHandle;
use crate::ports::ledger::{LockHolder, lock_wait};

/// Tells each wait until the ledger task has ended.
pub async fn tell_lock_waits(mut waits: watch::Receiver<Option<LockHolder>>, events: EventHandle) {
    while waits.changed().await.is_ok() {
        let holder = *waits.borrow_and_update();
        let (pid, reason) = (holder.map(|holder| holder.pid), lock_wait(holder));
        events.emit(RunEvent::LedgerWaits { pid, reason }).await;
    }
}
