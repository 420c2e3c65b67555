//! The rows seen so far, to find two that have one name or one file name.

use crate::adapters::rows::build::name_of;
use crate::adapters::rows::check::check;
use crate::adapters::rows::finder::{Finder, Lost};
use crate::adapters::rows::index::RowIndex;
use crate::adapters::rows::names::{Ascent, Names, hash_of};
use crate::domain::file_name::folded_stem;

/// An earlier row with the same name or file name.
#[derive(Debug)]
pub(crate) struct Twin {
    /// Its name.
    pub(crate) name: String,
    /// The line at which it starts.
    pub(crate) line: u64,
    /// Its number.
    pub(crate) number: u64,
}

/// The names of the rows seen so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    ascent: Ascent,
    /// Made when a name is not larger than all before it, from the rows read again.
    names: Option<Names>,
}

impl Seen {
    /// The earlier row that has the name or its file name.
    pub(crate) fn find_twin(
        &mut self,
        name: &str,
        index: &RowIndex,
        finder: &mut Finder,
    ) -> Result<Option<Twin>, Lost> {
        if self.names.is_none() {
            if self.ascent.climb(name) {
                return Ok(None);
            }
            let mut names = Names::new();
            for position in 0..index.len() {
                names.add(hash_of(&earlier_name(finder, index, position)?), position);
            }
            self.names = Some(names);
        }
        let Some(names) = &self.names else { return Ok(None) };
        let hash = hash_of(name);
        let mut probe = 0;
        while let Some((position, next)) = names.candidate(hash, probe) {
            probe = next;
            let other = earlier_name(finder, index, position)?;
            if other == name || folded_stem(&other) == folded_stem(name) {
                let line = index.line(position).unwrap_or_default();
                return Ok(Some(Twin { name: other, line, number: index.number(position) }));
            }
        }
        Ok(None)
    }

    /// Adds the name of the row at `position`.
    pub(crate) fn add(&mut self, name: &str, position: u32) {
        if let Some(names) = &mut self.names {
            names.add(hash_of(name), position);
        }
    }
}

fn earlier_name(finder: &mut Finder, index: &RowIndex, position: u32) -> Result<String, Lost> {
    let place = index.place(position).expect("the row is in the index");
    finder.find(place, |record| {
        let (mut filled, mut name) = (String::new(), String::new());
        let checked = check(record, &mut filled, &mut Vec::new());
        Some(name_of(record, &checked, &mut name).to_owned())
    })
}
