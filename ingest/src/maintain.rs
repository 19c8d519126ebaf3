//! Maintenance of a lake: many small files become few sorted ones, logs stay
//! short, and files that no version needs are deleted. Safe beside ingesters and beside itself.
//!
//! A day and cell at a time is read, sorted and written anew within a byte budget; a commit puts
//! the new files into the place of the old, or does nothing when any of them is no longer there.

mod merge;
mod output;
mod plan;
mod publish;
mod sort;
mod spill;
mod tables;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use lake::{LakeTable, TableError};
use schemas::Table;

pub use plan::Days;

use crate::pipeline::Shutdown;

/// What is to be maintained, and within which bounds.
#[derive(Debug, Clone)]
pub struct MaintainOptions {
    /// Folder or URL of the lake.
    pub lake: String,
    /// The tables; every table there is when empty.
    pub tables: Vec<Table>,
    /// First day whose files are merged.
    pub from: Option<NaiveDate>,
    /// Last day whose files are merged.
    pub to: Option<NaiveDate>,
    /// Size that merged files are cut at, bytes.
    pub target_bytes: u64,
    /// What reading, sorting and writing may hold at once, bytes; the log's file list comes on top.
    pub memory_bytes: u64,
    /// How long versions of the past can still be read.
    pub retain: Duration,
    /// Where rows lie that do not fit into memory; the system's folder for temporary files when not given.
    pub spill: Option<PathBuf>,
    /// Whether to do it or to say what would be done.
    pub mode: Mode,
}

/// Whether maintenance changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Do it.
    Run,
    /// Say what would be done.
    DryRun,
}

/// Files, bytes and rows of a table, or of a part of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Files.
    pub files: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Rows of the files.
    pub rows: u64,
}

/// What was done to one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableReport {
    /// The table.
    pub table: Table,
    /// As it was found.
    pub before: Size,
    /// As it is now.
    pub after: Size,
    /// Files that were merged; of a dry run those that would be.
    pub merged: Size,
    /// Partitions that were merged.
    pub partitions: u64,
    /// Partitions whose files another program took away meanwhile: they are as that left them.
    pub overtaken: u64,
    /// What could not be merged, and why; it is as it was.
    pub faults: Vec<String>,
    /// Files deleted that no version needs any more, and their bytes.
    pub deleted: Size,
    /// Log entries deleted.
    pub log_entries_deleted: u64,
}

/// Counts what is done, for whoever watches.
#[derive(Debug, Default)]
pub struct MaintainProgress {
    /// Bytes of the files to be merged.
    pub bytes_wanted: AtomicU64,
    /// Bytes read of them.
    pub bytes_read: AtomicU64,
    /// Rows read.
    pub rows_read: AtomicU64,
}

impl MaintainProgress {
    fn read(&self, bytes: u64, rows: u64) {
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
        self.rows_read.fetch_add(rows, Ordering::Relaxed);
    }
}

/// Why maintenance stopped; what was committed before stays.
#[derive(Debug, thiserror::Error)]
pub enum MaintainError {
    /// A bound does not hold.
    #[error("{0}")]
    Options(String),
    /// There is no table to maintain.
    #[error("lake {0} has no such table")]
    NoTable(String),
    /// A table cannot be read or written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Rows could not be kept outside memory.
    #[error("rows cannot be kept in a temporary file (`--spill`): {0}")]
    Spill(#[from] std::io::Error),
    /// Rows do not fit together: a bug, not an input.
    #[error("rows of a table do not fit together: {0}")]
    Rows(#[from] arrow::error::ArrowError),
    /// A file holds other rows than the log says.
    #[error("table {table}: file {file} has {found} rows, its log says {expected}")]
    FileRows {
        /// The table.
        table: Table,
        /// The file.
        file: String,
        /// Rows in the file.
        found: u64,
        /// Rows by the log.
        expected: u64,
    },
    /// Rows went in that did not come out: a bug, and nothing was committed.
    #[error("table {table}: {read} rows of {folder} were read and {written} written")]
    RowsLost {
        /// The table.
        table: Table,
        /// Folder of the partition.
        folder: String,
        /// Rows read.
        read: u64,
        /// Rows written.
        written: u64,
    },
    /// A worker thread died.
    #[error("a worker of the maintenance died")]
    Worker,
}

/// The smallest budget that still merges files of a useful size.
const LEAST_MEMORY: u64 = merge::WORKER_BYTES;
/// Files younger than this may belong to a commit in flight.
const LEAST_RETAIN: Duration = Duration::from_secs(3600);

impl MaintainOptions {
    fn check(&self) -> Result<(), MaintainError> {
        let mut faults = Vec::new();
        if self.memory_bytes < LEAST_MEMORY {
            faults.push("the memory must be at least 128 MiB".to_owned());
        }
        if self.target_bytes < 1 << 20 {
            faults.push("files must be cut at 1 MiB or more".to_owned());
        }
        if self.retain < LEAST_RETAIN {
            faults.push(
                "files of the last hour may belong to a commit in flight: retain at least 1h"
                    .to_owned(),
            );
        }
        match faults.is_empty() {
            true => Ok(()),
            false => Err(MaintainError::Options(faults.join("; "))),
        }
    }
}

/// Maintains the tables of a lake, one after the other.
///
/// # Errors
/// When a table cannot be read or written; tables before it are done. What cannot be merged alone
/// is a fault in the report.
pub async fn maintain(
    options: &MaintainOptions,
    now: DateTime<Utc>,
    progress: &std::sync::Arc<MaintainProgress>,
    shutdown: &Shutdown,
) -> Result<Vec<TableReport>, MaintainError> {
    options.check()?;
    let wanted = match options.tables.is_empty() {
        true => &Table::ALL[..],
        false => &options.tables,
    };
    let mut reports = Vec::new();
    for table in wanted {
        if shutdown.requested() {
            break;
        }
        if let Some(found) = LakeTable::found(&options.lake, *table).await? {
            reports.push(tables::maintain(found, options, now, progress, shutdown).await?);
        }
    }
    match reports.is_empty() && !shutdown.requested() {
        true => Err(MaintainError::NoTable(options.lake.clone())),
        false => Ok(reports),
    }
}
