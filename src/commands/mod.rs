//! Floor 4: composes adapters, pipeline and report; one file per command.

pub mod canary;
pub mod completions;
pub mod config;
mod configuration;
pub mod doctor;
pub mod failure;
pub mod init;
mod key;
pub mod ledger;
mod ledger_access;
mod ledger_place;
mod ledger_wait;
mod money_view;
pub mod prices;
mod progress_choice;
mod reference_parts;
pub mod refs;
pub mod report;
mod rows_input;
pub mod run;
pub mod runs;
pub mod seed;
mod signals;
pub mod sim;
mod which_run;
pub mod world;
