//! The one task that owns the counters: numbers events, counts them, feeds the gates, and hands
//! them to whoever keeps and shows them.

use std::sync::{Arc, Mutex};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::domain::event::{RunEvent, Stamped};
use crate::domain::measure::Measure;
use crate::pipeline::counter::Counter;
use crate::pipeline::keeper::{Keeper, Kept};
use crate::pipeline::stop::{Stop, StopReason};
use crate::ports::clock::Clock;
use crate::ports::journal::JournalStore;
use crate::ports::sink::EventSink;

/// Events that may wait; a full queue slows the run down instead of growing.
const QUEUE: usize = 1_024;

/// The most events that are taken together.
const GROUP: usize = 256;

enum Message {
    Event(RunEvent),
    /// Somebody waits until everything before this is counted.
    Count(oneshot::Sender<()>),
    /// Somebody waits until everything before this is kept.
    Flush(oneshot::Sender<()>),
}

/// The way to the event task.
#[derive(Clone, Debug)]
pub struct EventHandle {
    way: Way,
    stop: Arc<Stop>,
}

#[derive(Clone, Debug)]
enum Way {
    /// To a task, which hands events on to be kept.
    Task(mpsc::Sender<Message>),
    /// Nobody keeps them: whoever emits one counts and shows it, and no task is woken for it.
    Direct(Arc<Counter>),
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
    /// The number of the last event before the first.
    pub seq: u64,
}

impl EventHandle {
    /// Takes one event; waits when too many wait already.
    pub async fn emit(&self, event: RunEvent) {
        let queue = match &self.way {
            Way::Task(queue) => queue,
            Way::Direct(counter) => return counter.count(event),
        };
        // The common case costs no waiting machinery.
        let sent = match queue.try_send(Message::Event(event)) {
            Err(TrySendError::Full(message)) => queue.send(message).await.is_ok(),
            Err(TrySendError::Closed(_)) => false,
            Ok(()) => true,
        };
        if !sent {
            self.died();
        }
    }

    /// Takes one event and returns once it is counted: a gate that it dooms has stopped the run.
    pub async fn emit_counted(&self, event: RunEvent) {
        self.emit(event).await;
        self.ask(Message::Count).await;
    }

    /// Returns once every event emitted so far is counted and journaled.
    pub async fn flush(&self) {
        self.ask(Message::Flush).await;
    }

    async fn ask(&self, message: fn(oneshot::Sender<()>) -> Message) {
        // What is counted at once needs no question.
        let Way::Task(queue) = &self.way else { return };
        let (reply, answer) = oneshot::channel();
        let sent = queue.send(message(reply)).await.is_ok();
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
        let Self { clock, journal, views, measure, stop, seq } = self;
        let handle = |way| EventHandle { way, stop: Arc::clone(&stop) };
        let Some(journal) = journal else {
            let counter = Counter::new(clock, measure, Arc::clone(&stop), views, seq);
            return (handle(Way::Direct(Arc::new(counter))), tokio::spawn(std::future::ready(())));
        };
        let (queue, inbox) = mpsc::channel(QUEUE);
        let keeper =
            Keeper { clock: Arc::clone(&clock), journal: Some(journal), views, stop: stop.clone() };
        let work = Work { clock, keeper, measure, stop: Arc::clone(&stop), seq };
        (handle(Way::Task(queue)), tokio::spawn(work.work(inbox)))
    }
}

/// What the task works with.
struct Work {
    clock: Arc<dyn Clock>,
    keeper: Keeper,
    measure: Arc<Mutex<Measure>>,
    stop: Arc<Stop>,
    seq: u64,
}

impl Work {
    async fn work(self, mut inbox: mpsc::Receiver<Message>) {
        let Self { clock, keeper, measure, stop, mut seq } = self;
        let keeper = keeper.spawn();
        let mut group = Vec::with_capacity(GROUP);
        let mut kept = Vec::with_capacity(GROUP);
        let mut is_doomed = false;
        while inbox.recv_many(&mut group, GROUP).await > 0 {
            let mut counted = Vec::new();
            let reason = {
                let mut measure = measure.lock().expect("no view panics");
                for message in group.drain(..) {
                    match message {
                        Message::Event(event) => {
                            measure.apply(&event, clock.elapsed());
                            seq += 1;
                            kept.push(Kept::Event(Stamped { seq, ts: clock.now(), event }));
                        }
                        Message::Count(reply) => counted.push(reply),
                        Message::Flush(reply) => kept.push(Kept::Flush(reply)),
                    }
                }
                if is_doomed { None } else { measure.doomed(clock.elapsed()) }
            };
            if let Some(reason) = reason {
                is_doomed = true;
                stop.drain(StopReason::Gate(reason));
            }
            for reply in counted {
                let _ = reply.send(());
            }
            for item in kept.drain(..) {
                let is_kept = keeper.hand(item).await;
                if !is_kept && !stop.is_broken() {
                    stop.drain(StopReason::Broken("nobody keeps the journal".to_owned()));
                }
            }
        }
        if let Err(error) = keeper.end().await {
            stop.drain(StopReason::Broken(format!("the journal's task failed: {error}")));
        }
    }
}
