//! References: read from the rows file's folder, over HTTP and from buckets, into one cache.

pub mod cache;
pub mod every;
pub mod inspect;
pub mod local;
mod validators;
pub mod web;
