//! Writing tables of the lake: their creation from the contract, sorted Parquet files with the
//! statistics the Delta log keeps, and commits. What the layout is, [`schemas::lake`] says; what
//! the rows are, the caller. Knows neither Kafka nor queries.

mod columns;
mod create;
mod encode;
mod error;
mod file_writer;
mod files;
mod location;
mod log;
mod positions;
mod requests;
mod statistics;
mod table;
mod upkeep;
mod write;

pub use error::TableError;
pub use file_writer::FileWriter;
pub use files::{LakeFile, file_schema};
pub use location::{lake_url, looks_like_address, table_url};
pub use statistics::FileStatistics;
pub use table::{Commit, CommitKind, LakeTable};
pub use write::{begin, sort, without_partitions, write};
