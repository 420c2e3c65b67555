//! The one integration-test binary.

mod cli;
mod docs;
mod faults;
mod fixtures;
mod ledger;
mod refs;
mod same_plan;
mod sim;
mod support;
mod tidy;
mod wire;
