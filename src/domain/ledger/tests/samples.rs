//! A ledger small enough to read and large enough to hold every kind of record.

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::ids::{AttemptId, RunId};
use crate::domain::ledger::state::late_until;
use crate::domain::ledger::{
    Ack, Adjust, Basis, Checkpoint, Close, CostSource, Evidence, Founding, Late, LedgerId,
    LedgerState, Limit, LimitOrigin, LimitScope, LineHash, Money, OpenReason, Overrun, OwnerId,
    Record, RecordKind, Release, Repair, Reserve, Resolve, Roll, Settle, Unknown, UnknownClass,
};
use crate::domain::money::NanoUsd;

pub(crate) fn uuid(number: u64) -> Uuid {
    Uuid::from_u64_pair(0x0192_f0c1_2b3a_7c4d, 0x8000_0000_0000_0000 | number)
}

pub(crate) fn attempt(number: u64) -> AttemptId {
    AttemptId::new(uuid(number))
}

pub(crate) fn run(number: u64) -> RunId {
    RunId::new(uuid(number))
}

pub(crate) fn owner() -> OwnerId {
    OwnerId::new(uuid(7))
}

pub(crate) fn cents(number: i64) -> NanoUsd {
    NanoUsd::from_nanos(number * 10_000_000)
}

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().expect(text)
}

pub(crate) fn founding(limit: NanoUsd) -> Founding {
    Founding {
        ledger: LedgerId::new(uuid(1)),
        zone: "UTC".into(),
        money: Money::Simulated,
        limit_per_day: Some((limit, LimitOrigin::Flag)),
        further_limits: Vec::new(),
        owner: owner(),
        tool: "imagemill 0.1.0".into(),
    }
}

pub(crate) fn reserve(rid: u64, max: NanoUsd) -> RecordKind {
    RecordKind::Reserve(Box::new(Reserve {
        rid: attempt(rid),
        run: run(2),
        row: rid,
        variant: 1,
        attempt_no: 1,
        owner: owner(),
        provider: "sim".into(),
        model: "sim-\"1\"\u{2028}".into(),
        max,
        request_digest: [0xab; 32],
        timeout_ms: 120_000,
        late_ms: 3_600_000,
        tags: Vec::new(),
        canary: false,
    }))
}

pub(crate) fn tagged(kind: RecordKind) -> RecordKind {
    let RecordKind::Reserve(mut reserve) = kind else { panic!("a reserve") };
    reserve.tags = ["sale", "client=\"acme\""].map(Into::into).into();
    reserve.canary = true;
    RecordKind::Reserve(reserve)
}

pub(crate) fn settle(rid: u64, amount: NanoUsd) -> RecordKind {
    let provider_id = Some("req_1".into());
    RecordKind::Settle(Settle { rid: attempt(rid), amount, source: CostSource::Usage, provider_id })
}

pub(crate) fn release(rid: u64) -> RecordKind {
    let evidence = Evidence::RateLimited;
    RecordKind::Release(Release { rid: attempt(rid), evidence, status: Some(429) })
}

/// Records under construction, folded as they are made.
#[derive(Debug)]
pub(crate) struct Book {
    pub(crate) state: LedgerState,
    pub(crate) records: Vec<Record>,
    pub(crate) time: Timestamp,
}

impl Book {
    pub(crate) fn new(limit: NanoUsd, start: &str) -> Self {
        let start = time(start);
        let mut book = Self { state: LedgerState::default(), records: Vec::new(), time: start };
        let day = jiff::tz::TimeZone::UTC.to_datetime(start).date();
        for record in founding(limit).records(start, day) {
            book.state.fold(&record).expect("a founding record");
            book.records.push(record);
        }
        book
    }

    pub(crate) fn push(&mut self, kind: RecordKind) {
        let day = if let RecordKind::Open(open) = &kind {
            open.segment.day
        } else {
            self.state.segment().expect("a segment").day
        };
        let record = Record { seq: self.state.seq() + 1, time: self.time, day, kind };
        self.state.fold(&record).expect("a record by the rules");
        self.records.push(record);
    }

