//! The first records of a new ledger.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::domain::ledger::record::{
    Detail, LedgerId, Limit, Open, OwnerId, Record, RecordKind, SegmentName, Totals,
};
use crate::domain::ledger::scope::LimitScope;
use crate::domain::ledger::words::{LimitOrigin, Money, OpenReason};
use crate::domain::money::NanoUsd;

/// The limit per day of a ledger for which nobody named one.
pub const DEFAULT_LIMIT_PER_DAY: NanoUsd = NanoUsd::from_dollars(10);

/// What a new ledger starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founding {
    /// Its identity.
    pub ledger: LedgerId,
    /// The IANA name of the time zone of its days.
    pub zone: Arc<str>,
    /// Whose money it counts.
    pub money: Money,
    /// Its limit per day and where that came from; the default when nobody named one.
    pub limit_per_day: Option<(NanoUsd, LimitOrigin)>,
    /// Further limits, of the ledger after whose model this one is made.
    pub further_limits: Vec<Limit>,
    /// The process that makes it.
    pub owner: OwnerId,
    /// The version of the tool that makes it.
    pub tool: Arc<str>,
}

impl Founding {
    /// The first records: an open and the limit per day.
    pub fn records(&self, time: Timestamp, day: Date) -> [Record; 2] {
        let default = (DEFAULT_LIMIT_PER_DAY, LimitOrigin::Default);
        let (value, origin) = self.limit_per_day.unwrap_or(default);
        let limit = Limit {
            scope: LimitScope::Day,
            value,
            origin,
            by: Arc::clone(&self.tool),
            why: "the ledger was made".into(),
        };
        // The open has it too: a crash between the two lines must not leave a ledger without one.
        let open = Open {
            ledger: self.ledger,
            zone: Arc::clone(&self.zone),
            money: self.money,
            segment: SegmentName { day, number: 1 },
            previous: None,
            reason: OpenReason::Created,
            owner: self.owner,
            tool: Arc::clone(&self.tool),
            limits: std::iter::once(&limit).chain(&self.further_limits).cloned().collect(),
            carry: Vec::new(),
            today: Totals::default(),
            runs: Vec::new(),
            detail: Some(Detail { latest: time, ..Detail::default() }),
        };
        [
            Record { seq: 1, time, day, kind: RecordKind::Open(Box::new(open)) },
            Record { seq: 2, time, day, kind: RecordKind::Limit(Box::new(limit)) },
        ]
    }
}

/// The moment in whole microseconds, as records keep it.
pub fn to_microseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}
