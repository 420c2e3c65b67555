//! The records of a ledger put together by attempt: what each one cost or still holds, and sums of
//! that by day, run, model and so on.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::domain::ids::{AttemptId, RunId};
use crate::domain::ledger::group_key::GroupKey;
use crate::domain::ledger::record::{Record, RecordKind, Reserve};
use crate::domain::ledger::words::words;
use crate::domain::money::NanoUsd;

words! {
    /// What became of an attempt's money.
    Outcome {
        /// Under way, or left by a process that died: its worst case is held.
        Held = "held",
        /// Nobody knows what it cost: its worst case is held.
        Unknown = "unknown",
        /// It cost what is booked.
        Settled = "settled",
        /// It cost nothing, by evidence.
        Released = "released",
        /// It was unknown, and was cleared up.
        Resolved = "resolved",
        /// No attempt: a difference that was booked by hand.
        Adjusted = "adjusted",
    }
}

/// An attempt with what is known of its money, or an adjustment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// When its money was booked: its end, or its reserve while it has none.
    pub time: Timestamp,
    /// The day to which an adjustment belongs, whenever it was written.
    pub on: Option<Date>,
    /// The attempt; nothing for an adjustment.
    pub rid: Option<AttemptId>,
    /// Its run, when one is known.
    pub run: Option<RunId>,
    /// The number of its row in the input.
    pub row: Option<u64>,
    /// Which of the row's images, from 1.
    pub variant: Option<u32>,
    /// Which attempt at this image, from 1.
    pub attempt: Option<u32>,
    /// The provider's name.
    pub provider: Option<Arc<str>>,
    /// The model's name.
    pub model: Option<Arc<str>>,
    /// The tags of its row.
    pub tags: Vec<Box<str>>,
    /// Whether its run sent a canary share only.
    pub canary: Option<bool>,
    /// What became of it.
    pub outcome: Outcome,
    /// The ledger's own word for why: evidence, class, source or basis.
    pub note: Option<&'static str>,
    /// Its worst case.
    pub max: NanoUsd,
    /// What it cost; zero while nobody knows.
    pub cost: NanoUsd,
    /// What is held for it.
    pub held: NanoUsd,
    /// The provider's name for the request.
    pub provider_request_id: Option<Arc<str>>,
}

/// The entries of a ledger.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    all: Vec<Entry>,
    index: BTreeMap<AttemptId, usize>,
}

/// Which entries are wanted; what is not said does not matter.
#[derive(Clone, Debug, Default)]
pub struct EntryFilter {
    /// Booked at this moment or later.
    pub since: Option<Timestamp>,
    /// Booked before this moment.
    pub until: Option<Timestamp>,
    /// Of this run.
    pub run: Option<RunId>,
    /// Of this provider.
    pub provider: Option<String>,
    /// Of this model.
    pub model: Option<String>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
}

/// Sums of entries that have the same keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Group {
    /// One text for each key, in their order; `(none)` where an entry has none.
    pub keys: Vec<String>,
    /// Attempts.
    pub attempts: u64,
    /// Those that ended with a cost.
    pub settled: u64,
    /// Those that ended without one.
    pub released: u64,
    /// Those that still hold money.
    pub open: u64,
    /// Money that is spent, adjustments included.
    pub cost: NanoUsd,
    /// Money that is held.
    pub held: NanoUsd,
    /// The worst cases of the attempts that ended with a cost: what was estimated for them.
    pub worst_case: NanoUsd,
}

impl Entries {
    /// Takes in the next record, in the order of the ledger.
    pub fn fold(&mut self, record: &Record) {
        match &record.kind {
            RecordKind::Reserve(reserve) => {
                self.index.insert(reserve.rid, self.all.len());
                self.all.push(reserved(record.time, reserve));
            }
            RecordKind::Ack(ack) => self.change(ack.rid, |entry| {
                entry.provider_request_id = Some(Arc::clone(&ack.provider_id));
            }),
            RecordKind::Settle(settle) => self.change(settle.rid, |entry| {
                entry.end(record.time, Outcome::Settled, settle.source.word(), settle.amount);
                if settle.provider_id.is_some() {
                    entry.provider_request_id.clone_from(&settle.provider_id);
                }
            }),
            RecordKind::Release(release) => self.change(release.rid, |entry| {
                let word = release.evidence.word();
                entry.end(record.time, Outcome::Released, word, NanoUsd::ZERO);
            }),
            RecordKind::Unknown(unknown) => self.change(unknown.rid, |entry| {
                entry.outcome = Outcome::Unknown;
                entry.note = Some(unknown.late.class.word());
            }),
            RecordKind::Resolve(resolve) => self.change(resolve.rid, |entry| {
                entry.end(record.time, Outcome::Resolved, resolve.basis.word(), resolve.amount);
            }),
            RecordKind::Adjust(adjust) => self.all.push(Entry {
                on: Some(adjust.on),
                run: adjust.run,
                cost: adjust.amount,
                ..nothing(record.time)
            }),
            RecordKind::Open(_)
            | RecordKind::Limit(_)
            | RecordKind::Overrun(_)
            | RecordKind::Check(_)
            | RecordKind::Roll(_)
            | RecordKind::Close(_)
            | RecordKind::Repair(_)
            | RecordKind::Unrecognized(_) => {}
        }
    }

