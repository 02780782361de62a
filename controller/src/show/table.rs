//! Tables of aligned columns.

use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, presets};

use crate::show::number::count;
use crate::show::printable;

/// A table whose text is aligned left and whose numbers are aligned right.
pub struct Table(comfy_table::Table);

/// What stands in a cell.
pub enum Value {
    /// A text.
    Text(String),
    /// A number, shown with its thousands set apart.
    Number(usize),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Number(number)
    }
}

impl Table {
    /// A table with these headings.
    pub fn new(headings: &[&str]) -> Self {
        let mut table = comfy_table::Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(headings.iter().copied());
        for column in table.column_iter_mut() {
            column
                .set_padding((0, 2))
                .set_constraint(ColumnConstraint::ContentWidth);
        }
        Self(table)
    }

    /// Adds a row.
    pub fn row(&mut self, values: impl IntoIterator<Item = Value>) {
        let cells = values.into_iter().map(|value| match value {
            Value::Text(text) => Cell::new(printable(&text)),
            Value::Number(number) => Cell::new(count(number)).set_alignment(CellAlignment::Right),
        });
        self.0.add_row(cells.collect::<Vec<_>>());
    }

    /// The table as lines without trailing blanks.
    pub fn lines(&self) -> Vec<String> {
        self.0
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect()
    }
}
