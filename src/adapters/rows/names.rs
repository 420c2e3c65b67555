//! Names seen so far, as hashes: finds candidates for duplicates in some sixteen bytes a row.

use std::hash::Hasher;

use crate::domain::file_name;

/// Marks a free slot: no row has the position that it would name.
const FREE: u64 = u64::MAX;
/// Parts of the table: each grows for itself, so that no moment needs all of it twice.
const N_PARTS: usize = 256;
/// Slots of a part at first; always a power of two.
const FIRST_SLOTS: usize = 16;

/// The hashes of the folded file names of all rows, to find the rows of a name by.
///
/// A row with the same 40 bits of a hash is only a candidate: whoever asks compares the names.
#[derive(Debug)]
pub(crate) struct Names {
    parts: Vec<Part>,
}

/// The largest folded file name so far.
///
/// As long as each name is larger than the one before (counted upwards, with or without leading
/// zeros), none can be there twice, and no table is needed: that is how most inputs are, and a
/// table of a million names costs more time than reading them.
#[derive(Debug, Default)]
pub(crate) struct Ascent {
    /// The largest file name, folded.
    last: Vec<u8>,
    /// The name of its row when that is the file name before folding, else nothing.
    name: Vec<u8>,
    next: Vec<u8>,
}

impl Ascent {
    /// Whether the name is larger than all before it; it is then the largest.
    pub(crate) fn climb(&mut self, scene_id: &str) -> bool {
        if let Some(at) = counted_up(&self.name, scene_id.as_bytes()) {
            let tail = &scene_id.as_bytes()[at..];
            self.name[at..].copy_from_slice(tail);
            self.last[at..].copy_from_slice(tail);
            self.last[at..].make_ascii_lowercase();
            return true;
        }
        self.next.clear();
        let is_fit = file_name::is_fit(scene_id.as_bytes());
        if is_fit {
            self.next.extend_from_slice(scene_id.as_bytes());
        } else {
            self.next.extend_from_slice(file_name::file_stem(scene_id).as_bytes());
        }
        self.next.make_ascii_lowercase();
        let is_larger = (self.last.len(), &self.last) < (self.next.len(), &self.next);
        if is_larger {
            std::mem::swap(&mut self.last, &mut self.next);
            self.name.clear();
            if is_fit {
                self.name.extend_from_slice(scene_id.as_bytes());
            }
        }
        is_larger
    }
}

/// Where a name starts to differ from the one before it, when digits in the places of digits are
/// all that differs and it is the larger one: it is then fit for a file name if the other is.
fn counted_up(last: &[u8], name: &[u8]) -> Option<usize> {
    if last.len() != name.len() {
        return None;
    }
    let at = last.iter().zip(name).position(|(old, new)| old != new)?;
    let is_counted =
        |(old, new): (&u8, &u8)| old == new || (old.is_ascii_digit() && new.is_ascii_digit());
    (last[at] < name[at] && last[at..].iter().zip(&name[at..]).all(is_counted)).then_some(at)
}

/// The names whose hashes start alike, with open addressing.
#[derive(Clone, Debug)]
struct Part {
    /// The lower half of the hash above the position; a lookup touches one place in memory.
    slots: Vec<u64>,
    n_names: usize,
}

impl Names {
    /// No names.
    pub(crate) fn new() -> Self {
        Self { parts: vec![Part { slots: vec![FREE; FIRST_SLOTS], n_names: 0 }; N_PARTS] }
    }

    /// The next position at which the same hash was seen, from a probe on.
    ///
    /// The first probe is 0; each answer carries the probe to go on with.
    pub(crate) fn candidate(&self, hash: u64, probe: usize) -> Option<(u32, usize)> {
        let (part, tag) = (&self.parts[part_of(hash)], tag_of(hash));
        for probe in probe.. {
            let slot = part.slots[part.place(tag, probe)];
            if slot == FREE {
                return None;
            }
            if slot >> 32 == tag {
                let position = u32::try_from(slot & u64::from(u32::MAX)).expect("32 bits are left");
                return Some((position, probe + 1));
            }
        }
        None
    }

    /// Adds the name of the row at `position`.
    pub(crate) fn add(&mut self, hash: u64, position: u32) {
        let (part, tag) = (&mut self.parts[part_of(hash)], tag_of(hash));
        if (part.n_names + 1) * 4 > part.slots.len() * 3 {
            part.grow();
        }
        part.insert(tag << 32 | u64::from(position));
        part.n_names += 1;
    }
}

impl Part {
    fn grow(&mut self) {
        let size = self.slots.len() * 2;
        let old = std::mem::replace(&mut self.slots, vec![FREE; size]);
        old.into_iter().filter(|slot| *slot != FREE).for_each(|slot| self.insert(slot));
    }

    fn insert(&mut self, slot: u64) {
        let tag = slot >> 32;
        let free = (0..).map(|probe| self.place(tag, probe)).find(|at| self.slots[*at] == FREE);
        self.slots[free.expect("a quarter of the slots is free")] = slot;
    }

    const fn place(&self, tag: u64, probe: usize) -> usize {
        (tag as usize).wrapping_add(probe) & (self.slots.len() - 1)
    }
}

const fn part_of(hash: u64) -> usize {
    (hash >> 56) as usize
}

const fn tag_of(hash: u64) -> u64 {
    hash & u32::MAX as u64
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
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_name_is_found_again_and_no_other() {
        let mut names = Names::new();
        for number in 0..10_000 {
            let hash = hash_of(&format!("row-{number}"));
            assert_eq!(names.candidate(hash, 0), None);
            names.add(hash, number);
        }
        for number in 0..10_000 {
            let hash = hash_of(&format!("ROW-{number}"));
            assert_eq!(names.candidate(hash, 0).map(|found| found.0), Some(number));
        }
    }

    #[test]
    fn names_climb_by_length_and_letters_without_case() {
        let mut ascent = Ascent::default();
        for (name, expect) in [
            ("row-9", true),
            ("row-10", true),
            ("ROW-11", true),
            ("row-11", false),
            ("row-2", false),
            ("Row-12", true),
            ("row-12", false),
            ("rOw-13b", true),
            ("rOw-13B", false),
            ("rOw-14b", true),
            ("row-14B", false),
            ("row-13b", false),
            ("nul9.x-1", true),
            ("nul9.x-0", false),
            ("nul9.y-0", true),
            ("row-99 ", true),
            ("row-99 ", false),
        ] {
            assert_eq!(ascent.climb(name), expect, "{name}");
        }
    }

    proptest! {
        #[test]
        fn climbing_is_comparing_folded_stems(names in vec("[aB0-2. ]{1,4}", 0..20)) {
            let (mut ascent, mut last) = (Ascent::default(), (0, String::new()));
            for name in names {
                let stem = file_name::folded_stem(&name);
                let next = (stem.len(), stem);
                prop_assert_eq!(ascent.climb(&name), last < next);
                last = last.max(next);
            }
        }
    }

    #[test]
    fn equal_hashes_are_all_found() {
        let mut names = Names::new();
        (0..3).for_each(|position| names.add(7, position));
        let (first, probe) = names.candidate(7, 0).expect("the first");
        let (second, probe) = names.candidate(7, probe).expect("the second");
        let (third, probe) = names.candidate(7, probe).expect("the third");
        assert_eq!([first, second, third], [0, 1, 2]);
        assert_eq!(names.candidate(7, probe), None);
    }
}
