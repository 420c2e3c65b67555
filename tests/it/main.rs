//! The one integration-test binary.

mod cli;
mod docs;
mod fixtures;
mod ledger;
mod sim;
mod support;
mod tidy;
