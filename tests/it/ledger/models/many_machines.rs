//! Many machines: a pool of money whose versions are only ever added to, slices of it that belong
//! to one machine each, machines that die with requests under way, replies that are lost, midnight,
//! and clocks that are behind or ahead.

use crate::ledger::models::{Model, Step, must_hold, must_overspend};

/// Units that may be spent on each day; a slice is one of them, and so is an attempt.
const LIMIT: u8 = 2;
const N_MACHINES: usize = 2;
const N_SENDS: u8 = 4;
const N_VERSIONS: u8 = 6;
const LAST_DAY: u8 = 1;

/// A way to build it wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutant {
    /// A version is written over whatever is there.
    NoCompareAndSwap,
    /// A slice whose machine says nothing is given back.
    ExpiryRefunds,
    /// The pool has a slice back before its machine has given it up.
    ReturnBeforeZero,
    /// A slice weighs on the day of its grant only.
    SliceDayOnly,
    /// A machine believes in tomorrow too early.
    FastClock,
    /// A machine grants itself a slice of a day that the pool has left behind.
    SlowClockGrantsOldDay,
    /// A machine closes a slice on a day that the pool has left behind.
    SlowClockClosesOldDay,
}

/// A slice as the pool knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Grant {
    id: u8,
    machine: u8,
    opened: u8,
    closed: Option<u8>,
    used: u8,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Machine {
    is_dead: bool,
    /// The day that it believes in.
    day: u8,
    /// The pool as it last read it, with its version.
    read: Option<(u8, Vec<Grant>)>,
    /// Its slice, and that slice's day.
    slice: Option<(u8, u8)>,
    left: u8,
    n_under_way: u8,
    used: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    version: u8,
    grants: Vec<Grant>,
    machines: [Machine; N_MACHINES],
    /// Requests with the provider: whose, and of which slice's day.
    sent: Vec<(u8, u8)>,
    spent: [u8; 2],
    day: u8,
    n_sends: u8,
}

struct ManyMachines(Option<Mutant>);

type Out = Vec<(Step, State)>;

impl ManyMachines {
    fn has(&self, mutant: Mutant) -> bool {
        self.0 == Some(mutant)
    }

    /// What may be spent on a day by all slices.
    fn exposure(&self, grants: &[Grant], day: u8) -> u8 {
        let weight = |grant: &Grant| match grant.closed {
            None if self.has(Mutant::SliceDayOnly) => u8::from(grant.opened == day),
            None => u8::from(grant.opened <= day),
            Some(closed) if grant.opened <= day && day <= closed => grant.used,
            Some(_) => 0,
        };
        grants.iter().map(weight).sum()
    }

    fn world(state: &State, out: &mut Out) {
        if state.day < LAST_DAY {
            out.push((("midnight", 0), State { day: state.day + 1, ..state.clone() }));
        }
        for (at, (machine, _)) in state.sent.iter().enumerate() {
            let mut charged = state.clone();
            charged.sent.remove(at);
            charged.spent[usize::from(state.day)] += 1;
            let one = &mut charged.machines[usize::from(*machine)];
            if !one.is_dead {
                one.n_under_way -= 1;
                one.used += 1;
            }
            out.push((("the provider charges", *machine), charged));
        }
    }

    fn machine(&self, state: &State, who: u8, out: &mut Out) {
        let machine = &state.machines[usize::from(who)];
        if machine.is_dead {
            return;
        }
        if machine.day == 0 && (state.day == 1 || self.has(Mutant::FastClock)) {
            out.push((
                ("sees midnight", who),
                with(state, who, |it| (it.day, it.read) = (1, None)),
            ));
        }
        out.push((("dies", who), with(state, who, die)));
        match (&machine.slice, &machine.read) {
            (None, None) => {
                let read = Some((state.version, state.grants.clone()));
                out.push((("reads the pool", who), with(state, who, |it| it.read = read)));
            }
            (None, Some((version, grants))) => self.take(state, who, *version, grants, out),
            (Some((_, day)), _) => {
                if machine.left > 0 && state.n_sends < N_SENDS {
                    let mut sent = with(state, who, |it| {
                        it.left = 0;
                        it.n_under_way += 1;
                    });
                    sent.sent.push((who, *day));
                    sent.sent.sort_unstable();
                    sent.n_sends += 1;
                    out.push((("sends", who), sent));
                }
                if machine.n_under_way == 0 {
                    self.give_back(state, who, out);
                }
            }
        }
    }

