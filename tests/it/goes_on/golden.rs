//! Golden journals.
