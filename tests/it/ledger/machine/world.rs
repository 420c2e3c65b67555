//! The processes, their disk and their provider, and what must hold after each step.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use imagemill::adapters::ledger::audit::check;
use imagemill::adapters::ledger::by_hand::{ByHand, Cost, Unknowns, resolve, set_limit};
use imagemill::adapters::ledger::directory::{DirectoryLedger, OpenOrCreate};
use imagemill::adapters::ledger::read::summary;
use imagemill::domain::ids::AttemptId;
use imagemill::domain::ledger::{CostSource, Evidence, UnknownClass};
use imagemill::pipeline::ledger_task::{
    LATE_CALL, LATE_JOB, LedgerHandle, LedgerStopped, ReserveAsk, ReserveError, spawn,
};
use imagemill::ports::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;

use crate::ledger::disk::{Disk, scratch};
use crate::ledger::machine::model::{Attempt, Model, day_of};
use crate::ledger::machine::reader::Files;
use crate::ledger::machine::{End, PROCESSES, Step};
use crate::ledger::support::{StillClock, ask, cents, founding, options, run};

/// The limit at the start, in cents.
const LIMIT: i64 = 100;

/// What has been done, for the report.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    n_steps: u64,
    n_granted: u64,
    n_refused: u64,
    n_lives: u64,
    n_kills: u64,
    pub(super) n_power_losses: u64,
    pub(super) n_faults: u64,
    n_stopped: u64,
    n_checks: u64,
}

/// A process.
struct Process {
    handle: LedgerHandle,
    task: JoinHandle<()>,
    is_dead: Arc<AtomicBool>,
    life: usize,
    /// What it said and has not written yet.
    ends: Vec<(AttemptId, End)>,
    is_stopped: bool,
}

/// How far the files may be away from the model after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Surprise {
    /// Nothing but what the model says.
    None,
    /// A group failed: any part of it may be there.
    Failure,
    /// The power failed: what no one was promised may be gone, and what was taken back may return.
    PowerLoss,
}

/// The world of one history.
pub(super) struct World {
    pub(super) folder: tempfile::TempDir,
    disk: Disk,
    clock: Arc<StillClock>,
    processes: [Option<Process>; PROCESSES],
    pub(super) model: Model,
    pub(super) files: Files,
    /// Every ask: what its attempt would be.
    pub(super) asked: BTreeMap<AttemptId, Attempt>,
    /// Attempts that may be sent, and so are.
    pub(super) granted: BTreeSet<AttemptId>,
    /// What the provider charges, where it is known.
    pub(super) bills: BTreeMap<AttemptId, i64>,
    /// Attempts that their process declared unknown.
    pub(super) unknown: BTreeSet<AttemptId>,
    /// Attempts with records of failed groups, which no sync has covered since.
    pub(super) soft: BTreeSet<AttemptId>,
    pub(super) highest_limit: i64,
    n_lives: usize,
    counts: Counts,
}

impl World {
    pub(super) fn new(chance: u64) -> Self {
        let folder = scratch();
        let page = if chance & 1 == 0 { 512 } else { 4096 };
        let disk = Disk::new(folder.path(), page, chance);
        let clock = Arc::<StillClock>::default();
        let day = day_of(clock.now());
        let world = Self {
            folder,
            disk,
            clock,
            processes: [const { None }; PROCESSES],
            model: Model { attempts: BTreeMap::new(), limit: LIMIT, day },
            files: Files::default(),
            asked: BTreeMap::new(),
            granted: BTreeSet::new(),
            bills: BTreeMap::new(),
            unknown: BTreeSet::new(),
            soft: BTreeSet::new(),
            highest_limit: LIMIT,
            n_lives: 0,
            counts: Counts::default(),
        };
        let made = DirectoryLedger::open_in(world.options(), world.disk.process().0);
        drop(made.expect("a ledger"));
        world
    }

