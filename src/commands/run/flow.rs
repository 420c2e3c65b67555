//! The run itself, the same for a rehearsal and a live run: tasks, pipeline, orderly end.

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tokio::task::JoinHandle;

use crate::commands::run::flow_parts::{
    end_of_tasks, keeping, started, tell_late_stops, tell_stop,
};
use crate::commands::run::going_on::begin::News;
use crate::commands::run::parts::Parts;
use crate::commands::run::planned::Planned;
use crate::commands::run::twins::Sharing;
use crate::domain::digest::Sha256Digest;
use crate::domain::event::RunEvent;
use crate::domain::ids::RunId;
use crate::domain::measure::Measure;
use crate::domain::settings::RunSettings;
use crate::pipeline::context::{FirstAttempts, Overruns, RunContext};
use crate::pipeline::event_task::{EventHandle, EventTask};
use crate::pipeline::lane::Lane;
use crate::pipeline::ledger_task;
use crate::pipeline::lock_watch::tell_lock_waits;
use crate::pipeline::outlook::Outlook;
use crate::pipeline::stop::Stop;
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
    /// What is told first when the run goes on.
    pub(super) news: News,
    /// The run's folder; a rehearsal has none.
    pub(super) folder: Option<PathBuf>,
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
    let (retries, seq) =
        (planned.retries(&settings), planned.going_on.as_ref().map(|it| it.history.seq));
    let Planned { batch, mut reader, lives, going_on, twins, .. } = planned;
    let left = going_on.map(|run| run.left).unwrap_or_default();
    let leaders = twins.leaders();
    let task = EventTask {
        clock: Arc::clone(&parts.clock),
        journal: parts.journal,
        views: twins.beside(start.views, &leaders),
        measure,
        stop: Arc::clone(&stop),
        seq: seq.unwrap_or(0),
    };
    let (events, event_task) = task.spawn();
    let images = Arc::clone(&parts.images);
    let sharing = Sharing::new(start.run_id, start.folder, images, &events, &stop);
    let images = (!parts.is_rehearsal).then(|| Arc::clone(&parts.images));
    let (persist, persist_task) = keeping(images, &events, &stop, &parts.clock);
    let hurry = persist.hurry();
    let (ledger, ledger_task) =
        ledger_task::spawn(parts.ledger, Arc::clone(&parts.clock), parts.options);
    tokio::spawn(tell_lock_waits(ledger.lock_waits(), events.clone()));
    let chosen = *batch.chosen();
    events.emit(started(start.run_id, start.identity, &chosen, seq.is_some())).await;
    let mut news = start.news;
    news.tell(&parts.images, &events, &stop).await;
    let cx = Arc::new(RunContext {
        run_id: start.run_id,
        lane: Lane::new(settings.concurrency, &settings.rates),
        overruns: Overruns::default(),
        advice: parts.advice,
        first_attempts_left: FirstAttempts::new(chosen.maximum.minus_or_zero(left.again)),
        paid_retries_left: AtomicU64::new(retries),
        settings,
        batch,
        past: left.fates,
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
    for row in news.ends.not_done {
        events.emit(RunEvent::RowFinished(Box::new(row))).await;
    }
    // The last handle of the persist task goes with the context; it empties its queue and ends.
    drop(cx);
    hurry.now();
    end_of_tasks(persist_task, &ledger, ledger_task, &stop).await;
    twins.share_out(&leaders, &sharing).await;
    tell_late_stops(told, &stop, &events).await;
    (events, event_task)
}
