//! The way to the ledger task: cheap to clone, bounded, and honest about failure.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::{Mutex, MutexGuard, mpsc, oneshot, watch};

use crate::domain::ids::{AttemptId, RunId};
use crate::domain::ledger::clock::Doubt;
use crate::domain::ledger::{Ack, CostSource, Evidence, Release, Settle, UnknownClass};
use crate::domain::money::NanoUsd;
use crate::pipeline::ledger_task::messages::{
    Closing, End, LedgerStopped, Message, Offer, Patience, Reservation, ReserveAsk, ReserveError,
    Snapshot, Waiting,
};
use crate::ports::ledger::{LockHolder, StoreError};

/// What every part of the pipeline holds of the ledger.
#[derive(Clone, Debug)]
pub struct LedgerHandle {
    pub(super) sender: mpsc::Sender<Message>,
    /// The failure that stopped the task, if one did.
    pub(super) failure: Arc<OnceLock<Arc<StoreError>>>,
    /// The first doubt about the wall clock.
    pub(super) doubt: Arc<OnceLock<Doubt>>,
    /// Whether that doubt was taken to be told.
    pub(super) is_doubt_told: Arc<AtomicBool>,
    /// Told each time that the ledger's lock is waited for.
    pub(super) lock_waits: watch::Receiver<Option<LockHolder>>,
    /// Whose turn it is to wait for room; a fair lock, so that asks are served in their order.
    pub(super) turn: Arc<Mutex<()>>,
}

/// The turn of the one who has waited longest for room: only that one asks for it, the others
/// wait for the turn, in their order.
#[derive(Debug)]
pub struct Turn<'a> {
    _guard: MutexGuard<'a, ()>,
}

impl LedgerHandle {
    /// Reserves a worst case. When this returns a reservation, it is durable, and the attempt may
    /// be sent. It waits, in the order of asking, while holds that may still fall fill the limit.
    /// Dropping the future gives the reservation back.
    ///
    /// # Errors
    /// When the worst case does not fit, or the ledger takes nothing more.
    pub async fn reserve(&self, ask: ReserveAsk) -> Result<Reservation, ReserveError> {
        match self.ask(ask, Patience::Reserve).await? {
            Offer::Reserved(delivery) => Ok(delivery.accept()),
            Offer::Room | Offer::Full => Err(LedgerStopped::Closed.into()),
        }
    }

    /// Reserves a worst case as [`Self::reserve`] does, but never waits for holds to fall: nothing
    /// is returned when it would have to. For those who hold a lane permit meanwhile.
    ///
    /// # Errors
    /// When the worst case does not fit, or the ledger takes nothing more.
    pub async fn reserve_now(&self, ask: ReserveAsk) -> Result<Option<Reservation>, ReserveError> {
        match self.ask(ask, Patience::ReserveNow).await? {
            Offer::Reserved(delivery) => Ok(Some(delivery.accept())),
            Offer::Room | Offer::Full => Ok(None),
        }
    }

