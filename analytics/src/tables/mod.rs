//! A Delta snapshot as a plain Parquet scan: which files hold a table, and which of them a query needs.
//!
//! Owns the step from the table log to DataFusion's own [`DataSourceExec`], and the one node of ours
//! that drops copies of events above it. Knows the layout from [`schemas::lake`] alone.
//!
//! [`DataSourceExec`]: datafusion::datasource::source::DataSourceExec

mod once;
mod pruning;
mod scan;
mod snapshot;
mod statistics;

pub(crate) use once::{EventKeys, OnceTable};
pub(crate) use scan::LakeTable;
pub(crate) use snapshot::{DataFile, Snapshot};
pub use snapshot::{SnapshotError, TableState};
