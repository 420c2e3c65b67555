//! One group: begin, take in what others wrote, write ends, admit what fits, one commit, answer.

use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use fail::fail_point;

use crate::domain::ledger::clock::Doubt;
use crate::domain::ledger::{Admission, Ask, Booked, Record, RecordKind, Reserve};
use crate::pipeline::ledger_task::messages::{
    Delivery, End, Offer, Patience, Reservation, ReserveAsk, Waiting,
};
use crate::pipeline::ledger_task::task::LedgerTask;
use crate::ports::ledger::{CatchUp, LOCK_PATIENCE, StoreError};

/// Records between two checkpoints.
const CHECK_EVERY: usize = 1000;
/// Records between two checkpoints for each attempt and run that a checkpoint covers.
const CHECK_SHARE: usize = 4;

impl LedgerTask {
    /// One group.
    pub(super) async fn group(&mut self) -> Result<(), StoreError> {
        self.open_group().await?;
        self.write_ends()?;
        self.admit()?;
        if !self.waiting.is_empty() && self.store.manners().poll.is_some() {
            // What a dead process left may be late enough to weigh on today no more.
            self.declare_dead().await?;
            self.admit()?;
        }
        self.commit().await
    }

    /// The last group: what has no end is unknown.
    pub(super) async fn closing_group(&mut self) -> Result<(), StoreError> {
        self.open_group().await?;
        self.write_ends()?;
        fail_point!("ledger::before_close", |_| Err(StoreError::Poisoned));
        self.closing.left = self.draft.leave()?;
        self.commit().await?;
        self.store.retire().await
    }

    /// Takes the lock, takes in what others wrote, and moves to the segment of the day.
    async fn open_group(&mut self) -> Result<(), StoreError> {
        let CatchUp { records, repair, new_segment } = self.begin().await?;
        self.looked_at = self.clock.elapsed();
        let is_first = self.draft.state().segment().is_none();
        self.draft.catch_up(&records)?;
        if records.last().is_some_and(vouches) {
            self.unvouched = None;
        }
        if self.draft.state().segment().is_none() {
            return Err(StoreError::Missing { path: PathBuf::from("the first segment") });
        }
        self.wall = self.clock.now();
        let believed = self.day_clock.believe(self.wall, self.clock.passed());
        self.draft.start(believed, repair, new_segment)?;
        if let Some(doubt) = Doubt::of(self.wall, self.draft.day(), &self.options.zone) {
            // The first one is told; a later one says the same.
            let _ = self.doubt.set(doubt);
        }
        if is_first {
            self.declare_dead().await?;
        }
        Ok(())
    }

    /// Begins a group. Whoever holds the lock for long is named, and waited for all the same.
    async fn begin(&mut self) -> Result<CatchUp, StoreError> {
        let look = self.store.lock_look();
        let mut begun = pin!(self.store.begin());
        tokio::select! {
            // Biased: a lock that is there at last is not talked about.
            biased;
            found = &mut begun => return found,
            () = self.clock.sleep(LOCK_PATIENCE) => {}
        }
        self.lock_waits.send_replace(look());
        begun.await
    }

    /// Writes what happened to attempts. An end that finds nothing to end was overtaken by someone
    /// else's, and is reported when the ledger is closed.
    fn write_ends(&mut self) -> Result<(), StoreError> {
        self.ends_since = None;
        for end in self.ends.drain(..) {
            fail_point!("ledger::before_settle", |_| Err(StoreError::Poisoned));
            let (rid, booked) = match end {
                End::Settle(settle) => (settle.rid, self.draft.settle(settle)?),
                End::Release(release) => (release.rid, self.draft.release(release)?),
                End::Unknown(rid, class) => (rid, self.draft.unknown(rid, class)?),
                End::Ack(ack) if self.draft.state().hold(ack.rid).is_some() => {
                    let rid = ack.rid;
                    self.draft.push(RecordKind::Ack(ack))?;
                    (rid, Booked::Written)
                }
                End::Ack(ack) => (ack.rid, Booked::Misfit),
            };
            if booked == Booked::Misfit {
                self.closing.misfits.push(rid);
            }
        }
        Ok(())
    }

