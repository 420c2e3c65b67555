//! Row formats: how the rows of an input are written down.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// How the rows of an input are written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RowFormat {
    /// Cells separated by commas, with a header.
    #[default]
    Csv,
    /// Cells separated by tabs, with a header.
    Tsv,
    /// One JSON array of objects.
    Json,
    /// One JSON object on each line.
    Jsonl,
}

/// A word is no format of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the format of rows must be csv, tsv, json or jsonl")]
pub struct UnknownRowFormat;

impl RowFormat {
    /// The format that a file's name asks for by its ending, if it does.
    pub fn of_path(path: &str) -> Option<Self> {
        path.rsplit_once('.')?.1.parse().ok()
    }

    /// The format as one word, which is also its file extension.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
        }
    }

    /// The byte between cells, for the formats that have cells.
    pub const fn delimiter(self) -> Option<u8> {
        match self {
            Self::Csv => Some(b','),
            Self::Tsv => Some(b'\t'),
            Self::Json | Self::Jsonl => None,
        }
    }
}

impl FromStr for RowFormat {
    type Err = UnknownRowFormat;

    fn from_str(word: &str) -> Result<Self, UnknownRowFormat> {
        match word.to_ascii_lowercase().as_str() {
            "csv" => Ok(Self::Csv),
            "tsv" | "tab" => Ok(Self::Tsv),
            "json" => Ok(Self::Json),
            "jsonl" | "ndjson" => Ok(Self::Jsonl),
            _ => Err(UnknownRowFormat),
        }
    }
}

impl fmt::Display for RowFormat {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_formats_agree() {
        for format in [RowFormat::Csv, RowFormat::Tsv, RowFormat::Json, RowFormat::Jsonl] {
            assert_eq!(format.word().parse(), Ok(format));
        }
        assert_eq!(RowFormat::of_path("a/rows.JSONL"), Some(RowFormat::Jsonl));
        assert_eq!(RowFormat::of_path("rows"), None);
        assert_eq!("NDJSON".parse(), Ok(RowFormat::Jsonl));
        assert_eq!("xlsx".parse::<RowFormat>(), Err(UnknownRowFormat));
    }
}
