//! What a run came to, and the rules that hold of every run.

use std::collections::BTreeMap;
use std::time::Duration;

use imagemill::domain::event::{RowFinished, RunEvent};
use imagemill::domain::ids::AttemptId;
use imagemill::domain::ledger::{Evidence, RecordKind, UnknownClass};
use imagemill::domain::money::NanoUsd;
use imagemill::domain::row::Outcome;
use imagemill::domain::sidecar::Sidecar;
use imagemill::domain::stats::RunStats;
use imagemill::pipeline::ledger_task::{Closing, LedgerStopped};
use imagemill::pipeline::stop::StopReason;

use crate::sim::fakes::{Call, Note};

/// How the money of an attempt ended in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Settled(NanoUsd),
    Released(Evidence, Option<u16>),
    Unknown(UnknownClass),
}

/// What a run came to.
pub(crate) struct Ran {
    /// What fakes noted, in the order of things.
    pub(crate) notes: Vec<(Duration, Note)>,
    /// What the journal kept.
    pub(crate) events: Vec<RunEvent>,
    /// Why it stopped, if it did.
    pub(crate) reasons: Vec<StopReason>,
    /// Its counters.
    pub(crate) stats: RunStats,
    /// How the ledger was left.
    pub(crate) closing: Result<Closing, LedgerStopped>,
    /// The sidecars of durable images.
    pub(crate) sidecars: Vec<Sidecar>,
    /// Its virtual time.
    pub(crate) elapsed: Duration,
    /// Whether the task that keeps images ended without a panic.
    pub(crate) is_persist_sound: bool,
    /// The free permits of the lane, as often as was looked.
    pub(crate) free_permits: Vec<usize>,
}

impl Ran {
    /// Every record that the ledger's store kept.
    pub(crate) fn records(&self) -> impl Iterator<Item = &RecordKind> {
        self.notes.iter().filter_map(|(_, note)| match note {
            Note::Kept(kind) => Some(kind),
            Note::Called(_) | Note::Ended(_) | Note::Charged(..) => None,
        })
    }

    /// The ends of all attempts, in their order.
    pub(crate) fn ends(&self) -> Vec<End> {
        let ends = self.records().filter_map(|kind| {
            if let RecordKind::Settle(settle) = kind {
                Some(End::Settled(settle.amount))
            } else if let RecordKind::Release(release) = kind {
                Some(End::Released(release.evidence, release.status))
            } else if let RecordKind::Unknown(unknown) = kind {
                Some(End::Unknown(unknown.late.class))
            } else {
                None
            }
        });
        ends.collect()
    }

    /// Every call of the provider, with its moment.
    pub(crate) fn calls(&self) -> Vec<(Duration, Call)> {
        let calls = self.notes.iter().filter_map(|(at, note)| match note {
            Note::Called(call) => Some((*at, *call)),
            Note::Kept(_) | Note::Ended(_) | Note::Charged(..) => None,
        });
        calls.collect()
    }

    /// What the provider charged, by its own books.
    pub(crate) fn charged(&self) -> NanoUsd {
        let charges = self.notes.iter().map(|(_, note)| match note {
            Note::Charged(_, amount) => *amount,
            Note::Kept(_) | Note::Called(_) | Note::Ended(_) => NanoUsd::ZERO,
        });
        charges.fold(NanoUsd::ZERO, NanoUsd::saturating_add)
    }

    /// How many records have this word.
    pub(crate) fn count(&self, word: &str) -> usize {
        self.records().filter(|kind| word_of(kind) == word).count()
    }

    /// The end of each row, by its number.
    pub(crate) fn rows(&self) -> BTreeMap<u64, &RowFinished> {
        let finished = self.events.iter().filter_map(|event| {
            let RunEvent::RowFinished(finished) = event else { return None };
            Some((finished.row, &**finished))
        });
        finished.collect()
    }

    /// What became of a row.
    pub(crate) fn outcome(&self, row: u64) -> Outcome {
        self.rows().get(&row).unwrap_or_else(|| panic!("row {row} did not finish")).outcome
    }