    async fn declare_dead(&mut self) -> Result<(), StoreError> {
        let owners = self.draft.other_owners();
        if owners.is_empty() {
            return Ok(());
        }
        let dead = self.store.dead_owners(owners).await?;
        Ok(self.draft.lose(&dead)?)
    }

    /// Admits the longest prefix of the queue that fits. A refusal is final and does not block it,
    /// and who cannot wait is told so instead of overtaking those who do.
    fn admit(&mut self) -> Result<(), StoreError> {
        let mut is_blocked = false;
        for _ in 0..self.waiting.len() {
            let waiting = self.waiting.pop_front().expect("as many as were counted");
            if waiting.reply.is_closed() {
                continue;
            }
            let ReserveAsk { run, max, beside, ref model, .. } = waiting.ask;
            let ask = Ask { run, model, max, beside, ceilings: self.options.ceilings };
            match self.draft.state().admit(&ask, self.draft.day(), self.draft.time()) {
                Admission::Refuse(refusal) => {
                    let _ = waiting.reply.send(Err(refusal.into()));
                }
                Admission::Admit if !is_blocked => self.let_in(waiting)?,
                Admission::Admit | Admission::Wait => match waiting.patience {
                    Patience::ReserveNow => {
                        let _ = waiting.reply.send(Ok(Offer::Full));
                    }
                    Patience::Reserve | Patience::Room => {
                        is_blocked = true;
                        self.waiting.push_back(waiting);
                    }
                },
            }
        }
        Ok(())
    }

    /// There is room: it is reserved, or only told.
    fn let_in(&mut self, waiting: Waiting) -> Result<(), StoreError> {
        match waiting.patience {
            Patience::Room => {
                let _ = waiting.reply.send(Ok(Offer::Room));
            }
            Patience::Reserve | Patience::ReserveNow => {
                let reserve = self.reserve_of(&waiting.ask);
                self.draft.push(RecordKind::Reserve(Box::new(reserve)))?;
                self.admitted.push(waiting);
            }
        }
        Ok(())
    }

    fn reserve_of(&self, ask: &ReserveAsk) -> Reserve {
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Reserve {
            rid: ask.rid,
            run: ask.run,
            row: ask.row,
            variant: ask.variant,
            attempt_no: ask.attempt_no,
            owner: self.options.owner,
            provider: ask.provider.clone(),
            model: ask.model.clone(),
            max: ask.max,
            request_digest: ask.request_digest,
            timeout_ms: millis(ask.timeout),
            late_ms: millis(ask.late),
            tags: ask.tags.clone(),
            canary: ask.canary,
        }
    }

    /// One commit for the group, then the answers.
    async fn commit(&mut self) -> Result<(), StoreError> {
        let is_kept = self.store.manners().linger.is_some();
        self.since_check += self.draft.records().len();
        // A checkpoint reads the whole state: a large one has them less often, so that a record
        // costs the same however many attempts are open.
        let every = CHECK_EVERY.max(CHECK_SHARE * self.draft.state().n_carried());
        let is_full = is_kept && self.since_check >= every;
        if is_full || (self.draft.records().is_empty() && self.is_idle()) {
            self.draft.check()?;
        }
        if self.draft.records().is_empty() {
            return self.store.abandon().await;
        }
        self.store.commit(self.draft.records()).await?;
        if self.draft.records().last().is_some_and(vouches) {
            self.since_check = 0;
            self.unvouched = None;
        } else {
            self.unvouched = is_kept.then(|| self.clock.elapsed());
        }
        self.draft.committed();
        for waiting in self.admitted.drain(..) {
            let (rid, max) = (waiting.ask.rid, waiting.ask.max);
            let reservation = Reservation { rid, max, time: self.wall };
            // An answer that cannot be delivered comes back as an orphan when it is dropped.
            let delivery = Delivery::new(reservation, self.orphan_sender.clone());
            let _ = waiting.reply.send(Ok(Offer::Reserved(delivery)));
        }
        Ok(())
    }
}

/// Whether a record states the sums, so that damage before it is found.
fn vouches(record: &Record) -> bool {
    matches!(record.kind, RecordKind::Check(_) | RecordKind::Close(_))
}
