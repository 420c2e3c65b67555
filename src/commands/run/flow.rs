//! The run itself, the same for a rehearsal and a live run: tasks, pipeline, orderly end.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tokio::task::JoinHandle;

use crate::commands::ledger_access::TOOL;
use crate::commands::run::parts::Parts;
use crate::commands::run::planning::Planned;
use crate::domain::batch::Totals;
use crate::domain::digest::Sha256Digest;
use crate::domain::event::{JOURNAL_SCHEMA, RunEvent, RunStarted};
use crate::domain::ids::RunId;
use crate::domain::measure::Measure;
use crate::domain::settings::RunSettings;
use crate::pipeline::context::{FirstAttempts, Overruns, RunContext};
use crate::pipeline::event_task::{EventHandle, EventTask};
use crate::pipeline::lane::Lane;
use crate::pipeline::ledger_task;
use crate::pipeline::lock_watch::tell_lock_waits;
use crate::pipeline::outlook::Outlook;
use crate::pipeline::persist::PersistHandle;
use crate::pipeline::stop::{Stop, StopReason};
use crate::ports::clock::Clock;
use crate::ports::images::ImageStore;
use crate::ports::sink::EventSink;
use crate::report::progress::ProgressKind;

/// What a run is started with, beside its plan.
pub(super) struct Start {
    /// The run.
    pub(super) run_id: RunId,
    /// What makes two runs the same run.
    pub(super) identity: Sha256Digest,
    /// When it starts.
    pub(super) now: Timestamp,
    /// How progress is shown.
    pub(super) progress: ProgressKind,
    /// Who is shown every event.
    pub(super) views: Vec<Box<dyn EventSink>>,
}

/// Runs every row, ends the tasks in their order, and returns the event task, which still has to
/// be told the end.
pub(super) async fn run_pipeline(
    settings: RunSettings,
    planned: Planned,
    start: Start,
    parts: Parts,
    measure: Arc<Mutex<Measure>>,
    stop: Arc<Stop>,
) -> (EventHandle, JoinHandle<()>) {
    let Planned { batch, mut reader, lives, .. } = planned;
    let task = EventTask {
        clock: Arc::clone(&parts.clock),
        journal: parts.journal,
        views: start.views,
        measure,
        stop: Arc::clone(&stop),
    };
    let (events, event_task) = task.spawn();
    let images = (!parts.is_rehearsal).then(|| Arc::clone(&parts.images));
    let (persist, persist_task) = keeping(images, &events, &stop, &parts.clock);
    let hurry = persist.hurry();
    let (ledger, ledger_task) =
        ledger_task::spawn(parts.ledger, Arc::clone(&parts.clock), parts.options);
    tokio::spawn(tell_lock_waits(ledger.lock_waits(), events.clone()));
    let chosen = *batch.chosen();
    events.emit(started(start.run_id, start.identity, &chosen)).await;
    let cx = Arc::new(RunContext {
        run_id: start.run_id,
        lane: Lane::new(settings.concurrency, &settings.rates),
        overruns: Overruns::default(),
        advice: parts.advice,
        first_attempts_left: FirstAttempts::new(chosen.maximum),
        paid_retries_left: AtomicU64::new(settings.paid_retries.allowance(chosen.images)),
        settings,
        batch,
        clock: parts.clock,
        entropy: parts.entropy,
        provider: parts.provider,
        references: parts.references,
        images: parts.images,
        ledger: ledger.clone(),
        events: events.clone(),
        persist,
        stop: Arc::clone(&stop),
    });
    let told = tokio::spawn(tell_stop(Arc::clone(&stop), events.clone()));
    crate::pipeline::run(&cx, &mut reader, Outlook::new(lives)).await;
    // The last handle of the persist task goes with the context; it empties its queue and ends.
    drop(cx);
    hurry.now();
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
    told.abort();
    let n_told = usize::from(told.await.is_ok());
    for reason in stop.reasons().into_iter().skip(n_told) {
        events.emit(RunEvent::Stopping { reason: reason.sentence() }).await;
    }
    events.flush().await;
    (events, event_task)
}

/// The task that keeps images; a rehearsal has none.
fn keeping(
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

fn started(run_id: RunId, identity: Sha256Digest, chosen: &Totals) -> RunEvent {
    RunEvent::RunStarted(Box::new(RunStarted {
        schema: JOURNAL_SCHEMA,
        run_id,
        tool: TOOL,
        identity,
        rows: chosen.rows,
        images: chosen.images,
    }))
}

/// Tells the first reason to stop as soon as there is one; a person waits for that answer.
async fn tell_stop(stop: Arc<Stop>, events: EventHandle) {
    stop.draining().await;
    if let Some(reason) = stop.reasons().first() {
        events.emit(RunEvent::Stopping { reason: reason.sentence() }).await;
    }
}
