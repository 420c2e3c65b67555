//! What the records add up to: open attempts, and flat sums for the rest.
//!
//! How a record changes it stands in `fold`.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::domain::ids::{AttemptId, RunId};
use crate::domain::ledger::line::state_hash;
use crate::domain::ledger::record::{
    Carry, Detail, Hold, LedgerId, Limit, LineHash, ModelSpent, Open, OwnerId, RunTotals,
    SegmentName, Totals,
};
use crate::domain::ledger::scope::LimitScope;
use crate::domain::ledger::weights::{Weights, Window};
use crate::domain::ledger::words::{Money, OpenReason};
use crate::domain::money::NanoUsd;

/// A run that was quiet for this many days leaves the totals that new segments carry.
pub const RUN_MEMORY_DAYS: i32 = 62;

/// The state of a ledger after a sequence of records.
#[derive(Clone, Debug, Default)]
pub struct LedgerState {
    pub(super) identity: Option<Identity>,
    pub(super) seq: u64,
    /// Lines of the segment so far.
    pub(super) lines: u64,
    pub(super) segment: Option<SegmentName>,
    /// The segment ended with a roll to this one; only its open may follow.
    pub(super) rolled_to: Option<SegmentName>,
    pub(super) limits: Vec<Limit>,
    pub(super) open: BTreeMap<AttemptId, Hold>,
    /// Counts of the segment's day; its money stands below.
    pub(super) counts: Totals,
    pub(super) runs: BTreeMap<RunId, RunTotals>,
    /// Money of the segment's day.
    pub(super) all: Weights,
    /// The same by model.
    pub(super) models: BTreeMap<Arc<str>, Weights>,
    /// The part of it whose model no line names; it weighs on every model.
    pub(super) any_model: Weights,
    /// Money of the last 24 hours.
    pub(super) window: Window,
    /// The latest time of any record; the window never goes back.
    pub(super) latest: Timestamp,
}

/// What the open record says about the ledger itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Which ledger.
    pub ledger: LedgerId,
    /// The time zone of its days.
    pub zone: Arc<str>,
    /// Whose money it counts.
    pub money: Money,
}

