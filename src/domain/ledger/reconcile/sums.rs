//! Both sides of a reconciliation in sums by day.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use crate::domain::ledger::reconcile::finding::Confidence;
use crate::domain::money::NanoUsd;
use crate::domain::percent::Percent;

/// One day of both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DaySum {
    /// The day.
    pub day: Date,
    /// The limit that was in force at its end.
    pub limit: Option<NanoUsd>,
    /// What the ledger has booked, adjustments included.
    pub committed: NanoUsd,
    /// What it holds for attempts of the day.
    pub held: NanoUsd,
    /// What the provider counts.
    pub billed: NanoUsd,
    /// What is booked above the provider's figure; negative when the provider counts more.
    pub difference: NanoUsd,
    /// Whether the provider's figure is above what is booked, beyond the tolerance.
    pub is_beyond: bool,
    /// `day` where the export has only sums of the day.
    pub confidence: Option<Confidence>,
    /// Models that sums of the day name.
    pub models: Vec<DayModel>,
}

/// A model on a day, where the export has only sums.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DayModel {
    /// Its name in the export.
    pub model: String,
    /// What the ledger has booked for it.
    pub committed: NanoUsd,
    /// What the provider counts.
    pub billed: NanoUsd,
}

/// Sums under construction.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums(BTreeMap<Date, Sum>);

#[derive(Clone, Debug, Default)]
struct Sum {
    committed: NanoUsd,
    held: NanoUsd,
    billed: NanoUsd,
    rounded: i64,
    has_sums: bool,
    models: BTreeMap<String, (NanoUsd, NanoUsd)>,
}

fn add(sum: &mut NanoUsd, amount: NanoUsd) {
    *sum = sum.saturating_add(amount);
}

impl Sums {
    fn on(&mut self, day: Date) -> &mut Sum {
        self.0.entry(day).or_default()
    }

    pub(super) fn committed(&mut self, day: Date, amount: NanoUsd) {
        add(&mut self.on(day).committed, amount);
    }

    pub(super) fn held(&mut self, day: Date, amount: NanoUsd) {
        add(&mut self.on(day).held, amount);
    }

    /// Adds what lines say, of which so many were rounded up.
    pub(super) fn billed(&mut self, day: Date, amount: NanoUsd, rounded: i64) {
        let sum = self.on(day);
        add(&mut sum.billed, amount);
        sum.rounded += rounded;
    }

    /// Notes a sum of the day, and the model that it names.
    pub(super) fn sum_of_day(&mut self, day: Date, model: Option<&str>, amount: NanoUsd) {
        let sum = self.on(day);
        sum.has_sums = true;
        if let Some(model) = model {
            add(&mut sum.models.entry(model.to_owned()).or_default().1, amount);
        }
    }

    /// Adds what is booked to each model that a sum of the day names.
    pub(super) fn committed_of_model(
        &mut self,
        day: Date,
        amount: NanoUsd,
        is_named: impl Fn(&str) -> bool,
    ) {
        let models = self.0.get_mut(&day).map(|sum| &mut sum.models);
        for (name, (committed, _)) in models.into_iter().flatten() {
            if is_named(name) {
                add(committed, amount);
            }
        }
    }

    pub(super) fn finish(
        self,
        tolerance: Option<Percent>,
        limit_on: impl Fn(Date) -> Option<NanoUsd>,
    ) -> Vec<DaySum> {
        let day_sum = |(day, sum): (Date, Sum)| {
            let minus = |one: NanoUsd, other: NanoUsd| {
                NanoUsd::from_nanos(one.nanos().saturating_sub(other.nanos()))
            };
            let models = sum.models.into_iter().map(|(model, (committed, billed))| DayModel {
                model,
                committed,
                billed,
            });
            DaySum {
                day,
                limit: limit_on(day),
                committed: sum.committed,
                held: sum.held,
                billed: sum.billed,
                difference: minus(sum.committed, sum.billed),
                is_beyond: minus(sum.billed, sum.committed)
                    > room(sum.committed, sum.rounded, tolerance),
                confidence: sum.has_sums.then_some(Confidence::Day),
                models: models.collect(),
            }
        };
        self.0.into_iter().map(day_sum).collect()
    }
}

/// How far the provider's figure may be above what is booked: the tolerance, and a nano-dollar for
/// each line that was rounded up.
fn room(committed: NanoUsd, rounded: i64, tolerance: Option<Percent>) -> NanoUsd {
    let share = tolerance.map(Percent::billionths).unwrap_or_default();
    let base = committed.max(NanoUsd::ZERO);
    let share = base.scale_up(share, Percent::HUNDRED.billionths()).unwrap_or_default();
    share.saturating_add(NanoUsd::from_nanos(rounded))
}
