//! Reading a ledger without writing to it: the summary, what became of every attempt, and the
//! records of one run.
//!
//! Readers take no lock. A line that is being written just now looks torn, and is tolerated.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::adapters::ledger::directory::{Description, expect_zone, read_description, zone_of};
use crate::adapters::ledger::files::{io_error, is_alive};
use crate::adapters::ledger::segment::DiskFolder;
use crate::adapters::ledger::tail::expect_kept;
use crate::domain::history::RunAttempts;
use crate::domain::ids::{AttemptId, RunId};
use crate::domain::ledger::entries::Entries;
use crate::domain::ledger::reading::{Held, LimitUse, Shown, Summary};
use crate::domain::ledger::reconcile::Books;
use crate::domain::ledger::scan::{Position, Tail, scan, starts_anew};
use crate::domain::ledger::{
    BrokenRule, LedgerState, LimitOrigin, LimitScope, Record, RecordKind, SegmentName, UnknownClass,
};
use crate::domain::money::NanoUsd;
use crate::ports::ledger::{SegmentFolder, StoreError};

/// The totals of the ledger's day at `now`.
///
/// # Errors
/// When there is no ledger, or its newest segment cannot be trusted.
pub fn summary(root: &Path, now: Timestamp) -> Result<Summary, StoreError> {
    let description = described(root)?;
    let (state, torn_tail) = newest_state(root, &description)?;
    let zone = zone_of(root, &description)?;
    let written = state.segment().map(|segment| segment.day).unwrap_or_default();
    let day = zone.to_datetime(now).date().max(written);
    let totals = state.totals_on(day);
    let limit = state.limit_per_day();
    let held = state.holds().map(|(rid, hold)| {
        let lost = hold.unknown.is_none() && !is_alive(root, hold.owner);
        Held {
            rid,
            run: hold.run,
            max: hold.max,
            reserved_at: hold.time,
            unknown: hold.unknown.map(|late| late.class).or(lost.then_some(UnknownClass::Lost)),
            last_day: hold.unknown.map(|late| late.last_day),
        }
    });
    let held: Vec<Held> = held.collect();
    // What a dead process left is unknown already, although no line says so yet.
    let is_lost = |held: &&Held| held.last_day.is_none() && held.unknown.is_some();
    let mut lost = NanoUsd::ZERO;
    for held in held.iter().filter(is_lost) {
        lost = lost.saturating_add(held.max);
    }
    Ok(Summary {
        day,
        tz: description.zone,
        money: description.money,
        limit_per_day: limit.map_or(NanoUsd::ZERO, |limit| limit.value),
        limit_origin: limit.map_or(LimitOrigin::Default, |limit| limit.origin),
        limits: limits_in_force(&state, day, now),
        exposure_today: totals.exposure(),
        settled: totals.settled,
        reserved: totals.reserved.minus_or_zero(lost),
        unknown: totals.unknown.saturating_add(lost),
        attempts: totals.attempts,
        settles: totals.settles,
        releases: totals.releases,
        unknowns: totals.unknowns,
        overruns: totals.overruns,
        held,
        torn_tail,
    })
}

/// Every limit in force, with what weighs on it.
fn limits_in_force(state: &LedgerState, day: Date, now: Timestamp) -> Vec<LimitUse> {
    let in_force = state.limits().iter().filter(|limit| limit.is_in_force());
    let used = in_force.map(|limit| LimitUse {
        exposure: state.totals_of(&limit.scope, day, now).map(|totals| totals.exposure()),
        limit: limit.clone(),
    });
    used.collect()
}

/// The records of one run, in their order.
///
/// # Errors
/// When there is no ledger, or a segment cannot be trusted.
pub fn show(root: &Path, run: RunId) -> Result<Vec<Shown>, StoreError> {
    described(root)?;
    let folder = DiskFolder::new(root);
    let mut of_run = BTreeSet::new();
    let mut shown = Vec::new();
    for segment in segments_of(root, &folder)? {
        let (records, _) = read_whole(&folder, segment)?;
        for record in records {
            if let RecordKind::Reserve(reserve) = &record.kind
                && reserve.run == run
            {
                of_run.insert(reserve.rid);
            }
            let by_attempt = attempt_of(&record.kind).is_some_and(|rid| of_run.contains(&rid));
            if by_attempt || names_run(&record.kind, run) {
                shown.push(shown_as(segment, record));
            }
        }
    }
    Ok(shown)
}

