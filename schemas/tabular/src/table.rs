//! An opened file: its columns, and the rows of those a door chooses.

use crate::json::JsonRows;
use crate::parquet::ParquetRows;
use crate::text::TextRows;
use crate::{ReadError, Row};

/// A column of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name, trimmed.
    pub name: String,
    /// What it holds where that is not one value a row, such as `structs`.
    pub nested: Option<&'static str>,
}

/// An opened file, of which only the names of the columns are known.
pub struct Table {
    columns: Vec<Column>,
    body: Body,
}

pub(crate) enum Body {
    Text(Box<TextRows>),
    Json(JsonRows),
    Parquet(Box<ParquetRows>),
}

/// The rows of chosen columns, in the order of the file.
pub struct Rows(Body);

impl Table {
    pub(crate) const fn new(columns: Vec<Column>, body: Body) -> Self {
        Self { columns, body }
    }

    /// Returns the columns in the order of the file.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Returns the names of the columns in the order of the file.
    pub fn names(&self) -> Vec<String> {
        self.columns
            .iter()
            .map(|column| column.name.clone())
            .collect()
    }

    /// Finds a column by its name.
    ///
    /// # Errors
    /// When two columns have the name: columns nobody asks for may be there as often as they like.
    pub fn find(&self, name: &str) -> Result<Option<usize>, ReadError> {
        let mut found = (0..self.columns.len()).filter(|at| self.columns[*at].name == name);
        let first = found.next();
        match found.next() {
            None => Ok(first),
            Some(_) => Err(ReadError::Twice(name.to_owned())),
        }
    }

    /// Says what the numbers of rows count: `line` or `row`.
    pub const fn counts(&self) -> &'static str {
        match &self.body {
            Body::Text(_) | Body::Json(_) => "line",
            Body::Parquet(_) => "row",
        }
    }

    /// Reads the rows of the chosen columns, whose cells come in this order; no other column is read.
    ///
    /// # Errors
    /// When a chosen column has no single values.
    pub fn rows(self, chosen: &[usize]) -> Result<Rows, ReadError> {
        let mut slots = vec![None; self.columns.len()];
        for (slot, at) in chosen.iter().enumerate() {
            slots[*at] = Some(slot);
        }
        let body = match self.body {
            Body::Text(mut rows) => {
                rows.choose(slots);
                Body::Text(rows)
            }
            Body::Json(mut rows) => {
                let names = self.columns.into_iter().map(|column| column.name);
                rows.choose(names.zip(slots));
                Body::Json(rows)
            }
            Body::Parquet(mut rows) => {
                let named = chosen.iter().map(|at| &self.columns[*at]);
                if let Some((column, holds)) = named
                    .filter_map(|column| column.nested.map(|holds| (column, holds)))
                    .next()
                {
                    let column = column.name.clone();
                    return Err(ReadError::Nested { column, holds });
                }
                rows.choose(chosen)?;
                Body::Parquet(rows)
            }
        };
        Ok(Rows(body))
    }
}

impl Rows {
    /// Fills `row` with the next row; `false` at the end.
    ///
    /// # Errors
    /// When the file cannot be read on. A row that is bad by itself is no error: see [`Row::fault`].
    pub fn read(&mut self, row: &mut Row) -> Result<bool, ReadError> {
        match &mut self.0 {
            Body::Text(rows) => rows.read(row),
            Body::Json(rows) => rows.read(row),
            Body::Parquet(rows) => rows.read(row),
        }
    }
}
