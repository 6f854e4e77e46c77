//! Rows on their way from one database to another, and what is said about them to compare both.

use ring::digest::{Context, SHA256};
use uuid::Uuid;

use super::tables::Table;

/// So many rows travel together at most.
pub(crate) const ROWS: usize = 1_000;
/// With so many bytes, unless a row alone has more.
pub(crate) const BYTES: usize = 1024 * 1024;

/// What a column of a row holds, whichever database it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    Nothing,
    /// An id; nobody's is all zeros.
    Id([u8; 16]),
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
    Boolean(bool),
}

/// A row: a cell for each column of its table, in that order.
pub(crate) type Row = Vec<Cell>;

/// What travels.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Rows of the table whose turn it is.
    Rows(Vec<Row>),
    /// The table is complete; the next one follows.
    End(Print),
}

/// How many rows a table has, and the SHA-256 of them all, in the order of their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Print {
    pub(crate) rows: u64,
    pub(crate) digest: [u8; 32],
}

/// Takes the print of a table, row by row.
pub(crate) struct Taking {
    rows: u64,
    context: Context,
}

impl Taking {
    pub(crate) fn new() -> Self {
        Self {
            rows: 0,
            context: Context::new(&SHA256),
        }
    }

    /// Adds the next row: each cell as what it is, how long it is, and what it holds.
    pub(crate) fn add(&mut self, row: &Row) {
        self.rows += 1;
        for cell in row {
            match cell {
                Cell::Nothing => self.cell(0, &[]),
                Cell::Id(id) => self.cell(1, id),
                Cell::Integer(number) => self.cell(2, &number.to_be_bytes()),
                Cell::Text(text) => self.cell(3, text.as_bytes()),
                Cell::Bytes(bytes) => self.cell(4, bytes),
                Cell::Boolean(truth) => self.cell(5, &[u8::from(*truth)]),
            }
        }
    }

    fn cell(&mut self, kind: u8, content: &[u8]) {
        self.context.update(&[kind]);
        self.context.update(&(content.len() as u64).to_be_bytes());
        self.context.update(content);
    }

    pub(crate) fn print(self) -> Print {
        let mut digest = [0; 32];
        digest.copy_from_slice(self.context.finish().as_ref());
        Print {
            rows: self.rows,
            digest,
        }
    }
}

/// Returns about how many bytes a row takes.
pub(crate) fn size(row: &Row) -> usize {
    let cells = row.iter().map(|cell| match cell {
        Cell::Text(text) => text.len(),
        Cell::Bytes(bytes) => bytes.len(),
        _ => 16,
    });
    cells.sum()
}

/// Names a row of a table by its key.
pub(crate) fn place(table: &Table, row: &Row) -> String {
    let key = table.columns.iter().zip(row).take(table.key);
    let parts = key.map(|(column, cell)| {
        let value = match cell {
            Cell::Nothing => String::new(),
            Cell::Id(id) => Uuid::from_bytes(*id).to_string(),
            Cell::Integer(number) => number.to_string(),
            Cell::Text(text) => format!("{text:?}"),
            Cell::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Cell::Boolean(truth) => truth.to_string(),
        };
        format!("{} {value}", column.name)
    });
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(rows: &[Row]) -> Print {
        let mut taking = Taking::new();
        for row in rows {
            taking.add(row);
        }
        taking.print()
    }

    #[test]
    fn rows_that_differ_in_anything_have_different_prints() {
        let text = |text: &str| Cell::Text(text.to_owned());
        let rows = [
            vec![text("ab"), text("c")],
            vec![text("a"), text("bc")],
            vec![text("abc"), Cell::Nothing],
            vec![text("abc"), text("")],
            vec![Cell::Bytes(b"ab".to_vec()), text("c")],
            vec![Cell::Integer(1), Cell::Boolean(true)],
            vec![Cell::Integer(1), Cell::Boolean(false)],
        ];

        for (n, row) in rows.iter().enumerate() {
            for (m, other) in rows.iter().enumerate() {
                let alike = print(std::slice::from_ref(row)) == print(std::slice::from_ref(other));
                assert_eq!(alike, n == m, "{row:?} {other:?}");
            }
        }
        assert_ne!(
            print(&rows[..2]),
            print(&[rows[1].clone(), rows[0].clone()])
        );
    }
}
