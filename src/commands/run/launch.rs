//! Starts a run on its runtime, and gathers what it came to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::{Builder, Runtime};

use crate::adapters::output::run_folder::RunFolder;
use crate::commands::failure::Failure;
use crate::commands::key::BoundKey;
use crate::commands::run::flow::{Start, run_pipeline};
use crate::commands::run::going_on::begin::first_measure;
use crate::commands::run::hand_over::hand_over;
use crate::commands::run::parts::Parts;
use crate::commands::run::planned::Planned;
use crate::commands::signals;
use crate::commands::world::World;
use crate::domain::event::RunEvent;
use crate::domain::fetch_tally::FetchTally;
use crate::domain::ids::RunId;
use crate::domain::measure::Measure;
use crate::domain::settings::RunSettings;
use crate::exit::Exit;
use crate::pipeline::event_task::EventHandle;
use crate::pipeline::stop::{Stop, StopReason};
use crate::report::progress::{Progress, StatusRequest};

/// What a run came to.
pub(super) struct Ended {
    /// Counters and gates.
    pub(super) measure: Arc<Mutex<Measure>>,
    /// Why it stopped early, if it did.
    pub(super) reasons: Vec<StopReason>,
    /// Active time.
    pub(super) elapsed: Duration,
    /// What was done to get references.
    pub(super) references: FetchTally,
    /// When it ended.
    pub(super) finished_at: Timestamp,
    /// Tells the last event once the exit is known.
    pub(super) closing: Closing,
}

/// The parts that outlive the pipeline until the exit is known.
pub(super) struct Closing {
    runtime: Runtime,
    events: EventHandle,
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

/// Rehearses in virtual time on one thread; nothing is sent and nothing is written.
pub(super) fn rehearse(
    settings: RunSettings,
    planned: Planned,
    start: Start,
) -> Result<Ended, Failure> {
    // Only time: no sockets and no signals, so that virtual time moves without a system call.
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(|error| Failure::new(Exit::Environment, error))?;
    let parts = {
        // The clock belongs to the runtime.
        let _guard = runtime.enter();
        Parts::rehearsing(&settings, &planned, start.now)
    };
    execute(runtime, settings, planned, start, parts)
}

/// What a run for real goes through, into the run's folder. Nothing is sent before it is all there.
pub(super) fn prepare(
    world: &World,
    settings: &RunSettings,
    planned: &mut Planned,
    now: Timestamp,
    key: Option<BoundKey>,
    (folder, run_id): (&RunFolder, RunId),
) -> Result<(Runtime, Parts), Failure> {
    // One worker is enough for what mostly waits, and what its tasks hand to each other stays on
    // its thread; files are the work of others.
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Environment, error))?;
    let parts = {
        let _guard = runtime.enter();
        // Whoever may not write there is told before anything is paid for.
        let hand = hand_over(world, settings, folder.path(), run_id)?;
        if let Some(hand) = &hand {
            let begun = runtime.block_on(hand.begin());
            begun.map_err(|error| Failure::new(Exit::Environment, error))?;
        }
        Parts::live(world, settings, planned, now, (key, hand), folder)?
    };
    Ok((runtime, parts))
}

/// The run itself, the same for both.
pub(super) fn execute(
    runtime: Runtime,
    settings: RunSettings,
    mut planned: Planned,
    mut start: Start,
    parts: Parts,
) -> Result<Ended, Failure> {
    let measure = first_measure(&settings, &mut planned, &mut start.news)?;
    let measure = Arc::new(Mutex::new(measure));
    let wanted = StatusRequest::default();
    let shown = Arc::clone(&measure);
    let progress = Progress::start(start.progress, shown, parts.is_rehearsal, wanted.clone());
    let stop = Arc::new(Stop::default());
    let clock = Arc::clone(&parts.clock);
    let references = Arc::clone(&parts.references);
    let _signals = signals::listen(&stop, wanted);
    let run =
        run_pipeline(settings, planned, start, parts, Arc::clone(&measure), Arc::clone(&stop));
    let (events, event_task) = runtime.block_on(async {
        // Beside the tasks that it starts: what they hand to each other stays on their thread.
        tokio::spawn(run).await.map_err(|error| Failure::new(Exit::Bug, error))
    })?;
    let ended = Ended {
        measure,
        references: references.tallied(),
        reasons: stop.reasons(),
        elapsed: runtime.block_on(async { clock.elapsed() }),
        finished_at: runtime.block_on(async { clock.now() }),
        closing: Closing { runtime, events, task: event_task },
    };
    progress.finish();
    Ok(ended)
}
