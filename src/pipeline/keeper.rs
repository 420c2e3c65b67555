//! The task behind the counters: it keeps the journal and tells the views, in groups, so that no
//! disk and no reader of the output holds up what is counted.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use crate::domain::event::Stamped;
use crate::pipeline::linger::{Hurry, Linger};
use crate::pipeline::stop::{Stop, StopReason, with_sources};
use crate::ports::clock::Clock;
use crate::ports::journal::JournalStore;
use crate::ports::sink::EventSink;

/// Events that may wait; a full queue slows the run down instead of growing.
const QUEUE: usize = 1_024;

/// The most events that are journaled and synced together.
const GROUP: usize = 256;

/// What the keeper is handed.
pub(super) enum Kept {
    /// An event, in its place.
    Event(Stamped),
    /// Somebody waits until everything before this is kept.
    Flush(oneshot::Sender<()>),
}

/// The way to the keeper.
pub(super) struct KeeperHandle {
    queue: mpsc::Sender<Kept>,
    hurry: Hurry,
    task: JoinHandle<()>,
}

impl KeeperHandle {
    /// Hands an item over; whether the keeper took it.
    pub(super) async fn hand(&self, item: Kept) -> bool {
        let is_flush = matches!(item, Kept::Flush(_));
        let is_taken = self.queue.send(item).await.is_ok();
        if is_flush {
            self.hurry.now();
        }
        is_taken
    }

    /// Waits until everything is kept.
    ///
    /// # Errors
    /// When the keeper panicked.
    pub(super) async fn end(self) -> Result<(), JoinError> {
        drop(self.queue);
        self.hurry.now();
        self.task.await
    }
}

/// What the keeper needs.
pub(super) struct Keeper {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) journal: Option<Box<dyn JournalStore>>,
    pub(super) views: Views,
    pub(super) stop: Arc<Stop>,
}

impl Keeper {
    /// Starts the task. It ends when its queue is closed and empty.
    pub(super) fn spawn(self) -> KeeperHandle {
        let (queue, inbox) = mpsc::channel(QUEUE);
        let hurry = Hurry::default();
        let task = tokio::spawn(self.work(inbox, hurry.clone()));
        KeeperHandle { queue, hurry, task }
    }

    async fn work(mut self, mut inbox: mpsc::Receiver<Kept>, hurry: Hurry) {
        let mut group = Vec::with_capacity(GROUP);
        let span = self.journal.as_ref().map_or(Duration::ZERO, |journal| journal.linger());
        let linger = Linger { clock: Arc::clone(&self.clock), span, hurry, most: GROUP };
        while inbox.recv_many(&mut group, GROUP).await > 0 {
            linger.gather(&mut inbox, &mut group).await;
            let mut stamped = Vec::with_capacity(group.len());
            let mut flushes = Vec::new();
            for kept in group.drain(..) {
                match kept {
                    Kept::Event(event) => stamped.push(event),
                    Kept::Flush(reply) => flushes.push(reply),
                }
            }
            if !stamped.is_empty() {
                self.keep(stamped).await;
            }
            for reply in flushes {
                let _ = reply.send(());
            }
        }
    }

    async fn keep(&mut self, stamped: Vec<Stamped>) {
        if let Some(journal) = &mut self.journal
            && let Err(error) = journal.append(&stamped).await
        {
            self.stop.drain(StopReason::Environment(with_sources(&error)));
            // What a journal says after a gap must not be believed.
            self.journal = None;
        }
        if self.views.is_empty() {
            return;
        }
        let views = std::mem::take(&mut self.views);
        // Whoever reads the output may be slow; what is under way must not wait for that.
        self.views = spawn_blocking(move || show(views, &stamped)).await.unwrap_or_default();
    }
}

/// Who is shown events.
pub(super) type Views = Vec<Box<dyn EventSink>>;

/// Shows events. A view that panics is shown nothing more; the journal and the money go on.
pub(super) fn show(mut views: Views, stamped: &[Stamped]) -> Views {
    views.retain_mut(|view| catch_unwind(AssertUnwindSafe(|| view.show(stamped))).is_ok());
    views
}
