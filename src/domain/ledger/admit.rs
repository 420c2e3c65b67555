//! Admission: whether a worst case still fits every limit that it touches.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use crate::domain::ids::RunId;
use crate::domain::ledger::record::Totals;
use crate::domain::ledger::scope::LimitScope;
use crate::domain::ledger::state::LedgerState;
use crate::domain::money::NanoUsd;

/// What wants to be reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask<'a> {
    /// The run that asks.
    pub run: RunId,
    /// The model that is asked.
    pub model: &'a str,
    /// The worst case of the image.
    pub max: NanoUsd,
    /// What must still fit beside it.
    pub beside: NanoUsd,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It fits now.
    Admit,
    /// It fits when some of what is held falls.
    Wait,
    /// It does not fit, whatever becomes of what is held.
    Refuse(Refusal),
}

/// The limit that refuses, and its figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct Refusal {
    /// Which limit.
    #[serde(flatten)]
    pub scope: LimitScope,
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

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (max, limit, scope) = (self.worst_case.dollars(), self.limit.dollars(), &self.scope);
        if *scope == LimitScope::Image {
            return write!(out, "{max} is more than the limit of {limit} per {scope}");
        }
        write!(
            out,
            "{max} would go past the limit of {limit} per {scope}: {} settled, {} reserved, {} \
             unknown; the smallest limit that would do is {}",
            self.settled.dollars(),
            self.reserved.dollars(),
            self.unknown.dollars(),
            self.smallest_limit.dollars()
        )
    }
}

impl LedgerState {
    /// Whether `ask` may be reserved on `day`, at `now`.
    ///
    /// A hold weighs on every day from its reserve on, so today and each later day that it could
    /// touch must have room. What ended weighs on no later day, and an unknown leaves the later
    /// days in their order, so today is the fullest of them; tomorrow is asked all the same.
    pub fn admit(&self, ask: &Ask<'_>, day: Date, now: Timestamp) -> Admission {
        let own = self.limit_per_day().map_or(NanoUsd::ZERO, |limit| limit.value);
        let per_day = ask.ceilings.per_day.map_or(own, |ceiling| ceiling.min(own));
        let later = day.tomorrow().unwrap_or(day);
        let max = ask.max.saturating_add(ask.beside);
        let mut answer = Admission::Admit;
        for day in [day, later] {
            let totals = self.totals_on(day);
            answer = answer.and(judge(&LimitScope::Day, per_day, &totals, max));
        }
        let mut per_run = ask.ceilings.per_run;
        for limit in self.limits() {
            let scope = &limit.scope;
            let of_days = |totals: &dyn Fn(Date) -> Totals| {
                let today = judge(scope, limit.value, &totals(day), max);
                today.and(judge(scope, limit.value, &totals(later), max))
            };
            let next = match scope {
                LimitScope::Model(model) if **model == *ask.model => {
                    of_days(&|day| self.totals_of_model(model, day))
                }
                LimitScope::Window => judge(scope, limit.value, &self.totals_in_window(now), max),
                LimitScope::Image => judge(scope, limit.value, &Totals::default(), ask.max),
                LimitScope::Run(run) if *run != ask.run => continue,
                LimitScope::Run(_) | LimitScope::EveryRun => {
                    per_run = Some(per_run.map_or(limit.value, |other| other.min(limit.value)));
                    continue;
                }
                LimitScope::Day | LimitScope::Model(_) => continue,
            };
            answer = answer.and(next);
        }
        match per_run {
            Some(limit) => answer.and(judge(&LimitScope::EveryRun, limit, &self.run(ask.run), max)),
            None => answer,
        }
    }
}

impl LedgerState {
    /// What weighs on a limit today; nothing for one that looks at single images or at runs to
    /// come.
    pub fn totals_of(&self, scope: &LimitScope, day: Date, now: Timestamp) -> Option<Totals> {
        match scope {
            LimitScope::Day => Some(self.totals_on(day)),
            LimitScope::Window => Some(self.totals_in_window(now)),
            LimitScope::Model(model) => Some(self.totals_of_model(model, day)),
            LimitScope::Run(run) => Some(self.run(*run)),
            LimitScope::EveryRun | LimitScope::Image => None,
        }
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
fn judge(scope: &LimitScope, limit: NanoUsd, totals: &Totals, max: NanoUsd) -> Admission {
    let lasting = totals.settled.saturating_add(totals.unknown).saturating_add(max);
    let all = lasting.saturating_add(totals.reserved);
    if all <= limit && all < NanoUsd::MAX && !max.is_negative() {
        return Admission::Admit;
    }
    if lasting <= limit && !max.is_negative() {
        return Admission::Wait;
    }
    Admission::Refuse(Refusal {
        scope: scope.clone(),
        limit,
        settled: totals.settled,
        reserved: totals.reserved,
        unknown: totals.unknown,
        worst_case: max,
        smallest_limit: all,
    })
}
