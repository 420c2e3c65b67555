//! What every stage of a run shares: the plan and the ports, in one value without globals.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::domain::batch::Batch;
use crate::domain::history::RowFate;
use crate::domain::ids::RunId;
use crate::domain::money::NanoUsd;
use crate::domain::settings::RunSettings;
use crate::pipeline::event_task::EventHandle;
use crate::pipeline::lane::Lane;
use crate::pipeline::ledger_task::LedgerHandle;
use crate::pipeline::persist::PersistHandle;
use crate::pipeline::reference_pool::ReferencePool;
use crate::pipeline::stop::Stop;
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::images::ImageStore;
use crate::ports::provider::ImageProvider;

/// The shared parts of one run.
#[derive(Debug)]
pub struct RunContext {
    /// The run.
    pub run_id: RunId,
    /// What was asked for.
    pub settings: RunSettings,
    /// What the planning pass found.
    pub batch: Batch,
    /// What earlier processes of the run know of its rows, by their position.
    pub past: BTreeMap<u32, RowFate>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Identities.
    pub entropy: Arc<dyn Entropy>,
    /// The vendor.
    pub provider: Arc<dyn ImageProvider>,
    /// The pool that gets input images.
    pub references: Arc<ReferencePool>,
    /// The keeper of images.
    pub images: Arc<dyn ImageStore>,
    /// The keeper of money.
    pub ledger: LedgerHandle,
    /// The keeper of counters.
    pub events: EventHandle,
    /// Makes finished images durable.
    pub persist: PersistHandle,
    /// The stop switch.
    pub stop: Arc<Stop>,
    /// The lane: permits, pace and circuit.
    pub lane: Lane,
    /// How many possibly billed attempts may still be bought again.
    pub paid_retries_left: AtomicU64,
    /// The worst case of every first attempt that holds nothing yet; paid retries leave it free.
    pub first_attempts_left: FirstAttempts,
    /// Charges above their worst case, by model.
    pub overruns: Overruns,
    /// What to say when the provider turns the run away.
    pub advice: Advice,
}

/// What only the composer of a run knows about its provider, for people.
#[derive(Clone, Debug)]
pub struct Advice {
    /// Where the key comes from, and what to do when it is refused.
    pub key: String,
}

/// Charges above their worst case, counted by model.
#[derive(Debug, Default)]
pub struct Overruns(Mutex<BTreeMap<Arc<str>, u32>>);

impl Overruns {
    /// Counts one, and returns how many there are of this model.
    pub(crate) fn add(&self, model: &Arc<str>) -> u32 {
        let mut counts = self.0.lock().expect("no holder panics");
        let count = counts.entry(Arc::clone(model)).or_default();
        *count += 1;
        *count
    }
}

/// A sum of money that many tasks change.
#[derive(Debug)]
pub struct FirstAttempts(AtomicI64);

impl FirstAttempts {
    /// Starts with the worst case of every image of a run.
    pub const fn new(maximum: NanoUsd) -> Self {
        Self(AtomicI64::new(maximum.nanos()))
    }

    /// A first attempt holds its money, or will never be sent.
    pub(crate) fn leave(&self, maximum: NanoUsd) {
        self.0.fetch_sub(maximum.nanos(), Ordering::AcqRel);
    }

    /// A first attempt was put off, and needs its money again.
    pub(crate) fn come_back(&self, maximum: NanoUsd) {
        self.0.fetch_add(maximum.nanos(), Ordering::AcqRel);
    }

    pub(crate) fn sum(&self) -> NanoUsd {
        NanoUsd::from_nanos(self.0.load(Ordering::Acquire).max(0))
    }
}

impl RunContext {
    /// Takes one from the paid-retry allowance, if there is one left.
    pub(crate) fn take_paid_retry(&self) -> bool {
        self.paid_retries_left
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1))
            .is_ok()
    }

    /// Whether this run only rehearses.
    pub(crate) fn is_rehearsal(&self) -> bool {
        self.settings.mode == crate::domain::settings::Mode::DryRun
    }
}
