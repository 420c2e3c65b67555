//! One machine: two processes with one log, which is durable up to a point; one kill and one power
//! loss at any moment, midnight at any moment, late charges and rejections.

use crate::ledger::models::{Model, Step, must_hold, must_overspend};

/// Units that may be spent on each day; every attempt costs one.
const LIMIT: u8 = 2;
const N_PROCESSES: usize = 2;
const N_ATTEMPTS: u8 = 4;
const N_KILLS: u8 = 1;
const N_POWER_LOSSES: u8 = 1;
/// More lines than any run of these bounds writes.
const MOST_LINES: usize = 14;
/// More attempts than any run of these bounds makes, broken ones included.
const MOST_ATTEMPTS: u8 = 8;

/// A way to build it wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutant {
    /// Looking and appending are two steps that others come between.
    NoLock,
    /// The request leaves before its reservation is durable.
    SendBeforeSync,
    /// Whoever comes back gives back what it finds open.
    RecoveryRefunds,
    /// No answer in time counts as no charge.
    TimeoutIsFree,
    /// An attempt weighs on the day of its reservation only.
    ReserveDayOnly,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Reserve,
    Charged,
    Free,
    Unknown,
}

/// A line of the log in one byte, since there are millions of them: day, kind, attempt.
#[derive(Clone, Copy, Debug)]
struct Line(u8);

impl Line {
    const fn new(kind: Kind, attempt: u8, day: u8) -> Self {
        Self(attempt | (kind as u8) << 3 | day << 5)
    }

    const fn kind(self) -> Kind {
        match self.0 >> 3 & 3 {
            0 => Kind::Reserve,
            1 => Kind::Charged,
            2 => Kind::Free,
            _ => Kind::Unknown,
        }
    }

    const fn attempt(self) -> u8 {
        self.0 & (MOST_ATTEMPTS - 1)
    }

    const fn day(self) -> u8 {
        self.0 >> 5
    }
}

/// The log; what is behind its end is zero, so that equal logs are equal values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Log {
    lines: [u8; MOST_LINES],
    n_lines: u8,
}

impl Log {
    fn lines(&self) -> impl Iterator<Item = Line> + '_ {
        self.lines[..usize::from(self.n_lines)].iter().map(|line| Line(*line))
    }

    fn with(mut self, kind: Kind, attempt: u8, day: u8) -> Self {
        self.lines[usize::from(self.n_lines)] = Line::new(kind, attempt, day).0;
        self.n_lines += 1;
        self
    }

    fn cut(mut self, n_lines: u8) -> Self {
        self.lines[usize::from(n_lines)..].fill(0);
        self.n_lines = n_lines;
        self
    }

    /// What may have been spent on a day, at most.
    fn exposure(&self, day: u8, mutant: Option<Mutant>) -> u8 {
        // By attempt: from which day, to which day, and how much.
        let mut held: [Option<(u8, Option<u8>, u8)>; MOST_ATTEMPTS as usize] = Default::default();
        for line in self.lines() {
            let one = &mut held[usize::from(line.attempt())];
            match (line.kind(), one) {
                (Kind::Reserve, one) => *one = Some((line.day(), None, 1)),
                (Kind::Charged, Some(one)) => (one.1, one.2) = (Some(line.day()), 1),
                (Kind::Free, Some(one)) => (one.1, one.2) = (Some(line.day()), 0),
                (Kind::Unknown, Some(one)) => one.2 = 1,
                (Kind::Charged | Kind::Free | Kind::Unknown, None) => {}
            }
        }
        let weighs = |from: u8, to: Option<u8>| match mutant {
            Some(Mutant::ReserveDayOnly) => from == day,
            _ => from <= day && to.is_none_or(|to| to >= day),
        };
        held.iter().flatten().filter(|(from, to, _)| weighs(*from, *to)).map(|one| one.2).sum()
    }

    fn is_ended(&self, attempt: u8) -> bool {
        self.lines().any(|line| line.kind() != Kind::Reserve && line.attempt() == attempt)
    }

    /// What the mutant makes of a log that it finds.
    fn refunded(self, day: u8) -> Self {
        let open = |line: &Line| line.kind() == Kind::Reserve && !self.is_ended(line.attempt());
        let open: Vec<u8> = self.lines().filter(open).map(Line::attempt).collect();
        open.into_iter().fold(self, |log, attempt| log.with(Kind::Free, attempt, day))
    }
}

