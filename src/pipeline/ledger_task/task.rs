//! The loop of the ledger task: gathers what is asked, and works it off in groups.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, yield_now};

use crate::domain::ids::{AttemptId, RunId};
use crate::domain::ledger::clock::{DayClock, Doubt, latest_day};
use crate::domain::ledger::{Ceilings, Draft, Evidence, OwnerId, Release, cut_name};
use crate::pipeline::ledger_task::handle::LedgerHandle;
use crate::pipeline::ledger_task::messages::{
    Closing, End, LedgerStopped, Message, Snapshot, Waiting,
};
use crate::ports::clock::Clock;
use crate::ports::ledger::{LedgerStore, LockHolder, StoreError};

/// Messages that may be on their way; senders wait beyond it. More than any number of slots.
const INBOX: usize = 1024;
/// Messages worked off in one group, so that no one waits for an endless one.
const GROUP: usize = 1024;

/// How often everything else that is ready may go on before a group is closed: who has the disk to
/// wait for wants company, and pays for it with microseconds.
const TURNS: usize = 4;

/// How long the newest lines stand without a checkpoint behind them when nothing more is written.
const IDLE: Duration = Duration::from_secs(1);

/// What the task needs to know.
#[derive(Clone, Debug)]
pub struct TaskOptions {
    /// This process, whose lock the store holds.
    pub owner: OwnerId,
    /// The time zone of the ledger's days.
    pub zone: TimeZone,
    /// The version of the tool, for new segments.
    pub tool: Arc<str>,
    /// What the run allows itself; it can only lower the ledger's own limits.
    pub ceilings: Ceilings,
}

/// Starts the task on the present runtime. It ends after a shutdown, or with its last handle.
pub fn spawn(
    store: Box<dyn LedgerStore>,
    clock: Arc<dyn Clock>,
    options: TaskOptions,
) -> (LedgerHandle, JoinHandle<()>) {
    let (sender, inbox) = mpsc::channel(INBOX);
    let (orphan_sender, orphans) = mpsc::unbounded_channel();
    let failure = Arc::new(OnceLock::new());
    let TaskOptions { owner, zone, tool, .. } = options.clone();
    let draft = Draft::new(owner, zone, tool);
    let doubt = Arc::new(OnceLock::new());
    let (lock_sender, lock_waits) = watch::channel(None);
    let task = LedgerTask {
        store,
        clock,
        options,
        draft,
        waiting: VecDeque::new(),
        ends: Vec::new(),
        snapshots: Vec::new(),
        admitted: Vec::new(),
        since_check: 0,
        unvouched: None,
        fresh: false,
        ends_since: None,
        looked_at: Duration::ZERO,
        day_clock: DayClock::default(),
        wall: Timestamp::default(),
        doubt: Arc::clone(&doubt),
        lock_waits: lock_sender,
        orphan_sender,
        failure: Arc::clone(&failure),
        closing: Closing::default(),
    };
    let join = tokio::spawn(task.run(inbox, orphans));
    let (turn, is_doubt_told) = (Arc::default(), Arc::default());
    (LedgerHandle { sender, failure, doubt, is_doubt_told, lock_waits, turn }, join)
}

/// The task's own state. Only it touches the store.
#[derive(Debug)]
pub(super) struct LedgerTask {
    pub(super) store: Box<dyn LedgerStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) options: TaskOptions,
    /// The sums, and the records of the group under way.
    pub(super) draft: Draft,
    /// Asks in the order of asking.
    pub(super) waiting: VecDeque<Waiting>,
    /// Ends that are not written yet.
    pub(super) ends: Vec<End>,
    /// Who wants to see the sums, with all ends that came before.
    snapshots: Vec<(RunId, oneshot::Sender<Result<Snapshot, LedgerStopped>>)>,
    /// Asks that the group under way admits; answered once it is durable.
    pub(super) admitted: Vec<Waiting>,
    /// Records since the last checkpoint.
    pub(super) since_check: usize,
    /// When the newest lines were written, while no line behind them vouches for them.
    pub(super) unvouched: Option<Duration>,
    /// Whether an ask came that no group has judged yet.
    fresh: bool,
    /// When the oldest end that is not written came.
    pub(super) ends_since: Option<Duration>,
    /// When the last group was.
    pub(super) looked_at: Duration,
    /// The wall clock, as far as it is believed.
    pub(super) day_clock: DayClock,
    /// The wall clock at the last group.
    pub(super) wall: Timestamp,
    /// The first doubt about the wall clock.
    pub(super) doubt: Arc<OnceLock<Doubt>>,
    /// Tells that the ledger's lock is waited for, and for whom.
    pub(super) lock_waits: watch::Sender<Option<LockHolder>>,
    pub(super) orphan_sender: mpsc::UnboundedSender<AttemptId>,
    failure: Arc<OnceLock<Arc<StoreError>>>,
    pub(super) closing: Closing,
}

