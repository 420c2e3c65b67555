//! Looks at references through the same pool as a run.

use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use url::Url;

use crate::adapters::system::{SystemEntropy, TokioClock};
use crate::commands::failure::Failure;
use crate::commands::reference_parts::{ReferencePlaces, live_source, refresher};
use crate::commands::world::World;
use crate::domain::egress::check_url;
use crate::domain::fetch::{FetchSettings, StoreKind};
use crate::domain::fetch_tally::FetchTally;
use crate::domain::freshness::{Claim, decide, need};
use crate::domain::reference::Reference;
use crate::domain::row::Row;
use crate::domain::signed_url::lifetime;
use crate::pipeline::reference_pool::ReferencePool;
use crate::pipeline::stop::with_sources;
use crate::ports::clock::Clock;
use crate::ports::references::UrlRefresher;
use crate::report::references::{Freshness, SeenReference, Use};

/// References that may wait for the pool at once: more would only fill memory.
const AHEAD: usize = 256;

/// What is looked with.
pub(super) struct Look {
    settings: FetchSettings,
    refresher: Arc<dyn UrlRefresher>,
    pool: Arc<ReferencePool>,
    clock: Arc<dyn Clock>,
    places: ReferencePlaces,
    ahead: Arc<Semaphore>,
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
        let refresher = refresher(world, &settings)?;
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
                freshness: self.freshness(reference),
                used: self.judged(reference),
            };
            let (pool, reference) = (Arc::clone(&self.pool), reference.clone());
            let wants_fetch = !self.only_judges && matches!(seen.used, Use::NotFetched);
            let ahead = Arc::clone(&self.ahead);
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

    pub(super) fn tally(&self) -> FetchTally {
        self.pool.tallied()
    }

    pub(super) fn news(&self) -> Vec<String> {
        self.pool.take_news()
    }

    /// What can be said without asking anybody.
    fn judged(&self, reference: &Reference) -> Use {
        let refused = match reference {
            Reference::Local(path) if self.only_judges => {
                self.places.local.check(path).err().map(|error| with_sources(&error))
            }
            Reference::Local(_) => None,
            Reference::Url(text) if is_bucket(text) => None,
            Reference::Url(text) => {
                check_url(text, None, &self.settings.allowed).err().map(|it| it.to_string())
            }
        };
        refused.map_or(Use::NotFetched, |reason| Use::Unusable { reason })
    }

    fn freshness(&self, reference: &Reference) -> Freshness {
        let Reference::Url(text) = reference else { return Freshness::File };
        if is_bucket(text) {
            return Freshness::Bucket;
        }
        let Ok(url) = Url::parse(text) else { return Freshness::Unknown };
        let life = lifetime(&url);
        let Some(expires) = life.expires else { return Freshness::Unknown };
        let can_refresh = self.refresher.can_refresh(text);
        let (least, fresh_for) = (need(&self.settings), self.settings.fresh_for);
        match decide(&life, self.clock.now(), least, fresh_for, can_refresh) {
            Claim::Fetch => Freshness::Fresh { expires },
            Claim::Refresh => Freshness::Refresh { expires },
            Claim::Reject(_) => Freshness::Doomed { expires },
        }
    }
}

fn is_bucket(text: &str) -> bool {
    StoreKind::of_scheme(text.split(':').next().unwrap_or_default()).is_some()
}
