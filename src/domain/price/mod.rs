//! Prices: the price book, how it is read and merged, and what an attempt may cost.

mod book;
mod decimal;
mod entry;
mod error;
mod parse;
mod quote;
mod table;
mod usage;

pub use book::{PriceBook, SIM_MODEL, SIM_PROVIDER};
pub use entry::{BySize, Entry, Rate, SizePrices};
pub use error::{Error, Place, Problem, ProblemKind};
pub use quote::{PriceAsk, PriceMethod, PriceSource, Quote, QuoteError, Warning};
pub use table::QuoteTable;
pub use usage::TokenUsage;

#[cfg(test)]
mod tests;
