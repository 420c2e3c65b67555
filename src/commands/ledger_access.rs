//! Which ledger a run books into, what it says today, and how it is opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use crate::adapters::ledger::directory::OpenOrCreate;
use crate::adapters::ledger::read;
use crate::adapters::system;
use crate::cli::layers::Layers;
use crate::commands::failure::{Failure, store_failure};
use crate::commands::money_view::{MoneyView, further_limits};
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
        further: existing.as_ref().map_or_else(Vec::new, |ledger| further_limits(ledger, own)),
        note,
    })
}

/// What the ledger in a run's own folder says, for a run that goes on.
pub(super) fn view_of_run(
    view: MoneyView,
    folder: &Path,
    now: Timestamp,
) -> Result<MoneyView, Failure> {
    if view.root.is_some() {
        return Ok(view);
    }
    let Some(ledger) = summary(folder, now)? else { return Ok(view) };
    Ok(MoneyView {
        day: ledger.day,
        limit_per_day: view.limit_per_day.min(ledger.limit_per_day),
        settled: ledger.settled,
        held: ledger.reserved.saturating_add(ledger.unknown),
        further: further_limits(&ledger, false),
        ..view
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
        further_limits: Vec::new(),
        owner: OwnerId::new(system::uuid()),
        tool: Arc::from(TOOL),
    }
}
