//! Small parts of the run itself: its first event, the task that keeps images, the news of a stop.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::commands::ledger_access::TOOL;
use crate::domain::batch::Totals;
use crate::domain::digest::Sha256Digest;
use crate::domain::event::{JOURNAL_SCHEMA, RunEvent, RunStarted};
use crate::domain::ids::RunId;
use crate::pipeline::event_task::EventHandle;
use crate::pipeline::ledger_task::LedgerHandle;
use crate::pipeline::persist::PersistHandle;
use crate::pipeline::stop::{Stop, StopReason};
use crate::ports::clock::Clock;
use crate::ports::images::ImageStore;

/// The task that keeps images; a rehearsal has none.
pub(super) fn keeping(
    images: Option<Arc<dyn ImageStore>>,
    events: &EventHandle,
    stop: &Arc<Stop>,
    clock: &Arc<dyn Clock>,
) -> (PersistHandle, Option<JoinHandle<()>>) {
    let Some(images) = images else { return (PersistHandle::rehearsal(), None) };
    let (handle, task) =
        PersistHandle::spawn(images, events.clone(), Arc::clone(stop), Arc::clone(clock));
    (handle, Some(task))
}

/// The first event of this process.
pub(super) fn started(
    run_id: RunId,
    identity: Sha256Digest,
    chosen: &Totals,
    goes_on: bool,
) -> RunEvent {
    let started = Box::new(RunStarted {
        schema: JOURNAL_SCHEMA,
        run_id,
        tool: TOOL.into(),
        identity,
        rows: chosen.rows,
        images: chosen.images,
    });
    if goes_on { RunEvent::RunResumed(started) } else { RunEvent::RunStarted(started) }
}

/// Tells the first reason to stop as soon as there is one; a person waits for that answer.
pub(super) async fn tell_stop(stop: Arc<Stop>, events: EventHandle) {
    stop.draining().await;
    if let Some(reason) = stop.reasons().first() {
        events.emit(RunEvent::Stopping { reason: reason.sentence() }).await;
    }
}

/// Tells the reasons to stop that came after the first, and waits until all is told.
pub(super) async fn tell_late_stops(first: JoinHandle<()>, stop: &Stop, events: &EventHandle) {
    first.abort();
    let n_told = usize::from(first.await.is_ok());
    for reason in stop.reasons().into_iter().skip(n_told) {
        events.emit(RunEvent::Stopping { reason: reason.sentence() }).await;
    }
    events.flush().await;
}

/// Waits until images and ledger are kept; what fails then stops the run.
pub(super) async fn end_of_tasks(
    persist_task: Option<JoinHandle<()>>,
    ledger: &LedgerHandle,
    ledger_task: JoinHandle<()>,
    stop: &Stop,
) {
    if let Some(task) = persist_task
        && let Err(error) = task.await
    {
        stop.drain(StopReason::Broken(format!("the task that keeps images failed: {error}")));
    }
    if let Err(error) = ledger.shutdown().await {
        stop.drain(error.stop_reason());
    }
    if let Err(error) = ledger_task.await {
        stop.drain(StopReason::Broken(format!("the task that keeps the ledger failed: {error}")));
    }
}
