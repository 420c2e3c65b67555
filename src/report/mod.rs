//! Floor 2: what people and machines are shown.

mod bar_terminal;
pub mod checkup;
pub mod config;
pub mod diagnostic;
pub mod gate_table;
pub mod ledger;
pub mod ledger_entries;
pub mod ledger_limits;
pub mod ndjson;
pub mod plan_view;
pub mod prices;
pub mod printer;
pub mod progress;
pub mod prompt;
pub mod reconcile;
pub mod references;
pub mod runs;
pub mod seed;
pub mod tables;
pub mod words;
