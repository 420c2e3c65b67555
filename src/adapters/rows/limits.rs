//! Limits of the row readers, each with its reason.

/// The most bytes of one record: thirty times the longest prompt; what is longer is no row but a
/// file without line ends or with an unclosed quote.
pub(crate) const MAX_RECORD_BYTES: usize = 1024 * 1024;
/// The most columns: four times what a spreadsheet with a column for everything has.
pub(crate) const MAX_COLUMNS: usize = 1_024;
/// The most characters of a column's name: it stands in headers, diagnostics and prompts.
pub(crate) const MAX_COLUMN_NAME_CHARS: usize = 256;
/// The most records: positions have 32 bits, and the largest one marks a free slot.
pub(crate) const MAX_RECORDS: u64 = u32::MAX as u64 - 1;
/// The deepest nesting of JSON in one row: the limit of the JSON parser itself.
pub(crate) const MAX_JSON_DEPTH: usize = 127;
/// The most faults that are drawn of one row; after a few the row is written anew anyway.
pub(crate) const MAX_FAULTS_PER_ROW: usize = 8;
/// How much of the start of an input is looked at to tell its format.
pub(crate) const SNIFF_BYTES: usize = 8 * 1024;
