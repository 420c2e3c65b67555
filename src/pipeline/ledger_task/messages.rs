//! What is asked of the ledger task, and what it answers.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::{mpsc, oneshot};

use crate::domain::ids::{AttemptId, RunId};
use crate::domain::ledger::{Ack, Limit, Refusal, Release, Settle, Totals, UnknownClass};
use crate::domain::money::NanoUsd;
use crate::pipeline::stop::{StopReason, with_sources};
use crate::ports::ledger::StoreError;

/// How long after its end the charge of an answered-at-once call may still appear.
pub const LATE_CALL: Duration = Duration::from_hours(1);
/// How long after its end the charge of a job may still appear.
pub const LATE_JOB: Duration = Duration::from_hours(24);

/// A worst case that wants to be reserved.
#[derive(Clone, Debug)]
pub struct ReserveAsk {
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
    /// The provider's name.
    pub provider: Arc<str>,
    /// The model's name.
    pub model: Arc<str>,
    /// The worst case.
    pub max: NanoUsd,
    /// What must still fit beside it; a paid retry leaves the money of first attempts alone.
    pub beside: NanoUsd,
    /// SHA-256 of the canonical request.
    pub request_digest: [u8; 32],
    /// The time-out of the request.
    pub timeout: Duration,
    /// How long after its end a charge may still appear: [`LATE_CALL`] or [`LATE_JOB`].
    pub late: Duration,
    /// The tags of its row, to sum by.
    pub tags: Vec<Box<str>>,
    /// Whether its run sends a canary share only.
    pub canary: bool,
}

/// The licence to send one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The attempt.
    pub rid: AttemptId,
    /// What is held for it.
    pub max: NanoUsd,
    /// When it was made, by the wall clock.
    pub time: Timestamp,
}

/// Why there is no reservation.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReserveError {
    /// It does not fit a limit; nothing is wrong with the ledger.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The ledger takes nothing more: this run must stop spending.
    #[error(transparent)]
    Stopped(#[from] LedgerStopped),
}

/// Why the ledger takes nothing more.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LedgerStopped {
    /// It failed; no money moves any more.
    #[error("the ledger failed")]
    Failed(#[source] Arc<StoreError>),
    /// It was shut down.
    #[error("the ledger was closed")]
    Closed,
}

impl LedgerStopped {
    /// Why the run stops: a disk that refuses can be helped, a ledger that is wrong cannot.
    pub fn stop_reason(&self) -> StopReason {
        let text = with_sources(self);
        let Self::Failed(source) = self else { return StopReason::Broken(text) };
        match **source {
            StoreError::Io { .. } => StopReason::Environment(text),
            StoreError::Corrupt { .. }
            | StoreError::Rule { .. }
            | StoreError::Missing { .. }
            | StoreError::Replaced { .. }
            | StoreError::Description { .. }
            | StoreError::WrongMoney { .. }
            | StoreError::Gone { .. }
            | StoreError::OtherZone { .. }
            | StoreError::Poisoned => StopReason::Broken(text),
        }
    }
}

/// The sums, with every end that was sent before it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The ledger's day.
    pub day: Date,
    /// The ledger's own limit per day and where it came from.
    pub limit_per_day: Option<Limit>,
    /// The totals of the day, all processes together.
    pub today: Totals,
    /// The totals of the run over all days.
    pub run: Totals,
    /// Asks that wait for holds to fall.
    pub waiting: usize,
}

/// How the ledger was left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closing {
    /// Attempts of this process that had no end, and are unknown now.
    pub left: Vec<AttemptId>,
    /// Attempts for which an end came that had none to get: someone else had ended them.
    pub misfits: Vec<AttemptId>,
}

/// What the task is asked to do.
#[derive(Debug)]
pub(super) enum Message {
    Reserve(Waiting),
    End(End),
    /// The provider's time, which is well behind ours, and how long its answer took.
    Date(Timestamp, Duration, oneshot::Sender<Option<Date>>),
    Snapshot(RunId, oneshot::Sender<Result<Snapshot, LedgerStopped>>),
    Shutdown(oneshot::Sender<Result<Closing, LedgerStopped>>),
}

/// An ask and the one who waits for its answer.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) ask: ReserveAsk,
    pub(super) patience: Patience,
    pub(super) reply: oneshot::Sender<Result<Offer, ReserveError>>,
}

/// What an ask does while holds that may still fall fill the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// It waits, and reserves when its turn has come.
    Reserve,
    /// It is told at once, since its lane permit must not wait with it.
    ReserveNow,
    /// It waits, and is told when there is room; nothing is reserved.
    Room,
}

/// The answer to an ask that was not refused.
#[derive(Debug)]
pub(super) enum Offer {
    /// It is reserved.
    Reserved(Delivery),
    /// There is room, and nothing is reserved.
    Room,
    /// Holds that may still fall fill the limit.
    Full,
}

/// What happened to an attempt.
#[derive(Debug)]
pub(super) enum End {
    Ack(Ack),
    Settle(Settle),
    Release(Release),
    Unknown(AttemptId, UnknownClass),
}

/// A reservation on its way. When it is dropped before it arrives, its attempt was never sent, and
/// the task is told to release it.
#[derive(Debug)]
pub(super) struct Delivery {
    reservation: Option<Reservation>,
    orphans: mpsc::UnboundedSender<AttemptId>,
}

impl Delivery {
    pub(super) fn new(reservation: Reservation, orphans: mpsc::UnboundedSender<AttemptId>) -> Self {
        Self { reservation: Some(reservation), orphans }
    }

    pub(super) fn accept(mut self) -> Reservation {
        self.reservation.take().expect("a delivery is accepted once")
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(reservation) = self.reservation.take() {
            // Without a task there is no one to release it; the hold stays, which is safe.
            let _ = self.orphans.send(reservation.rid);
        }
    }
}
