//! Admission: whether a worst case still fits every limit that it touches.

use jiff::civil::Date;
use serde::Serialize;

use crate::domain::ids::RunId;
use crate::domain::ledger::record::{LimitScope, Totals};
use crate::domain::ledger::state::LedgerState;
use crate::domain::money::NanoUsd;

/// What wants to be reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The run that asks.
    pub run: RunId,
    /// The worst case.
    pub max: NanoUsd,
    /// What the run allows itself; it can only lower the ledger's own limits.
    pub ceilings: Ceilings,
}

/// Limits of one run, from its flags and config.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ceilings {
    /// The most that any day may be exposed to.
    pub per_day: Option<NanoUsd>,
    /// The most that the run may be exposed to over all its days.
    pub per_run: Option<NanoUsd>,
}

/// The answer to an ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It fits now.
    Admit,
    /// It fits when some of what is held falls.
    Wait,
    /// It does not fit, whatever becomes of what is held.
    Refuse(Refusal),
}

/// The limit that refuses, and its figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error(
    "{max} would go past the limit of {limit} per {scope}: {settled} settled, {reserved} reserved, \
     {unknown} unknown; the smallest limit that would do is {smallest_limit}",
    max = worst_case.dollars(), limit = limit.dollars(), settled = settled.dollars(),
    reserved = reserved.dollars(), unknown = unknown.dollars(),
    smallest_limit = smallest_limit.dollars()
)]
pub struct Refusal {
    /// Which limit.
    pub scope: RefusalScope,
    /// Its value; zero when the ledger has none.
    pub limit: NanoUsd,
    /// Money that is spent.
    pub settled: NanoUsd,
    /// Worst cases of attempts under way.
    pub reserved: NanoUsd,
    /// Worst cases of attempts whose cost nobody knows.
    pub unknown: NanoUsd,
    /// The worst case that was asked for.
    pub worst_case: NanoUsd,
    /// The smallest limit under which it would have been admitted at once.
    pub smallest_limit: NanoUsd,
}

/// Which limit refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RefusalScope {
    /// The limit per day.
    Day,
    /// The limit per run.
    Run,
}

impl std::fmt::Display for RefusalScope {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.pad(match self {
            Self::Day => "day",
            Self::Run => "run",
        })
    }
}

impl LedgerState {
    /// Whether `ask` may be reserved on `day`.
    ///
    /// A hold weighs on every day from its reserve on, so today and each later day that it could
    /// touch must have room. What ended weighs on no later day, and an unknown leaves the later
    /// days in their order, so today is the fullest of them; tomorrow is asked all the same.
    pub fn admit(&self, ask: &Ask, day: Date) -> Admission {
        let own = self.limit_per_day().map_or(NanoUsd::ZERO, |limit| limit.value);
        let per_day = ask.ceilings.per_day.map_or(own, |ceiling| ceiling.min(own));
        let later = day.tomorrow().unwrap_or(day);
        let today = judge(RefusalScope::Day, per_day, &self.totals_on(day), ask.max);
        let tomorrow = judge(RefusalScope::Day, per_day, &self.totals_on(later), ask.max);
        let run = match self.limit_per_run(ask) {
            Some(limit) => judge(RefusalScope::Run, limit, &self.run(ask.run), ask.max),
            None => Admission::Admit,
        };
        today.and(tomorrow).and(run)
    }

    fn limit_per_run(&self, ask: &Ask) -> Option<NanoUsd> {
        let scope = LimitScope::Run(ask.run);
        let own = self.limits().iter().find(|limit| limit.scope == scope);
        let both = [own.map(|limit| limit.value), ask.ceilings.per_run];
        both.into_iter().flatten().min()
    }
}

impl Admission {
    /// The stricter of two answers; of two refusals, the one that needs the larger limit.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Refuse(one), Self::Refuse(two)) => {
                Self::Refuse(if two.smallest_limit > one.smallest_limit { two } else { one })
            }
            (Self::Refuse(refusal), _) | (_, Self::Refuse(refusal)) => Self::Refuse(refusal),
            (Self::Wait, _) | (_, Self::Wait) => Self::Wait,
            (Self::Admit, Self::Admit) => Self::Admit,
        }
    }
}

/// Sums are held at the largest amount, which no limit below it admits.
fn judge(scope: RefusalScope, limit: NanoUsd, totals: &Totals, max: NanoUsd) -> Admission {
    let lasting = totals.settled.saturating_add(totals.unknown).saturating_add(max);
    let all = lasting.saturating_add(totals.reserved);
    if all <= limit && all < NanoUsd::MAX && !max.is_negative() {
        return Admission::Admit;
    }
    if lasting <= limit && !max.is_negative() {
        return Admission::Wait;
    }
    Admission::Refuse(Refusal {
        scope,
        limit,
        settled: totals.settled,
        reserved: totals.reserved,
        unknown: totals.unknown,
        worst_case: max,
        smallest_limit: all,
    })
}
