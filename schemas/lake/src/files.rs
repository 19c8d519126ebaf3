//! The files of a table as its log has them, and the rows of one.

use std::collections::HashMap;
use std::sync::LazyLock;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use bytes::Bytes;
use deltalake_core::Path;
use deltalake_core::kernel::Remove;
use deltalake_core::logstore::object_store::ObjectStoreExt;
use futures::TryStreamExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaDataReader;
use schemas::Table;

use crate::{LakeTable, TableError};

/// What is read of a file at first, where only its footer is asked for.
const FOOTER_BYTES: u64 = 32 << 10;

/// A file of the table's newest version.
#[derive(Debug, Clone)]
pub struct LakeFile {
    /// Where it lies in the table.
    pub path: Path,
    /// Its size, bytes.
    pub size_bytes: u64,
    /// Its rows by the log; `None` when another program wrote the file without statistics.
    pub rows: Option<u64>,
    /// Value of each partition column; `None` for null.
    pub partition: HashMap<String, Option<String>>,
    /// What takes it out of the table; it says that data change and when.
    pub removal: Remove,
}

impl LakeTable {
    /// Counts the files of the version that was read last: goes through them once, and then follows
    /// what is committed.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn file_count(&self) -> Result<usize, TableError> {
        let counted = self.log.file_count().await;
        counted.map_err(|source| self.log_error(source))
    }

    /// Returns the files of the version that was read last: reads them from the log.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn files(&self) -> Result<Vec<LakeFile>, TableError> {
        let listed = async {
            let snapshot = self.log.snapshot().await?;
            let views = snapshot.file_views(self.log.store.as_ref(), None);
            let files = views.map_ok(|view| LakeFile {
                path: view.object_store_path(),
                size_bytes: view.size().unsigned_abs(),
                rows: view.num_records().map(|rows| rows as u64),
                partition: view.partition_values_map(),
                removal: view.remove_action(true),
            });
            files.try_collect().await
        };
        listed.await.map_err(|source| self.log_error(source))
    }

    /// Returns the bytes of a file.
    ///
    /// # Errors
    /// When it is gone, or the store refuses.
    pub async fn bytes(&self, path: &Path) -> Result<Bytes, TableError> {
        let read = async { self.store().get(path).await?.bytes().await };
        read.await.map_err(|source| self.log_error(source))
    }

    /// Asks a file itself how many rows it has: reads its footer alone.
    ///
    /// # Errors
    /// When it is gone, cut short, or no Parquet file.
    pub async fn rows_in_footer(&self, path: &Path, size_bytes: u64) -> Result<u64, TableError> {
        let store = self.store();
        let mut wanted = FOOTER_BYTES.min(size_bytes);
        loop {
            let tail = store.get_range(path, size_bytes - wanted..size_bytes);
            let tail = tail.await.map_err(|source| self.log_error(source))?;
            let mut reader = ParquetMetaDataReader::new();
            match reader.try_parse_sized(&tail, size_bytes) {
                Err(ParquetError::NeedMoreData(bytes))
                    if bytes as u64 > wanted && bytes as u64 <= size_bytes =>
                {
                    wanted = bytes as u64;
                }
                parsed => {
                    let rows = parsed.and_then(|()| reader.finish());
                    let rows = rows.map(|read| read.file_metadata().num_rows().unsigned_abs());
                    return rows.map_err(|source| self.unreadable(path, source));
                }
            }
        }
    }

    /// Reads the rows of a file, in the columns of the contract that files have.
    ///
    /// # Errors
    /// When the file is gone or cannot be read.
    pub async fn read(&self, path: &Path) -> Result<Vec<RecordBatch>, TableError> {
        self.decode(path, self.bytes(path).await?)?.collect()
    }

    /// Decodes the rows of a file whose bytes are at hand, batch by batch.
    ///
    /// # Errors
    /// When it is no Parquet file, and for each batch that cannot be decoded.
    pub fn decode(
        &self,
        path: &Path,
        bytes: Bytes,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, TableError>>, TableError> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)
            .and_then(ParquetRecordBatchReaderBuilder::build)
            .map_err(|source| self.unreadable(path, source))?;
        let schema = file_schema(self.table);
        Ok(reader.map(move |batch| {
            let batch = batch.and_then(|batch| with_columns(&batch, &schema));
            batch.map_err(|error| self.unreadable(path, ParquetError::from(error)))
        }))
    }

    /// Says that a file of this table cannot be read.
    pub fn unreadable(&self, path: &Path, source: ParquetError) -> TableError {
        TableError::Read {
            table: self.table,
            file: path.to_string(),
            source,
        }
    }
}

/// Returns the columns a file of the table has: all but those its folders say.
pub fn file_schema(table: Table) -> SchemaRef {
    static SCHEMAS: LazyLock<[SchemaRef; Table::ALL.len()]> = LazyLock::new(|| {
        Table::ALL.map(|table| {
            let schema = table.schema();
            let partitions = table.partition_columns();
            let fields = schema.fields().iter();
            let kept = fields.filter(|field| !partitions.contains(&field.name().as_str()));
            Schema::new(kept.cloned().collect::<Vec<_>>()).into()
        })
    });
    SCHEMAS[table as usize].clone()
}

/// Puts the columns of a file into the order and the types of the contract. What an older build did
/// not write is null; what a later one adds is refused where it would be lost.
fn with_columns(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let known = |name: &str| schema.field_with_name(name).is_ok();
    let found = batch.schema();
    if let Some(unknown) = found.fields().iter().find(|field| !known(field.name())) {
        let text = format!("column {} is of a later build", unknown.name());
        return Err(ArrowError::SchemaError(text));
    }
    let column = |field: &arrow::datatypes::FieldRef| -> Result<ArrayRef, ArrowError> {
        match batch.column_by_name(field.name()) {
            Some(values) if values.data_type() == field.data_type() => Ok(values.clone()),
            Some(values) => cast(values, field.data_type()),
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        }
    };
    let columns = schema.fields().iter().map(column);
    RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
}