/// The run with this id, or the only one whose id ends with this text.
///
/// # Errors
/// When the ledger cannot be read.
pub fn find_run(root: &Path, text: &str) -> Result<Option<RunId>, StoreError> {
    described(root)?;
    let folder = DiskFolder::new(root);
    let mut found = BTreeSet::new();
    for segment in segments_of(root, &folder)? {
        let (records, _) = read_whole(&folder, segment)?;
        for record in records {
            if let RecordKind::Reserve(reserve) = &record.kind
                && !text.is_empty()
                && reserve.run.to_string().ends_with(text)
            {
                found.insert(reserve.run);
            }
        }
    }
    let only = found.pop_first();
    Ok(if found.is_empty() { only } else { None })
}

/// Reads a ledger on from where it was read last, for those who watch it grow.
#[derive(Debug)]
pub struct Follower {
    root: PathBuf,
    folder: DiskFolder,
    /// The segment that was read last, and how far.
    read: Option<(SegmentName, Position)>,
}

impl Follower {
    /// Starts before the first record.
    ///
    /// # Errors
    /// When there is no ledger.
    pub fn new(root: &Path) -> Result<Self, StoreError> {
        described(root)?;
        Ok(Self { root: root.to_owned(), folder: DiskFolder::new(root), read: None })
    }

    /// The records that came since the last call. A line that is being written comes next time.
    ///
    /// # Errors
    /// When a segment cannot be trusted, or is not there any more.
    pub fn read_on(&mut self) -> Result<Vec<Shown>, StoreError> {
        let names = self.folder.segments().map_err(io_error("list", &self.root))?;
        let mut shown = Vec::new();
        for name in names {
            let from = match self.read {
                Some((read, _)) if name < read => continue,
                Some((read, end)) if name == read => end,
                Some((_, end)) => Position { hash: end.hash, ..Position::default() },
                None => Position::default(),
            };
            let path = self.folder.path(name);
            let file = self.folder.open(name).map_err(io_error("open", &path))?;
            let mut file = file.ok_or_else(|| StoreError::Missing { path: path.clone() })?;
            let bytes = file.read_from(from.offset).map_err(io_error("read", &path))?;
            let hash = from.hash.filter(|_| from.offset > 0 || !starts_anew(&bytes));
            let found = scan(&bytes, Position { hash, ..from });
            if let Tail::Fault(source) = found.tail {
                let (line, offset) = (found.end.lines + 1, found.end.offset);
                return Err(StoreError::Corrupt { path, line, offset, source });
            }
            shown.extend(found.records.into_iter().map(|record| shown_as(name, record)));
            self.read = Some((name, found.end));
        }
        Ok(shown)
    }
}

/// What became of every attempt, and every adjustment.
///
/// # Errors
/// When there is no ledger, or a segment cannot be trusted.
pub fn entries(root: &Path) -> Result<Entries, StoreError> {
    described(root)?;
    let folder = DiskFolder::new(root);
    let mut entries = Entries::default();
    for segment in segments_of(root, &folder)? {
        let (records, _) = read_whole(&folder, segment)?;
        records.iter().for_each(|record| entries.fold(record));
    }
    Ok(entries)
}

/// The attempts of one run.
///
/// # Errors
/// When there is no ledger, or a segment cannot be trusted.
pub fn run_attempts(root: &Path, run: RunId) -> Result<RunAttempts, StoreError> {
    described(root)?;
    let folder = DiskFolder::new(root);
    let mut attempts = RunAttempts::of(run);
    for segment in segments_of(root, &folder)? {
        let (records, _) = read_whole(&folder, segment)?;
        records.iter().for_each(|record| attempts.fold(record));
    }
    Ok(attempts)
}

/// The books of a ledger as reconciliation needs them, read on from where they were read last.
#[derive(Debug)]
pub struct BookReader {
    follower: Follower,
    books: Books,
}

impl BookReader {
    /// Starts before the first record.
    ///
    /// # Errors
    /// When there is no ledger.
    pub fn new(root: &Path) -> Result<Self, StoreError> {
        Ok(Self { follower: Follower::new(root)?, books: Books::default() })
    }

    /// The books as they are now. What dead processes left under way is unknown in them.
    ///
    /// # Errors
    /// When a segment cannot be trusted, or is not there any more.
    pub fn read_on(&mut self) -> Result<Books, StoreError> {
        let shown = self.follower.read_on()?;
        shown.iter().for_each(|shown| self.books.fold(&shown.record));
        let mut books = self.books.clone();
        books.lose(|owner| is_alive(&self.follower.root, owner));
        Ok(books)
    }
}

/// The zone of the ledger's days.
///
/// # Errors
/// When there is no ledger, or this machine does not know its zone.
pub fn zone(root: &Path) -> Result<TimeZone, StoreError> {
    zone_of(root, &described(root)?)
}

pub(super) fn described(root: &Path) -> Result<Description, StoreError> {
    let missing = || StoreError::Missing { path: root.join("ledger.json") };
    read_description(root)?.ok_or_else(missing)
}

