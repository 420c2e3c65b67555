//! What the records add up to: open attempts, and flat sums for the rest.
//!
//! Folding a record asserts the same rules when it is written and when it is read back.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::domain::ids::{AttemptId, RunId};
use crate::domain::ledger::line::state_hash;
use crate::domain::ledger::record::{
    Carry, Hold, Late, LedgerId, Limit, LimitScope, LineHash, Open, OwnerId, Record, RecordKind,
    Reserve, RunTotals, SegmentName, Totals,
};
use crate::domain::ledger::words::{Money, OpenReason};
use crate::domain::money::NanoUsd;

/// A run that was quiet for this many days leaves the totals that new segments carry.
pub const RUN_MEMORY_DAYS: i32 = 62;

/// The state of a ledger after a sequence of records.
#[derive(Clone, Debug, Default)]
pub struct LedgerState {
    identity: Option<Identity>,
    seq: u64,
    /// Lines of the segment so far.
    lines: u64,
    segment: Option<SegmentName>,
    /// The segment ended with a roll to this one; only its open may follow.
    rolled_to: Option<SegmentName>,
    limits: Vec<Limit>,
    open: BTreeMap<AttemptId, Hold>,
    /// Totals of the segment's day; what is held stands in the two sums below.
    today: Totals,
    runs: BTreeMap<RunId, RunTotals>,
    /// Worst cases of every attempt under way.
    reserved: NanoUsd,
    /// Money of unknown attempts by the last day that they weigh on.
    late: BTreeMap<Date, NanoUsd>,
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
    /// Takes in the next record.
    ///
    /// # Errors
    /// When the record breaks a rule; the state is then undefined and must not be used.
    pub fn fold(&mut self, record: &Record) -> Result<(), Violation> {
        self.expect_place(record)?;
        match &record.kind {
            RecordKind::Open(open) => self.fold_open(record, open)?,
            RecordKind::Limit(limit) => self.fold_limit(limit),
            RecordKind::Reserve(reserve) => self.fold_reserve(record, reserve)?,
            RecordKind::Ack(ack) => {
                self.open.get(&ack.rid).ok_or(Violation::NotOpen(ack.rid))?;
            }
            RecordKind::Settle(settle) => {
                self.end(record.day, settle.rid, settle.amount, |sum| sum.settles += 1)?;
            }
            RecordKind::Release(release) => {
                let rid = release.rid;
                if self.open.get(&rid).is_some_and(|hold| hold.unknown.is_some()) {
                    return Err(Violation::IsUnknown(rid));
                }
                self.end(record.day, rid, NanoUsd::ZERO, |sum| sum.releases += 1)?;
            }
            RecordKind::Unknown(unknown) => {
                self.declare_unknown(record.day, unknown.rid, unknown.late)?;
            }
            RecordKind::Resolve(resolve) => {
                let rid = resolve.rid;
                if self.open.get(&rid).is_some_and(|hold| hold.unknown.is_none()) {
                    return Err(Violation::NotUnknown(rid));
                }
                let free = resolve.amount == NanoUsd::ZERO;
                self.end(record.day, rid, resolve.amount, |sum| {
                    *(if free { &mut sum.releases } else { &mut sum.settles }) += 1;
                })?;
            }
            RecordKind::Overrun(overrun) => {
                self.today.overruns += 1;
                self.run_mut(overrun.run, record.day).overruns += 1;
            }
            RecordKind::Adjust(adjust) => {
                if adjust.on == record.day {
                    add(&mut self.today.settled, adjust.amount)?;
                }
                if let Some(run) = adjust.run {
                    add(&mut self.run_mut(run, record.day).settled, adjust.amount)?;
                }
            }
            RecordKind::Check(check) => {
                let agrees = check.lines == self.lines
                    && check.today == self.today()
                    && check.state == self.hash();
                self.expect_sums("check", agrees)?;
            }
            RecordKind::Roll(roll) => {
                let agrees = roll.lines == self.lines && roll.today == self.today();
                self.expect_sums("roll", agrees)?;
                let segment =
                    self.segment.filter(|segment| segment.next(roll.next.day) == roll.next);
                if segment.is_none_or(|segment| roll.next.day < segment.day) {
                    return Err(Violation::Segment("it rolls to a name that cannot follow"));
                }
                self.rolled_to = Some(roll.next);
            }
            RecordKind::Close(close) => {
                let agrees = close.lines == self.lines && close.today == self.today();
                self.expect_sums("close", agrees)?;
            }
            RecordKind::Repair(_) | RecordKind::Unrecognized(_) => {}
        }
        self.seq = record.seq;
        self.lines += 1;
        Ok(())
    }

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
        self.limits.iter().find(|limit| limit.scope == LimitScope::Day)
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
        let is_later = self.segment.is_some_and(|segment| segment.day < day);
        let spent = if is_later { Totals::default() } else { self.today };
        let late = self.late.range(day..).map(|(_, amount)| *amount);
        let unknown = late.fold(NanoUsd::ZERO, NanoUsd::saturating_add);
        Totals { reserved: self.reserved, unknown, ..spent }
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
        })
    }

    fn carry(&self) -> Vec<Carry> {
        self.open.iter().map(|(rid, hold)| Carry { rid: *rid, hold: *hold }).collect()
    }

    /// The record continues the numbers, and stands in the segment of its day.
    fn expect_place(&self, record: &Record) -> Result<(), Violation> {
        let is_open = matches!(record.kind, RecordKind::Open(_));
        if self.segment.is_some() && record.seq != self.seq + 1 {
            return Err(Violation::Sequence { expected: self.seq + 1, found: record.seq });
        }
        if !is_open {
            if self.rolled_to.is_some() || self.segment.is_none() {
                return Err(Violation::Segment("a record stands outside of a segment"));
            }
            if self.segment.map(|segment| segment.day) != Some(record.day) {
                return Err(Violation::Day { segment: self.segment, found: record.day });
            }
        }
        Ok(())
    }

    fn expect_sums(&self, kind: &'static str, agrees: bool) -> Result<(), Violation> {
        if agrees { Ok(()) } else { Err(Violation::Sums(kind)) }
    }

    /// A reader that starts here takes the state from the record; another one compares.
    fn fold_open(&mut self, record: &Record, open: &Open) -> Result<(), Violation> {
        if open.segment.day != record.day {
            return Err(Violation::Day { segment: Some(open.segment), found: record.day });
        }
        let fresh = Self::from_open(open)?;
        if let Some(previous) = self.segment {
            if open.previous != Some(previous) || self.expected_segment(open) != open.segment {
                return Err(Violation::Segment("its name or the name before it is another one"));
            }
            if self.identity != fresh.identity {
                return Err(Violation::Segment("it belongs to another ledger"));
            }
            self.runs.retain(|_, totals| is_remembered(totals, record.day));
            let agrees = self.open == fresh.open
                && self.limits == fresh.limits
                && self.runs == fresh.runs
                && self.totals_on(record.day) == fresh.today();
            self.expect_sums("open", agrees)?;
        }
        *self = fresh;
        Ok(())
    }

    /// A roll names the next segment; only after a sync error does one follow without a roll.
    fn expected_segment(&self, open: &Open) -> SegmentName {
        let previous = self.segment.unwrap_or(open.segment);
        match self.rolled_to {
            Some(next) => next,
            None if open.reason == OpenReason::SyncError => previous.next(previous.day),
            None => previous,
        }
    }

    fn from_open(open: &Open) -> Result<Self, Violation> {
        let mut state = Self {
            identity: Some(Identity {
                ledger: open.ledger,
                zone: Arc::clone(&open.zone),
                money: open.money,
            }),
            segment: Some(open.segment),
            limits: open.limits.clone(),
            today: Totals { reserved: NanoUsd::ZERO, unknown: NanoUsd::ZERO, ..open.today },
            runs: open.runs.iter().map(|totals| (totals.run, *totals)).collect(),
            ..Self::default()
        };
        for Carry { rid, hold } in &open.carry {
            match hold.unknown {
                None => add(&mut state.reserved, hold.max)?,
                Some(late) => add(state.late.entry(late.last_day).or_default(), hold.max)?,
            }
            if state.open.insert(*rid, *hold).is_some() {
                return Err(Violation::ReservedTwice(*rid));
            }
        }
        state.expect_sums("open", state.today() == open.today)?;
        Ok(state)
    }

    fn fold_limit(&mut self, limit: &Limit) {
        match self.limits.iter_mut().find(|known| known.scope == limit.scope) {
            Some(known) => known.clone_from(limit),
            None => self.limits.push(limit.clone()),
        }
    }

    fn fold_reserve(&mut self, record: &Record, reserve: &Reserve) -> Result<(), Violation> {
        if reserve.max.is_negative() {
            return Err(Violation::Negative(reserve.rid));
        }
        let hold = Hold {
            run: reserve.run,
            owner: reserve.owner,
            max: reserve.max,
            day: record.day,
            time: record.time,
            timeout_ms: reserve.timeout_ms,
            late_ms: reserve.late_ms,
            unknown: None,
        };
        if self.open.insert(reserve.rid, hold).is_some() {
            return Err(Violation::ReservedTwice(reserve.rid));
        }
        add(&mut self.reserved, reserve.max)?;
        self.today.attempts += 1;
        let run = self.run_mut(reserve.run, record.day);
        add(&mut run.reserved, reserve.max)?;
        run.attempts += 1;
        Ok(())
    }

    fn declare_unknown(&mut self, day: Date, rid: AttemptId, late: Late) -> Result<(), Violation> {
        let hold = self.open.get_mut(&rid).ok_or(Violation::NotOpen(rid))?;
        if hold.unknown.is_some() {
            return Err(Violation::IsUnknown(rid));
        }
        hold.unknown = Some(late);
        let (run, max) = (hold.run, hold.max);
        take(&mut self.reserved, max)?;
        add(self.late.entry(late.last_day).or_default(), max)?;
        self.today.unknowns += 1;
        let run = self.run_mut(run, day);
        take(&mut run.reserved, max)?;
        add(&mut run.unknown, max)?;
        run.unknowns += 1;
        Ok(())
    }

    /// Ends an attempt: its weight becomes `amount` on every day that its interval meets.
    fn end(
        &mut self,
        day: Date,
        rid: AttemptId,
        amount: NanoUsd,
        count: impl Fn(&mut Totals),
    ) -> Result<(), Violation> {
        if amount.is_negative() {
            return Err(Violation::Negative(rid));
        }
        let hold = self.open.remove(&rid).ok_or(Violation::NotOpen(rid))?;
        let mut meets_today = true;
        match hold.unknown {
            None => take(&mut self.reserved, hold.max)?,
            Some(late) => {
                // A charge appears until then at the latest, so a later day is not met.
                meets_today = late.last_day >= day;
                let sum = self.late.entry(late.last_day).or_default();
                take(sum, hold.max)?;
                if *sum == NanoUsd::ZERO {
                    self.late.remove(&late.last_day);
                }
            }
        }
        if meets_today {
            add(&mut self.today.settled, amount)?;
        }
        count(&mut self.today);
        let run = self.run_mut(hold.run, day);
        let held = if hold.unknown.is_none() { &mut run.reserved } else { &mut run.unknown };
        take(held, hold.max)?;
        add(&mut run.settled, amount)?;
        count(run);
        Ok(())
    }

    fn run_mut(&mut self, run: RunId, day: Date) -> &mut Totals {
        let new = RunTotals { run, last: day, sum: Totals::default() };
        let totals = self.runs.entry(run).or_insert(new);
        totals.last = day;
        &mut totals.sum
    }
}

/// Whether a run is carried into a segment of `day`: it holds money, or was active lately.
fn is_remembered(totals: &RunTotals, day: Date) -> bool {
    let quiet = day.since(totals.last).map_or(0, |span| span.get_days());
    totals.sum.reserved != NanoUsd::ZERO
        || totals.sum.unknown != NanoUsd::ZERO
        || quiet <= RUN_MEMORY_DAYS
}

fn add(sum: &mut NanoUsd, amount: NanoUsd) -> Result<(), Violation> {
    *sum = sum.checked_add(amount).ok_or(Violation::Overflow)?;
    Ok(())
}

fn take(sum: &mut NanoUsd, amount: NanoUsd) -> Result<(), Violation> {
    *sum = sum.checked_sub(amount).ok_or(Violation::Overflow)?;
    Ok(())
}

/// The moment until which an unknown weighs: `from` plus the time a charge may take to appear.
pub fn late_until(from: Timestamp, late_ms: u64) -> Timestamp {
    let late = jiff::SignedDuration::from_millis(i64::try_from(late_ms).unwrap_or(i64::MAX));
    from.saturating_add(late).unwrap_or(Timestamp::MAX)
}