/// What woke the task.
enum Wake {
    Message(Option<Message>),
    Orphan(AttemptId),
    Timer,
}

impl LedgerTask {
    async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Message>,
        mut orphans: mpsc::UnboundedReceiver<AttemptId>,
    ) {
        self.work().await;
        loop {
            let mut closing = None;
            let timer = self.timer().map(|timer| timer.saturating_sub(self.clock.elapsed()));
            match wake(&*self.clock, timer, &mut inbox, &mut orphans).await {
                Wake::Message(None) => {
                    // Every handle is gone: what is on its way is still written.
                    self.gather_orphans(&mut orphans);
                    self.close().await;
                    return;
                }
                Wake::Message(Some(message)) => {
                    closing = self.take(message);
                    if self.store.manners().linger.is_some() {
                        for _ in 0..TURNS {
                            yield_now().await;
                        }
                    }
                    for _ in 1..GROUP {
                        if closing.is_some() {
                            break;
                        }
                        let Ok(message) = inbox.try_recv() else { break };
                        closing = self.take(message);
                    }
                }
                Wake::Orphan(rid) => self.take_orphan(rid),
                Wake::Timer => {}
            }
            self.gather_orphans(&mut orphans);
            if let Some(reply) = closing {
                self.close().await;
                let closing = std::mem::take(&mut self.closing);
                // Nobody is left to hear it when the caller gave up.
                let _ = reply.send(self.stopped().map_or(Ok(closing), Err));
                return;
            }
            if self.is_due() {
                self.work().await;
            }
            for (run, reply) in std::mem::take(&mut self.snapshots) {
                let _ = reply.send(self.stopped().map_or_else(|| Ok(self.snapshot(run)), Err));
            }
        }
    }

    /// The moment at which ends must be written, or waiting asks be judged again.
    fn timer(&self) -> Option<Duration> {
        if self.failure.get().is_some() {
            return None;
        }
        let manners = self.store.manners();
        let linger = self.ends_since.zip(manners.linger).map(|(since, linger)| since + linger);
        let poll = manners.poll.filter(|_| !self.waiting.is_empty());
        let poll = poll.map(|poll| self.looked_at + poll);
        let idle = self.unvouched.map(|since| since + IDLE);
        [linger, poll, idle].into_iter().flatten().min()
    }

    /// Whether the newest lines have waited long enough for a line that vouches for them.
    pub(super) fn is_idle(&self) -> bool {
        self.unvouched.is_some_and(|since| since + IDLE <= self.clock.elapsed())
    }

    fn is_timer_over(&self) -> bool {
        self.timer().is_some_and(|timer| timer <= self.clock.elapsed())
    }

    /// Whether a group is due: someone waits for an answer that it may bring, or a timer is over.
    fn is_due(&self) -> bool {
        let is_asked = !self.waiting.is_empty() || !self.snapshots.is_empty();
        let ends_count =
            !self.ends.is_empty() && (is_asked || self.store.manners().linger.is_none());
        self.fresh || ends_count || self.is_timer_over()
    }

    /// Takes one message in; returns the reply of a shutdown.
    fn take(
        &mut self,
        message: Message,
    ) -> Option<oneshot::Sender<Result<Closing, LedgerStopped>>> {
        match message {
            Message::Reserve(mut waiting) => match self.stopped() {
                Some(stopped) => {
                    let _ = waiting.reply.send(Err(stopped.into()));
                }
                None => {
                    // A line keeps names that are not endless, and sums go by what a line says.
                    waiting.ask.model = cut_name(&waiting.ask.model);
                    self.waiting.push_back(waiting);
                    self.fresh = true;
                }
            },
            Message::End(end) => self.take_end(end),
            Message::Date(date, took, reply) => {
                self.day_clock.lower(date, self.clock.passed());
                let day = self.draft.day();
                let is_early = latest_day(date, took, &self.options.zone) < day;
                let _ = reply.send(is_early.then_some(day));
            }
            Message::Snapshot(run, reply) => self.snapshots.push((run, reply)),
            Message::Shutdown(reply) => return Some(reply),
        }
        None
    }

    fn take_end(&mut self, end: End) {
        if self.stopped().is_none() {
            self.ends.push(end);
            if self.ends_since.is_none() && self.store.manners().linger.is_some() {
                self.ends_since = Some(self.clock.elapsed());
            }
        }
    }

    fn take_orphan(&mut self, rid: AttemptId) {
        let release = Release { rid, evidence: Evidence::NeverSent, status: None };
        self.take_end(End::Release(release));
    }

    fn gather_orphans(&mut self, orphans: &mut mpsc::UnboundedReceiver<AttemptId>) {
        while let Ok(rid) = orphans.try_recv() {
            self.take_orphan(rid);
        }
    }

    fn snapshot(&self, run: RunId) -> Snapshot {
        let state = self.draft.state();
        Snapshot {
            day: self.draft.day(),
            limit_per_day: state.limit_per_day().cloned(),
            today: state.today(),
            run: state.run(run),
            waiting: self.waiting.len(),
        }
    }

    /// Works off one group; a failure stops everything.
    async fn work(&mut self) {
        if self.failure.get().is_some() {
            return;
        }
        self.fresh = false;
        if let Err(error) = self.group().await {
            self.give_up(error).await;
        }
    }

    async fn close(&mut self) {
        if self.failure.get().is_none()
            && let Err(error) = self.closing_group().await
        {
            self.give_up(error).await;
        }
        for waiting in std::mem::take(&mut self.waiting) {
            let stopped = self.stopped().unwrap_or(LedgerStopped::Closed);
            let _ = waiting.reply.send(Err(stopped.into()));
        }
    }

    /// A group that fails between its begin and its commit leaves the lock to others.
    async fn give_up(&mut self, error: StoreError) {
        // A store that has lost its files has lost the lock with them.
        let _ = self.store.abandon().await;
        self.stop(error);
    }

    /// Nothing moves any more: what is held stays held, and everyone who waits is told.
    fn stop(&mut self, error: StoreError) {
        let _ = self.failure.set(Arc::new(error));
        self.ends.clear();
        self.ends_since = None;
        let told = std::mem::take(&mut self.admitted).into_iter();
        for waiting in told.chain(std::mem::take(&mut self.waiting)) {
            let stopped = self.stopped().expect("the failure was just set");
            let _ = waiting.reply.send(Err(stopped.into()));
        }
    }

    fn stopped(&self) -> Option<LedgerStopped> {
        self.failure.get().map(|failure| LedgerStopped::Failed(Arc::clone(failure)))
    }
}

/// Waits for something to do, at most for `timer`. Biased, so that the order of work does not
/// depend on chance: a timer that is over must not wait behind an inbox that never empties.
async fn wake(
    clock: &dyn Clock,
    timer: Option<Duration>,
    inbox: &mut mpsc::Receiver<Message>,
    orphans: &mut mpsc::UnboundedReceiver<AttemptId>,
) -> Wake {
    match timer {
        None => tokio::select! {
            biased;
            Some(rid) = orphans.recv() => Wake::Orphan(rid),
            message = inbox.recv() => Wake::Message(message),
        },
        Some(Duration::ZERO) => Wake::Timer,
        Some(rest) => tokio::select! {
            biased;
            Some(rid) = orphans.recv() => Wake::Orphan(rid),
            () = clock.sleep(rest) => Wake::Timer,
            message = inbox.recv() => Wake::Message(message),
        },
    }
}
