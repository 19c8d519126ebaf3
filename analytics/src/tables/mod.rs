//! A Delta snapshot as a plain Parquet scan: which files hold a table, and which of them a query needs.
//!
//! Owns the step from the table log to DataFusion's own [`DataSourceExec`], and which rows of its files
//! are copies of events that no scan reads. Knows the layout from [`schemas::lake`] alone.
//!
//! [`DataSourceExec`]: datafusion::datasource::source::DataSourceExec

mod copies;
mod once;
mod pinned;
mod pruning;
mod scan;
mod sightings;
mod snapshot;
mod statistics;

pub(crate) use copies::Copies;
pub(crate) use once::OnceTable;
pub(crate) use pinned::PinnedTable;
pub(crate) use scan::LakeTable;
pub(crate) use snapshot::DataFile;
use snapshot::Snapshot;
pub use snapshot::{SnapshotError, TableState};