/// Where a process is with an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum At {
    Idle,
    /// Has looked without a lock.
    Looked,
    Locked,
    Appended(u8),
    Ready(u8),
    Waiting(u8),
    Ending(u8, Kind),
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct State {
    log: Log,
    n_durable: u8,
    lock: Option<u8>,
    processes: [At; N_PROCESSES],
    /// Attempts that are with the provider, that it charged, and that it rejected; a bit each.
    sent: u8,
    charged: u8,
    rejected: u8,
    spent: [u8; 2],
    day: u8,
    n_attempts: u8,
    n_kills: u8,
    n_power_losses: u8,
}

struct OneMachine(Option<Mutant>);

type Out = Vec<(Step, State)>;

impl OneMachine {
    fn has(&self, mutant: Mutant) -> bool {
        self.0 == Some(mutant)
    }

    /// What the world does: time goes on, the provider answers, the power fails.
    fn world(&self, state: &State, out: &mut Out) {
        if state.day == 0 {
            out.push((("midnight", 0), State { day: 1, ..*state }));
        }
        for attempt in (0..MOST_ATTEMPTS).filter(|attempt| state.sent & bit(*attempt) != 0) {
            let sent = state.sent & !bit(attempt);
            let mut charged = State { sent, charged: state.charged | bit(attempt), ..*state };
            charged.spent[usize::from(state.day)] += 1;
            out.push((("the provider charges", attempt), charged));
            let rejected = state.rejected | bit(attempt);
            out.push((("the provider rejects", attempt), State { sent, rejected, ..*state }));
        }
        if state.n_power_losses == 0 {
            return;
        }
        for n_lines in state.n_durable..=state.log.n_lines {
            let mut log = state.log.cut(n_lines);
            if self.has(Mutant::RecoveryRefunds) {
                log = log.refunded(state.day);
            }
            let lost = State {
                log,
                n_durable: log.n_lines,
                lock: None,
                processes: [At::Idle; N_PROCESSES],
                n_power_losses: state.n_power_losses - 1,
                ..*state
            };
            out.push((("power loss", n_lines), lost));
        }
    }

    fn kill(&self, state: &State, who: u8, out: &mut Out) {
        let at = state.processes[usize::from(who)];
        if state.n_kills == 0 || matches!(at, At::Idle | At::Done) {
            return;
        }
        let mut killed = let_go(&now_at(state, who, At::Idle), who);
        killed.n_kills -= 1;
        if let (true, At::Ready(attempt) | At::Waiting(attempt) | At::Ending(attempt, _)) =
            (self.has(Mutant::RecoveryRefunds), at)
        {
            killed.log = killed.log.with(Kind::Free, attempt, state.day);
        }
        out.push((("kill", who), killed));
    }

