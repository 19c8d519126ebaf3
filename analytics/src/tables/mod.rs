//! A Delta snapshot as a plain Parquet scan: which files hold a table, and which of them a query needs.
//!
//! Owns the step from the table log to DataFusion's own [`DataSourceExec`], so that a plan holds
//! no node of ours and can be shipped. Knows the layout from [`schemas::lake`] alone.
//!
//! [`DataSourceExec`]: datafusion::datasource::source::DataSourceExec

mod pruning;
mod scan;
mod snapshot;
mod statistics;

pub(crate) use scan::LakeTable;
pub(crate) use snapshot::{DataFile, Snapshot};
pub use snapshot::{SnapshotError, TableState};