    pub(super) async fn step(&mut self, step: Step) {
        self.counts.n_steps += 1;
        match step {
            Step::Reserve(p, maxes) => self.reserve(p, &maxes).await,
            Step::End(p, which, end, at_once) => self.end(p, which, end, at_once).await,
            Step::Close(p) => self.close(p).await,
            Step::Kill(p) => {
                self.counts.n_kills += u64::from(self.processes[p].is_some());
                self.kill(p).await;
            }
            Step::Pass(minutes) => {
                self.clock.shift(minutes);
                for p in 0..PROCESSES {
                    if self.processes[p].as_ref().is_some_and(|it| !it.ends.is_empty()) {
                        self.flush(p).await;
                    }
                }
            }
            Step::SetLimit(limit) => self.set_limit(limit),
            Step::Resolve(which, amount) => self.resolve(which, amount),
            Step::PowerLoss(seed) => self.power_loss(seed).await,
            Step::Plan(fault, after) => self.disk.plan(fault, after),
        }
    }

    /// The next process heals what there is to heal; then everything must be in order.
    pub(super) async fn finish(mut self) -> Counts {
        for p in 0..PROCESSES {
            self.kill(p).await;
        }
        self.disk.make_well();
        self.start(0).await;
        assert!(self.lives(0), "nothing is wrong with the disk");
        self.close(0).await;
        self.check();
        self.counts.n_faults = self.disk.n_faults();
        self.counts
    }

    fn options(&self) -> OpenOrCreate {
        let founding = founding(cents(LIMIT));
        OpenOrCreate { root: self.folder.path().to_owned(), founding, now: self.clock.now() }
    }

    fn lives(&self, p: usize) -> bool {
        self.processes[p].as_ref().is_some_and(|process| !process.is_stopped)
    }

    /// Whether the process of this life is alive, well or not.
    pub(super) fn is_alive(&self, life: usize) -> bool {
        self.processes.iter().flatten().any(|process| process.life == life)
    }

    pub(super) fn is_stopped(&self, life: usize) -> bool {
        self.processes.iter().flatten().any(|process| process.life == life && process.is_stopped)
    }

    async fn start(&mut self, p: usize) {
        let (folder, is_dead) = self.disk.process();
        let how = self.options();
        let owner = how.founding.owner;
        let store = DirectoryLedger::open_in(how, folder).expect("it was made");
        let (handle, task) = spawn(Box::new(store), self.clock.clone(), options(owner));
        self.n_lives += 1;
        self.counts.n_lives += 1;
        let (life, ends) = (self.n_lives, Vec::new());
        let opened = handle.snapshot(run()).await;
        self.processes[p] =
            Some(Process { handle, task, is_dead, life, ends, is_stopped: opened.is_err() });
        if opened.is_err() {
            return self.stopped(p).await;
        }
        let alive: Vec<usize> = self.processes.iter().flatten().map(|it| it.life).collect();
        self.model.group(self.clock.now());
        self.model.unknown(None, |_, owner| !alive.contains(&owner));
        self.judge(Surprise::None);
    }

    /// A process that works; one that has stopped makes room for the next.
    async fn working(&mut self, p: usize) -> bool {
        if let Some(process) = self.processes[p].as_ref().filter(|it| it.is_stopped) {
            let answer = process.handle.reserve_now(ask(cents(1))).await;
            assert!(matches!(answer, Err(ReserveError::Stopped(_))), "I5: it stays stopped");
            self.kill(p).await;
            self.disk.make_well();
        }
        if self.processes[p].is_none() {
            self.start(p).await;
        }
        self.lives(p)
    }

    async fn kill(&mut self, p: usize) {
        if let Some(process) = self.processes[p].take() {
            process.task.abort();
            let _ = process.task.await;
        }
    }

    /// Its group failed: what it had to say may be written or not, and it says nothing any more.
    async fn stopped(&mut self, p: usize) {
        self.counts.n_stopped += 1;
        let process = self.processes[p].as_mut().expect("it was alive");
        process.is_stopped = true;
        process.ends.clear();
        if process.is_dead.load(Ordering::SeqCst) {
            self.counts.n_kills += 1;
            self.kill(p).await;
        }
        self.judge(Surprise::Failure);
    }

