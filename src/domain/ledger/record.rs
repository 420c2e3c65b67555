//! The records of the ledger, format v1: what each line says once it has been read.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::ids::{AttemptId, RunId};
use crate::domain::ledger::scope::LimitScope;
use crate::domain::ledger::words::{
    Basis, CostSource, Evidence, LimitOrigin, Money, OpenReason, UnknownClass,
};
use crate::domain::money::NanoUsd;

/// The version that every line carries.
pub const FORMAT_VERSION: u64 = 1;

/// The identity of one ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LedgerId(Uuid);

/// The identity of one process that spends; its lock tells whether it is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnerId(Uuid);

impl LedgerId {
    /// Wraps a UUID made by the entropy port.
    pub const fn new(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl OwnerId {
    /// Wraps a UUID made by the entropy port.
    pub const fn new(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl fmt::Display for LedgerId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, out)
    }
}

impl fmt::Display for OwnerId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, out)
    }
}

/// The first 16 bytes of the SHA-256 of a line; it chains each line to the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineHash(pub(crate) [u8; 16]);

/// The name of a segment: its day and its number within the day, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentName {
    /// The civil day, in the ledger's zone, of every record in the segment.
    pub day: Date,
    /// The number within the day, from 1.
    pub number: u32,
}

impl SegmentName {
    /// The name that follows this one on `day`.
    #[must_use]
    pub fn next(self, day: Date) -> Self {
        Self { day, number: if day == self.day { self.number + 1 } else { 1 } }
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{:04}.jsonl", self.day, self.number)
    }
}

impl FromStr for SegmentName {
    type Err = SegmentNameError;

    fn from_str(text: &str) -> Result<Self, SegmentNameError> {
        let parsed = || {
            let (day, file) = text.split_once('/')?;
            let number = file.strip_suffix(".jsonl")?.parse().ok()?;
            Some(Self { day: day.parse().ok()?, number })
        };
        parsed()
            .filter(|name| name.to_string() == text)
            .ok_or_else(|| SegmentNameError(text.to_owned()))
    }
}

/// A text that names no segment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no segment name such as 2026-11-21/0001.jsonl")]
pub struct SegmentNameError(String);

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Counts the lines of the whole ledger from 1, without gaps.
    pub seq: u64,
    /// When it was made, in whole microseconds.
    pub time: Timestamp,
    /// The ledger's day, which never goes back even when the clock does.
    pub day: Date,
    /// What it says.
    pub kind: RecordKind,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// The first line of a segment.
    Open(Box<Open>),
    /// A limit was set.
    Limit(Box<Limit>),
    /// The only licence to send.
    Reserve(Box<Reserve>),
    /// The provider named its job.
    Ack(Ack),
    /// The attempt ended and cost this much.
    Settle(Settle),
    /// The attempt ended and cost nothing, by evidence.
    Release(Release),
    /// Nobody knows what the attempt cost; it keeps its weight.
    Unknown(Unknown),
    /// An unknown was cleared up.
    Resolve(Box<Resolve>),
    /// A settle was above the worst case.
    Overrun(Overrun),
    /// A difference found by reconciliation; never an edit.
    Adjust(Box<Adjust>),
    /// A checkpoint that every reader compares with its own sums.
    Check(Box<Checkpoint>),
    /// The last line of a segment.
    Roll(Box<Roll>),
    /// A process ended cleanly.
    Close(Box<Close>),
    /// Bytes that were never promised were cut off.
    Repair(Box<Repair>),
    /// A kind of a newer version that may be skipped.
    Unrecognized(Box<str>),
}