    /// Takes a slice, if the pool is still as it was read and has room on every day to come.
    fn take(&self, state: &State, who: u8, version: u8, grants: &[Grant], out: &mut Out) {
        if version != state.version && !self.has(Mutant::NoCompareAndSwap) {
            out.push((("is too late", who), with(state, who, |it| it.read = None)));
            return;
        }
        let own = state.machines[usize::from(who)].day;
        let (first, last) = match self.has(Mutant::SlowClockGrantsOldDay) {
            true => (own, own),
            false => (own.max(latest_day(grants)), LAST_DAY),
        };
        let fits = (first..=last).all(|day| self.exposure(grants, day) < LIMIT);
        if !fits || state.version == N_VERSIONS {
            return;
        }
        let id = state.version;
        let mut granted = grants.to_vec();
        granted.push(Grant { id, machine: who, opened: first, closed: None, used: 0 });
        let slice = |it: &mut Machine| {
            (it.read, it.slice, it.left, it.used) = (None, Some((id, first)), 1, 0);
        };
        let lost = |it: &mut Machine| (it.is_dead, it.read) = (true, None);
        for (name, change) in
            [("takes a slice", &slice as &dyn Fn(&mut Machine)), ("takes a slice and dies", &lost)]
        {
            let mut taken = with(state, who, change);
            (taken.version, taken.grants) = (state.version + 1, granted.clone());
            out.push(((name, who), taken));
        }
    }

    /// Gives a slice back of which nothing is under way.
    fn give_back(&self, state: &State, who: u8, out: &mut Out) {
        let machine = &state.machines[usize::from(who)];
        let Some((id, _)) = machine.slice else { return };
        let pool_day = latest_day(&state.grants).max(machine.day).max(state.day);
        let day = if self.has(Mutant::SlowClockClosesOldDay) { machine.day } else { pool_day };
        let mut grants = state.grants.clone();
        for grant in grants.iter_mut().filter(|grant| grant.id == id) {
            (grant.closed, grant.used) = (Some(day), machine.used);
        }
        let nothing = |it: &mut Machine| (it.slice, it.left, it.used, it.read) = (None, 0, 0, None);
        let is_closed = |grant: &Grant| grant.id == id && grant.closed.is_some();
        let version = state.version + 1;
        if !self.has(Mutant::ReturnBeforeZero) {
            let returned = State { version, grants, ..with(state, who, nothing) };
            out.push((("gives its slice up and back", who), returned));
            return;
        }
        out.push((("gives its slice back", who), State { version, grants, ..state.clone() }));
        if state.grants.iter().any(is_closed) {
            out.push((("gives its slice up", who), with(state, who, nothing)));
        }
    }

    /// What the mutant does to slices that nobody has closed.
    fn expire(&self, state: &State, out: &mut Out) {
        if !self.has(Mutant::ExpiryRefunds) {
            return;
        }
        for (at, grant) in state.grants.iter().enumerate() {
            if grant.closed.is_none() {
                let mut expired = State { version: state.version + 1, ..state.clone() };
                (expired.grants[at].closed, expired.grants[at].used) = (Some(grant.opened), 0);
                out.push((("a slice expires", grant.id), expired));
            }
        }
    }
}

impl Model for ManyMachines {
    type State = State;

    fn start(&self) -> State {
        State {
            version: 0,
            grants: Vec::new(),
            machines: Default::default(),
            sent: Vec::new(),
            spent: [0; 2],
            day: 0,
            n_sends: 0,
        }
    }

    fn steps(&self, state: &State, out: &mut Out) {
        Self::world(state, out);
        for who in 0..N_MACHINES as u8 {
            self.machine(state, who, out);
        }
        self.expire(state, out);
        out.retain(|(_, next)| next.version <= N_VERSIONS);
    }

    fn is_overspent(&self, state: &State) -> bool {
        state.spent.iter().any(|spent| *spent > LIMIT)
    }
}

fn with(state: &State, who: u8, change: impl FnOnce(&mut Machine)) -> State {
    let mut next = state.clone();
    change(&mut next.machines[usize::from(who)]);
    next
}

/// Its disk is lost with it, and what it has sent goes on.
fn die(machine: &mut Machine) {
    (machine.is_dead, machine.read, machine.n_under_way) = (true, None, 0);
}

/// The latest day that the pool has heard of.
fn latest_day(grants: &[Grant]) -> u8 {
    let days = grants.iter().map(|grant| grant.closed.unwrap_or(grant.opened).max(grant.opened));
    days.max().unwrap_or(0)
}

#[test]
fn the_limit_holds_in_every_state_of_many_machines() {
    must_hold("many machines", &ManyMachines(None), 220_305);
}

#[test]
fn every_broken_pool_of_many_machines_is_found_out() {
    for mutant in [
        Mutant::NoCompareAndSwap,
        Mutant::ExpiryRefunds,
        Mutant::ReturnBeforeZero,
        Mutant::SliceDayOnly,
        Mutant::FastClock,
        Mutant::SlowClockGrantsOldDay,
        Mutant::SlowClockClosesOldDay,
    ] {
        must_overspend(&format!("{mutant:?}"), &ManyMachines(Some(mutant)));
    }
}
