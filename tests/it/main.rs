//! The one integration-test binary.

mod ledger;
