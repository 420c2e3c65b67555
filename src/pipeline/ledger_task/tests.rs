//! Tests of the ledger task.
