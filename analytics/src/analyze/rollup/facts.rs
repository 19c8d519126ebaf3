//! Facts of a day as they lie in the lake: owns how files are read for a roll-up, each event once.
//!
//! Which rows are copies is [`crate::tables`]'s to say, for roll-ups and queries alike.
//!
//! Texts of few kinds come as dictionaries, which the files hold already: a query would spell every
//! one of them out. A partition is read as a whole by one task.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use chrono::NaiveDate;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryFutureExt};
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStream};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use schemas::Table;

use crate::analyze::AnalyzeError;
use crate::session::LakeSession;
use crate::tables::{Copies, DataFile};

/// Rows of a batch: enough to forget what a batch costs, few enough for the processor's cache.
const BATCH_ROWS: usize = 16 * 1024;
/// What every roll-up asks for.
const ALWAYS: [&str; 3] = ["terminal_id", "event_time", "cell_r9"];
/// Texts that hardly repeat.
const OF_MANY_KINDS: [&str; 3] = ["event_id", "terminal_id", "attempt_id"];

/// The files of one day and partition cell.
#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    /// The partition cell; `None` for events without a position.
    pub(super) cell: Option<String>,
    files: BTreeMap<Table, Vec<(DataFile, Option<RowSelection>)>>,
}

impl Part {
    fn bytes(&self) -> u64 {
        let files = self.files.values().flatten();
        files.map(|(file, _)| file.size_bytes).sum()
    }

    /// Reads the events of one table, copies left out, and hands them over batch by batch.
    ///
    /// A column a file does not have is missing.
    pub(super) async fn read<F>(
        &self,
        store: &Arc<dyn ObjectStore>,
        table: Table,
        columns: &[&str],
        mut take: F,
    ) -> Result<(), AnalyzeError>
    where
        F: FnMut(&RecordBatch) -> Result<(), AnalyzeError>,
    {
        for (file, kept) in self.files.get(&table).into_iter().flatten() {
            let mut batches = open(store, file, kept.clone(), columns).await?;
            while let Some(batch) = batches.next().await {
                take(&batch.map_err(|source| read_error(file, source))?)?;
            }
        }
        Ok(())
    }
}

/// Deals the partitions of a day among tasks, the largest first and each to the task that has least.
pub(super) async fn deal(
    lake: &LakeSession,
    day: NaiveDate,
    tasks: usize,
) -> Result<Vec<Vec<Part>>, AnalyzeError> {
    let mut copies: BTreeMap<Table, Copies> = BTreeMap::new();
    let mut parts: BTreeMap<Option<String>, Part> = BTreeMap::new();
    for (table, cell, file) in lake.fact_files(day).await? {
        let copies = match copies.entry(table) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(lake.copies(table, day).await?),
        };
        let kept = copies.kept(&file).map(|kept| kept.selection.clone());
        let part = parts.entry(cell.clone()).or_default();
        part.cell = cell;
        part.files.entry(table).or_default().push((file, kept));
    }
    let mut parts: Vec<Part> = parts.into_values().collect();
    parts.sort_by_cached_key(|part| Reverse(part.bytes()));
    let mut dealt: Vec<(u64, Vec<Part>)> = vec![(0, Vec::new()); tasks.max(1)];
    for mut part in parts {
        for files in part.files.values_mut() {
            files.sort_by(|(one, _), (other, _)| {
                (one.modified, &one.path).cmp(&(other.modified, &other.path))
            });
        }
        let least = dealt.iter_mut().min_by_key(|(bytes, _)| *bytes);
        let (bytes, task) = least.expect("there is at least one task");
        *bytes += part.bytes();
        task.push(part);
    }
    Ok(dealt.into_iter().map(|(_, parts)| parts).collect())
}

/// The bytes of a file, asked for as the decoder needs them.
struct FileBytes {
    store: Arc<dyn ObjectStore>,
    file: DataFile,
}

impl AsyncFileReader for FileBytes {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        let bytes = self.store.get_range(&self.file.path, range);
        bytes
            .map_err(|error| ParquetError::External(error.into()))
            .boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        async move {
            let bytes = self.store.get_ranges(&self.file.path, &ranges).await;
            bytes.map_err(|error| ParquetError::External(error.into()))
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        async move {
            let size_bytes = self.file.size_bytes;
            let metadata = ParquetMetaDataReader::new()
                .load_and_finish(self, size_bytes)
                .await;
            metadata.map(Arc::new)
        }
        .boxed()
    }
}

async fn open(
    store: &Arc<dyn ObjectStore>,
    file: &DataFile,
    kept: Option<RowSelection>,
    columns: &[&str],
) -> Result<ParquetRecordBatchStream<FileBytes>, AnalyzeError> {
    let failed = |source| read_error(file, source);
    let mut reader = FileBytes {
        store: store.clone(),
        file: file.clone(),
    };
    let options = ArrowReaderOptions::new();
    let metadata = ArrowReaderMetadata::load_async(&mut reader, options.clone())
        .await
        .map_err(failed)?;
    let options = options.with_schema(with_dictionaries(metadata.schema(), columns));
    let metadata =
        ArrowReaderMetadata::try_new(metadata.metadata().clone(), options).map_err(failed)?;
    let wanted = columns.iter().chain(&ALWAYS).copied();
    let mask = ProjectionMask::columns(metadata.parquet_schema(), wanted);
    let mut builder = ParquetRecordBatchStreamBuilder::new_with_metadata(reader, metadata)
        .with_projection(mask)
        .with_batch_size(BATCH_ROWS);
    if let Some(kept) = kept {
        builder = builder.with_row_selection(kept);
    }
    builder.build().map_err(failed)
}

/// The file's schema, where every wanted text of few kinds comes as a dictionary.
fn with_dictionaries(schema: &SchemaRef, columns: &[&str]) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let name = field.name().as_str();
        match field.data_type() {
            DataType::Utf8 if columns.contains(&name) && !OF_MANY_KINDS.contains(&name) => {
                let kind = DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into());
                Arc::new(Field::new(name, kind, field.is_nullable()))
            }
            _ => field.clone(),
        }
    });
    Arc::new(Schema::new_with_metadata(
        fields.collect::<Vec<_>>(),
        schema.metadata().clone(),
    ))
}

fn read_error(file: &DataFile, source: ParquetError) -> AnalyzeError {
    AnalyzeError::Read {
        file: file.path.to_string(),
        source,
    }
}
