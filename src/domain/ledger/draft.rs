//! The records of one group under construction: in which segment they stand, and which record an
//! event becomes. Every record is folded as it is made, by the rules by which it will be read.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::domain::ids::AttemptId;
use crate::domain::ledger::founding::to_microseconds;
use crate::domain::ledger::record::{
    Checkpoint, Close, Hold, Late, Overrun, OwnerId, Record, RecordKind, Release, Repair, Resolve,
    Roll, Settle, Unknown,
};
use crate::domain::ledger::state::{LedgerState, Violation, late_until};
use crate::domain::ledger::words::{OpenReason, UnknownClass};
use crate::domain::money::NanoUsd;

/// A writer's view of the ledger, and the records that it is about to append.
#[derive(Debug)]
pub struct Draft {
    owner: OwnerId,
    zone: TimeZone,
    tool: Arc<str>,
    state: LedgerState,
    time: Timestamp,
    day: Date,
    records: Vec<Record>,
}

/// A record that breaks a rule, by its number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record with sequence number {seq} breaks the ledger's rules")]
pub struct BrokenRule {
    /// The number of the record.
    pub seq: u64,
    /// The rule.
    #[source]
    pub source: Violation,
}

/// What became of an event: its record was made, or there was no hold that it could change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Booked {
    /// Its record is part of the draft.
    Written,
    /// Someone else ended the attempt, or it never was reserved; nothing was written.
    Misfit,
}

impl Draft {
    /// A view of a ledger of which nothing has been read yet.
    pub fn new(owner: OwnerId, zone: TimeZone, tool: Arc<str>) -> Self {
        let state = LedgerState::default();
        let (time, day, records) = (Timestamp::default(), Date::default(), Vec::new());
        Self { owner, zone, tool, state, time, day, records }
    }

    /// What all records add up to, those of the draft included.
    pub fn state(&self) -> &LedgerState {
        &self.state
    }

    /// The moment of the group.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// The day of the group.
    pub fn day(&self) -> Date {
        self.day
    }

    /// The records that wait for their commit.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The records are kept; the next group starts empty.
    pub fn committed(&mut self) {
        self.records.clear();
    }

    /// Takes in what was appended by others.
    ///
    /// # Errors
    /// When a record breaks a rule.
    pub fn catch_up(&mut self, records: &[Record]) -> Result<(), BrokenRule> {
        let broken = |record: &Record, source| BrokenRule { seq: record.seq, source };
        records
            .iter()
            .try_for_each(|record| self.state.fold(record).map_err(|rule| broken(record, rule)))
    }

    /// Starts a group at `now`: moves to the segment of the day, and notes a repair.
    ///
    /// # Errors
    /// When no segment was read before.
    pub fn start(
        &mut self,
        now: Timestamp,
        repair: Option<Repair>,
        new_segment: Option<OpenReason>,
    ) -> Result<(), BrokenRule> {
        self.time = to_microseconds(now);
        self.day = self.state.segment().map(|segment| segment.day).unwrap_or_default();
        if let Some(next) = self.state.rolled_to() {
            // Whoever rolled did not come to open it, perhaps because the roll was not synced.
            self.day = next.day;
            let after_error = new_segment.filter(|reason| *reason == OpenReason::SyncError);
            self.open_segment(after_error.unwrap_or(OpenReason::Day))?;
        } else if new_segment == Some(OpenReason::SyncError) {
            // The old segment takes no line any more, not even a roll.
            self.open_segment(OpenReason::SyncError)?;
        }
        // A clock that goes back does not open an old day again.
        let today = self.zone.to_datetime(self.time).date().max(self.day);
        let is_full = new_segment == Some(OpenReason::Size) && self.records.is_empty();
        if today > self.day || is_full {
            let reason = if today > self.day { OpenReason::Day } else { OpenReason::Size };
            self.roll(today)?;
            self.day = today;
            self.open_segment(reason)?;
        }
        repair.map_or(Ok(()), |repair| self.push(RecordKind::Repair(Box::new(repair))))
    }

    /// Makes the next record.
    ///
    /// # Errors
    /// When it breaks a rule.
    pub fn push(&mut self, kind: RecordKind) -> Result<(), BrokenRule> {
        let record = Record { seq: self.state.seq() + 1, time: self.time, day: self.day, kind };
        self.state.fold(&record).map_err(|source| BrokenRule { seq: record.seq, source })?;
        self.records.push(record);
        Ok(())
    }

    /// Ends an attempt with a cost; one above its worst case is noted as an overrun too.
    ///
    /// # Errors
    /// When the sums overflow.
    pub fn settle(&mut self, settle: Settle) -> Result<Booked, BrokenRule> {
        let (rid, amount) = (settle.rid, settle.amount);
        let Some(hold) = self.state.hold(rid).cloned().filter(|_| !amount.is_negative()) else {
            return Ok(Booked::Misfit);
        };
        self.push(RecordKind::Settle(settle))?;
        self.note_overrun(rid, &hold, amount)?;
        Ok(Booked::Written)
    }

    /// Ends an unknown attempt with what it cost; zero when it was not billed. A cost above its
    /// worst case is noted as an overrun too.
    ///
    /// # Errors
    /// When the sums overflow.
    pub fn resolve(&mut self, resolve: Resolve) -> Result<Booked, BrokenRule> {
        let (rid, amount) = (resolve.rid, resolve.amount);
        let unknown = self.state.hold(rid).cloned().filter(|hold| hold.unknown.is_some());
        let Some(hold) = unknown.filter(|_| !amount.is_negative()) else {
            return Ok(Booked::Misfit);
        };
        self.push(RecordKind::Resolve(Box::new(resolve)))?;
        self.note_overrun(rid, &hold, amount)?;
        Ok(Booked::Written)
    }