    /// Queues for room, in the order of asking.
    pub async fn turn(&self) -> Turn<'_> {
        Turn { _guard: self.turn.lock().await }
    }

    /// Waits until the worst case would fit; nothing is reserved, so another process may be
    /// faster. Dropping the future gives the wait up.
    ///
    /// # Errors
    /// When the worst case does not fit whatever falls, or the ledger takes nothing more.
    pub async fn room(&self, _turn: &Turn<'_>, ask: ReserveAsk) -> Result<(), ReserveError> {
        self.ask(ask, Patience::Room).await.map(drop)
    }

    /// Ends an attempt that cost `amount`. It does not wait for the disk: a settle that is lost
    /// leaves the hold, which is only more cautious.
    ///
    /// # Errors
    /// When the ledger takes nothing more.
    pub async fn settle(
        &self,
        rid: AttemptId,
        amount: NanoUsd,
        source: CostSource,
        provider_request_id: Option<Arc<str>>,
    ) -> Result<(), LedgerStopped> {
        let provider_id = provider_request_id;
        self.end(End::Settle(Settle { rid, amount, source, provider_id })).await
    }

    /// Ends an attempt that cost nothing, by evidence.
    ///
    /// # Errors
    /// When the ledger takes nothing more.
    pub async fn release(
        &self,
        rid: AttemptId,
        evidence: Evidence,
        status: Option<u16>,
    ) -> Result<(), LedgerStopped> {
        self.end(End::Release(Release { rid, evidence, status })).await
    }

    /// Declares that nobody knows what an attempt cost; its hold stays.
    ///
    /// # Errors
    /// When the ledger takes nothing more.
    pub async fn unknown(&self, rid: AttemptId, class: UnknownClass) -> Result<(), LedgerStopped> {
        self.end(End::Unknown(rid, class)).await
    }

    /// Notes the provider's name for an attempt under way.
    ///
    /// # Errors
    /// When the ledger takes nothing more.
    pub async fn ack(&self, rid: AttemptId, provider_id: Arc<str>) -> Result<(), LedgerStopped> {
        self.end(End::Ack(Ack { rid, provider_id })).await
    }

    /// The sums, with those of `run`. Ends that were sent before are written first; what other
    /// processes wrote since the latest group is not looked up.
    ///
    /// # Errors
    /// When the ledger takes nothing more.
    pub async fn snapshot(&self, run: RunId) -> Result<Snapshot, LedgerStopped> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Snapshot(run, reply)).await?;
        answer.await.unwrap_or_else(|_| Err(self.stopped()))
    }

    /// Writes every end that is on its way, declares what has none unknown, and closes the ledger.
    ///
    /// # Errors
    /// When the ledger failed, now or before.
    pub async fn shutdown(&self) -> Result<Closing, LedgerStopped> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Shutdown(reply)).await?;
        answer.await.unwrap_or_else(|_| Err(self.stopped()))
    }

    /// The provider says that it is `date`, well behind our wall clock, in an answer that took so
    /// long: no day is opened that is later by its clock. Returns the ledger's day when that one
    /// has begun too early already.
    ///
    /// # Errors
    /// When the ledger takes nothing more.
    pub async fn provider_date(
        &self,
        date: Timestamp,
        took: Duration,
    ) -> Result<Option<Date>, LedgerStopped> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Date(date, took, reply)).await?;
        answer.await.map_err(|_| self.stopped())
    }

    /// The doubt about the wall clock that the ledger keeps another day for, if there is one.
    pub fn doubt(&self) -> Option<Doubt> {
        self.doubt.get().copied()
    }

    /// The same, once, for the one who tells it.
    pub(crate) fn untold_doubt(&self) -> Option<Doubt> {
        self.doubt().filter(|_| !self.is_doubt_told.swap(true, Ordering::Relaxed))
    }

    /// Changes each time that the ledger's lock has been waited for longer than usual.
    pub fn lock_waits(&self) -> watch::Receiver<Option<LockHolder>> {
        self.lock_waits.clone()
    }

    async fn ask(&self, ask: ReserveAsk, patience: Patience) -> Result<Offer, ReserveError> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Reserve(Waiting { ask, patience, reply })).await?;
        answer.await.unwrap_or_else(|_| Err(self.stopped().into()))
    }

    async fn end(&self, end: End) -> Result<(), LedgerStopped> {
        if self.failure.get().is_some() {
            return Err(self.stopped());
        }
        self.send(Message::End(end)).await
    }

    async fn send(&self, message: Message) -> Result<(), LedgerStopped> {
        self.sender.send(message).await.map_err(|_| self.stopped())
    }

    fn stopped(&self) -> LedgerStopped {
        self.failure
            .get()
            .map_or(LedgerStopped::Closed, |failure| LedgerStopped::Failed(Arc::clone(failure)))
    }
}
