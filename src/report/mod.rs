//! Floor 2: what people and machines are shown.

mod bar_terminal;
pub mod checkup;
pub mod compare;
pub mod config;
pub mod diagnostic;
pub mod gate_table;
pub mod github;
pub mod html;
pub mod junit;
pub mod ledger;
pub mod ledger_entries;
pub mod ledger_limits;
pub mod markdown;
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
pub mod tap;
pub mod words;
