//! The circuit of a lane: after a row of provider failures it opens, lets two probes through, and
//! gives the run up when they fail too. Gates alone would not fire, since such attempts are
//! `unknown` and each may have been billed.

use std::time::Duration;

/// Provider failures in a row that open the circuit.
pub const FAILURES_TO_OPEN: u32 = 10;

/// How long after the opening, and after the first probe, the next probe is let through.
pub const PROBE_PAUSES: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(10)];

/// What an exchange says about the health of its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// The provider answers.
    Answers,
    /// The provider failed.
    Fails,
    /// There was no connection: it tells only a probe something.
    Unreachable,
    /// Nothing was sent, or nothing was learnt.
    Unsaid,
}

/// The circuit of one lane. Times are on the run's monotonic clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Circuit {
    failures: u32,
    open: Option<Open>,
}

/// An open circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    /// How many probes have failed.
    probes_failed: usize,
    /// When the next probe may go.
    next_probe: Duration,
    /// Whether a probe is out.
    is_probing: bool,
}

/// Whether a request may go now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// It may go.
    Go,
    /// It may go, and its end decides whether the circuit closes again.
    Probe,
    /// Not before this moment.
    At(Duration),
    /// Not before the probe that is out has ended.
    AfterProbe,
}

/// What an ended request did to the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// It is open now; a probe goes after this pause.
    Opened(Duration),
    /// It is closed again.
    Closed,
    /// The probes failed too: the run stops.
    GivenUp,
}

impl Circuit {
    /// Asks for one request; an open circuit lets one probe through at a time.
    pub fn ask(&mut self, now: Duration) -> Pass {
        match &mut self.open {
            None => Pass::Go,
            Some(open) if open.is_probing => Pass::AfterProbe,
            Some(open) if now < open.next_probe => Pass::At(open.next_probe),
            Some(open) => {
                open.is_probing = true;
                Pass::Probe
            }
        }
    }

    /// Learns how a request went that was let through; `is_probe` tells whether it was a probe.
    pub fn learn(&mut self, health: Health, now: Duration, is_probe: bool) -> Change {
        match health {
            Health::Answers => self.succeeded(),
            Health::Fails => self.failed(now, is_probe),
            Health::Unreachable if is_probe => self.failed(now, true),
            Health::Unreachable => Change::None,
            Health::Unsaid => {
                if is_probe {
                    self.withdraw();
                }
                Change::None
            }
        }
    }

    /// A probe that was let through will not be sent after all.
    pub fn withdraw(&mut self) {
        if let Some(open) = &mut self.open {
            open.is_probing = false;
        }
    }

    /// The provider answered something that is not its own failure.
    fn succeeded(&mut self) -> Change {
        let was_open = self.open.is_some();
        *self = Self::default();
        if was_open { Change::Closed } else { Change::None }
    }

    /// The provider failed.
    fn failed(&mut self, now: Duration, is_probe: bool) -> Change {
        self.failures = self.failures.saturating_add(1);
        match &mut self.open {
            None if self.failures < FAILURES_TO_OPEN => Change::None,
            None => {
                let pause = PROBE_PAUSES[0];
                let next_probe = now.saturating_add(pause);
                self.open = Some(Open { probes_failed: 0, next_probe, is_probing: false });
                Change::Opened(pause)
            }
            // What was sent before the circuit opened tells nothing new.
            Some(_) if !is_probe => Change::None,
            Some(open) => {
                open.is_probing = false;
                open.probes_failed += 1;
                match PROBE_PAUSES.get(open.probes_failed) {
                    Some(pause) => {
                        open.next_probe = now.saturating_add(*pause);
                        Change::Opened(*pause)
                    }
                    None => Change::GivenUp,
                }
            }
        }
    }

    /// Whether it is open.
    pub const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Provider failures in a row so far.
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn opened() -> Circuit {
        let mut circuit = Circuit::default();
        for n in 1..FAILURES_TO_OPEN {
            assert_eq!(circuit.failed(at(0), false), Change::None, "{n}");
        }
        assert_eq!(circuit.failed(at(0), false), Change::Opened(at(5)));
        circuit
    }

    #[test]
    fn ten_failures_in_a_row_open_it_and_two_failed_probes_give_up() {
        let mut circuit = opened();
        assert_eq!(circuit.ask(at(1)), Pass::At(at(5)));
        assert_eq!(circuit.ask(at(5)), Pass::Probe);
        assert_eq!(circuit.failed(at(6), false), Change::None, "a straggler is no probe");
        assert_eq!(circuit.ask(at(6)), Pass::AfterProbe);
        assert_eq!(circuit.failed(at(7), true), Change::Opened(at(10)));
        assert_eq!(circuit.ask(at(16)), Pass::At(at(17)));
        assert_eq!(circuit.ask(at(17)), Pass::Probe);
        assert_eq!(circuit.failed(at(18), true), Change::GivenUp);
    }

    #[test]
    fn a_probe_that_succeeds_closes_it() {
        let mut circuit = opened();
        assert_eq!(circuit.ask(at(5)), Pass::Probe);
        assert_eq!(circuit.succeeded(), Change::Closed);
        assert_eq!((circuit.ask(at(6)), circuit.failures()), (Pass::Go, 0));
    }

    #[test]
    fn one_good_answer_between_failures_keeps_it_closed() {
        let mut circuit = Circuit::default();
        for _ in 0..100 {
            for _ in 1..FAILURES_TO_OPEN {
                assert_eq!(circuit.failed(at(0), false), Change::None);
            }
            assert_eq!(circuit.succeeded(), Change::None);
        }
    }

    #[test]
    fn stragglers_of_the_time_before_do_not_count_as_probes() {
        let mut circuit = opened();
        for _ in 0..20 {
            assert_eq!(circuit.failed(at(2), false), Change::None);
        }
        assert_eq!(circuit.ask(at(5)), Pass::Probe);
    }

    #[test]
    fn a_probe_that_is_not_sent_after_all_leaves_its_place() {
        let mut circuit = opened();
        assert_eq!(circuit.ask(at(5)), Pass::Probe);
        circuit.withdraw();
        assert_eq!(circuit.ask(at(5)), Pass::Probe);
    }
}
