//! The index of the good rows of an input: where each starts, and what its bytes were.

use sha2::{Digest, Sha256};

use crate::domain::digest::Sha256Digest;

/// The good rows of an input by position, in sixteen bytes a row.
#[derive(Debug, Default)]
pub struct RowIndex {
    rows: Vec<Place>,
    /// The numbers of the bad records, ascending.
    bad: Vec<u32>,
}

/// Where one row is.
#[derive(Debug)]
struct Place {
    offset: u64,
    line: u32,
    /// A checksum of its bytes: a row that changed in between is never sent.
    check: u32,
}

impl RowIndex {
    /// How many good rows there are.
    pub fn len(&self) -> u32 {
        u32::try_from(self.rows.len()).expect("records are counted with 32 bits")
    }

    /// Whether there is no good row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many bad rows there are.
    pub fn n_bad(&self) -> u64 {
        self.bad.len() as u64
    }

    /// The line at which a row starts.
    pub fn line(&self, position: u32) -> Option<u64> {
        self.rows.get(position as usize).map(|row| u64::from(row.line))
    }

    /// The number of a row among all data records, the bad ones included, counted from 1.
    pub fn number(&self, position: u32) -> u64 {
        let position = u64::from(position);
        // The i-th bad record has `number - 1 - i` good ones before it.
        let mut low = 0;
        let mut high = self.bad.len();
        while low < high {
            let middle = low + (high - low) / 2;
            if u64::from(self.bad[middle]) - 1 - middle as u64 <= position {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        position + 1 + low as u64
    }

    /// A digest of all good rows in their order, as hexadecimal text: the same rows have the
    /// same one.
    pub fn fingerprint(&self) -> String {
        let mut digest = Sha256::new();
        for row in &self.rows {
            digest.update(row.check.to_le_bytes());
        }
        Sha256Digest::finish(digest).to_string()
    }

    pub(crate) fn add(&mut self, offset: u64, line: u64, check: u32) {
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        self.rows.push(Place { offset, line, check });
    }

    pub(crate) fn add_bad(&mut self, number: u64) {
        self.bad.push(u32::try_from(number).expect("records are counted with 32 bits"));
    }

    pub(crate) fn place(&self, position: u32) -> Option<(u64, u64, u32)> {
        let row = self.rows.get(position as usize)?;
        Some((row.offset, u64::from(row.line), row.check))
    }

    pub(crate) fn shrink(&mut self) {
        self.rows.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_the_bad_records_in_between() {
        let mut index = RowIndex::default();
        let bad = [1, 4, 5, 9];
        let mut expect = Vec::new();
        for number in 1..=9_u64 {
            if bad.contains(&number) {
                index.add_bad(number);
            } else {
                index.add(number * 10, number + 1, 7);
                expect.push(number);
            }
        }
        let numbers: Vec<u64> = (0..index.len()).map(|position| index.number(position)).collect();
        assert_eq!(numbers, expect);
        assert_eq!((index.len(), index.n_bad(), index.line(0)), (5, 4, Some(3)));
        assert_eq!(index.fingerprint().len(), 64);
    }
}
