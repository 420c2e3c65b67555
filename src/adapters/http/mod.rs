//! HTTP clients. Each has a policy of its own; the paid one never repeats a request.

pub mod paid;
pub mod probe;
pub mod trust;
