//! The adapters that references come through, the same for a run and for `refs check`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::adapters::references::buckets::BucketReferences;
use crate::adapters::references::cache::ContentCache;
use crate::adapters::references::every::References;
use crate::adapters::references::local::LocalReferences;
use crate::adapters::references::refresh::Refreshers;
use crate::adapters::references::stores::Stores;
use crate::adapters::references::web::WebReferences;
use crate::commands::failure::Failure;
use crate::commands::world::World;
use crate::domain::fetch::FetchSettings;
use crate::exit::Exit;
use crate::ports::clock::Clock;
use crate::ports::references::{ReferenceSource, UrlRefresher};

/// Where files are read and kept.
#[derive(Clone, Debug)]
pub(super) struct ReferencePlaces {
    /// Local references.
    pub(super) local: LocalReferences,
    /// Where everything that was fetched is kept.
    pub(super) cache: PathBuf,
}

impl ReferencePlaces {
    /// The folder of the rows file, what the user has opened beside it, and the user's cache.
    pub(super) fn of(world: &World, rows_folder: &Path, settings: &FetchSettings) -> Self {
        let opened: Vec<PathBuf> = settings.opened.iter().map(|path| world.path(path)).collect();
        let cache = match &world.invocation.cache_home {
            Some(home) => home.join("references"),
            None => world.path(".imagemill/references"),
        };
        Self { local: LocalReferences::below(rows_folder, &opened), cache }
    }
}

/// The stores of the user's environment.
fn stores(world: &World, settings: &FetchSettings) -> Arc<Stores> {
    let stores = Stores::of_environment(&world.invocation.env, settings.timeout);
    Arc::new(stores.through(settings.proxy.clone()))
}

/// Who signs addresses anew, by the settings and the environment's credentials.
pub(super) fn refresher(
    world: &World,
    settings: &FetchSettings,
) -> Result<Arc<dyn UrlRefresher>, Failure> {
    let refreshers = Refreshers::of_settings(settings, &stores(world, settings));
    Ok(Arc::new(refreshers.map_err(|error| Failure::new(Exit::Invalid, error))?))
}

/// The source of whatever really fetches: files, addresses and buckets.
pub(super) fn live_source(
    world: &World,
    settings: &FetchSettings,
    places: &ReferencePlaces,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn ReferenceSource>, Failure> {
    let cache = ContentCache::in_folder(places.cache.clone());
    // What cannot be tidied up now will be the next time.
    let _ = cache.prune(clock.now());
    let web = WebReferences::new(settings, cache.clone(), Arc::clone(clock))
        .map_err(|error| Failure::new(Exit::Environment, error))?;
    let buckets = BucketReferences::new(stores(world, settings), cache.clone(), settings.timeout);
    let local = places.local.clone();
    Ok(Arc::new(References { local, cache, web: Arc::new(web), buckets: Arc::new(buckets) }))
}