    async fn reserve(&mut self, p: usize, maxes: &[i64]) {
        if !self.working(p).await {
            return;
        }
        let process = self.processes[p].as_mut().expect("it works");
        let (now, owner) = (self.clock.now(), process.life);
        let mut asks = Vec::new();
        for (n, max) in maxes.iter().enumerate() {
            let late = if n % 2 == 0 { LATE_CALL } else { LATE_JOB };
            let one = ReserveAsk { late, ..ask(cents(*max)) };
            let late = SignedDuration::try_from(late).expect("hours");
            let from = self.model.day.max(day_of(now));
            let attempt =
                Attempt { max: *max, from, time: now, late, owner, end: None, until: None };
            self.asked.insert(one.rid, attempt);
            asks.push(one);
        }
        let rids: Vec<AttemptId> = asks.iter().map(|ask| ask.rid).collect();
        let answers = asks.into_iter().map(|ask| process.handle.reserve_now(ask));
        let answers = join_all(answers).await;
        let granted = |answer: &Result<Option<_>, _>| matches!(answer, Ok(Some(_)));
        let given = rids.iter().zip(&answers).filter(|(_, answer)| granted(answer));
        self.granted.extend(given.map(|(rid, _)| *rid));
        // A refusal comes before the commit, which may fail after it.
        let Ok(sums) = process.handle.snapshot(run()).await else {
            return self.stopped(p).await;
        };
        self.wrote(p);
        for (rid, answer) in rids.into_iter().zip(answers) {
            let attempt = self.asked[&rid].clone();
            let fits = self.model.fits(attempt.max);
            assert_eq!(granted(&answer), fits, "{} cents: {answer:?}", attempt.max);
            self.counts.n_granted += u64::from(fits);
            self.counts.n_refused += u64::from(!fits);
            if fits {
                self.model.attempts.insert(rid, attempt);
            }
        }
        self.judge(Surprise::None);
        assert_eq!(sums.today.exposure(), cents(self.model.exposure(self.model.day)));
    }

    /// A group of the process was written: its ends come first.
    fn wrote(&mut self, p: usize) {
        let now = self.clock.now();
        self.model.group(now);
        for (rid, end) in std::mem::take(&mut self.processes[p].as_mut().expect("it works").ends) {
            match end {
                End::Settle(amount) => self.model.end(rid, Some(amount)),
                End::Release => self.model.end(rid, None),
                End::Unknown => self.model.unknown(Some(now), |other, _| other == rid),
            }
        }
    }

    async fn end(&mut self, p: usize, which: usize, end: End, at_once: bool) {
        if !self.lives(p) {
            return;
        }
        let process = self.processes[p].as_mut().expect("it works");
        let own = |rid: &&AttemptId| {
            self.asked[rid].owner == process.life && !self.bills.contains_key(rid)
        };
        let own: Vec<AttemptId> = self.granted.iter().filter(own).copied().collect();
        let Some(rid) = own.get(which % own.len().max(1)).copied() else { return };
        let handle = &process.handle;
        let (said, end) = match end {
            End::Settle(amount) => {
                let amount = amount.min(self.asked[&rid].max);
                self.bills.insert(rid, amount);
                let source = CostSource::Usage;
                (handle.settle(rid, cents(amount), source, None).await, End::Settle(amount))
            }
            End::Release => {
                self.bills.insert(rid, 0);
                (handle.release(rid, Evidence::RateLimited, Some(429)).await, end)
            }
            End::Unknown => {
                self.unknown.insert(rid);
                (handle.unknown(rid, UnknownClass::Timeout).await, end)
            }
        };
        said.expect("it works");
        process.ends.push((rid, end));
        if at_once {
            self.flush(p).await;
        }
    }

    /// Has the process write what it said.
    async fn flush(&mut self, p: usize) {
        let process = self.processes[p].as_ref().expect("it is alive");
        match process.handle.snapshot(run()).await {
            Ok(_) => {
                self.wrote(p);
                self.judge(Surprise::None);
            }
            Err(_) => self.stopped(p).await,
        }
    }