    /// What a process does next.
    fn process(&self, state: &State, who: u8, out: &mut Out) {
        let fits = || state.log.exposure(state.day, self.0) < LIMIT;
        match state.processes[usize::from(who)] {
            At::Idle if state.n_attempts == N_ATTEMPTS => {}
            At::Idle if self.has(Mutant::NoLock) => {
                if fits() {
                    out.push((("looks without a lock", who), now_at(state, who, At::Looked)));
                }
            }
            At::Idle if state.lock.is_none() => {
                let locked = State { lock: Some(who), ..now_at(state, who, At::Locked) };
                out.push((("locks", who), locked));
            }
            At::Locked if !fits() => {
                let next = if state.day == 0 { At::Idle } else { At::Done };
                let refused = State { lock: None, ..now_at(state, who, next) };
                out.push((("is refused", who), refused));
            }
            At::Looked | At::Locked => {
                let attempt = state.n_attempts;
                let mut reserved = now_at(state, who, At::Appended(attempt));
                reserved.log = state.log.with(Kind::Reserve, attempt, state.day);
                reserved.n_attempts += 1;
                out.push((("reserves", who), reserved));
            }
            At::Appended(attempt) if self.has(Mutant::SendBeforeSync) => {
                let mut sent = let_go(&now_at(state, who, At::Waiting(attempt)), who);
                sent.sent |= bit(attempt);
                out.push((("sends before the sync", who), sent));
            }
            At::Appended(attempt) => {
                let mut synced = let_go(&now_at(state, who, At::Ready(attempt)), who);
                synced.n_durable = state.log.n_lines;
                out.push((("syncs", who), synced));
            }
            At::Ready(attempt) => {
                let mut sent = now_at(state, who, At::Waiting(attempt));
                sent.sent |= bit(attempt);
                out.push((("sends", who), sent));
            }
            At::Waiting(attempt) => self.answer(state, who, attempt, out),
            At::Ending(attempt, kind) if state.lock.is_none() => {
                let mut ended = now_at(state, who, At::Idle);
                ended.log = state.log.with(kind, attempt, state.day);
                out.push((("writes the end", who), ended));
            }
            At::Idle | At::Ending(..) | At::Done => {}
        }
    }

    /// An answer comes, or none in time.
    fn answer(&self, state: &State, who: u8, attempt: u8, out: &mut Out) {
        let ending = |kind| now_at(state, who, At::Ending(attempt, kind));
        if state.charged & bit(attempt) != 0 {
            out.push((("hears of a charge", who), ending(Kind::Charged)));
        }
        if state.rejected & bit(attempt) != 0 {
            out.push((("hears of a rejection", who), ending(Kind::Free)));
        }
        let late = if self.has(Mutant::TimeoutIsFree) { Kind::Free } else { Kind::Unknown };
        out.push((("hears nothing in time", who), ending(late)));
    }
}

impl Model for OneMachine {
    type State = State;

    fn start(&self) -> State {
        State {
            log: Log::default(),
            n_durable: 0,
            lock: None,
            processes: [At::Idle; N_PROCESSES],
            sent: 0,
            charged: 0,
            rejected: 0,
            spent: [0; 2],
            day: 0,
            n_attempts: 0,
            n_kills: N_KILLS,
            n_power_losses: N_POWER_LOSSES,
        }
    }

    fn steps(&self, state: &State, out: &mut Out) {
        self.world(state, out);
        for who in 0..N_PROCESSES as u8 {
            self.kill(state, who, out);
            self.process(state, who, out);
        }
    }

    fn is_overspent(&self, state: &State) -> bool {
        state.spent.iter().any(|spent| *spent > LIMIT)
    }
}

fn bit(attempt: u8) -> u8 {
    1 << attempt
}

fn now_at(state: &State, who: u8, at: At) -> State {
    let mut next = *state;
    next.processes[usize::from(who)] = at;
    next
}

/// Gives the lock back, if this process has it.
fn let_go(state: &State, who: u8) -> State {
    State { lock: state.lock.filter(|holder| *holder != who), ..*state }
}

#[test]
fn the_limit_holds_in_every_state_of_one_machine() {
    must_hold("one machine", &OneMachine(None), 1_152_112);
}

#[test]
fn every_broken_ledger_of_one_machine_is_found_out_row_3_8_14_15_16() {
    for (mutant, n_steps) in [
        (Mutant::NoLock, 16),
        (Mutant::SendBeforeSync, 13),
        (Mutant::RecoveryRefunds, 16),
        (Mutant::TimeoutIsFree, 17),
        (Mutant::ReserveDayOnly, 17),
    ] {
        let model = OneMachine(Some(mutant));
        assert_eq!(must_overspend(&format!("{mutant:?}"), &model), n_steps, "{mutant:?}");
    }
}
