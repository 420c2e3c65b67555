//! How each record changes the state. The same rules hold when a record is written and when it is
//! read back.

use std::sync::Arc;

use jiff::civil::Date;

use crate::domain::ids::{AttemptId, RunId};
use crate::domain::ledger::record::{
    Adjust, Carry, Hold, Late, Limit, Open, Record, RecordKind, Reserve, RunTotals, SegmentName,
    Totals,
};
use crate::domain::ledger::state::{Identity, LedgerState, Violation, is_remembered};
use crate::domain::ledger::weights::{Weights, add, take};
use crate::domain::ledger::words::OpenReason;
use crate::domain::money::NanoUsd;

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
                self.end(record, settle.rid, settle.amount, |sum| sum.settles += 1)?;
            }
            RecordKind::Release(release) => {
                let rid = release.rid;
                if self.open.get(&rid).is_some_and(|hold| hold.unknown.is_some()) {
                    return Err(Violation::IsUnknown(rid));
                }
                self.end(record, rid, NanoUsd::ZERO, |sum| sum.releases += 1)?;
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
                self.end(record, rid, resolve.amount, |sum| {
                    *(if free { &mut sum.releases } else { &mut sum.settles }) += 1;
                })?;
            }
            RecordKind::Overrun(overrun) => {
                self.counts.overruns += 1;
                self.run_mut(overrun.run, record.day).overruns += 1;
            }
            RecordKind::Adjust(adjust) => self.fold_adjust(record, adjust)?,
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
        self.latest = self.latest.max(record.time);
        Ok(())
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
        let fresh = Self::from_open(record, open)?;
        if let Some(previous) = self.segment {
            if open.previous != Some(previous) || self.expected_segment(open) != open.segment {
                return Err(Violation::Segment("its name or the name before it is another one"));
            }
            if self.identity != fresh.identity {
                return Err(Violation::Segment("it belongs to another ledger"));
            }
            self.runs.retain(|_, totals| is_remembered(totals, record.day));
            let agrees = self.is_carried_as(open)
                && self.limits == fresh.limits
                && self.runs == fresh.runs
                && self.totals_on(record.day) == fresh.today();
            self.expect_sums("open", agrees)?;
        }
        *self = fresh;
        Ok(())
    }

    /// Whether `open` carries what is held here. One that was written before there were limits per
    /// model names no models.
    fn is_carried_as(&self, open: &Open) -> bool {
        let agrees = |(carry, (rid, hold)): (&Carry, (&AttemptId, &Hold))| {
            let model = if open.detail.is_some() { hold.model.clone() } else { None };
            carry.rid == *rid && carry.hold == Hold { model, ..hold.clone() }
        };
        open.carry.len() == self.open.len()
            && open.carry.iter().zip(&self.open).all(agrees)
            && open.detail.as_ref().is_none_or(|detail| *detail == self.detail(open.segment.day))
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

    fn from_open(record: &Record, open: &Open) -> Result<Self, Violation> {
        let mut state = Self {
            identity: Some(Identity {
                ledger: open.ledger,
                zone: Arc::clone(&open.zone),
                money: open.money,
            }),
            segment: Some(open.segment),
            limits: open.limits.clone(),
            counts: Totals::default().counted_as(&open.today),
            runs: open.runs.iter().map(|totals| (totals.run, *totals)).collect(),
            ..Self::default()
        };
        for Carry { rid, hold } in &open.carry {
            state.all.carry(hold)?;
            state.weights_of(hold.model.as_ref()).carry(hold)?;
            if let Some(late) = &hold.unknown {
                state.window.hold_late(hold.max, late)?;
            }
            if state.open.insert(*rid, hold.clone()).is_some() {
                return Err(Violation::ReservedTwice(*rid));
            }
        }
        state.take_spent(record, open)?;
        state.expect_sums("open", state.today() == open.today)?;
        Ok(state)
    }

    /// What is spent already: of the day, by model, and in the last 24 hours. Without detail it
    /// weighs on every model, and as if it were spent just now.
    fn take_spent(&mut self, record: &Record, open: &Open) -> Result<(), Violation> {
        let settled = open.today.settled;
        add(&mut self.all.settled, settled)?;
        add(&mut self.any_model.settled, settled)?;
        let Some(detail) = &open.detail else {
            return self.window.spend(record.time, settled);
        };
        for spent in &detail.models {
            take(&mut self.any_model.settled, spent.settled)?;
            add(&mut self.weights_of(Some(&spent.model)).settled, spent.settled)?;
        }
        self.latest = detail.latest;
        self.window.take_parts(&detail.window)
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
            model: Some(Arc::clone(&reserve.model)),
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
        self.all.reserve(reserve.max)?;
        self.weights_of(Some(&reserve.model)).reserve(reserve.max)?;
        self.counts.attempts += 1;
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
        let (run, max, model) = (hold.run, hold.max, hold.model.clone());
        self.all.declare(max, &late)?;
        self.weights_of(model.as_ref()).declare(max, &late)?;
        self.window.hold_late(max, &late)?;
        self.counts.unknowns += 1;
        let run = self.run_mut(run, day);
        take(&mut run.reserved, max)?;
        add(&mut run.unknown, max)?;
        run.unknowns += 1;
        Ok(())
    }

    /// Ends an attempt: its weight becomes `amount` on every day that its interval meets.
    fn end(
        &mut self,
        record: &Record,
        rid: AttemptId,
        amount: NanoUsd,
        count: impl Fn(&mut Totals),
    ) -> Result<(), Violation> {
        if amount.is_negative() {
            return Err(Violation::Negative(rid));
        }
        let hold = self.open.remove(&rid).ok_or(Violation::NotOpen(rid))?;
        self.all.end(record.day, &hold, amount)?;
        self.weights_of(hold.model.as_ref()).end(record.day, &hold, amount)?;
        self.window.end(self.latest.max(record.time), &hold, amount)?;
        count(&mut self.counts);
        let run = self.run_mut(hold.run, record.day);
        let held = if hold.unknown.is_none() { &mut run.reserved } else { &mut run.unknown };
        take(held, hold.max)?;
        add(&mut run.settled, amount)?;
        count(run);
        Ok(())
    }

    /// A difference belongs to its day, to its run when that is known, and to no model. To the
    /// last 24 hours belongs what may lie in them: more money of yesterday, but not less.
    fn fold_adjust(&mut self, record: &Record, adjust: &Adjust) -> Result<(), Violation> {
        let is_today = adjust.on == record.day;
        let was_yesterday = adjust.on.tomorrow().is_ok_and(|next| next == record.day);
        if is_today {
            add(&mut self.all.settled, adjust.amount)?;
            add(&mut self.any_model.settled, adjust.amount)?;
        }
        if is_today || (was_yesterday && !adjust.amount.is_negative()) {
            self.window.spend(self.latest.max(record.time), adjust.amount)?;
        }
        if let Some(run) = adjust.run {
            add(&mut self.run_mut(run, record.day).settled, adjust.amount)?;
        }
        Ok(())
    }

    fn weights_of(&mut self, model: Option<&Arc<str>>) -> &mut Weights {
        match model {
            Some(model) => self.models.entry(Arc::clone(model)).or_default(),
            None => &mut self.any_model,
        }
    }

    fn run_mut(&mut self, run: RunId, day: Date) -> &mut Totals {
        let new = RunTotals { run, last: day, sum: Totals::default() };
        let totals = self.runs.entry(run).or_insert(new);
        totals.last = day;
        &mut totals.sum
    }
}
