//! The command line as a user meets it.

mod bad_rows;
mod budget;
mod canary;
#[cfg(unix)]
mod frozen;
mod gates;
mod help;
mod images;
mod input;
mod ledger;
mod limits;
mod live;
mod output;
mod plan;
mod progress;
mod reconcile;
mod references;
mod refusals;
mod rehearsal;
mod reports;
mod seed;
mod setup;
#[cfg(unix)]
mod signals;
