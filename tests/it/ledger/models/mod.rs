//! The ledger's protocol as small models, of which every state within their bounds is visited:
//! kills, power loss at every byte, midnight at every step. Each model can be broken on purpose,
//! and a broken one must be found out: that is the test of the tests.
//!
//! Models and bounds: section 2.9 of the ledger's specification. They walk the same graph as the
//! ones there, so that the number of states tells whether something was lost on the way.

#![expect(
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "the states are only looked up, never walked in the map's order, and there are a \
              million of them; what the search found is for people to read"
)]

mod many_machines;
mod one_machine;

use std::collections::HashMap;
use std::hash::Hash;

/// A step by its name, and who makes it or what it is about.
pub(crate) type Step = (&'static str, u8);

/// A protocol that moves from state to state.
pub(crate) trait Model {
    /// Everything that matters at one moment.
    type State: Clone + Eq + Hash;

    /// Where it begins.
    fn start(&self) -> Self::State;

    /// Every step that can be made in a state, and where it leads.
    fn steps(&self, state: &Self::State, out: &mut Vec<(Step, Self::State)>);

    /// Whether more was spent than the limit allows.
    fn is_overspent(&self, state: &Self::State) -> bool;
}

/// What the search has found.
enum Found {
    /// The limit holds in each of so many states.
    Holds { n_states: usize },
    /// The shortest way to spend too much.
    Overspent { steps: Vec<Step> },
}

/// Visits every state, those that are near first.
fn explore<M: Model>(model: &M) -> Found {
    let start = model.start();
    let mut numbers = HashMap::from([(start.clone(), 0_usize)]);
    let mut came_from: Vec<(usize, Step)> = vec![(0, ("start", 0))];
    let mut states = vec![start];
    let mut next = Vec::new();
    let mut at = 0;
    while at < states.len() {
        let state = states[at].clone();
        model.steps(&state, &mut next);
        for (step, state) in next.drain(..) {
            if numbers.contains_key(&state) {
                continue;
            }
            came_from.push((at, step));
            if model.is_overspent(&state) {
                return Found::Overspent { steps: way(&came_from) };
            }
            numbers.insert(state.clone(), states.len());
            states.push(state);
        }
        at += 1;
    }
    Found::Holds { n_states: states.len() }
}

/// The steps from the start to the last state that was found.
fn way(came_from: &[(usize, Step)]) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut at = came_from.len() - 1;
    while at > 0 {
        let (before, step) = came_from[at];
        steps.push(step);
        at = before;
    }
    steps.reverse();
    steps
}

/// Checks that the limit holds in every state, and that there are as many as there should be.
pub(crate) fn must_hold<M: Model>(name: &str, model: &M, n_expected: usize) {
    match explore(model) {
        Found::Holds { n_states } => {
            assert_eq!(n_states, n_expected, "{name} walks another graph than it should");
            println!("{name}: {n_states} states, and the limit holds in each");
        }
        Found::Overspent { steps } => panic!("{name}: overspent by {steps:?}"),
    }
}

/// Checks that a broken protocol is found out; says how.
pub(crate) fn must_overspend<M: Model>(name: &str, model: &M) -> usize {
    match explore(model) {
        Found::Holds { n_states } => panic!("{name} passes in all {n_states} states"),
        Found::Overspent { steps } => {
            println!("{name}: overspent in {} steps: {steps:?}", steps.len());
            steps.len()
        }
    }
}
