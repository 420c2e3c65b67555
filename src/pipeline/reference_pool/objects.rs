//! Each object once: who asks for one that is being fetched waits for that fetch.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use url::Url;

use crate::domain::reference::Reference;
use crate::domain::request::LoadedReference;
use crate::domain::signed_url::object_of;
use crate::ports::references::ReferenceError;

/// The most objects that are remembered; beyond it, those that nobody asks for just now are
/// forgotten, and fetched again when they are wanted again.
const MAX_OBJECTS: usize = 65_536;

/// What is known of an object.
#[derive(Debug, Default)]
pub(super) struct Object {
    /// What came of it, once that is final.
    pub(super) ending: Option<Result<LoadedReference, Arc<ReferenceError>>>,
    /// Its newest address, when it was signed anew.
    pub(super) address: Option<Reference>,
    /// Why it could not be fetched the last time.
    failure: Option<Failure>,
}

#[derive(Debug)]
struct Failure {
    error: Arc<ReferenceError>,
    /// Which failure it was, counted from 1.
    number: u64,
    /// By the monotonic clock: who comes later tries again.
    until: Duration,
}

impl Object {
    /// The last failure, for who had counted so many before it waited, or comes soon after.
    pub(super) fn recent_failure(
        &self,
        n_failures: u64,
        now: Duration,
    ) -> Option<Arc<ReferenceError>> {
        let failure = self.failure.as_ref()?;
        let counts = failure.number > n_failures || now < failure.until;
        counts.then(|| Arc::clone(&failure.error))
    }
}

/// An object that one task at a time looks after.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) object: tokio::sync::Mutex<Object>,
    n_failures: AtomicU64,
}

impl Shared {
    /// How often it could not be fetched so far.
    pub(super) fn n_failures(&self) -> u64 {
        self.n_failures.load(Ordering::Acquire)
    }

    /// Keeps why it could not be fetched, for those who wait for it.
    pub(super) fn note_failure(
        &self,
        object: &mut Object,
        error: Arc<ReferenceError>,
        until: Duration,
    ) {
        let number = self.n_failures.fetch_add(1, Ordering::AcqRel) + 1;
        object.failure = Some(Failure { error, number, until });
    }
}

/// Every object by its address without signature, or by its path.
#[derive(Debug, Default)]
pub(super) struct Objects(Mutex<BTreeMap<String, Arc<Shared>>>);

impl Objects {
    pub(super) fn of(&self, reference: &Reference) -> Arc<Shared> {
        let name = match reference {
            Reference::Local(path) => format!("file {path}"),
            Reference::Url(text) => {
                Url::parse(text).map_or_else(|_| text.clone(), |it| object_of(&it))
            }
        };
        let mut known = self.0.lock().expect("no holder panics");
        if let Some(object) = known.get(&name) {
            return Arc::clone(object);
        }
        if known.len() >= MAX_OBJECTS {
            known.retain(|_, object| Arc::strong_count(object) > 1);
        }
        let object = Arc::<Shared>::default();
        known.insert(name, Arc::clone(&object));
        object
    }
}
