//! What is known of the hosts that references come from: how many are asked at once, and what time
//! it is there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tokio::sync::Semaphore;
use url::Url;

use crate::domain::freshness::ClockOffset;
use crate::domain::reference::Reference;

/// The most hosts that are remembered; beyond it, those that nobody asks just now are forgotten.
const MAX_HOSTS: usize = 4_096;

/// One host.
#[derive(Debug)]
pub(super) struct Host {
    name: String,
    /// How many may be asked at once.
    pub(super) permits: Semaphore,
    offset: Mutex<Option<ClockOffset>>,
}

/// Every host by name and port.
#[derive(Debug)]
pub(super) struct Hosts {
    per_host: usize,
    known: Mutex<BTreeMap<String, Arc<Host>>>,
    news: Mutex<Vec<String>>,
}

impl Hosts {
    pub(super) fn new(per_host: u32) -> Self {
        Self { per_host: per_host as usize, known: Mutex::default(), news: Mutex::default() }
    }

    /// The host of a reference; a file has none.
    pub(super) fn of(&self, reference: &Reference) -> Option<Arc<Host>> {
        let name = name_of(reference)?;
        let mut known = self.known.lock().expect("no holder panics");
        if let Some(host) = known.get(&name) {
            return Some(Arc::clone(host));
        }
        if known.len() >= MAX_HOSTS {
            known.retain(|_, host| Arc::strong_count(host) > 1);
        }
        let permits = Semaphore::new(self.per_host);
        let host = Arc::new(Host { name: name.clone(), permits, offset: Mutex::default() });
        known.insert(name, Arc::clone(&host));
        Some(host)
    }

    /// Takes what a host says the time is.
    pub(super) fn note_date(&self, host: &Host, date: Timestamp, now: Timestamp) {
        let measured = ClockOffset::measure(now, date);
        let before = host.offset.lock().expect("no holder panics").replace(measured);
        if measured.is_worth_a_warning() && before.is_none_or(|it| !it.is_worth_a_warning()) {
            let text = format!(
                "the clock of {} is {measured}; its addresses are judged by its own time",
                host.name
            );
            self.news.lock().expect("no holder panics").push(text);
        }
    }

    /// The time by the clock of the host that a reference is at.
    pub(super) fn now_at(&self, reference: &Reference, now: Timestamp) -> Timestamp {
        let host = self.of(reference);
        let offset = host.and_then(|host| *host.offset.lock().expect("no holder panics"));
        offset.map_or(now, |offset| offset.apply(now))
    }

    pub(super) fn take_news(&self) -> Vec<String> {
        std::mem::take(&mut *self.news.lock().expect("no holder panics"))
    }
}

/// Host and port of an address, or scheme and bucket.
fn name_of(reference: &Reference) -> Option<String> {
    let Reference::Url(text) = reference else { return None };
    let url = Url::parse(text).ok()?;
    let host = url.host_str()?;
    Some(match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => format!("{}://{host}", url.scheme()),
    })
}
