//! `ledger check`: every line of every segment is held against every rule.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::adapters::ledger::directory::Description;
use crate::adapters::ledger::files::io_error;
use crate::adapters::ledger::read::{described, segments_of};
use crate::adapters::ledger::segment::DiskFolder;
use crate::domain::ids::{AttemptId, RunId};
use crate::domain::ledger::parse::LineError;
use crate::domain::ledger::promise::Promise;
use crate::domain::ledger::reading::{CheckReport, Finding};
use crate::domain::ledger::scan::{Position, Tail, scan_each, starts_anew};
use crate::domain::ledger::{
    LedgerState, LineHash, Open, OpenReason, Record, RecordKind, SegmentName, Violation,
};
use crate::domain::money::NanoUsd;
use crate::ports::ledger::{SegmentFolder, StoreError};

/// Reads every line of every segment and holds it against every rule.
///
/// # Errors
/// When there is no ledger or a file cannot be read; what is wrong in it is in the report.
pub fn check(root: &Path) -> Result<CheckReport, StoreError> {
    let description = described(root)?;
    let folder = DiskFolder::new(root);
    // Before the segments: what is promised is there by then.
    let promise = folder.tail().promise();
    let names = segments_of(root, &folder)?;
    let mut audit = Audit::new(description, promise);
    let last = *names.last().expect("a ledger has a segment");
    for name in names {
        let path = folder.path(name);
        let file = folder.open(name).map_err(io_error("open", &path))?;
        let mut file = file.ok_or_else(|| StoreError::Missing { path: path.clone() })?;
        let bytes = file.read_from(0).map_err(io_error("read", &path))?;
        audit.segment(name, &bytes, name == last);
    }
    Ok(audit.finish(last))
}

/// What has been read so far.
struct Audit {
    description: Description,
    /// What the ledger's side file vouches for.
    promise: Option<Promise>,
    report: CheckReport,
    state: LedgerState,
    hash: Option<LineHash>,
    /// Torn lines at the ends of the segments before, which only a sync error excuses.
    torn: Vec<(SegmentName, u64)>,
    /// The run of each attempt that has not ended.
    open: BTreeMap<AttemptId, RunId>,
    /// Every attempt ever reserved.
    reserved: BTreeSet<AttemptId>,
    /// Adjustments that belong to no run.
    without_run: NanoUsd,
    /// Whether the state can still be compared; after a broken rule it cannot.
    is_sound: bool,
}

impl Audit {
    fn new(description: Description, promise: Option<Promise>) -> Self {
        Self {
            description,
            promise,
            report: CheckReport::default(),
            state: LedgerState::default(),
            hash: None,
            torn: Vec::new(),
            open: BTreeMap::new(),
            reserved: BTreeSet::new(),
            without_run: NanoUsd::ZERO,
            is_sound: true,
        }
    }

    fn find(&mut self, segment: SegmentName, line: u64, problem: impl ToString) {
        let problem = problem.to_string();
        self.report.findings.push(Finding { segment: segment.to_string(), line, problem });
    }

    fn segment(&mut self, name: SegmentName, bytes: &[u8], is_last: bool) {
        self.report.segments += 1;
        let is_anew = starts_anew(bytes);
        let hash = self.hash.filter(|_| !is_anew);
        let mut n_records = 0;
        let from = Position { hash, ..Position::default() };
        let found = scan_each(bytes, from, &mut |record| {
            if n_records == 0 {
                self.blame_torn(is_anew);
            }
            n_records += 1;
            self.record(name, n_records, &record);
        });
        if n_records == 0 && matches!(found.tail, Tail::Fault(_)) {
            self.blame_torn(is_anew);
        }
        self.hash = found.end.hash;
        let line = found.end.lines + 1;
        let promise = self.promise.filter(|promise| promise.segment == name);
        let kept = promise.map(|promise| promise.hold_against(bytes, 0, 0, found.end.offset));
        if let (Some(Err(broken)), Tail::Clean | Tail::Torn) = (kept, &found.tail) {
            self.find(name, broken.line, LineError::Promised);
            return;
        }
        match found.tail {
            Tail::Clean if n_records > 0 => {}
            // A segment without any line was torn before its first one.
            Tail::Clean | Tail::Torn if is_last => self.report.torn_tail = Some(name.to_string()),
            Tail::Clean | Tail::Torn => self.torn.push((name, line)),
            Tail::Fault(error) => {
                self.find(name, line, error);
                // What follows in this segment was not read, so nothing after it can be compared.
                self.is_sound = false;
                self.hash = None;
            }
        }
    }

