//! The one integration-test binary.

mod docs;
mod fixtures;
mod ledger;