pub(super) fn segments_of(
    root: &Path,
    folder: &DiskFolder,
) -> Result<Vec<SegmentName>, StoreError> {
    let promise = folder.tail().promise();
    let names = folder.segments().map_err(io_error("list", root))?;
    let promised = promise.map(|promise| promise.segment);
    match (names.last(), promised) {
        (None, _) => Err(StoreError::Missing { path: root.join("*/*.jsonl") }),
        (Some(last), Some(promised)) if *last < promised => {
            Err(StoreError::Missing { path: folder.path(promised) })
        }
        (Some(_), _) => Ok(names),
    }
}

/// The whole lines of a segment, and whether a torn one follows.
fn read_whole(folder: &DiskFolder, name: SegmentName) -> Result<(Vec<Record>, bool), StoreError> {
    let promise = folder.tail().promise();
    let path = folder.path(name);
    let file = folder.open(name).map_err(io_error("open", &path))?;
    let mut file = file.ok_or_else(|| StoreError::Missing { path: path.clone() })?;
    let bytes = file.read_from(0).map_err(io_error("read", &path))?;
    let found = scan(&bytes, Position::default());
    if let Tail::Fault(source) = found.tail {
        let (line, offset) = (found.end.lines + 1, found.end.offset);
        return Err(StoreError::Corrupt { path, line, offset, source });
    }
    let start = Position::default();
    expect_kept(promise.as_ref(), (name, &path), &bytes, start, found.end.offset)?;
    Ok((found.records, matches!(found.tail, Tail::Torn)))
}

/// The state by the newest segment that was started.
fn newest_state(root: &Path, description: &Description) -> Result<(LedgerState, bool), StoreError> {
    let folder = DiskFolder::new(root);
    let mut torn_tail = false;
    for name in segments_of(root, &folder)?.into_iter().rev() {
        let (records, torn) = read_whole(&folder, name)?;
        torn_tail |= torn;
        if !records.is_empty() {
            expect_zone(root, description, &records)?;
            let mut state = LedgerState::default();
            for record in &records {
                let broken = |source| BrokenRule { seq: record.seq, source };
                state.fold(record).map_err(broken)?;
            }
            return Ok((state, torn_tail));
        }
    }
    Err(StoreError::Missing { path: root.join("*/*.jsonl") })
}

fn shown_as(segment: SegmentName, record: Record) -> Shown {
    let (amount, note) = match &record.kind {
        RecordKind::Reserve(reserve) => (Some(reserve.max), None),
        RecordKind::Settle(settle) => (Some(settle.amount), Some(settle.source.word())),
        RecordKind::Release(release) => (None, Some(release.evidence.word())),
        RecordKind::Unknown(unknown) => (None, Some(unknown.late.class.word())),
        RecordKind::Resolve(resolve) => (Some(resolve.amount), Some(resolve.basis.word())),
        RecordKind::Overrun(overrun) => (Some(overrun.amount), None),
        RecordKind::Adjust(adjust) => (Some(adjust.amount), None),
        RecordKind::Limit(limit) => {
            (limit.is_in_force().then_some(limit.value), Some(limit.scope.word()))
        }
        RecordKind::Open(_)
        | RecordKind::Ack(_)
        | RecordKind::Check(_)
        | RecordKind::Roll(_)
        | RecordKind::Close(_)
        | RecordKind::Repair(_)
        | RecordKind::Unrecognized(_) => (None, None),
    };
    Shown {
        segment: segment.to_string(),
        seq: record.seq,
        time: record.time,
        day: record.day,
        kind: record.kind.word().to_owned(),
        rid: attempt_of(&record.kind),
        amount,
        note,
        record,
    }
}

fn attempt_of(kind: &RecordKind) -> Option<AttemptId> {
    match kind {
        RecordKind::Reserve(reserve) => Some(reserve.rid),
        RecordKind::Ack(ack) => Some(ack.rid),
        RecordKind::Settle(settle) => Some(settle.rid),
        RecordKind::Release(release) => Some(release.rid),
        RecordKind::Unknown(unknown) => Some(unknown.rid),
        RecordKind::Resolve(resolve) => Some(resolve.rid),
        RecordKind::Overrun(overrun) => Some(overrun.rid),
        RecordKind::Open(_)
        | RecordKind::Limit(_)
        | RecordKind::Adjust(_)
        | RecordKind::Check(_)
        | RecordKind::Roll(_)
        | RecordKind::Close(_)
        | RecordKind::Repair(_)
        | RecordKind::Unrecognized(_) => None,
    }
}

/// Whether a record that is about no attempt names the run.
fn names_run(kind: &RecordKind, run: RunId) -> bool {
    let of_limit = matches!(kind, RecordKind::Limit(limit) if limit.scope == LimitScope::Run(run));
    of_limit || matches!(kind, RecordKind::Adjust(adjust) if adjust.run == Some(run))
}
