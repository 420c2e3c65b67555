//! The real ledger against a reference model: processes on a disk that fails, driven at random.
//!
//! `LEDGER_MACHINE_CASES` says how many histories and `LEDGER_MACHINE_SEED` which; a failure prints
//! the shortest history that shows it.

mod judge;
mod model;
pub(crate) mod reader;
mod world;

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::ledger::disk::Fault;
use crate::ledger::machine::world::{Counts, World};
use crate::ledger::support::{alone, number_from};

/// Histories where nobody asks for another number.
const CASES: u64 = 300;
/// The seed where nobody names one.
const SEED: u64 = 1;
/// Processes that share the ledger.
const PROCESSES: usize = 3;

/// What happens next. Amounts are cents; a process that is not alive is started first.
#[derive(Clone, Debug)]
enum Step {
    /// A process asks for these worst cases at once.
    Reserve(usize, Vec<i64>),
    /// One of its attempts ends; whether it is written at once.
    End(usize, usize, End, bool),
    /// A process leaves in good order.
    Close(usize),
    Kill(usize),
    /// Minutes pass; a clock may be set back too.
    Pass(i64),
    SetLimit(i64),
    /// A person says what an unknown attempt cost.
    Resolve(usize, i64),
    PowerLoss(u64),
    /// Something goes wrong after so many operations.
    Plan(Fault, u32),
}

/// How an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Settle(i64),
    Release,
    Unknown,
}

fn faults() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![
        2 => (0..900usize).prop_map(Fault::ShortWrite),
        2 => (0..1800usize).prop_map(Fault::Full),
        3 => Just(Fault::SyncError),
        2 => Just(Fault::Error),
        4 => any::<u8>().prop_map(Fault::Death),
    ];
    (fault, 0..8u32).prop_map(|(fault, after)| Step::Plan(fault, after))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let process = || 0..PROCESSES;
    let end = prop_oneof![
        4 => (0..=40i64).prop_map(End::Settle),
        2 => Just(End::Release),
        2 => Just(End::Unknown),
    ];
    let step = prop_oneof![
        9 => (process(), prop::collection::vec(1..=40i64, 1..4))
            .prop_map(|(process, maxes)| Step::Reserve(process, maxes)),
        9 => (process(), 0..8usize, end, any::<bool>())
            .prop_map(|(process, which, end, at_once)| Step::End(process, which, end, at_once)),
        2 => process().prop_map(Step::Close),
        3 => process().prop_map(Step::Kill),
        3 => (-30..=1500i64).prop_map(Step::Pass),
        1 => (20..=150i64).prop_map(Step::SetLimit),
        2 => (0..8usize, 0..=40i64).prop_map(|(which, amount)| Step::Resolve(which, amount)),
        2 => any::<u64>().prop_map(Step::PowerLoss),
        4 => faults(),
    ];
    prop::collection::vec(step, 1..60)
}

#[test]
fn the_files_agree_with_the_model_whatever_happens_to_processes_and_disk() {
    let name = "the_files_agree_with_the_model_whatever_happens_to_processes_and_disk";
    alone(&format!("{}::{name}", module_path!()), play_all);
}

#[expect(clippy::print_stdout, reason = "whoever starts it reads its figures")]
fn play_all() {
    let cases = number_from("LEDGER_MACHINE_CASES", CASES);
    let seed = number_from("LEDGER_MACHINE_SEED", SEED);
    let config = Config {
        cases: u32::try_from(cases).expect("not that many"),
        failure_persistence: None,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let total = RefCell::new(Counts::default());
    let mut runner = TestRunner::new_with_rng(config, rng);
    let result = runner.run(&(any::<u64>(), steps()), |(chance, steps)| {
        total.borrow_mut().add(play(chance, steps));
        Ok(())
    });
    if let Err(error) = result {
        panic!("seed {seed}: {error}");
    }
    let total = total.into_inner();
    assert!(total.n_faults > cases / 4 && total.n_power_losses > cases / 4, "{total:?}");
    println!("ledger machine figures: {cases} histories (seed {seed}); {total}; 0 violations");
}

/// One history on a ledger of its own.
fn play(chance: u64, steps: Vec<Step>) -> Counts {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.build().expect("a runtime");
    runtime.block_on(async {
        let mut world = World::new(chance);
        for step in steps {
            world.step(step).await;
        }
        world.finish().await
    })
}
