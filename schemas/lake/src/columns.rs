//! Some columns of a file, read without the others.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use deltalake_core::{ObjectStore, Path};
use futures::future::BoxFuture;
use futures::{FutureExt, Stream, TryStreamExt};
use object_store::ObjectStoreExt;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use crate::{LakeFile, LakeTable, TableError};

/// Rows decoded at once.
const BATCH_ROWS: usize = 64 * 1024;

/// The bytes of a file, asked for as the decoder needs them.
struct Stored {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size_bytes: u64,
}

impl LakeTable {
    /// Opens a file for some of its columns; returns the rows its footer says it has, and the rows.
    ///
    /// # Errors
    /// When the file is gone, or is no Parquet file.
    pub async fn columns(
        &self,
        file: &LakeFile,
        columns: &[&str],
    ) -> std::result::Result<
        (
            u64,
            impl Stream<Item = std::result::Result<RecordBatch, TableError>>,
        ),
        TableError,
    > {
        let stored = Stored {
            store: self.store(),
            path: file.path.clone(),
            size_bytes: file.size_bytes,
        };
        let unreadable = |source| self.unreadable(&file.path, source);
        let builder = ParquetRecordBatchStreamBuilder::new(stored)
            .await
            .map_err(unreadable)?;
        let rows = builder.metadata().file_metadata().num_rows().unsigned_abs();
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        let rows_of = builder
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(unreadable)?;
        Ok((rows, rows_of.map_err(unreadable)))
    }
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(error.into())
}

impl AsyncFileReader for Stored {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        let bytes = async move {
            self.store
                .get_range(&self.path, range)
                .await
                .map_err(external)
        };
        bytes.boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        let bytes = async move {
            self.store
                .get_ranges(&self.path, &ranges)
                .await
                .map_err(external)
        };
        bytes.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let size_bytes = self.size_bytes;
            let read = ParquetMetaDataReader::new().load_and_finish(self, size_bytes);
            read.await.map(Arc::new)
        }
        .boxed()
    }
}
