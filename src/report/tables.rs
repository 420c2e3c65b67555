//! Tables for the terminal: the one file that knows the table library.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// What the lines of a table are drawn with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lines {
    /// Box characters.
    #[default]
    Unicode,
    /// `+`, `-` and `|`, for terminals that have nothing else.
    Ascii,
}

/// How a table is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableLook {
    /// The width that it must fit into, in columns.
    pub width: u16,
    /// What its lines are drawn with.
    pub lines: Lines,
}

impl Default for TableLook {
    fn default() -> Self {
        Self { width: 100, lines: Lines::Unicode }
    }
}

/// A column's head, and to which side its cells are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column<'a> {
    /// Words, to the left.
    Words(&'a str),
    /// Numbers, to the right.
    Numbers(&'a str),
}

/// A table as text, with a line end after each line and without trailing blanks.
///
/// The width is always set: the library would otherwise ask the terminal, and get nothing from a
/// pipe and zero from some terminals.
pub fn table(look: TableLook, columns: &[Column<'_>], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(match look.lines {
        Lines::Unicode => presets::UTF8_FULL_CONDENSED,
        Lines::Ascii => presets::ASCII_FULL_CONDENSED,
    });
    table.set_width(look.width).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(columns.iter().map(|column| match column {
        Column::Words(head) | Column::Numbers(head) => *head,
    }));
    for (index, column) in columns.iter().enumerate() {
        if let (Column::Numbers(_), Some(column)) = (column, table.column_mut(index)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for row in rows {
        table.add_row(row);
    }
    table.to_string().lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_its_width_with_either_kind_of_line() {
        let columns = [Column::Words("model"), Column::Numbers("price")];
        let rows = [vec!["a".into(), "$0.04".into()], vec!["b".repeat(60), "$10.00".into()]];
        for lines in [Lines::Unicode, Lines::Ascii] {
            for width in [20, 40, 100] {
                let text = table(TableLook { width, lines }, &columns, &rows);
                let widest = text.lines().map(|line| line.chars().count()).max();
                assert!(widest <= Some(usize::from(width)), "{text}");
            }
        }
        let look = TableLook { width: 40, lines: Lines::Ascii };
        assert_eq!(
            table(look, &columns, &rows[..1]),
            "+-------+-------+\n\
             | model | price |\n\
             +===============+\n\
             | a     | $0.04 |\n\
             +-------+-------+\n"
        );
    }
}
