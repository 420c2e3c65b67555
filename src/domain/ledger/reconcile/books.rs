//! What the ledger knows of every attempt that an export may speak of.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::domain::ids::{AttemptId, RunId};
use crate::domain::ledger::entries::Outcome;
use crate::domain::ledger::reconcile::finding::Change;
use crate::domain::ledger::record::{Adjust, Carry, Limit, OwnerId};
use crate::domain::ledger::scope::LimitScope;
use crate::domain::ledger::state::late_until;
use crate::domain::ledger::{Record, RecordKind, Reserve, UnknownClass};
use crate::domain::money::NanoUsd;

/// What an adjustment begins with that reconciliation made; the attempt's id follows.
const MARK: &str = "export:";
/// The letters of an attempt's id.
const ID_LETTERS: usize = 36;

/// The ledger's side of a reconciliation.
#[derive(Clone, Debug, Default)]
pub struct Books {
    attempts: Vec<Attempt>,
    index: BTreeMap<AttemptId, usize>,
    /// Differences that people booked, by the day to which they belong.
    by_hand: Vec<(Date, Option<RunId>, NanoUsd)>,
    /// The limit of a day from each day on.
    limits: BTreeMap<Date, NanoUsd>,
}

/// An attempt with its money, its times and its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The attempt.
    pub rid: AttemptId,
    /// Its run.
    pub run: RunId,
    /// The process that reserved it.
    pub owner: OwnerId,
    /// The provider's name, unless its reserve is not there any more.
    pub provider: Option<Arc<str>>,
    /// The model's name, unless its reserve is not there any more.
    pub model: Option<Arc<str>>,
    /// The provider's names for the request.
    pub provider_ids: Vec<Arc<str>>,
    /// What became of it.
    pub outcome: Outcome,
    /// The ledger's own word for why.
    pub note: Option<&'static str>,
    /// When its worst case was reserved.
    pub reserved_at: Timestamp,
    /// When its exchange ended: its settle, its release, or that it was declared unknown.
    pub ended_at: Timestamp,
    /// The ledger's day of that.
    pub day: Date,
    /// Until when its charge may appear.
    pub until: Timestamp,
    /// Its worst case.
    pub max: NanoUsd,
    /// What was booked for it, adjustments by reconciliation included.
    pub committed: NanoUsd,
    late_ms: u64,
}

impl Attempt {
    /// What is held for it.
    pub fn held(&self) -> NanoUsd {
        match self.outcome {
            Outcome::Held | Outcome::Unknown => self.max,
            Outcome::Settled | Outcome::Released | Outcome::Resolved | Outcome::Adjusted => {
                NanoUsd::ZERO
            }
        }
    }
}

impl Books {
    /// Takes in the next record, in the order of the ledger.
    pub fn fold(&mut self, record: &Record) {
        match &record.kind {
            RecordKind::Open(open) => {
                open.limits.iter().for_each(|limit| self.limit(record.day, limit));
                open.carry.iter().for_each(|carry| self.carried(carry));
            }
            RecordKind::Limit(limit) => self.limit(record.day, limit),
            RecordKind::Reserve(reserve) => self.add(reserved(record, reserve)),
            RecordKind::Ack(ack) => self.change(ack.rid, |attempt| {
                attempt.provider_ids.push(Arc::clone(&ack.provider_id));
            }),
            RecordKind::Settle(settle) => self.change(settle.rid, |attempt| {
                attempt.ends(record, Outcome::Settled, settle.source.word());
                attempt.committed = settle.amount;
                let id = settle.provider_id.iter();
                attempt.provider_ids.extend(id.map(Arc::clone));
                attempt.provider_ids.sort_unstable();
                attempt.provider_ids.dedup();
            }),
            RecordKind::Release(release) => self.change(release.rid, |attempt| {
                attempt.ends(record, Outcome::Released, release.evidence.word());
            }),
            RecordKind::Unknown(unknown) => self.change(unknown.rid, |attempt| {
                attempt.ends(record, Outcome::Unknown, unknown.late.class.word());
                attempt.until = unknown.late.until;
            }),
            // It was cleared up later: its money stays on the day of the attempt.
            RecordKind::Resolve(resolve) => self.change(resolve.rid, |attempt| {
                (attempt.outcome, attempt.note) = (Outcome::Resolved, Some(resolve.basis.word()));
                attempt.committed = resolve.amount;
            }),
            RecordKind::Adjust(adjust) => self.adjust(adjust),
            RecordKind::Overrun(_)
            | RecordKind::Check(_)
            | RecordKind::Roll(_)
            | RecordKind::Close(_)
            | RecordKind::Repair(_)
            | RecordKind::Unrecognized(_) => {}
        }
    }

