//! Names seen so far, as hashes: finds candidates for duplicates in twenty bytes a row.

use std::hash::Hasher;

use crate::domain::file_name;

/// Marks a free slot.
const FREE: u32 = u32::MAX;
/// Slots of an empty table; always a power of two.
const FIRST_SLOTS: usize = 1024;

/// The hashes of the folded file names of all rows, and a table to find them by.
///
/// A row whose hash was seen is only a candidate: whoever asks compares the names themselves.
#[derive(Debug)]
pub(crate) struct Names {
    hashes: Vec<u64>,
    /// Positions by hash, with open addressing; at most three quarters are taken.
    slots: Vec<u32>,
}

impl Names {
    /// No names.
    pub(crate) fn new() -> Self {
        Self { hashes: Vec::new(), slots: vec![FREE; FIRST_SLOTS] }
    }

    /// The next position before or at which the same hash was seen, from a probe on.
    ///
    /// The first probe is 0; each answer carries the probe to go on with.
    pub(crate) fn candidate(&self, hash: u64, mut probe: usize) -> Option<(u32, usize)> {
        loop {
            let position = self.slots[self.slot(hash, probe)];
            probe += 1;
            if position == FREE {
                return None;
            }
            if self.hashes[position as usize] == hash {
                return Some((position, probe));
            }
        }
    }

    /// Adds the name of the next position.
    pub(crate) fn add(&mut self, hash: u64) {
        if (self.hashes.len() + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        self.hashes.push(hash);
        self.place(self.hashes.len() - 1);
    }

    fn grow(&mut self) {
        let size = self.slots.len() * 2;
        self.slots.clear();
        self.slots.resize(size, FREE);
        (0..self.hashes.len()).for_each(|position| self.place(position));
    }

    fn place(&mut self, position: usize) {
        let hash = self.hashes[position];
        let free = (0..).map(|probe| self.slot(hash, probe)).find(|at| self.slots[*at] == FREE);
        let free = free.expect("a quarter of the slots is free");
        self.slots[free] = u32::try_from(position).expect("positions have 32 bits");
    }

    fn slot(&self, hash: u64, probe: usize) -> usize {
        // The upper bits choose the slot, the whole hash tells rows apart.
        let start = (hash >> 20) as usize;
        start.wrapping_add(probe) & (self.slots.len() - 1)
    }
}

/// The hash of a row's file name as a disk that does not know case sees it.
pub(crate) fn hash_of(scene_id: &str) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    let bytes = scene_id.as_bytes();
    if file_name::is_fit(bytes) {
        let mut folded = [0; file_name::MAX_STEM_BYTES];
        let folded = &mut folded[..bytes.len()];
        folded.copy_from_slice(bytes);
        folded.make_ascii_lowercase();
        hasher.write(folded);
    } else {
        hasher.write(file_name::folded_stem(scene_id).as_bytes());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_again_and_no_other() {
        let mut names = Names::new();
        for number in 0..10_000 {
            let hash = hash_of(&format!("row-{number}"));
            assert_eq!(names.candidate(hash, 0), None);
            names.add(hash);
        }
        for number in 0..10_000 {
            let hash = hash_of(&format!("ROW-{number}"));
            assert_eq!(names.candidate(hash, 0).map(|found| found.0), Some(number));
        }
    }

    #[test]
    fn equal_hashes_are_all_found() {
        let mut names = Names::new();
        (0..3).for_each(|_| names.add(7));
        let (first, probe) = names.candidate(7, 0).expect("the first");
        let (second, probe) = names.candidate(7, probe).expect("the second");
        let (third, probe) = names.candidate(7, probe).expect("the third");
        assert_eq!([first, second, third], [0, 1, 2]);
        assert_eq!(names.candidate(7, probe), None);
    }
}
