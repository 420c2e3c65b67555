//! Columns: the names of an input's columns and what they stand for.

use crate::adapters::rows::limits::{MAX_COLUMN_NAME_CHARS, MAX_COLUMNS};
use crate::domain::column::{Field, N_FIELDS, normalized};

/// The column of each field; [`NO_COLUMN`] for a field without one.
pub(crate) type Slots = [u16; N_FIELDS];
/// No column.
pub(crate) const NO_COLUMN: u16 = u16::MAX;
/// The column that we add to rejected rows; it is no part of a row's content.
pub(crate) const ERROR_COLUMN: &str = "error";

/// One column.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// Its name as the user wrote it, without blanks around it.
    pub(crate) name: String,
    /// Its name as it is compared.
    pub(crate) normalized: String,
    /// The field it stands for; nothing for a column of the user's own.
    pub(crate) field: Option<Field>,
}

/// The columns of an input in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    list: Vec<Column>,
    /// The named columns, sorted by normalized name.
    by_name: Vec<u16>,
    /// The columns whose text makes up a row's content, sorted by canonical name.
    canonical: Vec<u16>,
}

/// Why a column cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColumnError {
    /// There would be more columns than allowed.
    TooMany,
    /// The name is longer than allowed.
    NameTooLong,
}

impl Columns {
    /// The columns in their order.
    pub(crate) fn list(&self) -> &[Column] {
        &self.list
    }

    /// The column with the given name, compared without blanks and case.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.find_normalized(name).or_else(|| self.find_normalized(&normalized(name)))
    }

    /// Adds a column, or finds the one that has the name already.
    pub(crate) fn find_or_add(&mut self, name: &str) -> Result<usize, ColumnError> {
        match self.find(name) {
            Some(column) => Ok(column),
            None => self.add(name),
        }
    }

    /// Adds a column behind the others; a column without a name is kept and has no meaning.
    pub(crate) fn add(&mut self, name: &str) -> Result<usize, ColumnError> {
        if name.len() > MAX_COLUMN_NAME_CHARS && name.chars().count() > MAX_COLUMN_NAME_CHARS {
            return Err(ColumnError::NameTooLong);
        }
        if self.list.len() >= MAX_COLUMNS {
            return Err(ColumnError::TooMany);
        }
        let index = self.list.len();
        let normalized = normalized(name);
        let field = Field::from_name(&normalized);
        self.list.push(Column { name: name.trim().to_owned(), normalized, field });
        let column = u16::try_from(index).expect("there are at most MAX_COLUMNS columns");
        if !self.list[index].normalized.is_empty() {
            let list = &self.list;
            let place = |one: u16| list[usize::from(one)].normalized.as_str();
            let at = self.by_name.partition_point(|one| place(*one) < place(column));
            self.by_name.insert(at, column);
            if field != Some(Field::SceneId) && list[index].normalized != ERROR_COLUMN {
                let place = |one: u16| list[usize::from(one)].canonical_name();
                let at = self.canonical.partition_point(|one| place(*one) < place(column));
                self.canonical.insert(at, column);
            }
        }
        Ok(index)
    }

    /// The columns whose text makes up a row's content, sorted by canonical name.
    pub(crate) fn canonical(&self) -> impl Iterator<Item = (usize, &Column)> {
        self.canonical.iter().map(|column| (usize::from(*column), &self.list[usize::from(*column)]))
    }

    /// The column of each field when there is at most one for each.
    pub(crate) fn slots(&self) -> Slots {
        let mut slots = [NO_COLUMN; N_FIELDS];
        for (column, one) in (0_u16..).zip(&self.list) {
            if let Some(field) = one.field {
                slots[field as usize] = column;
            }
        }
        slots
    }

    fn find_normalized(&self, name: &str) -> Option<usize> {
        let place = |column: &u16| self.list[usize::from(*column)].normalized.as_str();
        let found = self.by_name.binary_search_by(|column| place(column).cmp(name)).ok()?;
        Some(usize::from(self.by_name[found]))
    }
}

impl Column {
    /// The name that counts for a row's content: an alias is the field itself.
    pub(crate) fn canonical_name(&self) -> &str {
        match self.field {
            Some(field) => field.name(),
            None => &self.normalized,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_any_spelling_and_sorted_for_content() {
        let mut columns = Columns::default();
        for name in [" ID ", "Prompt", "n", "Color", "", "error", "Añb"] {
            columns.add(name).expect("few columns");
        }
        assert_eq!(columns.find("color"), Some(3));
        assert_eq!(columns.find(" COLOR"), Some(3));
        assert_eq!(columns.find("scene_id"), None);
        assert_eq!(columns.find(""), None);
        assert_eq!(columns.find_or_add("aÑB"), Ok(6));
        let content: Vec<usize> = columns.canonical().map(|(column, _)| column).collect();
        assert_eq!(content, [6, 3, 1, 2]);
        assert_eq!(columns.slots()[Field::Variants as usize], 2);
    }

    #[test]
    fn columns_have_limits() {
        let mut columns = Columns::default();
        assert_eq!(columns.add(&"x".repeat(257)), Err(ColumnError::NameTooLong));
        for number in 0..MAX_COLUMNS {
            columns.add(&format!("c{number}")).expect("below the limit");
        }
        assert_eq!(columns.add("one more"), Err(ColumnError::TooMany));
    }
}
