//! The one integration-test binary.

mod cli;
mod fixtures;
mod ledger;
mod support;
