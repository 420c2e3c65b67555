//! Each object once: who asks for one that is being fetched waits for that fetch.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

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
}

/// An object that one task at a time looks after.
type Shared = Arc<tokio::sync::Mutex<Object>>;

/// Every object by its address without signature, or by its path.
#[derive(Debug, Default)]
pub(super) struct Objects(Mutex<BTreeMap<String, Shared>>);

impl Objects {
    pub(super) fn of(&self, reference: &Reference) -> Shared {
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
        let object = Shared::default();
        known.insert(name, Arc::clone(&object));
        object
    }
}