    fn change(&mut self, rid: AttemptId, change: impl FnOnce(&mut Entry)) {
        // An attempt of a segment that is not there any more has no entry.
        if let Some(entry) = self.index.get(&rid).and_then(|index| self.all.get_mut(*index)) {
            change(entry);
        }
    }

    /// The entries that a filter lets through, by the time of their booking; an adjustment has
    /// that of the start of its day in `zone`.
    pub fn wanted(self, filter: &EntryFilter, zone: &TimeZone) -> Vec<Entry> {
        let entries = self.all.into_iter().filter(|entry| filter.lets_through(entry, zone));
        let mut entries: Vec<Entry> = entries.collect();
        entries.sort_by_key(|entry| entry.booked_at(zone));
        entries
    }
}

impl Entry {
    fn end(&mut self, time: Timestamp, outcome: Outcome, note: &'static str, cost: NanoUsd) {
        (self.time, self.outcome, self.note) = (time, outcome, Some(note));
        (self.cost, self.held) = (cost, NanoUsd::ZERO);
    }

    fn booked_at(&self, zone: &TimeZone) -> Timestamp {
        let start = self.on.and_then(|day| day.to_zoned(zone.clone()).ok());
        start.map_or(self.time, |start| start.timestamp())
    }
}

impl EntryFilter {
    /// Whether an entry is wanted; an adjustment counts from the start of its day in `zone`.
    pub fn lets_through(&self, entry: &Entry, zone: &TimeZone) -> bool {
        let time = entry.booked_at(zone);
        let same = |wanted: &Option<String>, is: &Option<Arc<str>>| {
            wanted.as_deref().is_none_or(|wanted| is.as_deref() == Some(wanted))
        };
        self.since.is_none_or(|since| time >= since)
            && self.until.is_none_or(|until| time < until)
            && self.run.is_none_or(|run| entry.run == Some(run))
            && self.outcome.is_none_or(|outcome| entry.outcome == outcome)
            && same(&self.provider, &entry.provider)
            && same(&self.model, &entry.model)
    }
}

/// Sums entries by these keys, in the order of the keys' texts.
pub fn group(entries: &[Entry], keys: &[GroupKey], zone: &TimeZone) -> Vec<Group> {
    let mut groups: BTreeMap<Vec<String>, Group> = BTreeMap::new();
    for entry in entries {
        let keys: Vec<String> = keys.iter().map(|key| key.text_of(entry, zone)).collect();
        let fresh = || Group { keys: keys.clone(), ..Group::default() };
        groups.entry(keys.clone()).or_insert_with(fresh).add(entry);
    }
    groups.into_values().collect()
}

/// All entries in one sum.
pub fn total(entries: &[Entry]) -> Group {
    let mut total = Group::default();
    entries.iter().for_each(|entry| total.add(entry));
    total
}

impl Group {
    fn add(&mut self, entry: &Entry) {
        let is_spent = entry.cost != NanoUsd::ZERO;
        match entry.outcome {
            Outcome::Held | Outcome::Unknown => self.open += 1,
            Outcome::Settled => self.settled += 1,
            Outcome::Resolved if is_spent => self.settled += 1,
            Outcome::Released | Outcome::Resolved => self.released += 1,
            Outcome::Adjusted => {}
        }
        self.attempts += u64::from(entry.rid.is_some());
        self.cost = self.cost.saturating_add(entry.cost);
        self.held = self.held.saturating_add(entry.held);
        if matches!(entry.outcome, Outcome::Settled | Outcome::Resolved) && is_spent {
            self.worst_case = self.worst_case.saturating_add(entry.max);
        }
    }

    /// What the settled attempts cost, in percent of their worst cases; nothing without any.
    pub fn percent_of_worst_case(&self) -> Option<i64> {
        let (cost, worst) = (i128::from(self.cost.nanos()), i128::from(self.worst_case.nanos()));
        (worst > 0).then(|| i64::try_from(cost * 100 / worst).unwrap_or(i64::MAX))
    }
}

fn reserved(time: Timestamp, reserve: &Reserve) -> Entry {
    Entry {
        rid: Some(reserve.rid),
        run: Some(reserve.run),
        row: Some(reserve.row),
        variant: Some(reserve.variant),
        attempt: Some(reserve.attempt_no),
        provider: Some(Arc::clone(&reserve.provider)),
        model: Some(Arc::clone(&reserve.model)),
        tags: reserve.tags.clone(),
        canary: Some(reserve.canary),
        outcome: Outcome::Held,
        max: reserve.max,
        held: reserve.max,
        ..nothing(time)
    }
}

fn nothing(time: Timestamp) -> Entry {
    Entry {
        time,
        on: None,
        rid: None,
        run: None,
        row: None,
        variant: None,
        attempt: None,
        provider: None,
        model: None,
        tags: Vec::new(),
        canary: None,
        outcome: Outcome::Adjusted,
        note: None,
        max: NanoUsd::ZERO,
        cost: NanoUsd::ZERO,
        held: NanoUsd::ZERO,
        provider_request_id: None,
    }
}
