//! What the ledger of a run says before the run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::domain::batch::Room;
use crate::domain::ledger::reading::{LimitUse, Summary};
use crate::domain::ledger::{LimitOrigin, LimitScope};
use crate::domain::money::NanoUsd;

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
    /// Limits beside that of the day that bind the run, with what weighs on them.
    pub(super) further: Vec<LimitUse>,
    /// What should be said about the limit.
    pub(super) note: Option<String>,
}

impl MoneyView {
    /// Settled, reserved and unknown money of the day.
    pub(super) fn exposure(&self) -> NanoUsd {
        self.settled.saturating_add(self.held)
    }

    /// What every run may spend by the ledger's own limits; the most there is when nothing says.
    pub(super) fn limit_of_every_run(&self) -> NanoUsd {
        let of_runs = self.further.iter().filter(|it| it.limit.scope == LimitScope::EveryRun);
        of_runs.map(|it| it.limit.value).min().unwrap_or(NanoUsd::MAX)
    }

    /// What a batch may still take under the ledger's limits.
    pub(super) fn room(&self) -> Room {
        let mut all = self.limit_per_day.minus_or_zero(self.exposure());
        let mut image = NanoUsd::MAX;
        let mut models: BTreeMap<Arc<str>, NanoUsd> = BTreeMap::new();
        for it in &self.further {
            let left = it.limit.value.minus_or_zero(it.exposure.unwrap_or(NanoUsd::ZERO));
            match &it.limit.scope {
                LimitScope::Image => image = left,
                LimitScope::Window | LimitScope::EveryRun => all = all.min(left),
                LimitScope::Model(model) => {
                    models.insert(Arc::clone(model), left);
                }
                LimitScope::Day | LimitScope::Run(_) => {}
            }
        }
        Room { all, image, models }
    }
}

/// The limits beside that of the day that bind a run to come. In a ledger of its own nothing weighs
/// on them yet.
pub(super) fn further_limits(ledger: &Summary, own: bool) -> Vec<LimitUse> {
    let binds = |it: &&LimitUse| match it.limit.scope {
        LimitScope::Window | LimitScope::Model(_) | LimitScope::EveryRun | LimitScope::Image => {
            true
        }
        LimitScope::Day | LimitScope::Run(_) => false,
    };
    let binding = ledger.limits.iter().filter(binds).cloned();
    binding
        .map(|it| LimitUse {
            exposure: it.exposure.map(|sum| if own { NanoUsd::ZERO } else { sum }),
            ..it
        })
        .collect()
}
