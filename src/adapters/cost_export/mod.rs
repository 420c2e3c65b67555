//! Reads a provider's cost export: CSV, JSON, lines of JSON, or pages of daily costs as OpenAI has
//! them.

mod columns;
mod delimited;
mod error;
mod json;
mod read;

pub use columns::{Columns, Field};
pub use error::Error;
pub use read::{MAX_BYTES, MAX_LINES, read};

#[cfg(test)]
mod tests;
