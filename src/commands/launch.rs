//! Builds the adapters of a run, runs the pipeline, and gathers what it came to.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

use crate::adapters::ledger::directory::DirectoryLedger;
use crate::adapters::ledger::memory::MemoryLedger;
use crate::adapters::output::images::{ImageFolder, NoImages};
use crate::adapters::output::journal::JournalFile;
use crate::adapters::output::run_folder::RunFolder;
use crate::adapters::providers::sim::SimProvider;
use crate::adapters::references::LocalReferences;
use crate::adapters::system::{SeededEntropy, SystemEntropy, TokioClock};
use crate::commands::failure::Failure;
use crate::commands::ledger_access::{self, TOOL, store_failure};
use crate::commands::planning::Planned;
use crate::commands::signals;
use crate::domain::event::{JOURNAL_SCHEMA, RunEvent, RunStarted};
use crate::domain::gate::GateBook;
use crate::domain::ids::RunId;
use crate::domain::ledger::Ceilings;
use crate::domain::measure::{Frame, Measure};
use crate::domain::money::NanoUsd;
use crate::domain::request::WorkDigest;
use crate::domain::settings::RunSettings;
use crate::exit::Exit;
use crate::pipeline::context::RunContext;
use crate::pipeline::event_task::EventTask;
use crate::pipeline::ledger_task::{self, TaskOptions};
use crate::pipeline::persist::PersistHandle;
use crate::pipeline::stop::{Stop, StopReason};
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::images::ImageStore;
use crate::ports::journal::JournalStore;
use crate::ports::ledger::LedgerStore;
use crate::ports::provider::ImageProvider;
use crate::ports::references::ReferenceReader;
use crate::ports::sink::EventSink;
use crate::report::progress::{Progress, ProgressKind};

/// Where simulated money is booked, below the run's folder.
const OWN_LEDGER: &str = "ledger";

/// What a run is started with, beside its plan.
pub(super) struct Start {
    /// The run.
    pub(super) run_id: RunId,
    /// What makes two runs the same run.
    pub(super) identity: WorkDigest,
    /// When it starts.
    pub(super) now: Timestamp,
    /// How progress is shown.
    pub(super) progress: ProgressKind,
    /// Who is shown every event.
    pub(super) views: Vec<Box<dyn EventSink>>,
}

/// What a run came to.
pub(super) struct Ended {
    /// Counters and gates.
    pub(super) measure: Arc<Mutex<Measure>>,
    /// Why it stopped early, if it did.
    pub(super) reasons: Vec<StopReason>,
    /// Active time.
    pub(super) elapsed: Duration,
    /// When it ended.
    pub(super) finished_at: Timestamp,
    /// Tells the last event once the exit is known.
    pub(super) closing: Closing,
}

/// The parts that outlive the pipeline until the exit is known.
pub(super) struct Closing {
    runtime: Runtime,
    events: crate::pipeline::event_task::EventHandle,
    task: tokio::task::JoinHandle<()>,
}

impl Closing {
    /// Tells the end of the run and waits until the journal has it.
    pub(super) fn finish(self, last: RunEvent) {
        let Self { runtime, events, task } = self;
        runtime.block_on(async move {
            events.emit(last).await;
            drop(events);
            // A task that panicked has told its reason already.
            let _ = task.await;
        });
    }
}

/// The adapters in which a rehearsal and a live run differ.
struct Parts {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    provider: Arc<dyn ImageProvider>,
    references: Arc<dyn ReferenceReader>,
    images: Arc<dyn ImageStore>,
    ledger: Box<dyn LedgerStore>,
    options: TaskOptions,
    journal: Option<Box<dyn JournalStore>>,
    is_rehearsal: bool,
}

/// Rehearses in virtual time on one thread; nothing is sent and nothing is written.
pub(super) fn rehearse(
    settings: RunSettings,
    planned: Planned,
    start: Start,
) -> Result<Ended, Failure> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .map_err(|error| Failure::new(Exit::Environment, error))?;
    let parts = {
        let _guard = runtime.enter();
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::rehearsal(start.now));
        // A plan that does not fit is rehearsed whole: its ledger has room for all of it.
        let limit = (NanoUsd::MAX, planned.money.founding_limit.1);
        let founding = ledger_access::founding(true, limit);
        Parts {
            entropy: Arc::new(SeededEntropy::new(settings.sim.seed())),
            provider: Arc::new(SimProvider::rehearsing(settings.sim.clone(), Arc::clone(&clock))),
            references: Arc::new(LocalReferences::rehearsing(&planned.references_below)),
            images: Arc::new(NoImages),
            ledger: Box::new(MemoryLedger::new(&founding, start.now, &planned.money.zone)),
            options: options(&founding, &planned, Ceilings::default()),
            journal: None,
            is_rehearsal: true,
            clock,
        }
    };
    execute(runtime, settings, planned, start, parts)
}

