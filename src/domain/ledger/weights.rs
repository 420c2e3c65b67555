//! Money by what it weighs: of a day, of one model in that day, and of the last 24 hours.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use crate::domain::ledger::record::{Hold, Late, Spent, Totals};
use crate::domain::ledger::state::Violation;
use crate::domain::money::NanoUsd;

/// The length of the rolling window.
pub const WINDOW: SignedDuration = SignedDuration::from_hours(24);
/// Money of the rolling window is kept by the quarter of an hour, so that a day's needs no more
/// than a hundred sums. It weighs up to a quarter longer than it must, never shorter.
const QUARTER_SECONDS: i64 = 15 * 60;

/// What a segment's day carries: money that is spent, and money that is held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Weights {
    /// Money spent on the segment's day.
    pub(super) settled: NanoUsd,
    /// Worst cases of every attempt under way.
    reserved: NanoUsd,
    /// Money of unknown attempts by the last day that they weigh on.
    late: BTreeMap<Date, NanoUsd>,
}

impl Weights {
    pub(super) fn reserve(&mut self, max: NanoUsd) -> Result<(), Violation> {
        add(&mut self.reserved, max)
    }

    /// An attempt under way became unknown.
    pub(super) fn declare(&mut self, max: NanoUsd, late: &Late) -> Result<(), Violation> {
        take(&mut self.reserved, max)?;
        self.hold_late(max, late)
    }

    /// Takes in a hold of the segment before.
    pub(super) fn carry(&mut self, hold: &Hold) -> Result<(), Violation> {
        match &hold.unknown {
            None => self.reserve(hold.max),
            Some(late) => self.hold_late(hold.max, late),
        }
    }

    fn hold_late(&mut self, max: NanoUsd, late: &Late) -> Result<(), Violation> {
        add(self.late.entry(late.last_day).or_default(), max)
    }

    /// An attempt ended: what was held for it weighs no more, and what it cost does, unless its
    /// charge can only have appeared before `day`.
    pub(super) fn end(&mut self, day: Date, hold: &Hold, cost: NanoUsd) -> Result<(), Violation> {
        match &hold.unknown {
            None => take(&mut self.reserved, hold.max)?,
            Some(late) => {
                take_from(&mut self.late, late.last_day, hold.max)?;
                if late.last_day < day {
                    return Ok(());
                }
            }
        }
        add(&mut self.settled, cost)
    }

    /// The money of the segment's day (`is_later` false) or of a later one.
    pub(super) fn totals_on(&self, day: Date, is_later: bool) -> Totals {
        Totals {
            settled: if is_later { NanoUsd::ZERO } else { self.settled },
            reserved: self.reserved,
            unknown: sum(self.late.range(day..).map(|(_, amount)| *amount)),
            ..Totals::default()
        }
    }
}

/// What the last 24 hours carry. What is under way weighs as well and stands elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Window {
    /// Money spent, by the quarter of an hour in which its attempt had ended.
    spent: BTreeMap<Timestamp, NanoUsd>,
    /// Money of unknown attempts, by the quarter of an hour until which a charge may appear.
    late: BTreeMap<Timestamp, NanoUsd>,
}

impl Window {
    /// What a segment carried. The parts stand at the end of their quarters already.
    pub(super) fn take_parts(&mut self, parts: &[Spent]) -> Result<(), Violation> {
        parts.iter().try_for_each(|part| self.spend(part.until, part.amount))
    }

    /// What the next segment carries.
    pub(super) fn parts(&self) -> Vec<Spent> {
        self.spent.iter().map(|(until, amount)| Spent { until: *until, amount: *amount }).collect()
    }

    pub(super) fn spend(&mut self, at: Timestamp, amount: NanoUsd) -> Result<(), Violation> {
        if amount == NanoUsd::ZERO {
            return Ok(());
        }
        add(self.spent.entry(quarter_end(at)).or_default(), amount)
    }

    pub(super) fn hold_late(&mut self, max: NanoUsd, late: &Late) -> Result<(), Violation> {
        add(self.late.entry(quarter_end(late.until)).or_default(), max)
    }

    /// An attempt ended at `at`; the charge of an unknown one appeared by its own time at the
    /// latest.
    pub(super) fn end(
        &mut self,
        at: Timestamp,
        hold: &Hold,
        cost: NanoUsd,
    ) -> Result<(), Violation> {
        match &hold.unknown {
            None => self.spend(at, cost),
            Some(late) => {
                take_from(&mut self.late, quarter_end(late.until), hold.max)?;
                self.spend(late.until.min(at), cost)
            }
        }
    }

    /// Forgets money that weighs no more at `now`.
    pub(super) fn forget(&mut self, now: Timestamp) {
        let oldest = oldest(now);
        self.spent.retain(|until, _| *until >= oldest);
    }

    /// The money of the 24 hours before `now`, beside what is under way.
    pub(super) fn totals(&self, now: Timestamp) -> Totals {
        let oldest = oldest(now);
        Totals {
            settled: sum(self.spent.range(oldest..).map(|(_, amount)| *amount)),
            unknown: sum(self.late.range(oldest..).map(|(_, amount)| *amount)),
            ..Totals::default()
        }
    }
}

/// The beginning of the 24 hours before `now`.
fn oldest(now: Timestamp) -> Timestamp {
    now.saturating_sub(WINDOW).unwrap_or(Timestamp::MIN)
}

/// The end of the quarter of an hour in which `at` lies.
fn quarter_end(at: Timestamp) -> Timestamp {
    let whole = at.as_second().div_euclid(QUARTER_SECONDS) * QUARTER_SECONDS;
    let start = Timestamp::from_second(whole).unwrap_or(Timestamp::MIN);
    if start == at {
        return at;
    }
    start.saturating_add(SignedDuration::from_secs(QUARTER_SECONDS)).unwrap_or(Timestamp::MAX)
}

fn sum(amounts: impl Iterator<Item = NanoUsd>) -> NanoUsd {
    amounts.fold(NanoUsd::ZERO, NanoUsd::saturating_add)
}

pub(super) fn add(sum: &mut NanoUsd, amount: NanoUsd) -> Result<(), Violation> {
    *sum = sum.checked_add(amount).ok_or(Violation::Overflow)?;
    Ok(())
}

pub(super) fn take(sum: &mut NanoUsd, amount: NanoUsd) -> Result<(), Violation> {
    *sum = sum.checked_sub(amount).ok_or(Violation::Overflow)?;
    Ok(())
}

/// Takes from one sum of many, and forgets a sum that is zero.
fn take_from<K: Ord + Copy>(
    sums: &mut BTreeMap<K, NanoUsd>,
    key: K,
    amount: NanoUsd,
) -> Result<(), Violation> {
    let sum = sums.entry(key).or_default();
    take(sum, amount)?;
    if *sum == NanoUsd::ZERO {
        sums.remove(&key);
    }
    Ok(())
}