/// What a new segment starts from, so that nothing before it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Which ledger.
    pub ledger: LedgerId,
    /// The time zone of its days.
    pub zone: Arc<str>,
    /// Whose money it counts.
    pub money: Money,
    /// The segment that this line starts.
    pub segment: SegmentName,
    /// The segment before; its last line is the one that this line is chained to.
    pub previous: Option<SegmentName>,
    /// Why a new segment.
    pub reason: OpenReason,
    /// The process that opened it.
    pub owner: OwnerId,
    /// The version of the tool that opened it.
    pub tool: Arc<str>,
    /// The limits in force.
    pub limits: Vec<Limit>,
    /// Every attempt without an end.
    pub carry: Vec<Carry>,
    /// The totals of the segment's day so far.
    pub today: Totals,
    /// The totals of each run that is still remembered.
    pub runs: Vec<RunTotals>,
    /// Money by model and by time, for the limits that need it; nothing in segments opened before
    /// there were such limits.
    pub detail: Option<Detail>,
}

/// The money of a segment's start by model and by time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// Money spent so far on the segment's day, by model.
    pub models: Vec<ModelSpent>,
    /// Money spent in the last 24 hours.
    pub window: Vec<Spent>,
    /// The latest time of any record before, which a clock may have gone back behind.
    pub latest: Timestamp,
}

/// Money spent on one model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelSpent {
    /// The model.
    pub model: Arc<str>,
    /// How much.
    pub settled: NanoUsd,
}

/// Money spent until a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// The end of the quarter of an hour in which it was spent.
    pub until: Timestamp,
    /// How much.
    pub amount: NanoUsd,
}

/// An attempt without an end, carried into a new segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carry {
    /// The attempt.
    pub rid: AttemptId,
    /// What the ledger knows of it.
    pub hold: Hold,
}

/// What is held for an attempt that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its run.
    pub run: RunId,
    /// Its model; nothing in segments opened before there were limits per model. It then weighs
    /// on the limit of every model.
    pub model: Option<Arc<str>>,
    /// The process that holds it.
    pub owner: OwnerId,
    /// Its worst case.
    pub max: NanoUsd,
    /// The day of its reserve.
    pub day: Date,
    /// The time of its reserve.
    pub time: Timestamp,
    /// The time-out of its request in milliseconds.
    pub timeout_ms: u64,
    /// How long after its end a charge may still appear, in milliseconds.
    pub late_ms: u64,
    /// Present when it was declared unknown.
    pub unknown: Option<Late>,
}

/// Until when an unknown attempt still weighs on the days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late {
    /// Why it is unknown.
    pub class: UnknownClass,
    /// Its charge may appear until then.
    pub until: Timestamp,
    /// The ledger's day of that moment: the last day it weighs on.
    pub last_day: Date,
}

/// Sums of a day or of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Money that is spent.
    pub settled: NanoUsd,
    /// Worst cases of attempts under way.
    pub reserved: NanoUsd,
    /// Worst cases of attempts whose cost nobody knows.
    pub unknown: NanoUsd,
    /// Reservations made.
    pub attempts: u64,
    /// Attempts that ended with a cost.
    pub settles: u64,
    /// Attempts that ended without a cost.
    pub releases: u64,
    /// Attempts that were declared unknown, whatever became of them.
    pub unknowns: u64,
    /// Attempts that cost more than their worst case.
    pub overruns: u64,
}

impl Totals {
    /// Settled, reserved and unknown money together.
    pub fn exposure(&self) -> NanoUsd {
        self.settled.saturating_add(self.reserved).saturating_add(self.unknown)
    }

    /// The same money with the counts of `counts`.
    pub(super) fn counted_as(self, counts: &Self) -> Self {
        let Self { settled, reserved, unknown, .. } = self;
        Self { settled, reserved, unknown, ..*counts }
    }
}

/// The sums of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunTotals {
    /// The run.
    pub run: RunId,
    /// The day of its latest record.
    pub last: Date,
    /// Its sums over all days.
    pub sum: Totals,
}

/// A limit and where it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// What it applies to.
    #[serde(flatten)]
    pub scope: LimitScope,
    /// The most that may be exposed.
    pub value: NanoUsd,
    /// Where it came from.
    pub origin: LimitOrigin,
    /// Who set it.
    #[serde(serialize_with = "as_text")]
    pub by: Arc<str>,
    /// Why.
    #[serde(serialize_with = "as_text")]
    pub why: Arc<str>,
}