/// Runs for real, into the run's folder.
pub(super) fn live(
    settings: RunSettings,
    planned: Planned,
    start: Start,
    folder: &RunFolder,
) -> Result<Ended, Failure> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Environment, error))?;
    let parts = {
        let _guard = runtime.enter();
        let environment = |error: Box<dyn std::error::Error + Send + Sync>| {
            Failure::new(Exit::Environment, error)
        };
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::live());
        let root = planned.money.root.clone().unwrap_or_else(|| folder.path().join(OWN_LEDGER));
        let simulated = settings.is_simulated();
        let opening =
            ledger_access::opening(root, simulated, planned.money.founding_limit, start.now);
        let founding = opening.founding.clone();
        let ledger = DirectoryLedger::open_blocking(opening).map_err(store_failure)?;
        let ceilings = Ceilings {
            per_day: Some(planned.money.limit_per_day),
            per_run: settings.limit_per_run,
        };
        let mut options = options(&founding, &planned, ceilings);
        options.zone = ledger.zone().clone();
        Parts {
            entropy: Arc::new(SystemEntropy),
            provider: Arc::new(SimProvider::painting(settings.sim.clone(), Arc::clone(&clock))),
            references: Arc::new(LocalReferences::below(&planned.references_below)),
            images: Arc::new(
                ImageFolder::create(folder.path()).map_err(|error| environment(error.into()))?,
            ),
            ledger: Box::new(ledger),
            options,
            journal: Some(Box::new(
                JournalFile::create(folder.path()).map_err(|error| environment(error.into()))?,
            )),
            is_rehearsal: false,
            clock,
        }
    };
    execute(runtime, settings, planned, start, parts)
}

fn options(
    founding: &crate::domain::ledger::Founding,
    planned: &Planned,
    ceilings: Ceilings,
) -> TaskOptions {
    TaskOptions {
        owner: founding.owner,
        zone: planned.money.zone.clone(),
        tool: TOOL.into(),
        ceilings,
    }
}

/// The run itself, the same for both.
fn execute(
    runtime: Runtime,
    settings: RunSettings,
    planned: Planned,
    start: Start,
    parts: Parts,
) -> Result<Ended, Failure> {
    let measure = Arc::new(Mutex::new(measure(&settings, &planned)));
    let progress = Progress::start(start.progress, Arc::clone(&measure), parts.is_rehearsal);
    let stop = Arc::new(Stop::default());
    let clock = Arc::clone(&parts.clock);
    let (events, event_task) = runtime.block_on(async {
        signals::listen(&stop, &clock);
        run_pipeline(&settings, planned, start, parts, Arc::clone(&measure), Arc::clone(&stop))
            .await
    });
    let ended = Ended {
        measure,
        reasons: stop.reasons(),
        elapsed: runtime.block_on(async { clock.elapsed() }),
        finished_at: runtime.block_on(async { clock.now() }),
        closing: Closing { runtime, events, task: event_task },
    };
    progress.finish();
    Ok(ended)
}

async fn run_pipeline(
    settings: &RunSettings,
    planned: Planned,
    start: Start,
    parts: Parts,
    measure: Arc<Mutex<Measure>>,
    stop: Arc<Stop>,
) -> (crate::pipeline::event_task::EventHandle, tokio::task::JoinHandle<()>) {
    let Planned { batch, mut reader, .. } = planned;
    let task = EventTask {
        clock: Arc::clone(&parts.clock),
        journal: parts.journal,
        views: start.views,
        measure,
        stop: Arc::clone(&stop),
    };
    let (events, event_task) = task.spawn();
    let (ledger, ledger_task) =
        ledger_task::spawn(parts.ledger, Arc::clone(&parts.clock), parts.options);
    let (persist, persist_task) = if parts.is_rehearsal {
        (PersistHandle::rehearsal(), None)
    } else {
        let images = Arc::clone(&parts.images);
        let (handle, task) = PersistHandle::spawn(images, events.clone(), Arc::clone(&stop));
        (handle, Some(task))
    };
    let chosen = *batch.chosen();
    let started = RunStarted {
        schema: JOURNAL_SCHEMA,
        run_id: start.run_id,
        tool: TOOL,
        identity: start.identity,
        rows: chosen.rows,
        images: chosen.images,
    };
    events.emit(RunEvent::RunStarted(Box::new(started))).await;
    let cx = Arc::new(RunContext {
        run_id: start.run_id,
        lane: Semaphore::new(settings.concurrency as usize),
        paid_retries_left: AtomicU64::new(settings.paid_retries.allowance(chosen.images)),
        settings: settings.clone(),
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
    crate::pipeline::run(&cx, &mut reader).await;
    // The last handle of the persist task goes with the context; it empties its queue and ends.
    drop(cx);
    if let Some(task) = persist_task {
        let _ = task.await;
    }
    if let Err(error) = ledger.shutdown().await {
        stop.drain(StopReason::Broken(format!("the ledger cannot be closed: {error}")));
    }
    let _ = ledger_task.await;
    for reason in stop.reasons() {
        events.emit(RunEvent::Stopping { reason: reason.sentence() }).await;
    }
    events.flush().await;
    (events, event_task)
}

fn measure(settings: &RunSettings, planned: &Planned) -> Measure {
    let batch = &planned.batch;
    let book = GateBook::new(settings.gates.clone(), batch.n_rows(), batch.whole().images);
    let frame = Frame {
        rows: batch.n_rows(),
        rows_selected: batch.n_selected(),
        images_selected: batch.chosen().images,
        expected: batch.chosen().expected,
        maximum: batch.chosen().maximum,
        exposure_before: planned.money.exposure(),
        limit_per_day: planned.money.limit_per_day,
    };
    Measure::new(book, frame)
}
