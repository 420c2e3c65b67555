//! References: read from the rows file's folder, over HTTP and from buckets, into one cache.

pub mod buckets;
pub mod cache;
#[cfg(test)]
mod canned;
pub mod every;
pub mod inspect;
pub mod local;
pub mod refresh;
pub mod signer;
pub mod stores;
mod validators;
pub mod web;
