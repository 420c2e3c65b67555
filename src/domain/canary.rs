//! Which rows a canary share takes: the frozen order `canary-order/1`, hashed, stratified and
//! nested, so that 5 % lies inside 10 % and every kind of row comes early.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::domain::percent::Percent;
use crate::domain::row::{CanaryChoice, Variants};

/// The name of the order; a change of the order is a change of this name.
pub const ORDER_NAME: &str = "canary-order/1";

/// The hash that orders rows: made once for a salt, asked once for each row.
#[derive(Clone, Debug)]
pub struct OrderHasher {
    /// The state after the name and the salt, which every hash shares.
    salted: Sha256,
}

/// What the order keeps apart: the rows of one stratum are spread evenly over every prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stratum {
    /// What the rows say about the canary.
    pub choice: CanaryChoice,
    /// Whether the rows have references.
    pub has_refs: bool,
    /// How many images each row asks for.
    pub variants: Variants,
    /// The model of the rows.
    pub model: Arc<str>,
}

/// The strata met while rows are read, each with a small number that fits two bytes.
#[derive(Clone, Debug, Default)]
pub struct Strata {
    list: Vec<Stratum>,
    numbers: BTreeMap<Arc<str>, Vec<Option<u16>>>,
}

/// There are more kinds of rows than the order can keep apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rows name too many models for a canary: more than 65,536 kinds of rows")]
pub struct TooManyStrata;

/// All rows in the order in which canary shares grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanaryOrder {
    rows: Vec<u32>,
    n_always: u64,
    n_never: u64,
}

/// A kind of row that has no row inside a canary share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncovered {
    /// The kind, such as `has_refs=true/variants=2`.
    pub path: String,
    /// How many planned rows are of this kind.
    pub n_rows: u64,
}

impl OrderHasher {
    /// The hash of the canary named by `salt`.
    pub fn new(salt: &str) -> Self {
        let mut salted = Sha256::new();
        salted.update(ORDER_NAME.as_bytes());
        salted.update(b"\n");
        salted.update(salt.as_bytes());
        salted.update(b"\n");
        Self { salted }
    }

    /// The hash of the row (or of anything else) named `id`.
    pub fn hash(&self, id: &str) -> u64 {
        let digest = self.salted.clone().chain_update(id.as_bytes()).finalize();
        let first: [u8; 8] = digest[..8].try_into().expect("a digest has 32 bytes");
        u64::from_be_bytes(first)
    }

    /// The hash of a stratum by its path, such as `has_refs=true/variants=2`.
    pub fn stratum_hash(&self, path: &str) -> u64 {
        self.hash(&format!("stratum:{path}"))
    }
}

/// The hash of `id` in the canary named by `salt`.
pub fn hash(salt: &str, id: &str) -> u64 {
    OrderHasher::new(salt).hash(id)
}

/// The hash of the stratum at `path` in the canary named by `salt`.
pub fn stratum_hash(salt: &str, path: &str) -> u64 {
    OrderHasher::new(salt).stratum_hash(path)
}

impl Strata {
    /// The number of a row's stratum; a new kind gets the next number.
    ///
    /// # Errors
    /// When the numbers are used up.
    pub fn number(
        &mut self,
        choice: CanaryChoice,
        has_refs: bool,
        variants: Variants,
        model: &str,
    ) -> Result<u16, TooManyStrata> {
        let slot = slot(choice, has_refs, variants);
        if let Some(number) = self.numbers.get(model).and_then(|slots| slots[slot]) {
            return Ok(number);
        }
        let number = u16::try_from(self.list.len()).map_err(|_| TooManyStrata)?;
        let (model, slots) = match self.numbers.get_key_value(model) {
            Some((known, _)) => (Arc::clone(known), self.numbers.get_mut(model)),
            None => (Arc::from(model), None),
        };
        match slots {
            Some(slots) => slots[slot] = Some(number),
            None => {
                let mut slots = vec![None; N_SLOTS];
                slots[slot] = Some(number);
                self.numbers.insert(Arc::clone(&model), slots);
            }
        }
        self.list.push(Stratum { choice, has_refs, variants, model });
        Ok(number)
    }

    /// The strata; the position is the number.
    pub fn list(&self) -> &[Stratum] {
        &self.list
    }

    /// Whether the model divides the strata: only when the rows name more than one.
    fn by_model(&self) -> bool {
        self.numbers.len() > 1
    }

    /// The path of a stratum down to its key number `depth` (1 to 3).
    fn path(&self, stratum: &Stratum, depth: usize) -> String {
        let mut path = format!("has_refs={}", stratum.has_refs);
        if depth > 1 {
            path.push_str(&format!("/variants={}", stratum.variants.get()));
        }
        if depth > 2 {
            path.push_str(&format!("/model={}", stratum.model));
        }
        path
    }

