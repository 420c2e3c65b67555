//! Floor 4: composes adapters, pipeline and report; one file per command.

pub mod canary;
pub mod completions;
mod conclude;
pub mod failure;
mod launch;
pub mod ledger;
mod ledger_access;
mod plan_document;
mod planning;
pub mod prices;
mod progress_choice;
pub mod run;
mod run_setup;
pub mod seed;
mod signals;
pub mod world;