    pub(crate) fn limit(&mut self, scope: LimitScope, value: NanoUsd, by: &str, why: &str) {
        let (by, why) = (by.into(), why.into());
        let origin = LimitOrigin::Person;
        self.push(RecordKind::Limit(Box::new(Limit { scope, value, origin, by, why })));
    }

    pub(crate) fn unknown(&mut self, rid: u64, class: UnknownClass) {
        let until = late_until(self.time, 3_600_000);
        let last_day = jiff::tz::TimeZone::UTC.to_datetime(until).date();
        let late = Late { class, until, last_day };
        self.push(RecordKind::Unknown(Unknown { rid: attempt(rid), late }));
    }

    /// Rolls to the day of `start`.
    pub(crate) fn roll(&mut self, start: &str) {
        self.time = time(start);
        let day = jiff::tz::TimeZone::UTC.to_datetime(self.time).date();
        let segment = self.state.segment().expect("a segment");
        let (lines, today) = (self.state.lines(), self.state.today());
        self.push(RecordKind::Roll(Box::new(Roll { lines, next: segment.next(day), today })));
        let open = self.state.next_open(day, OpenReason::Day, owner(), "imagemill 0.1.0".into());
        self.push(RecordKind::Open(Box::new(open.expect("a segment to continue"))));
    }
}

/// Two segments that hold every kind of record.
pub(crate) fn every_kind() -> Vec<Record> {
    let mut book = Book::new(cents(1000), "2026-11-21T23:00:00.000001Z");
    let scope = LimitScope::Run(run(2));
    let (by, why): (std::sync::Arc<str>, std::sync::Arc<str>) = ("ann".into(), "a trial".into());
    let mut limits = vec![scope, LimitScope::Window, LimitScope::EveryRun, LimitScope::Image];
    limits.push(LimitScope::Model("sim-\"1\"\u{2028}".into()));
    for scope in limits {
        book.limit(scope, cents(500), &by, &why);
    }
    (1..=5).for_each(|rid| book.push(reserve(rid, cents(4))));
    book.push(tagged(reserve(6, cents(4))));
    book.push(RecordKind::Ack(Ack { rid: attempt(1), provider_id: "job-1".into() }));
    book.push(settle(1, cents(3)));
    book.push(release(2));
    book.unknown(3, UnknownClass::Timeout);
    book.push(settle(4, cents(5)));
    let (rid, run) = (attempt(4), run(2));
    book.push(RecordKind::Overrun(Overrun { rid, run, amount: cents(5), max: cents(4) }));
    let (lines, today) = (book.state.lines(), book.state.today());
    let state = book.state.hash();
    book.push(RecordKind::Check(Box::new(Checkpoint { lines, today, state })));
    book.unknown(5, UnknownClass::ServerError);
    book.roll("2026-11-22T00:00:00.5Z");
    book.push(RecordKind::Repair(Box::new(Repair {
        segment: "2026-11-21/0001.jsonl".parse().expect("a name"),
        at: 4096,
        bytes: 17,
        hash: LineHash::of(b"torn"),
        side_file: "torn/2026-11-21-0001-4096.bin".into(),
    })));
    let basis = Basis::Person;
    book.push(RecordKind::Resolve(Box::new(Resolve {
        rid: attempt(3),
        amount: cents(4),
        basis,
        by: by.clone(),
        why: why.clone(),
    })));
    let on = book.state.segment().expect("a segment").day;
    let amount = cents(-1);
    book.push(RecordKind::Adjust(Box::new(Adjust { amount, on, run: Some(run), by, why })));
    let (lines, today) = (book.state.lines(), book.state.today());
    book.push(RecordKind::Close(Box::new(Close { owner: owner(), lines, today })));
    book.records
}
