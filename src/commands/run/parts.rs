//! The adapters in which a rehearsal and a live run differ.

use std::sync::Arc;

use jiff::Timestamp;

use crate::adapters::ledger::directory::DirectoryLedger;
use crate::adapters::ledger::memory::MemoryLedger;
use crate::adapters::output::hand_over::HandOver;
use crate::adapters::output::handed::images_of;
use crate::adapters::output::images::{ImageFolder, NoImages};
use crate::adapters::output::journal::JournalFile;
use crate::adapters::output::run_folder::RunFolder;
use crate::adapters::providers::sim::SimProvider;
use crate::adapters::references::every::RehearsedReferences;
use crate::adapters::system::{SeededEntropy, SystemEntropy, TokioClock};
use crate::commands::failure::{Failure, store_failure};
use crate::commands::key::BoundKey;
use crate::commands::ledger_access::{self, TOOL};
use crate::commands::reference_parts::{live_source, pool};
use crate::commands::run::planned::Planned;
use crate::commands::run::registry::live_provider;
use crate::commands::world::World;
use crate::domain::ledger::{Ceilings, Founding};
use crate::domain::money::NanoUsd;
use crate::domain::settings::RunSettings;
use crate::exit::Exit;
use crate::pipeline::context::Advice;
use crate::pipeline::ledger_task::TaskOptions;
use crate::pipeline::reference_pool::ReferencePool;
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::images::ImageStore;
use crate::ports::journal::JournalStore;
use crate::ports::ledger::LedgerStore;
use crate::ports::provider::ImageProvider;
use crate::ports::references::ReferenceSource;

/// Where simulated money is booked, below the run's folder.
pub(super) const OWN_LEDGER: &str = "ledger";

/// The adapters in which a rehearsal and a live run differ.
pub(super) struct Parts {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) provider: Arc<dyn ImageProvider>,
    pub(super) references: Arc<ReferencePool>,
    pub(super) images: Arc<dyn ImageStore>,
    pub(super) ledger: Box<dyn LedgerStore>,
    pub(super) options: TaskOptions,
    pub(super) journal: Option<Box<dyn JournalStore>>,
    pub(super) advice: Advice,
    pub(super) is_rehearsal: bool,
}

impl Parts {
    /// Nothing of it touches the world.
    pub(super) fn rehearsing(settings: &RunSettings, planned: &Planned, now: Timestamp) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::rehearsal(now));
        // A plan that does not fit is rehearsed whole: its ledger has room for all of it.
        let limit = (NanoUsd::MAX, planned.money.founding_limit.1);
        let founding = ledger_access::founding(true, limit);
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(settings.sim.seed()));
        let local = planned.reference_places.local.clone();
        let source: Arc<dyn ReferenceSource> = Arc::new(RehearsedReferences { local });
        Self {
            provider: Arc::new(SimProvider::rehearsing(settings.sim.clone(), Arc::clone(&clock))),
            references: Arc::new(
                pool(settings, &planned.refresher, source, &clock, &entropy).rehearsing(),
            ),
            images: Arc::new(NoImages),
            ledger: Box::new(MemoryLedger::new(&founding, now, &planned.money.zone)),
            options: options(&founding, planned, Ceilings::default()),
            journal: None,
            advice: Advice { key: String::new() },
            is_rehearsal: true,
            clock,
            entropy,
        }
    }

    /// Images, journal and simulated money go into the run's folder.
    pub(super) fn live(
        world: &World,
        settings: &RunSettings,
        planned: &mut Planned,
        now: Timestamp,
        (key, hand): (Option<BoundKey>, Option<HandOver>),
        folder: &RunFolder,
    ) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::live());
        let (provider, advice) = live_provider(settings, key, &clock)?;
        let root = planned.ledger_of(folder.path());
        let simulated = settings.is_simulated();
        let limit = planned.money.founding_limit;
        let mut opening = ledger_access::opening(root, simulated, limit, now);
        let further = planned.money.further.iter().map(|it| it.limit.clone());
        opening.founding.further_limits = further.collect();
        if let Some(zone) = planned.money.zone.iana_name() {
            opening.founding.zone = zone.into();
        }
        let founding = opening.founding.clone();
        if let Some(run) = &mut planned.going_on {
            run.make_good(ledger_access::opening(opening.root.clone(), simulated, limit, now))?;
        }
        let ledger = DirectoryLedger::open_blocking(opening).map_err(store_failure)?;
        let ceilings = Ceilings {
            per_day: Some(planned.money.limit_per_day),
            per_run: settings.limit_per_run,
        };
        let mut options = options(&founding, planned, ceilings);
        options.zone = ledger.zone().clone();
        let in_flight = planned.batch.chosen().images.min(settings.concurrency.into());
        let images = ImageFolder::create(folder.path(), in_flight)
            .map_err(|error| Failure::new(Exit::Environment, error))?;
        let images = images_of(images, hand);
        let journal = match &planned.going_on {
            Some(run) => JournalFile::go_on(folder.path(), run.whole),
            None => JournalFile::create(folder.path()),
        }
        .map_err(|error| Failure::new(Exit::Environment, error))?;
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let source = live_source(world, &settings.fetch, &planned.reference_places, &clock)?;
        Ok(Self {
            provider,
            references: Arc::new(pool(settings, &planned.refresher, source, &clock, &entropy)),
            images,
            ledger: Box::new(ledger),
            options,
            journal: Some(Box::new(journal)),
            advice,
            is_rehearsal: false,
            clock,
            entropy,
        })
    }
}

fn options(founding: &Founding, planned: &Planned, ceilings: Ceilings) -> TaskOptions {
    TaskOptions {
        owner: founding.owner,
        zone: planned.money.zone.clone(),
        tool: TOOL.into(),
        ceilings,
    }
}