    /// What holds of every run, whatever happens in it.
    pub(crate) fn check(&self, concurrency: u32, limit: NanoUsd, is_ledger_sound: bool) {
        self.check_in_flight(concurrency);
        self.check_open_rows(concurrency);
        self.check_money(limit, is_ledger_sound);
        assert!(self.charged() <= limit, "charged {} above {limit}", self.charged());
    }

    fn check_in_flight(&self, concurrency: u32) {
        let mut in_flight = 0_u32;
        for (at, note) in &self.notes {
            match note {
                Note::Called(_) => in_flight += 1,
                Note::Ended(_) => in_flight -= 1,
                Note::Kept(_) | Note::Charged(..) => {}
            }
            assert!(in_flight <= concurrency, "{in_flight} requests in flight at {at:?}");
        }
        assert_eq!(in_flight, 0, "calls outlive the run");
    }

    fn check_open_rows(&self, concurrency: u32) {
        let mut open = 0_u32;
        for event in &self.events {
            open += u32::from(matches!(event, RunEvent::RowStarted { .. }));
            open -= u32::from(matches!(event, RunEvent::RowFinished(_)));
            assert!(open <= concurrency, "{open} rows are open");
        }
    }

    /// Each reserve is kept before its call, each call has one of its own, each ends once, and
    /// at no moment is more held and spent than the limit. A model of its own: sums by attempt.
    fn check_money(&self, limit: NanoUsd, is_ledger_sound: bool) {
        let mut held: BTreeMap<AttemptId, NanoUsd> = BTreeMap::new();
        let mut ready: BTreeMap<(u64, u32, u32), AttemptId> = BTreeMap::new();
        let mut sum = NanoUsd::ZERO;
        for (at, note) in &self.notes {
            match note {
                Note::Kept(RecordKind::Reserve(reserve)) => {
                    assert!(held.insert(reserve.rid, reserve.max).is_none(), "reserved twice");
                    sum = sum.saturating_add(reserve.max);
                    let key = (reserve.row, reserve.variant, reserve.attempt_no);
                    let before = ready.insert(key, reserve.rid);
                    assert!(before.is_none(), "two holds for one attempt at {at:?}");
                }
                Note::Kept(RecordKind::Settle(settle)) => {
                    let max = held.remove(&settle.rid).expect("settled once, after its reserve");
                    sum = sum.minus_or_zero(max).saturating_add(settle.amount);
                }
                Note::Kept(RecordKind::Release(release)) => {
                    let max = held.remove(&release.rid).expect("released once, after its reserve");
                    sum = sum.minus_or_zero(max);
                    ready.retain(|_, rid| *rid != release.rid);
                }
                Note::Kept(RecordKind::Unknown(unknown)) => {
                    assert!(held.remove(&unknown.rid).is_some(), "unknown twice or never held");
                }
                Note::Called(call) => {
                    let key = (call.row, u32::from(call.variant), call.attempt);
                    let rid = ready.remove(&key);
                    let rid = rid.unwrap_or_else(|| panic!("{call:?} without a durable hold"));
                    assert!(held.contains_key(&rid), "{call:?} after its hold has ended");
                }
                Note::Kept(_) | Note::Ended(_) | Note::Charged(..) => {}
            }
            assert!(sum <= limit, "exposure of {sum} above {limit} at {at:?}");
        }
        if is_ledger_sound {
            assert!(held.is_empty(), "holds without an end: {held:?}");
            let closing = self.closing.as_ref().expect("the ledger closes");
            assert!(closing.misfits.is_empty(), "ends that found no hold: {closing:?}");
        }
    }
}

fn word_of(kind: &RecordKind) -> &'static str {
    match kind {
        RecordKind::Reserve(_) => "reserve",
        RecordKind::Settle(_) => "settle",
        RecordKind::Release(_) => "release",
        RecordKind::Unknown(_) => "unknown",
        RecordKind::Overrun(_) => "overrun",
        RecordKind::Open(_)
        | RecordKind::Limit(_)
        | RecordKind::Ack(_)
        | RecordKind::Resolve(_)
        | RecordKind::Adjust(_)
        | RecordKind::Check(_)
        | RecordKind::Roll(_)
        | RecordKind::Close(_)
        | RecordKind::Repair(_)
        | RecordKind::Unrecognized(_) => "other",
    }
}