    fn note_overrun(
        &mut self,
        rid: AttemptId,
        hold: &Hold,
        amount: NanoUsd,
    ) -> Result<(), BrokenRule> {
        if amount <= hold.max {
            return Ok(());
        }
        let overrun = Overrun { rid, run: hold.run, amount, max: hold.max };
        self.push(RecordKind::Overrun(overrun))
    }

    /// Ends an attempt without a cost; one that is unknown keeps its hold.
    ///
    /// # Errors
    /// Never by the rules; a record that breaks one is not written.
    pub fn release(&mut self, release: Release) -> Result<Booked, BrokenRule> {
        if self.state.hold(release.rid).is_none_or(|hold| hold.unknown.is_some()) {
            return Ok(Booked::Misfit);
        }
        self.push(RecordKind::Release(release))?;
        Ok(Booked::Written)
    }

    /// Declares an attempt unknown. A loss is dated back to the end of its request; everything
    /// else counts from now.
    ///
    /// # Errors
    /// When the sums overflow.
    pub fn unknown(&mut self, rid: AttemptId, class: UnknownClass) -> Result<Booked, BrokenRule> {
        let Some(hold) = self.state.hold(rid).cloned().filter(|hold| hold.unknown.is_none()) else {
            return Ok(Booked::Misfit);
        };
        let from = match class {
            UnknownClass::Lost => late_until(hold.time, hold.timeout_ms),
            UnknownClass::Timeout
            | UnknownClass::Reset
            | UnknownClass::ServerError
            | UnknownClass::BadBody
            | UnknownClass::Denied
            | UnknownClass::Unexpected
            | UnknownClass::Refusal
            | UnknownClass::Left => self.time,
        };
        let until = late_until(from, hold.late_ms);
        // The ledger's day may be ahead of a clock that went back, so it may not fall below that of
        // the reserve; and what is declared today weighs today, unless it was lost long ago.
        let least = if class == UnknownClass::Lost { hold.day } else { self.day };
        let last_day = self.zone.to_datetime(until).date().max(least);
        let late = Late { class, until, last_day };
        self.push(RecordKind::Unknown(Unknown { rid, late }))?;
        Ok(Booked::Written)
    }

    /// Declares unknown what dead processes left under way.
    ///
    /// # Errors
    /// When the sums overflow.
    pub fn lose(&mut self, dead: &[OwnerId]) -> Result<(), BrokenRule> {
        for rid in self.under_way(|hold| dead.contains(&hold.owner)) {
            self.unknown(rid, UnknownClass::Lost)?;
        }
        Ok(())
    }

    /// The other processes that have attempts under way.
    pub fn other_owners(&self) -> Vec<OwnerId> {
        let under_way = self.state.holds().filter(|(_, hold)| hold.unknown.is_none());
        let others = under_way.map(|(_, hold)| hold.owner).filter(|owner| *owner != self.owner);
        let mut owners: Vec<OwnerId> = others.collect();
        owners.sort_unstable();
        owners.dedup();
        owners
    }

    /// Ends this process's part: what it has under way is unknown. Returns those attempts.
    ///
    /// # Errors
    /// When the sums overflow.
    pub fn leave(&mut self) -> Result<Vec<AttemptId>, BrokenRule> {
        let owner = self.owner;
        let left = self.under_way(|hold| hold.owner == owner);
        for rid in &left {
            self.unknown(*rid, UnknownClass::Left)?;
        }
        let (lines, today) = (self.state.lines(), self.state.today());
        self.push(RecordKind::Close(Box::new(Close { owner, lines, today })))?;
        Ok(left)
    }

    /// Notes the sums, for every reader to compare.
    ///
    /// # Errors
    /// Never by the rules; a record that breaks one is not written.
    pub fn check(&mut self) -> Result<(), BrokenRule> {
        let (lines, today) = (self.state.lines(), self.state.today());
        let state = self.state.hash();
        self.push(RecordKind::Check(Box::new(Checkpoint { lines, today, state })))
    }

    fn under_way(&self, is_meant: impl Fn(&Hold) -> bool) -> Vec<AttemptId> {
        let is_meant = |hold: &Hold| hold.unknown.is_none() && is_meant(hold);
        self.state.holds().filter(|(_, hold)| is_meant(hold)).map(|(rid, _)| rid).collect()
    }

    fn roll(&mut self, day: Date) -> Result<(), BrokenRule> {
        let outside = Violation::Segment("a record stands outside of a segment");
        let broken = BrokenRule { seq: self.state.seq(), source: outside };
        let next = self.state.segment().ok_or(broken)?.next(day);
        let (lines, today) = (self.state.lines(), self.state.today());
        self.push(RecordKind::Roll(Box::new(Roll { lines, next, today })))
    }

    fn open_segment(&mut self, reason: OpenReason) -> Result<(), BrokenRule> {
        let open = self.state.next_open(self.day, reason, self.owner, Arc::clone(&self.tool));
        let open = open.expect("a segment was read before another one is opened");
        self.push(RecordKind::Open(Box::new(open)))
    }
}
