//! What reading a ledger tells: the day's summary, the findings of a check, the records of a run.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use crate::domain::ids::{AttemptId, RunId};
use crate::domain::ledger::{Limit, LimitOrigin, Money, Record, UnknownClass};
use crate::domain::money::NanoUsd;

/// What `ledger summary` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The ledger's day at the moment of reading.
    pub day: Date,
    /// The time zone of its days.
    pub tz: String,
    /// Whose money it counts.
    pub money: Money,
    /// The limit per day.
    pub limit_per_day: NanoUsd,
    /// Where the limit came from.
    pub limit_origin: LimitOrigin,
    /// Every limit in force, that of the day included, with what weighs on it.
    pub limits: Vec<LimitUse>,
    /// Settled, reserved and unknown money of the day together.
    pub exposure_today: NanoUsd,
    /// Money that is spent.
    pub settled: NanoUsd,
    /// Worst cases of attempts under way.
    pub reserved: NanoUsd,
    /// Worst cases of attempts whose cost nobody knows.
    pub unknown: NanoUsd,
    /// Reservations made on the day.
    pub attempts: u64,
    /// Attempts that ended on the day with a cost.
    pub settles: u64,
    /// Attempts that ended on the day without a cost.
    pub releases: u64,
    /// Attempts that were declared unknown on the day.
    pub unknowns: u64,
    /// Attempts that cost more than their worst case on the day.
    pub overruns: u64,
    /// Every attempt that holds money, and why.
    pub held: Vec<Held>,
    /// Whether the last line was torn; the next run heals it.
    pub torn_tail: bool,
}

/// A limit, and what weighs on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LimitUse {
    /// The limit.
    #[serde(flatten)]
    pub limit: Limit,
    /// Settled, reserved and unknown money that weighs on it; nothing for a limit per image, and
    /// for one that every run has for itself.
    pub exposure: Option<NanoUsd>,
}

/// An attempt that holds money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The attempt.
    pub rid: AttemptId,
    /// Its run.
    pub run: RunId,
    /// What is held for it.
    pub max: NanoUsd,
    /// When it was reserved.
    pub reserved_at: Timestamp,
    /// Why it is unknown: as declared, or `lost` when its process is dead; nothing while it is
    /// under way.
    pub unknown: Option<UnknownClass>,
    /// The last day on which it weighs, when it was declared unknown.
    pub last_day: Option<Date>,
}

/// A record as `ledger show` has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The segment in which it stands.
    pub segment: String,
    /// Its number in the ledger.
    pub seq: u64,
    /// When it was made.
    pub time: Timestamp,
    /// The ledger's day.
    pub day: Date,
    /// The word for its kind.
    pub kind: String,
    /// The attempt that it is about.
    pub rid: Option<AttemptId>,
    /// The money that it moves: a worst case for a reserve, a cost for an end.
    pub amount: Option<NanoUsd>,
    /// The evidence, class, source or basis, in the ledger's own word.
    pub note: Option<&'static str>,
    /// All that it says.
    #[serde(skip)]
    pub record: Record,
}

/// What `ledger check` found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// Segments read.
    pub segments: u64,
    /// Whole lines read.
    pub lines: u64,
    /// Attempts seen.
    pub attempts: u64,
    /// Money that is spent, summed by day.
    pub settled_by_day: BTreeMap<Date, NanoUsd>,
    /// Money that is spent, summed by run; adjustments without a run are in none.
    pub settled_by_run: BTreeMap<RunId, NanoUsd>,
    /// The segment whose last line is torn; it is tolerated.
    pub torn_tail: Option<String>,
    /// The time of the newest record.
    pub newest: Option<Timestamp>,
    /// What is wrong, in the order of the files.
    pub findings: Vec<Finding>,
}

/// Something wrong in a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The segment.
    pub segment: String,
    /// The line, from 1; zero when the segment as a whole is meant.
    pub line: u64,
    /// What is wrong.
    pub problem: String,
}
