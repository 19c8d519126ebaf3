//! Why a table of the lake cannot be used.

use arrow::error::ArrowError;
use deltalake_core::DeltaTableError;
use h3o::Resolution;
use parquet::errors::ParquetError;
use schemas::Table;
use schemas::lake::LAYOUT_VERSION;
use url::Url;

/// A table that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The lake's folder cannot be named or made.
    #[error("lake {lake} cannot be used: {reason}")]
    Lake {
        /// The lake.
        lake: String,
        /// Why.
        reason: String,
    },
    /// The table was written by another layout.
    #[error(
        "table {table} in {location} has layout version {found}, this build reads and writes {LAYOUT_VERSION}"
    )]
    Layout {
        /// The table.
        table: Table,
        /// Where it lies.
        location: Url,
        /// What its property says.
        found: String,
    },
    /// The settings ask for another resolution of `partition_cell` than the table has.
    #[error(
        "table {table} in {location} has partition_resolution {found}, which stays as it is: the settings \
         ask for {asked}"
    )]
    PartitionResolution {
        /// The table.
        table: Table,
        /// Where it lies.
        location: Url,
        /// What it was made with.
        found: Resolution,
        /// What the settings say.
        asked: Resolution,
    },
    /// The table's columns are not those of this build.
    #[error("table {table} in {location} has other columns than this build: {difference}")]
    Columns {
        /// The table.
        table: Table,
        /// Where it lies.
        location: Url,
        /// The first difference.
        difference: String,
    },
    /// The Delta log refused.
    #[error("table {table} in {location}: {source}")]
    Log {
        /// The table.
        table: Table,
        /// Where it lies.
        location: Url,
        /// What delta-rs said.
        source: DeltaTableError,
    },
    /// A file could not be encoded.
    #[error("table {table}: a file could not be encoded: {source}")]
    Encode {
        /// The table.
        table: Table,
        /// What the Parquet writer said.
        source: ParquetError,
    },
    /// A file of the table cannot be read.
    #[error("table {table}: file {file} cannot be read: {source}")]
    Read {
        /// The table.
        table: Table,
        /// Path of the file in the table.
        file: String,
        /// What the Parquet reader said.
        source: ParquetError,
    },
}

impl TableError {
    /// Says that rows of a table do not fit together, which is a bug.
    pub fn unencodable(table: Table, error: ArrowError) -> Self {
        Self::Encode {
            table,
            source: ParquetError::from(error),
        }
    }
}
