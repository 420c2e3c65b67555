//! Price tables.
