//! Rows: reading one row again after the whole input was checked.

use std::io;

use crate::domain::row::Row;

/// Reads rows by their position among the good rows of an input, counted from 0.
///
/// Reading in the order of the positions is as fast as streaming; any other order is possible.
pub trait RowReader: Send {
    /// The row, checked again.
    ///
    /// # Errors
    /// When there is no such row, the input cannot be read, or it has changed since it was checked.
    fn read(&mut self, position: u32) -> Result<Row, RowReadError>;

    /// The cells of the row as name and text, in the input's own columns and order.
    ///
    /// # Errors
    /// As [`RowReader::read`].
    fn raw(&mut self, position: u32) -> Result<Vec<(String, String)>, RowReadError>;
}

/// Why a row cannot be read again.
#[derive(Debug, thiserror::Error)]
pub enum RowReadError {
    /// The position is beyond the last row.
    #[error("there is no row at position {0}")]
    NoSuchRow(u32),
    /// The bytes at the row's place are not those that were checked.
    #[error("the rows were changed while they were in use (the row at line {line})")]
    Changed {
        /// The line at which the row started when it was checked.
        line: u64,
    },
    /// The input cannot be read.
    #[error("failed to read the row at line {line}")]
    Io {
        /// The line at which the row starts.
        line: u64,
        /// The reason.
        #[source]
        source: io::Error,
    },
}
