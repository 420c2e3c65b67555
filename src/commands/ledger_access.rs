//! Which ledger a run books into, what it says today, and how it is opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::adapters::ledger::directory::OpenOrCreate;
use crate::adapters::ledger::read;
use crate::adapters::system;
use crate::cli::layers::Layers;
use crate::commands::failure::{Failure, store_failure};
use crate::commands::world::World;
use crate::domain::ledger::reading::Summary;
use crate::domain::ledger::{
    DEFAULT_LIMIT_PER_DAY, Founding, LedgerId, LimitOrigin, Money, OwnerId,
};
use crate::domain::money::NanoUsd;
use crate::domain::settings::RunSettings;
use crate::exit::Exit;

/// The version of the tool as it stands in the ledger.
pub(super) const TOOL: &str = concat!("imagemill ", env!("CARGO_PKG_VERSION"));

/// The zone of a new ledger's days.
const ZONE: &str = "UTC";

/// The file that tells that a folder is a ledger.
const DESCRIPTION: &str = "ledger.json";

/// What the ledger of a run says before the run.
#[derive(Clone, Debug)]
pub(super) struct MoneyView {
    /// The folder; nothing when the run's own folder will have it.
    pub(super) root: Option<PathBuf>,
    /// The civil day of the ledger.
    pub(super) day: Date,
    /// The zone of its days.
    pub(super) zone: TimeZone,
    /// The limit that counts for this run.
    pub(super) limit_per_day: NanoUsd,
    /// Where that limit comes from, for people.
    pub(super) limit_origin: String,
    /// Whether it is the ledger's own limit, which only `ledger limit set` raises.
    pub(super) limit_is_ledgers: bool,
    /// What a new ledger is founded with.
    pub(super) founding_limit: (NanoUsd, LimitOrigin),
    /// Settled money of the day.
    pub(super) settled: NanoUsd,
    /// Reserved and unknown money of the day.
    pub(super) held: NanoUsd,
    /// What should be said about the limit.
    pub(super) note: Option<String>,
}

impl MoneyView {
    /// Settled, reserved and unknown money of the day.
    pub(super) fn exposure(&self) -> NanoUsd {
        self.settled.saturating_add(self.held)
    }
}

/// Looks at the ledger that the run would book into; nothing is made.
pub(super) fn view(
    world: &World,
    layers: &Layers,
    settings: &RunSettings,
    now: Timestamp,
) -> Result<MoneyView, Failure> {
    let folder = world.ledger_folder(layers);
    let existing = summary(&folder, now)?;
    let named = settings.ledger.is_some();
    let own = settings.is_simulated() && !named;
    let given = settings.limit_per_day.as_ref();
    let mut note = None;
    let (limit_per_day, limit_origin, founding) = match (&existing, given) {
        (Some(ledger), Some(given)) if given.amount < ledger.limit_per_day => {
            (given.amount, Some(given.origin.clone()), LimitOrigin::Flag)
        }
        (Some(ledger), given) => {
            if let Some(given) = given.filter(|given| given.amount > ledger.limit_per_day) {
                note = Some(format!(
                    "{} asks for {} a day, but the ledger's limit of {} counts; raise it with: \
                     imagemill ledger limit set --per-day {} --why TEXT",
                    given.origin,
                    given.amount.dollars(),
                    ledger.limit_per_day.dollars(),
                    given.amount,
                ));
            }
            (ledger.limit_per_day, None, ledger.limit_origin)
        }
        (None, Some(given)) => (given.amount, Some(given.origin.clone()), LimitOrigin::Flag),
        (None, None) => (DEFAULT_LIMIT_PER_DAY, Some("default".to_owned()), LimitOrigin::Default),
    };
    let zone = existing.as_ref().map_or(ZONE, |ledger| &ledger.tz);
    let zone = system::zone_named(zone).map_err(|error| Failure::new(Exit::Bug, error))?;
    let counts = existing.as_ref().filter(|_| !own);
    Ok(MoneyView {
        root: (!own).then_some(folder),
        day: counts.map_or_else(|| zone.to_datetime(now).date(), |ledger| ledger.day),
        zone,
        limit_per_day,
        limit_is_ledgers: limit_origin.is_none(),
        limit_origin: limit_origin.unwrap_or_else(|| "the ledger's own".to_owned()),
        founding_limit: (limit_per_day, founding),
        settled: counts.map_or(NanoUsd::ZERO, |ledger| ledger.settled),
        held: counts.map_or(NanoUsd::ZERO, |ledger| ledger.reserved.saturating_add(ledger.unknown)),
        note,
    })
}

/// Whether the folder holds a ledger.
pub(super) fn ledger_exists(folder: &Path) -> bool {
    folder.join(DESCRIPTION).exists()
}

/// The summary of a ledger, or nothing when the folder holds none.
pub(super) fn summary(folder: &Path, now: Timestamp) -> Result<Option<Summary>, Failure> {
    if !ledger_exists(folder) {
        return Ok(None);
    }
    read::summary(folder, now).map(Some).map_err(store_failure)
}

/// How a ledger is opened, or made when there is none.
pub(super) fn opening(
    root: PathBuf,
    simulated: bool,
    limit: (NanoUsd, LimitOrigin),
    now: Timestamp,
) -> OpenOrCreate {
    OpenOrCreate { root, founding: founding(simulated, limit), now }
}

/// What a new ledger starts with.
pub(super) fn founding(simulated: bool, limit: (NanoUsd, LimitOrigin)) -> Founding {
    Founding {
        ledger: LedgerId::new(system::uuid()),
        zone: ZONE.into(),
        money: if simulated { Money::Simulated } else { Money::Real },
        limit_per_day: Some(limit),
        owner: OwnerId::new(system::uuid()),
        tool: Arc::from(TOOL),
    }
}