/// A record that breaks a rule of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The numbers of the lines have a gap or a repetition.
    #[error("sequence number {found} stands where {expected} must stand")]
    Sequence {
        /// The number that had to come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// The record stands in the segment of another day.
    #[error("a record of {found} stands in the segment {segment:?}")]
    Day {
        /// The segment.
        segment: Option<SegmentName>,
        /// The record's day.
        found: Date,
    },
    /// The segment must start with an open, or the open does not fit the one before.
    #[error("the segment does not continue this ledger: {0}")]
    Segment(&'static str),
    /// The attempt was reserved already.
    #[error("attempt {0} was reserved twice")]
    ReservedTwice(AttemptId),
    /// The attempt has no reserve, or has ended.
    #[error("attempt {0} has no reservation that this record could end")]
    NotOpen(AttemptId),
    /// Only a resolve or a late settle may end an unknown, and it is declared once.
    #[error("attempt {0} is unknown and cannot be released or declared again")]
    IsUnknown(AttemptId),
    /// Only an unknown can be resolved.
    #[error("attempt {0} is not unknown and cannot be resolved")]
    NotUnknown(AttemptId),
    /// The amount is below zero.
    #[error("attempt {0} has an amount below zero")]
    Negative(AttemptId),
    /// The sums are beyond what can be counted.
    #[error("the sums of money overflow")]
    Overflow,
    /// A checkpoint says something else.
    #[error("the sums differ from those that the {0} record states")]
    Sums(&'static str),
}

impl LedgerState {
    /// What the newest segment says about the ledger; nothing before the first record.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// The number of the last record.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The lines of the segment so far.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The segment that is being written.
    pub fn segment(&self) -> Option<SegmentName> {
        self.segment
    }

    /// The segment that must be opened next, when this one has ended.
    pub fn rolled_to(&self) -> Option<SegmentName> {
        self.rolled_to
    }

    /// The limit in force for every day; without one, nothing may be spent.
    pub fn limit_per_day(&self) -> Option<&Limit> {
        self.limit(&LimitScope::Day)
    }

    /// The limit of a scope, when one is in force.
    pub fn limit(&self, scope: &LimitScope) -> Option<&Limit> {
        self.limits.iter().find(|limit| limit.scope == *scope)
    }

    /// The limits in force.
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// What is held for an attempt that has not ended.
    pub fn hold(&self, rid: AttemptId) -> Option<&Hold> {
        self.open.get(&rid)
    }

    /// Every attempt that has not ended, by its id.
    pub fn holds(&self) -> impl Iterator<Item = (AttemptId, &Hold)> {
        self.open.iter().map(|(rid, hold)| (*rid, hold))
    }

    /// The totals of the segment's day: every attempt whose interval meets it.
    pub fn today(&self) -> Totals {
        let day = self.segment.map(|segment| segment.day).unwrap_or_default();
        self.totals_on(day)
    }

    /// The totals of the segment's day or a later one. A past day is not kept.
    pub fn totals_on(&self, day: Date) -> Totals {
        let is_later = self.is_later(day);
        let counts = if is_later { Totals::default() } else { self.counts };
        self.all.totals_on(day, is_later).counted_as(&counts)
    }

    /// The money of one model on the segment's day or a later one, without counts. Money whose
    /// model is not known is part of it.
    pub fn totals_of_model(&self, model: &str, day: Date) -> Totals {
        let is_later = self.is_later(day);
        let named = self.models.get(model).map(|weights| weights.totals_on(day, is_later));
        let named = named.unwrap_or_default();
        let unnamed = self.any_model.totals_on(day, is_later);
        Totals {
            // A refund whose model nobody named frees no model.
            settled: named.settled.saturating_add(unnamed.settled.max(NanoUsd::ZERO)),
            reserved: named.reserved.saturating_add(unnamed.reserved),
            unknown: named.unknown.saturating_add(unnamed.unknown),
            ..Totals::default()
        }
    }

    /// The money of the 24 hours before `now`, without counts.
    pub fn totals_in_window(&self, now: Timestamp) -> Totals {
        let reserved = self.totals_on(self.segment.map_or(Date::MIN, |at| at.day)).reserved;
        Totals { reserved, ..self.window.totals(now.max(self.latest)) }
    }

    fn is_later(&self, day: Date) -> bool {
        self.segment.is_some_and(|segment| segment.day < day)
    }

    /// Money that is spent or may still be spent on the segment's day or a later one.
    pub fn exposure(&self, day: Date) -> NanoUsd {
        self.totals_on(day).exposure()
    }

    /// The totals of a run over all days; its unknown attempts count for ever.
    pub fn run(&self, run: RunId) -> Totals {
        self.runs.get(&run).map(|totals| totals.sum).unwrap_or_default()
    }

    /// Money that is spent or may still be spent by a run.
    pub fn exposure_of_run(&self, run: RunId) -> NanoUsd {
        self.run(run).exposure()
    }

    /// The totals of each remembered run.
    pub fn runs(&self) -> impl Iterator<Item = &RunTotals> {
        self.runs.values()
    }

    /// How many attempts and runs a new segment would carry.
    pub fn n_carried(&self) -> usize {
        self.open.len() + self.runs.len()
    }

    /// A hash of all that a new segment would carry.
    pub fn hash(&self) -> LineHash {
        let runs: Vec<RunTotals> = self.runs.values().copied().collect();
        state_hash(&self.carry(), &self.today(), &runs)
    }

    /// The open record that continues this state on `day`.
    pub fn next_open(
        &self,
        day: Date,
        reason: OpenReason,
        owner: OwnerId,
        tool: Arc<str>,
    ) -> Option<Open> {
        let (identity, previous) = (self.identity.clone()?, self.segment?);
        let remembered = |totals: &&RunTotals| is_remembered(totals, day);
        Some(Open {
            ledger: identity.ledger,
            zone: identity.zone,
            money: identity.money,
            segment: previous.next(day),
            previous: Some(previous),
            reason,
            owner,
            tool,
            limits: self.limits.clone(),
            carry: self.carry(),
            today: self.totals_on(day),
            runs: self.runs.values().filter(remembered).copied().collect(),
            detail: Some(self.detail(day)),
        })
    }

    /// What a segment of `day` starts from, by model and by time.
    pub(super) fn detail(&self, day: Date) -> Detail {
        let is_later = self.is_later(day);
        let spent = self.models.iter().filter_map(|(model, weights)| {
            let settled = weights.totals_on(day, is_later).settled;
            let model = Arc::clone(model);
            (settled != NanoUsd::ZERO).then_some(ModelSpent { model, settled })
        });
        let models = spent.collect();
        let mut window = self.window.clone();
        window.forget(self.latest);
        Detail { models, window: window.parts(), latest: self.latest }
    }

    fn carry(&self) -> Vec<Carry> {
        self.open.iter().map(|(rid, hold)| Carry { rid: *rid, hold: hold.clone() }).collect()
    }
}

/// Whether a run is carried into a segment of `day`: it holds money, or was active lately.
pub(super) fn is_remembered(totals: &RunTotals, day: Date) -> bool {
    let quiet = day.since(totals.last).map_or(0, |span| span.get_days());
    totals.sum.reserved != NanoUsd::ZERO
        || totals.sum.unknown != NanoUsd::ZERO
        || quiet <= RUN_MEMORY_DAYS
}

/// The moment until which an unknown weighs: `from` plus the time a charge may take to appear.
pub fn late_until(from: Timestamp, late_ms: u64) -> Timestamp {
    let late = jiff::SignedDuration::from_millis(i64::try_from(late_ms).unwrap_or(i64::MAX));
    from.saturating_add(late).unwrap_or(Timestamp::MAX)
}