    /// How many keys divide the strata.
    fn depth(&self) -> usize {
        if self.by_model() { 3 } else { 2 }
    }
}

/// The order of all rows.
///
/// Row `i` has the hash `hashes[i]` and the stratum `strata_of_rows[i]`; `compare_ids` decides
/// between two rows of equal hash by their names. Rows that say `always` come first and rows
/// that say `never` last, each part in an order of its own.
///
/// # Panics
/// When the two slices differ in length, hold more than `u32::MAX` rows, or name a stratum that
/// `strata` has not numbered.
pub fn order(
    hasher: &OrderHasher,
    hashes: &[u64],
    strata_of_rows: &[u16],
    strata: &Strata,
    compare_ids: &dyn Fn(u32, u32) -> Ordering,
) -> CanaryOrder {
    assert_eq!(hashes.len(), strata_of_rows.len(), "each row has a hash and a stratum");
    let n = u32::try_from(hashes.len()).expect("rows are counted in 32 bits");
    let mut leaves = Leaves::split(n, strata_of_rows, strata);
    let compare = |a: &u32, b: &u32| {
        hashes[*a as usize].cmp(&hashes[*b as usize]).then_with(|| compare_ids(*a, *b))
    };
    leaves.sort_each(&compare);
    let mut groups = leaves.groups;
    let mut rows = leaves.rows;
    let mut merged = Vec::with_capacity(rows.len());
    // From the innermost key outwards; the last round puts the three choices behind one another.
    for depth in (1..=strata.depth()).rev() {
        merged.clear();
        groups = merge_level(
            &rows,
            &mut merged,
            groups,
            depth,
            &|group: &Group, depth| {
                hasher.stratum_hash(&strata.path(&strata.list[usize::from(group.stratum)], depth))
            },
            &compare,
        );
        std::mem::swap(&mut rows, &mut merged);
    }
    let of_choice = |wanted: u8| {
        groups.iter().filter(|group| group.key.0 == wanted).map(|group| group.len as u64).sum()
    };
    CanaryOrder { n_always: of_choice(ALWAYS), n_never: of_choice(NEVER), rows }
}

impl CanaryOrder {
    /// The rows, as positions in the input counted from 0, first to be sent first.
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// How many rows from the front a share takes.
    ///
    /// Rows that say `always` are inside every share; rows that say `never` are outside every
    /// share below 100 %.
    pub fn n_selected(&self, share: Percent) -> u64 {
        let n = self.rows.len() as u64;
        if share.is_whole() {
            return n;
        }
        share.prefix(n).max(self.n_always).min(n - self.n_never)
    }

    /// The rows inside a share.
    pub fn selected(&self, share: Percent) -> &[u32] {
        let n = usize::try_from(self.n_selected(share)).expect("at most the number of rows");
        &self.rows[..n]
    }

    /// The kinds of rows that have no row inside a share, by path.
    pub fn uncovered(
        &self,
        share: Percent,
        strata_of_rows: &[u16],
        strata: &Strata,
    ) -> Vec<Uncovered> {
        let mut of_stratum = vec![(0_u64, false); strata.list.len()];
        let n_selected = self.n_selected(share);
        for (position, row) in (0_u64..).zip(&self.rows) {
            let (n_rows, covered) = &mut of_stratum[usize::from(strata_of_rows[*row as usize])];
            *n_rows += 1;
            *covered |= position < n_selected;
        }
        let mut of_path: BTreeMap<String, (u64, bool)> = BTreeMap::new();
        for (stratum, (n_rows, covered)) in strata.list.iter().zip(of_stratum) {
            let sum = of_path.entry(strata.path(stratum, strata.depth())).or_default();
            sum.0 += n_rows;
            sum.1 |= covered;
        }
        let without = |(path, (n_rows, covered)): (String, (u64, bool))| {
            (!covered && n_rows > 0).then_some(Uncovered { path, n_rows })
        };
        of_path.into_iter().filter_map(without).collect()
    }
}

impl fmt::Display for Uncovered {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = if self.n_rows == 1 { "row" } else { "rows" };
        write!(out, "{} ({} {rows})", self.path, self.n_rows)
    }
}

/// The sizes that a growing list of shares takes of `n` rows, equal neighbors collapsed.
pub fn step_sizes(steps: &[Percent], n: u64) -> Vec<u64> {
    let mut sizes: Vec<u64> = steps.iter().map(|step| step.prefix(n)).collect();
    sizes.dedup();
    sizes
}

/// Places of the three choices in the order.
const ALWAYS: u8 = 0;
const AUTO: u8 = 1;
const NEVER: u8 = 2;
/// Kinds of rows of one model: three choices, with and without references, 0 to 10 variants.
const N_SLOTS: usize = 3 * 2 * 11;

const fn place(choice: CanaryChoice) -> u8 {
    match choice {
        CanaryChoice::Always => ALWAYS,
        CanaryChoice::Auto => AUTO,
        CanaryChoice::Never => NEVER,
    }
}