    /// Takes as unknown what dead processes left under way, although no record says so yet.
    pub fn lose(&mut self, is_alive: impl Fn(OwnerId) -> bool) {
        let under_way = |attempt: &&mut Attempt| attempt.outcome == Outcome::Held;
        for attempt in self.attempts.iter_mut().filter(under_way) {
            if !is_alive(attempt.owner) {
                attempt.outcome = Outcome::Unknown;
                attempt.note = Some(UnknownClass::Lost.word());
            }
        }
    }

    /// The attempts, in the order of their reserves.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// One attempt.
    pub fn attempt(&self, rid: AttemptId) -> Option<&Attempt> {
        self.attempts.get(self.position(rid)?)
    }

    /// Those changes whose attempts are still as they were in `earlier`.
    pub fn still_meant(&self, earlier: &Self, changes: &[Change]) -> Vec<Change> {
        let is_same = |change: &&Change| {
            let now = self.attempt(change.rid());
            now.is_some() && now == earlier.attempt(change.rid())
        };
        changes.iter().filter(is_same).cloned().collect()
    }

    /// Where an attempt stands among them.
    pub(super) fn position(&self, rid: AttemptId) -> Option<usize> {
        self.index.get(&rid).copied()
    }

    /// Differences that people booked: day, run and amount.
    pub(super) fn by_hand(&self) -> &[(Date, Option<RunId>, NanoUsd)] {
        &self.by_hand
    }

    /// The limit that was in force at the end of a day.
    pub fn limit_on(&self, day: Date) -> Option<NanoUsd> {
        self.limits.range(..=day).next_back().map(|(_, limit)| *limit)
    }

    fn limit(&mut self, day: Date, limit: &Limit) {
        if limit.scope == LimitScope::Day {
            self.limits.insert(day, limit.value);
        }
    }

    /// An attempt whose reserve stands in a segment that is not there any more.
    fn carried(&mut self, carry: &Carry) {
        if self.index.contains_key(&carry.rid) {
            return;
        }
        let hold = &carry.hold;
        let end = late_until(hold.time, hold.timeout_ms);
        self.add(Attempt {
            rid: carry.rid,
            run: hold.run,
            owner: hold.owner,
            provider: None,
            model: None,
            provider_ids: Vec::new(),
            outcome: if hold.unknown.is_some() { Outcome::Unknown } else { Outcome::Held },
            note: hold.unknown.map(|late| late.class.word()),
            reserved_at: hold.time,
            ended_at: end,
            day: hold.day,
            until: hold.unknown.map_or_else(|| late_until(end, hold.late_ms), |late| late.until),
            max: hold.max,
            committed: NanoUsd::ZERO,
            late_ms: hold.late_ms,
        });
    }

    fn add(&mut self, attempt: Attempt) {
        self.index.insert(attempt.rid, self.attempts.len());
        self.attempts.push(attempt);
    }

    fn change(&mut self, rid: AttemptId, change: impl FnOnce(&mut Attempt)) {
        if let Some(attempt) = self.index.get(&rid).and_then(|at| self.attempts.get_mut(*at)) {
            change(attempt);
        }
    }

    fn adjust(&mut self, adjust: &Adjust) {
        match adjusted_attempt(&adjust.why).filter(|rid| self.index.contains_key(rid)) {
            Some(rid) => self.change(rid, |attempt| {
                attempt.committed = attempt.committed.saturating_add(adjust.amount);
            }),
            None => self.by_hand.push((adjust.on, adjust.run, adjust.amount)),
        }
    }
}

impl Attempt {
    fn ends(&mut self, record: &Record, outcome: Outcome, note: &'static str) {
        (self.outcome, self.note) = (outcome, Some(note));
        (self.ended_at, self.day) = (record.time, record.day);
        self.until = late_until(record.time, self.late_ms);
    }
}

fn reserved(record: &Record, reserve: &Reserve) -> Attempt {
    let end = late_until(record.time, reserve.timeout_ms);
    Attempt {
        rid: reserve.rid,
        run: reserve.run,
        owner: reserve.owner,
        provider: Some(Arc::clone(&reserve.provider)),
        model: Some(Arc::clone(&reserve.model)),
        provider_ids: Vec::new(),
        outcome: Outcome::Held,
        note: None,
        reserved_at: record.time,
        ended_at: end,
        day: record.day,
        until: late_until(end, reserve.late_ms),
        max: reserve.max,
        committed: NanoUsd::ZERO,
        late_ms: reserve.late_ms,
    }
}

/// Why something is written: the attempt first, so that the next reconciliation finds it, then the
/// provider's name for it and where the export says so.
pub(super) fn reason(rid: AttemptId, provider_id: &str, file: &str, place: &str) -> String {
    format!("{MARK}{rid} {provider_id} {file} {place}")
}

/// The attempt that an adjustment of an earlier reconciliation belongs to.
fn adjusted_attempt(why: &str) -> Option<AttemptId> {
    why.strip_prefix(MARK)?.get(..ID_LETTERS)?.parse().ok()
}
