//! Terminals and merchants from files into the lake: owns the checks of reference data and its commit.
//! Which columns a file has is said by `schemas::registry`.
//!
//! A load replaces the whole table, or merges by id, in one commit. A bad row refuses the load unless
//! the good rows are asked for; either way every fault is told with its file, line and column.

mod check;
mod rows;
pub(crate) mod store;
mod value;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use schemas::Table;

use lake::TableError;

/// A table that is loaded from files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistryTable {
    /// One row per terminal.
    Terminals,
    /// One row per merchant.
    Merchants,
}

impl RegistryTable {
    /// Returns the lake's table.
    pub const fn table(self) -> Table {
        match self {
            Self::Terminals => Table::Terminals,
            Self::Merchants => Table::Merchants,
        }
    }

    /// Returns the column that names a row.
    pub const fn id_column(self) -> &'static str {
        match self {
            Self::Terminals => "terminal_id",
            Self::Merchants => "merchant_id",
        }
    }
}

impl fmt::Display for RegistryTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

impl FromStr for RegistryTable {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "terminals" => Ok(Self::Terminals),
            "merchants" => Ok(Self::Merchants),
            other => Err(format!(
                "{other:?} is not a registry table: terminals or merchants"
            )),
        }
    }
}

/// What happens to rows that are in the lake already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LoadMode {
    /// The files are the whole table: rows they do not have are gone.
    #[default]
    Replace,
    /// Rows of the files take the place of rows with the same id; the others stay.
    Merge,
}

/// What happens when a row is bad.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BadRows {
    /// Nothing is loaded.
    #[default]
    RefuseAll,
    /// The good rows are loaded.
    KeepGood,
}

/// What to load, and where to.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Path or URL of the lake; created where there is none.
    pub lake: String,
    /// Table to load.
    pub table: RegistryTable,
    /// CSV, JSON or Parquet files, also compressed with zstd or gzip.
    pub inputs: Vec<PathBuf>,
    /// What happens to rows in the lake.
    pub mode: LoadMode,
    /// What happens when a row is bad.
    pub bad_rows: BadRows,
}

/// What a load found and did.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct LoadReport {
    /// Name of the table.
    pub table: String,
    /// Rows in the files.
    pub rows_read: u64,
    /// Good rows, now in the table.
    pub rows_loaded: u64,
    /// Rows with at least one fault.
    pub rows_bad: u64,
    /// Rows of the table after the load.
    pub rows_in_table: u64,
    /// Every fault of every bad row, in the order of the files.
    pub faults: Vec<RowFault>,
    /// Good rows a person may want to look at, such as terminals at merchants the lake does not know.
    pub warnings: Vec<RowFault>,
}

/// What is wrong with a value of a row.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RowFault {
    /// Path of the file.
    pub file: String,
    /// Line where the row begins, or in a Parquet file its number; from 1.
    pub line: u64,
    /// Column, empty when the row as a whole is wrong.
    pub column: String,
    /// The value, card numbers masked and long texts cut.
    pub value: String,
    /// Why it is refused.
    pub reason: String,
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            value,
            reason,
        } = self;
        match column.is_empty() {
            true => write!(f, "{file}:{line}: {reason}"),
            false => write!(f, "{file}:{line}: {column} {value:?}: {reason}"),
        }
    }
}

/// Why nothing was loaded.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// No file was named.
    #[error("no file of {0} to load")]
    NoFile(RegistryTable),
    /// A file cannot be read.
    #[error("cannot read {file}: {source}")]
    Read {
        /// Path of the file.
        file: String,
        /// Why it is no table, or what the system said.
        source: tabular::ReadError,
    },
    /// A file's columns are not those of the table.
    #[error("{file} is no file of {table}: {reason}")]
    Columns {
        /// Path of the file.
        file: String,
        /// Table it was to fill.
        table: RegistryTable,
        /// Unknown or missing columns.
        reason: String,
    },
    /// Rows are bad and only a whole load was asked for.
    #[error("{} of {} rows of {} are bad, nothing was loaded; the first: {}", .0.rows_bad, .0.rows_read, .0.table, .0.faults[0])]
    BadRows(Box<LoadReport>),
    /// The files have no good row: a table is never emptied by mistake.
    #[error("the files have no good row of {} ({} bad), nothing was loaded", .0.table, .0.rows_bad)]
    NoGoodRow(Box<LoadReport>),
    /// A table of the lake cannot be used.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// Loads files into a registry table in one commit.
///
/// `now` becomes the `loaded_at` of the rows.
///
/// # Errors
/// When a file cannot be read or has other columns, when rows are bad and `KeepGood` was not asked for,
/// or when the lake refuses. Nothing is changed then.
pub async fn load(options: &LoadOptions, now: DateTime<Utc>) -> Result<LoadReport, RegistryError> {
    let table = options.table;
    if options.inputs.is_empty() {
        return Err(RegistryError::NoFile(table));
    }
    let mut checked = check::Checked::new(table);
    for input in &options.inputs {
        checked.read(rows::RegistryFile::open(table, input)?)?;
    }
    let mut report = checked.report();
    if report.rows_bad > 0 && options.bad_rows == BadRows::RefuseAll {
        report.rows_loaded = 0;
        return Err(RegistryError::BadRows(Box::new(report)));
    }
    if report.rows_loaded == 0 {
        return Err(RegistryError::NoGoodRow(Box::new(report)));
    }
    if table == RegistryTable::Terminals
        && let Some(merchants) = store::merchant_ids(&options.lake).await?
    {
        report.warnings = checked.unknown_merchants(&merchants);
    }
    let batch = checked.into_batch(now);
    report.rows_in_table = store::write(&options.lake, table, batch, options.mode).await?;
    Ok(report)
}

/// Ids of merchants.
type Ids = BTreeSet<String>;

#[cfg(test)]
mod tests;
