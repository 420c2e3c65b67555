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
use crate::domain::fetch::{FetchSettings, StoreKind};
use crate::domain::settings::RunSettings;
use crate::exit::Exit;
use crate::pipeline::reference_pool::ReferencePool;
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::references::{ReferenceSource, UrlRefresher};

/// Where files are read and kept.
#[derive(Clone, Debug)]
pub(super) struct ReferencePlaces {
    /// Local references.
    pub(super) local: LocalReferences,
    /// Where everything that was fetched is kept; nothing when the user has no cache folder.
    pub(super) cache: Option<PathBuf>,
}

impl ReferencePlaces {
    /// The folder of the rows file or another one, what the user has opened beside it, and the
    /// user's cache.
    pub(super) fn of(world: &World, rows_folder: &Path, settings: &FetchSettings) -> Self {
        let opened: Vec<PathBuf> = settings.opened.iter().map(|path| world.path(path)).collect();
        let cache = world.invocation.cache_home.as_ref().map(|home| home.join("references"));
        let base = settings.base.as_ref().map(|base| world.path(base));
        let home = base.as_deref().unwrap_or(rows_folder);
        Self { local: LocalReferences::below(home, &opened), cache }
    }
}

/// Never in the current folder: somebody else's project could bring a cache of its own.
fn cache(places: &ReferencePlaces) -> Result<ContentCache, Failure> {
    if let Some(folder) = &places.cache {
        return Ok(ContentCache::in_folder(folder.clone()));
    }
    ContentCache::below_common(&std::env::temp_dir()).map_err(|error| {
        Failure::new(Exit::Environment, format!("references cannot be kept: {error}"))
            .with_hint("set XDG_CACHE_HOME to a folder of your own")
    })
}

/// The stores of the user's environment.
fn stores(world: &World, settings: &FetchSettings) -> Arc<Stores> {
    let stores = Stores::of_environment(&world.invocation.env, settings.timeout);
    Arc::new(stores.through(settings.proxy.clone()))
}

/// What is missing before objects in such a store can be read.
pub(super) fn missing_for(
    world: &World,
    settings: &FetchSettings,
    kind: StoreKind,
) -> Option<&'static str> {
    stores(world, settings).missing(kind)
}

/// Who signs addresses anew, by the settings and the environment's credentials; and why nobody
/// can, where the settings name somebody who cannot be asked: that matters once a row has an
/// address.
pub(super) fn refresher(
    world: &World,
    settings: &FetchSettings,
) -> (Arc<dyn UrlRefresher>, Option<Failure>) {
    let stores = stores(world, settings);
    let made = missing_program(world, settings).map_or_else(
        || {
            Refreshers::of_settings(settings, &stores).map_err(|error| {
                Failure::new(Exit::Invalid, error)
                    .with_hint("it must be https, or opened by --allow-refs-from")
            })
        },
        Err,
    );
    match made {
        Ok(refreshers) => (Arc::new(refreshers), None),
        Err(failure) => {
            let nobody = FetchSettings::default();
            let refreshers = Refreshers::of_settings(&nobody, &stores);
            (Arc::new(refreshers.expect("nobody can always be named")), Some(failure))
        }
    }
}

/// A program that is not there is found out before anything is sent.
fn missing_program(world: &World, settings: &FetchSettings) -> Option<Failure> {
    let program = settings.refresh.command.as_ref()?.first()?;
    let is_there = if program.contains('/') {
        world.path(program).is_file()
    } else {
        let path = world.invocation.env("PATH").unwrap_or_default();
        std::env::split_paths(path).any(|folder| folder.join(program).is_file())
    };
    (!is_there).then(|| {
        let text = format!("refresh.command names {program:?}, which is not there");
        Failure::new(Exit::Invalid, text).with_hint("name it with its whole path")
    })
}

/// The source of whatever really fetches: files, addresses and buckets.
pub(super) fn live_source(
    world: &World,
    settings: &FetchSettings,
    places: &ReferencePlaces,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn ReferenceSource>, Failure> {
    let cache = cache(places)?;
    // What cannot be tidied up now will be the next time.
    let _ = cache.prune(clock.now());
    let web = WebReferences::new(settings, cache.clone(), Arc::clone(clock))
        .map_err(|error| Failure::new(Exit::Environment, error))?;
    let buckets = BucketReferences::new(stores(world, settings), cache.clone(), settings.timeout);
    let local = places.local.clone();
    Ok(Arc::new(References { local, cache, web: Arc::new(web), buckets: Arc::new(buckets) }))
}

/// The pool over a source of references.
pub(super) fn pool(
    settings: &RunSettings,
    refresher: &Arc<dyn UrlRefresher>,
    source: Arc<dyn ReferenceSource>,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> ReferencePool {
    let (clock, entropy) = (Arc::clone(clock), Arc::clone(entropy));
    ReferencePool::new(settings.fetch.clone(), source, Arc::clone(refresher), clock, entropy)
}