impl Limit {
    /// Whether it limits anything: a limit that was taken away stands in the ledger as the largest
    /// amount.
    pub fn is_in_force(&self) -> bool {
        self.value != NanoUsd::MAX
    }
}

fn as_text<S: serde::Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

/// The only licence to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// The attempt.
    pub rid: AttemptId,
    /// Its run.
    pub run: RunId,
    /// The number of its row in the input.
    pub row: u64,
    /// Which of the row's images, from 1.
    pub variant: u32,
    /// Which attempt at this image, from 1.
    pub attempt_no: u32,
    /// The process that holds it.
    pub owner: OwnerId,
    /// The provider's name.
    pub provider: Arc<str>,
    /// The model's name.
    pub model: Arc<str>,
    /// The worst case.
    pub max: NanoUsd,
    /// SHA-256 of the canonical request.
    pub request_digest: [u8; 32],
    /// The request's time-out in milliseconds.
    pub timeout_ms: u64,
    /// How long after its end a charge may still appear, in milliseconds.
    pub late_ms: u64,
    /// The tags of its row, to sum by.
    pub tags: Vec<Box<str>>,
    /// Whether its run sends a canary share only.
    pub canary: bool,
}

/// The provider named its job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The attempt.
    pub rid: AttemptId,
    /// The provider's name for the job or request.
    pub provider_id: Arc<str>,
}

/// An end with a cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settle {
    /// The attempt.
    pub rid: AttemptId,
    /// What it cost.
    pub amount: NanoUsd,
    /// How that is known.
    pub source: CostSource,
    /// The provider's name for the request, for reconciliation.
    pub provider_id: Option<Arc<str>>,
}

/// An end without a cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// The attempt.
    pub rid: AttemptId,
    /// Why it is certain that nothing was billed.
    pub evidence: Evidence,
    /// The HTTP status, when there was one.
    pub status: Option<u16>,
}

/// Not an end: the hold stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The attempt.
    pub rid: AttemptId,
    /// Why, and until when it weighs on the days.
    pub late: Late,
}

/// The end of an unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolve {
    /// The attempt.
    pub rid: AttemptId,
    /// What it cost; zero when it was not billed.
    pub amount: NanoUsd,
    /// What shows it.
    pub basis: Basis,
    /// Who resolved it.
    pub by: Arc<str>,
    /// Why, or a reference to the evidence.
    pub why: Arc<str>,
}

/// A settle above its worst case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overrun {
    /// The attempt.
    pub rid: AttemptId,
    /// Its run: the attempt has ended by now.
    pub run: RunId,
    /// What it cost.
    pub amount: NanoUsd,
    /// The worst case that was reserved.
    pub max: NanoUsd,
}

/// A difference found by reconciliation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjust {
    /// What is added; negative when the provider billed less.
    pub amount: NanoUsd,
    /// The day that it belongs to.
    pub on: Date,
    /// The run that it belongs to, when known.
    pub run: Option<RunId>,
    /// Who booked it.
    pub by: Arc<str>,
    /// Why, with a reference to the export.
    pub why: Arc<str>,
}

/// What every reader must have arrived at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Lines of this segment before this one.
    pub lines: u64,
    /// The totals of the day.
    pub today: Totals,
    /// Hash of the whole state.
    pub state: LineHash,
}

/// The end of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roll {
    /// Lines of this segment before this one.
    pub lines: u64,
    /// The segment that follows.
    pub next: SegmentName,
    /// The totals of the day.
    pub today: Totals,
}

/// The clean end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// The process.
    pub owner: OwnerId,
    /// Lines of this segment before this one.
    pub lines: u64,
    /// The totals of the day.
    pub today: Totals,
}

/// Bytes that were cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The segment that was cut.
    pub segment: SegmentName,
    /// Where it was cut.
    pub at: u64,
    /// How many bytes were cut off.
    pub bytes: u64,
    /// Hash of those bytes.
    pub hash: LineHash,
    /// The file that keeps them, beside the segments.
    pub side_file: Arc<str>,
}
