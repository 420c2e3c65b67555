//! The one integration-test binary.

mod bucket_peers;
mod cli;
mod docs;
mod faults;
mod fixtures;
mod goes_on;
mod ledger;
mod refs;
mod same_plan;
mod sim;
mod support;
mod tidy;
mod wire;