fn slot(choice: CanaryChoice, has_refs: bool, variants: Variants) -> usize {
    (usize::from(place(choice)) * 2 + usize::from(has_refs)) * 11 + usize::from(variants.get())
}

/// A run of rows that are in their order already.
#[derive(Clone, Debug)]
struct Group {
    /// Choice, references, variants, number of the model; groups with an equal front are merged.
    key: (u8, bool, u8, u16),
    /// One of the strata inside, to name the path.
    stratum: u16,
    start: usize,
    len: usize,
}

/// The rows by stratum, each stratum a run in one list.
struct Leaves {
    rows: Vec<u32>,
    groups: Vec<Group>,
}

impl Leaves {
    fn split(n: u32, strata_of_rows: &[u16], strata: &Strata) -> Self {
        let mut sizes = vec![0_usize; strata.list.len()];
        for stratum in strata_of_rows {
            sizes[usize::from(*stratum)] += 1;
        }
        let models: BTreeMap<&str, u16> =
            strata.numbers.keys().map(|model| &**model).zip(0_u16..).collect();
        let mut groups: Vec<Group> = (0_u16..)
            .zip(&strata.list)
            .map(|(number, stratum)| Group {
                key: (
                    place(stratum.choice),
                    stratum.has_refs,
                    stratum.variants.get(),
                    models[&*stratum.model],
                ),
                stratum: number,
                start: 0,
                len: sizes[usize::from(number)],
            })
            .filter(|group| group.len > 0)
            .collect();
        groups.sort_by_key(|group| group.key);
        let mut next = sizes;
        let mut start = 0;
        for group in &mut groups {
            group.start = start;
            next[usize::from(group.stratum)] = start;
            start += group.len;
        }
        let mut rows = vec![0_u32; strata_of_rows.len()];
        for (row, stratum) in (0..n).zip(strata_of_rows) {
            let place = &mut next[usize::from(*stratum)];
            rows[*place] = row;
            *place += 1;
        }
        Self { rows, groups }
    }

    fn sort_each(&mut self, compare: &dyn Fn(&u32, &u32) -> Ordering) {
        for group in &self.groups {
            self.rows[group.start..group.start + group.len].sort_unstable_by(compare);
        }
    }
}

/// The front of a group's key that stays apart when the key number `depth` is merged.
fn front(key: (u8, bool, u8, u16), depth: usize) -> (u8, bool, u8) {
    match depth {
        3 => (key.0, key.1, key.2),
        2 => (key.0, key.1, 0),
        _ => (key.0, false, 0),
    }
}

/// Merges the groups that differ only in their key number `depth`, by position.
fn merge_level(
    rows: &[u32],
    merged: &mut Vec<u32>,
    groups: Vec<Group>,
    depth: usize,
    offset: &dyn Fn(&Group, usize) -> u64,
    compare: &dyn Fn(&u32, &u32) -> Ordering,
) -> Vec<Group> {
    let mut outer = Vec::new();
    for inner in groups.chunk_by(|a, b| front(a.key, depth) == front(b.key, depth)) {
        let start = merged.len();
        let mut heap: BinaryHeap<Reverse<Head<'_>>> = inner
            .iter()
            .map(|group| {
                let rows = &rows[group.start..group.start + group.len];
                Reverse(Head { rows, next: 0, offset: offset(group, depth), compare })
            })
            .collect();
        while let Some(mut smallest) = heap.peek_mut() {
            let head = &mut smallest.0;
            merged.push(head.row());
            head.next += 1;
            if head.next == head.rows.len() {
                std::collections::binary_heap::PeekMut::pop(smallest);
            }
        }
        let first = &inner[0];
        let front = front(first.key, depth);
        let key = (front.0, front.1, front.2, 0);
        outer.push(Group { key, stratum: first.stratum, start, len: merged.len() - start });
    }
    outer
}

/// The next row of a group that is being merged.
struct Head<'a> {
    rows: &'a [u32],
    next: usize,
    /// The group's own shift inside a step, in units of 2^-64.
    offset: u64,
    compare: &'a dyn Fn(&u32, &u32) -> Ordering,
}

impl Head<'_> {
    fn row(&self) -> u32 {
        self.rows[self.next]
    }

    /// Compares `(j + u) / m` exactly: with `j < m < 2^32` both products stay below 2^128.
    fn compare_positions(&self, other: &Self) -> Ordering {
        let place = |head: &Self| ((head.next as u128) << 64) + u128::from(head.offset);
        let mine = place(self) * other.rows.len() as u128;
        mine.cmp(&(place(other) * self.rows.len() as u128))
    }
}

impl Ord for Head<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.compare_positions(other).then_with(|| (self.compare)(&self.row(), &other.row()))
    }
}

impl PartialOrd for Head<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head<'_> {}

#[cfg(test)]
mod tests;
