//! Looks at references through the same pool as a run.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::adapters::system::{SystemEntropy, TokioClock};
use crate::commands::failure::Failure;
use crate::commands::reference_parts::{ReferencePlaces, live_source, refresher};
use crate::commands::refs::judge::{freshness, judged};
use crate::commands::world::World;
use crate::domain::fetch::FetchSettings;
use crate::domain::fetch_tally::FetchTally;
use crate::domain::row::Row;
use crate::pipeline::reference_pool::ReferencePool;
use crate::pipeline::stop::with_sources;
use crate::ports::clock::Clock;
use crate::ports::references::UrlRefresher;
use crate::report::printer::Printer;
use crate::report::references::{SeenReference, Use};
use crate::report::words;

/// References that may wait for the pool at once: more would only fill memory.
const AHEAD: usize = 256;

/// How often it is said how far it is.
const PROGRESS: Duration = Duration::from_secs(10);

/// What is looked with.
pub(super) struct Look {
    settings: FetchSettings,
    refresher: Arc<dyn UrlRefresher>,
    pool: Arc<ReferencePool>,
    clock: Arc<dyn Clock>,
    places: ReferencePlaces,
    ahead: Arc<Semaphore>,
    n_seen: Arc<AtomicU64>,
    only_judges: bool,
}

impl Look {
    pub(super) fn new(
        world: &World,
        settings: FetchSettings,
        folder: &Path,
        only_judges: bool,
    ) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::live());
        let places = ReferencePlaces::of(world, folder, &settings);
        let (refresher, problem) = refresher(world, &settings);
        if let Some(problem) = problem {
            return Err(problem);
        }
        let source = live_source(world, &settings, &places, &clock)?;
        let pool = ReferencePool::new(
            settings.clone(),
            source,
            Arc::clone(&refresher),
            Arc::clone(&clock),
            Arc::new(SystemEntropy),
        );
        Ok(Self {
            settings,
            refresher,
            pool: Arc::new(pool),
            clock,
            places,
            ahead: Arc::new(Semaphore::new(AHEAD)),
            n_seen: Arc::default(),
            only_judges,
        })
    }

    /// Begins to look at the references of a row, in their order; waits while many are begun.
    pub(super) fn begin(
        &self,
        row: &Row,
        found: &mut Vec<JoinHandle<SeenReference>>,
        runtime: &Runtime,
    ) {
        for reference in row.references.iter().chain(&row.options.mask) {
            let seen = SeenReference {
                row: row.number,
                scene_id: row.scene_id.as_str().to_owned(),
                reference: reference.redacted().to_owned(),
                freshness: freshness(reference, &self.settings, &*self.refresher, self.clock.now()),
                used: judged(
                    reference,
                    &self.settings,
                    self.only_judges.then_some(&self.places.local),
                ),
            };
            let (pool, reference) = (Arc::clone(&self.pool), reference.clone());
            let wants_fetch = !self.only_judges && matches!(seen.used, Use::NotFetched);
            let (ahead, n_seen) = (Arc::clone(&self.ahead), Arc::clone(&self.n_seen));
            let permit = runtime.block_on(ahead.acquire_owned()).expect("nobody closes it");
            found.push(runtime.spawn(async move {
                let _permit = permit;
                if !wants_fetch {
                    return seen;
                }
                let used = match pool.get(&reference).await {
                    Ok(loaded) => Use::Usable {
                        kind: loaded.kind,
                        n_bytes: loaded.content.length(),
                        sha256: loaded.sha256,
                    },
                    Err(error) => Use::Unusable { reason: with_sources(&*error) },
                };
                n_seen.fetch_add(1, Ordering::Relaxed);
                SeenReference { used, ..seen }
            }));
        }
    }

    /// Waits for all of them.
    pub(super) async fn finish(&self, found: Vec<JoinHandle<SeenReference>>) -> Vec<SeenReference> {
        let mut seen = Vec::with_capacity(found.len());
        for task in found {
            // A task that panicked is a defect; the hook of the process has told it.
            seen.extend(task.await);
        }
        seen
    }

    /// Says from time to time how far it is: a file may have thousands of references.
    pub(super) fn tell_progress(&self, printer: Printer) -> impl Future<Output = ()> + use<> {
        let (clock, n_seen) = (Arc::clone(&self.clock), Arc::clone(&self.n_seen));
        async move {
            loop {
                clock.sleep(PROGRESS).await;
                let n = words::count(n_seen.load(Ordering::Relaxed), "reference");
                printer.say(&format!("{n} looked at so far"));
            }
        }
    }

    pub(super) fn tally(&self) -> FetchTally {
        self.pool.tallied()
    }

    pub(super) fn news(&self) -> Vec<String> {
        self.pool.take_news()
    }
}