    async fn close(&mut self, p: usize) {
        let Some(process) = &self.processes[p] else { return };
        let life = process.life;
        let closed = process.handle.shutdown().await;
        if process.is_stopped {
            assert!(matches!(closed, Err(LedgerStopped::Failed(_))), "{closed:?}");
            return self.kill(p).await;
        }
        let Ok(closing) = closed else {
            self.stopped(p).await;
            return self.kill(p).await;
        };
        self.wrote(p);
        let before = self.model.clone();
        self.model.unknown(Some(self.clock.now()), |_, owner| owner == life);
        let is_left =
            |rid: &&AttemptId| self.model.attempts[rid].until != before.attempts[rid].until;
        let left: Vec<AttemptId> = before.attempts.keys().filter(is_left).copied().collect();
        assert_eq!(closing.left, left);
        self.kill(p).await;
        self.judge(Surprise::None);
    }

    fn set_limit(&mut self, limit: i64) {
        let hand = ByHand { by: "ann", why: "a test" };
        set_limit(self.options(), cents(limit), hand).expect("her disk is well");
        self.disk.absorb();
        self.model.group(self.clock.now());
        self.model.limit = limit;
        self.highest_limit = self.highest_limit.max(limit);
        self.judge(Surprise::None);
    }

    fn resolve(&mut self, which: usize, amount: i64) {
        let alive: Vec<usize> = self.processes.iter().flatten().map(|it| it.life).collect();
        let (now, mut after) = (self.clock.now(), self.model.clone());
        after.group(now);
        after.unknown(None, |_, owner| !alive.contains(&owner));
        let open = after.attempts.iter().filter(|(_, it)| it.end.is_none() && it.until.is_some());
        let open: Vec<AttemptId> = open.map(|(rid, _)| *rid).collect();
        let Some(rid) = open.get(which % open.len().max(1)).copied() else { return };
        let max = after.attempts[&rid].max;
        let amount = *self.bills.entry(rid).or_insert(amount.min(max));
        let hand = ByHand { by: "ann", why: "the provider's list" };
        let cost = if amount == 0 { Cost::NotBilled } else { Cost::Amount(cents(amount)) };
        let found = resolve(self.options(), &Unknowns::These(vec![rid]), cost, hand);
        let found = found.expect("her disk is well");
        assert_eq!((found.resolved.len(), found.not_unknown.len()), (1, 0));
        self.disk.absorb();
        after.end(rid, Some(amount));
        self.model = after;
        self.judge(Surprise::None);
    }

    async fn power_loss(&mut self, seed: u64) {
        self.counts.n_power_losses += 1;
        for p in 0..PROCESSES {
            self.kill(p).await;
        }
        self.disk.power_loss(seed);
        self.judge(Surprise::PowerLoss);
        self.start(0).await;
        self.check();
    }

    /// `ledger check` finds nothing, and `ledger summary` says what the model says.
    fn check(&mut self) {
        self.counts.n_checks += 1;
        let report = check(self.folder.path()).expect("a ledger");
        assert_eq!((&report.findings[..], report.torn_tail), (&[][..], None));
        let now: Timestamp = self.clock.now();
        let seen = summary(self.folder.path(), now).expect("a ledger");
        assert_eq!(seen.exposure_today, cents(self.model.exposure(seen.day)));
    }
}

impl Counts {
    pub(super) fn add(&mut self, other: Self) {
        self.n_steps += other.n_steps;
        self.n_granted += other.n_granted;
        self.n_refused += other.n_refused;
        self.n_lives += other.n_lives;
        self.n_kills += other.n_kills;
        self.n_power_losses += other.n_power_losses;
        self.n_faults += other.n_faults;
        self.n_stopped += other.n_stopped;
        self.n_checks += other.n_checks;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} steps, {} lives, {} kills, {} power losses, {} faults met, {} processes stopped; \
             {} reserves granted, {} refused as the model says, {} ledgers checked",
            self.n_steps,
            self.n_lives,
            self.n_kills,
            self.n_power_losses,
            self.n_faults,
            self.n_stopped,
            self.n_granted,
            self.n_refused,
            self.n_checks,
        )
    }
}
