//! The one task that owns the counters: numbers events, keeps the journal, feeds the gates.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::domain::event::{RunEvent, Stamped};
use crate::domain::measure::Measure;
use crate::pipeline::stop::{Stop, StopReason, with_sources};
use crate::ports::clock::Clock;
use crate::ports::journal::JournalStore;
use crate::ports::sink::EventSink;

/// Events that may wait; a full queue slows the run down instead of growing.
const QUEUE: usize = 1_024;

/// The most events that are taken, journaled and synced together.
const GROUP: usize = 256;

enum Message {
    Event(RunEvent),
    Flush(oneshot::Sender<()>),
}

/// The way to the event task.
#[derive(Clone, Debug)]
pub struct EventHandle {
    queue: mpsc::Sender<Message>,
    stop: Arc<Stop>,
}

/// What the event task needs.
pub struct EventTask {
    /// Time stamps.
    pub clock: Arc<dyn Clock>,
    /// Where events are kept; a rehearsal keeps none.
    pub journal: Option<Box<dyn JournalStore>>,
    /// Who is shown every event.
    pub views: Vec<Box<dyn EventSink>>,
    /// Counters and gates; this task alone changes them, views look at them now and then.
    pub measure: Arc<Mutex<Measure>>,
    /// The stop switch, for gates that cannot pass any more.
    pub stop: Arc<Stop>,
}

impl EventHandle {
    /// Takes one event; waits when too many wait already.
    pub async fn emit(&self, event: RunEvent) {
        // The common case costs no waiting machinery.
        let sent = match self.queue.try_send(Message::Event(event)) {
            Err(TrySendError::Full(message)) => self.queue.send(message).await.is_ok(),
            Err(TrySendError::Closed(_)) => false,
            Ok(()) => true,
        };
        if !sent {
            self.died();
        }
    }

    /// Returns once every event emitted so far is counted and journaled.
    pub async fn flush(&self) {
        let (reply, answer) = oneshot::channel();
        let sent = self.queue.send(Message::Flush(reply)).await.is_ok();
        if !sent || answer.await.is_err() {
            self.died();
        }
    }

    /// The task ends after every handle is gone, or by a panic: then nobody keeps the journal.
    fn died(&self) {
        if !self.stop.is_broken() {
            let text = "the task that keeps the journal failed".to_owned();
            self.stop.drain(StopReason::Broken(text));
        }
    }
}

impl EventTask {
    /// Starts the task. It ends when every handle is gone and its queue is empty.
    pub fn spawn(self) -> (EventHandle, JoinHandle<()>) {
        let (queue, inbox) = mpsc::channel(QUEUE);
        let stop = Arc::clone(&self.stop);
        (EventHandle { queue, stop }, tokio::spawn(self.work(inbox)))
    }

    async fn work(mut self, mut inbox: mpsc::Receiver<Message>) {
        let mut seq = 0;
        let mut group = Vec::with_capacity(GROUP);
        let mut stamped = Vec::with_capacity(GROUP);
        let mut doomed = false;
        let linger = self.journal.as_ref().map_or(Duration::ZERO, |journal| journal.linger());
        while inbox.recv_many(&mut group, GROUP).await > 0 {
            if !linger.is_zero() && group.len() < GROUP {
                // A few milliseconds make few syncs of many; whoever flushes waits for them too.
                self.clock.sleep(linger).await;
                while group.len() < GROUP
                    && let Ok(message) = inbox.try_recv()
                {
                    group.push(message);
                }
            }
            let mut flushes = Vec::new();
            let reason = {
                let mut measure = self.measure.lock().expect("no view panics");
                for message in group.drain(..) {
                    match message {
                        Message::Event(event) => {
                            measure.apply(&event, self.clock.elapsed());
                            seq += 1;
                            if self.journal.is_some() || !self.views.is_empty() {
                                stamped.push(Stamped { seq, ts: self.clock.now(), event });
                            }
                        }
                        Message::Flush(reply) => flushes.push(reply),
                    }
                }
                if doomed { None } else { measure.doomed(self.clock.elapsed()) }
            };
            self.keep(&mut stamped).await;
            if let Some(reason) = reason {
                doomed = true;
                self.stop.drain(StopReason::Gate(reason));
            }
            for reply in flushes {
                let _ = reply.send(());
            }
        }
    }

    async fn keep(&mut self, stamped: &mut Vec<Stamped>) {
        if stamped.is_empty() {
            return;
        }
        if let Some(journal) = &mut self.journal
            && let Err(error) = journal.append(stamped).await
        {
            self.stop.drain(StopReason::Environment(with_sources(&error)));
            // What a journal says after a gap must not be believed.
            self.journal = None;
        }
        // A view that panics is shown nothing more; the journal and the money go on without it.
        self.views.retain_mut(|view| {
            std::panic::catch_unwind(AssertUnwindSafe(|| view.show(stamped))).is_ok()
        });
        stamped.clear();
    }
}
