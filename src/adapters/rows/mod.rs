//! Rows: CSV, TSV, JSON and JSONL, read twice with bounded memory.
//!
//! `source` opens an input; `stream` finds its records within `window`, and `ahead` does so on a
//! thread of its own; `decode` finds the cells of one; `check` applies the rules of
//! `domain::cell`; `pass` does all of it once for every row and fills `index`; `reader` reads
//! single rows again; `rejected` writes the bad ones.

mod ahead;
mod bad_row;
mod build;
mod cells;
mod check;
mod columns;
mod csv_split;
mod decode;
mod error;
mod finder;
mod header;
mod index;
mod json_object;
mod json_scan;
mod limits;
mod names;
mod pass;
mod problem;
mod reader;
mod rejected;
mod seen;
mod sniff;
mod source;
mod stream;
#[cfg(test)]
mod tests;
mod window;

pub use bad_row::BadRow;
pub use error::Error;
pub use index::RowIndex;
pub use pass::{Objection, OnRow};
pub use reader::FileRowReader;
pub use rejected::RejectedWriter;
pub use source::{ReadOptions, RecordShape, RowInput, RowSource};