    /// What is torn at the end of the segments before is a finding, now that another one follows;
    /// unless that one starts anew after a sync error.
    fn blame_torn(&mut self, is_anew: bool) {
        for (torn, line) in std::mem::take(&mut self.torn).into_iter().filter(|_| !is_anew) {
            self.find(torn, line, "the line is torn, and a segment follows");
        }
    }

    fn record(&mut self, name: SegmentName, line: u64, record: &Record) {
        self.report.lines += 1;
        self.report.newest = self.report.newest.max(Some(record.time));
        if self.is_sound
            && let Err(violation) = self.fold(record)
        {
            self.find(name, line, violation);
            self.is_sound = false;
        }
        if let RecordKind::Open(open) = &record.kind {
            let known = &self.description;
            let same =
                open.ledger == known.id && *open.zone == *known.zone && open.money == known.money;
            if open.segment != name {
                self.find(name, line, "the segment says that it has another name");
            }
            if self.report.lines == 1 && open.previous.is_some() {
                self.find(name, line, "the segments before it are missing");
            }
            if !same {
                self.find(name, line, "the segment belongs to another ledger than ledger.json");
            }
        }
        self.book(name, line, record);
    }

    /// What a failed sync has lost, be it a whole segment, is missing before the open that follows
    /// it, and only there.
    fn fold(&mut self, record: &Record) -> Result<(), Violation> {
        let before = self.state.segment();
        let folded = self.state.fold(record);
        if let RecordKind::Open(open) = &record.kind
            && open.reason == OpenReason::SyncError
            && open.previous >= before
        {
            return folded.or_else(|_| self.start_anew(record, open));
        }
        folded
    }

    fn start_anew(&mut self, record: &Record, open: &Open) -> Result<(), Violation> {
        self.state = LedgerState::default();
        self.open = open.carry.iter().map(|carried| (carried.rid, carried.hold.run)).collect();
        self.reserved.extend(self.open.keys());
        self.report.attempts = self.reserved.len() as u64;
        self.state.fold(record)
    }

    /// Books money by day and by run, each on its own, so that the two sums check each other.
    fn book(&mut self, name: SegmentName, line: u64, record: &Record) {
        let (rid, amount) = match &record.kind {
            RecordKind::Reserve(reserve) => {
                self.report.attempts += 1;
                if !self.reserved.insert(reserve.rid) {
                    self.find(name, line, format_args!("{} was reserved before", reserve.rid));
                }
                self.open.insert(reserve.rid, reserve.run);
                return;
            }
            RecordKind::Settle(settle) => (settle.rid, settle.amount),
            RecordKind::Release(release) => (release.rid, NanoUsd::ZERO),
            RecordKind::Resolve(resolve) => (resolve.rid, resolve.amount),
            RecordKind::Adjust(adjust) => {
                add(&mut self.report.settled_by_day, adjust.on, adjust.amount);
                match adjust.run {
                    Some(run) => add(&mut self.report.settled_by_run, run, adjust.amount),
                    None => self.without_run = self.without_run.saturating_add(adjust.amount),
                }
                return;
            }
            RecordKind::Open(_)
            | RecordKind::Limit(_)
            | RecordKind::Ack(_)
            | RecordKind::Unknown(_)
            | RecordKind::Overrun(_)
            | RecordKind::Check(_)
            | RecordKind::Roll(_)
            | RecordKind::Close(_)
            | RecordKind::Repair(_)
            | RecordKind::Unrecognized(_) => return,
        };
        match self.open.remove(&rid) {
            Some(run) => {
                add(&mut self.report.settled_by_day, record.day, amount);
                add(&mut self.report.settled_by_run, run, amount);
            }
            None => self.find(name, line, format_args!("{rid} ends without a reservation")),
        }
    }

    fn finish(mut self, last: SegmentName) -> CheckReport {
        let sum = |amounts: &mut dyn Iterator<Item = NanoUsd>| {
            amounts.fold(NanoUsd::ZERO, NanoUsd::saturating_add)
        };
        let by_day = sum(&mut self.report.settled_by_day.values().copied());
        let by_run = sum(&mut self.report.settled_by_run.values().copied());
        if by_day != by_run.saturating_add(self.without_run) {
            self.find(last, 0, format_args!("{by_day} by day, but {by_run} by run"));
        }
        let open: Vec<AttemptId> = self.open.keys().copied().collect();
        let held: Vec<AttemptId> = self.state.holds().map(|(rid, _)| rid).collect();
        if self.is_sound && open != held {
            self.find(last, 0, "the attempts without an end are not those that are carried");
        }
        self.report
    }
}

fn add<K: Ord>(sums: &mut BTreeMap<K, NanoUsd>, key: K, amount: NanoUsd) {
    let sum = sums.entry(key).or_default();
    *sum = sum.saturating_add(amount);
}
