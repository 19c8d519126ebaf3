//! One file, written batch by batch: never whole in memory when it is large.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use deltalake_core::Path;
use deltalake_core::kernel::Add;
use object_store::buffered::BufWriter;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use schemas::Table;
use tokio::io::AsyncWriteExt;
use url::Url;
use uuid::Uuid;

use crate::encode::writer_options;
use crate::table::log_error;
use crate::{FileStatistics, LakeTable, TableError, file_schema};

/// A file larger than this is stored in parts of this size, of which so many are under way at once.
const PART_BYTES: usize = 8 << 20;
const PARTS_AT_ONCE: usize = 2;

/// A file of one partition that is being written; nobody sees it before [`FileWriter::finish`].
pub struct FileWriter {
    table: Table,
    location: Url,
    path: String,
    partition_values: HashMap<String, Option<String>>,
    encoder: ArrowWriter<Vec<u8>>,
    stored: BufWriter,
    statistics: FileStatistics,
}

impl FileWriter {
    /// Begins a file under `folder` (with a slash at its end), whose partition has these values;
    /// `rows` says how many it will have, where that is known.
    ///
    /// # Errors
    /// When the columns cannot be encoded, which is a bug.
    pub fn begin(
        table: &LakeTable,
        folder: &str,
        partition_values: HashMap<String, Option<String>>,
        rows: Option<usize>,
    ) -> Result<Self, TableError> {
        let kind = table.table;
        let options = writer_options(kind, rows);
        let path = format!("{folder}part-{}.parquet", Uuid::new_v4());
        Ok(Self {
            encoder: ArrowWriter::try_new_with_options(Vec::new(), file_schema(kind), options)
                .map_err(|source| encode_error(kind, source))?,
            stored: BufWriter::with_capacity(table.store(), Path::from(path.as_str()), PART_BYTES)
                .with_max_concurrency(PARTS_AT_ONCE),
            statistics: FileStatistics::new(kind),
            table: kind,
            location: table.location().clone(),
            path,
            partition_values,
        })
    }

    /// Adds rows, without partition columns and in the table's order.
    ///
    /// # Errors
    /// When they cannot be encoded or stored.
    pub async fn write(&mut self, rows: &RecordBatch) -> Result<(), TableError> {
        self.statistics.add(rows);
        let written = self.encoder.write(rows);
        written.map_err(|source| encode_error(self.table, source))?;
        self.store_encoded().await
    }

    /// Returns about how large the file would be if it ended here, bytes.
    pub fn size_bytes(&self) -> usize {
        self.encoder.bytes_written() + self.encoder.in_progress_size()
    }

    /// Ends the file and returns what the log is to add.
    ///
    /// # Errors
    /// When it cannot be stored; what was stored of it is left for vacuum.
    pub async fn finish(mut self) -> Result<Add, TableError> {
        let ended = self.encoder.finish();
        ended.map_err(|source| encode_error(self.table, source))?;
        let size = self.encoder.bytes_written();
        self.store_encoded().await?;
        let closed = self.stored.shutdown().await;
        closed.map_err(|source| self.log_error(object_store_error(source)))?;
        Ok(Add {
            path: self.path,
            partition_values: self.partition_values,
            size: i64::try_from(size).expect("a file is smaller than 8 EiB"),
            // Informative only; the commit carries the time.
            modification_time: 0,
            data_change: true,
            stats: Some(self.statistics.to_json()),
            ..Add::default()
        })
    }

    fn log_error(&self, source: object_store::Error) -> TableError {
        log_error(self.table, &self.location, source.into())
    }

    async fn store_encoded(&mut self) -> Result<(), TableError> {
        let encoded = std::mem::take(self.encoder.inner_mut());
        if encoded.is_empty() {
            return Ok(());
        }
        let stored = self.stored.put(encoded.into()).await;
        stored.map_err(|source| self.log_error(source))
    }
}

fn encode_error(table: Table, source: ParquetError) -> TableError {
    TableError::Encode { table, source }
}

fn object_store_error(source: std::io::Error) -> object_store::Error {
    object_store::Error::Generic {
        store: "lake",
        source: source.into(),
    }
}
