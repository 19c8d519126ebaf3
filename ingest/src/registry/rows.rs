//! The columns of a registry file: which of them the table takes, and where they are.

use std::path::Path;

use schemas::registry::{RegistryColumn, file_columns};
use tabular::{Layout, Rows, Source, Table};

use super::{RegistryError, RegistryTable};

/// An opened file of a registry table.
pub(super) struct RegistryFile {
    pub(super) path: String,
    pub(super) rows: Rows,
    /// For each column of the table its place in a row; `None` where the file does not have it.
    pub(super) places: Vec<Option<usize>>,
}

/// What pandas calls an index it writes beside the columns.
const PANDAS_INDEX: &str = "__index_level_";

impl RegistryFile {
    pub(super) fn open(table: RegistryTable, path: &Path) -> Result<Self, RegistryError> {
        let file = path.display().to_string();
        let unreadable = |source| RegistryError::Read {
            file: file.clone(),
            source,
        };
        let opened = Source::path(path)
            .open(&Layout::default())
            .map_err(unreadable)?;
        let found = found(table, &opened).map_err(|reason| RegistryError::Columns {
            file: file.clone(),
            table,
            reason,
        })?;
        let chosen: Vec<usize> = found.iter().copied().flatten().collect();
        let mut next = 0..;
        let places = found
            .iter()
            .map(|at| at.and_then(|_| next.next()))
            .collect();
        let rows = opened.rows(&chosen).map_err(unreadable)?;
        Ok(Self {
            path: file,
            rows,
            places,
        })
    }
}

/// Finds the table's columns in a file. A column the table does not have is refused, as it is most
/// likely a misspelt one; one that no table could have, of structs or of an index, is not looked at.
fn found(table: RegistryTable, opened: &Table) -> Result<Vec<Option<usize>>, String> {
    let columns = file_columns(table.table());
    let known = |name: &str| columns.iter().any(|column| column.column == name);
    let foreign = opened.columns().iter().find(|column| {
        let no_value = column.nested.is_some() || column.name.starts_with(PANDAS_INDEX);
        !known(&column.name) && !no_value
    });
    if let Some(foreign) = foreign {
        return Err(format!(
            "column {:?} is not one of {}",
            foreign.name,
            names(columns)
        ));
    }
    let mut found = Vec::with_capacity(columns.len());
    for column in columns {
        let at = opened
            .find(&column.column)
            .map_err(|_| format!("column {:?} is there twice", column.column))?;
        if column.required && at.is_none() {
            return Err(format!("column {:?} is missing", column.column));
        }
        found.push(at);
    }
    Ok(found)
}

fn names(columns: &[RegistryColumn]) -> String {
    let names: Vec<&str> = columns
        .iter()
        .map(|column| column.column.as_str())
        .collect();
    names.join(", ")
}
