//! Sorted rows that do not fit into memory: runs in temporary files, and their merge.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::path::Path;

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::row::{OwnedRow, Rows};

use super::MaintainError;
use super::sort::{BATCH_ROWS, Keys};

/// Rows of a run read at once, and rows of a run's row group: what a run holds while it is merged.
const RUN_BATCH_ROWS: usize = 1024;
const RUN_GROUP_ROWS: usize = 16 * 1024;
/// Memory of a run while it is merged, bytes: a batch, its keys, and the pages it comes from.
pub(super) const RUN_BYTES: usize = 2 << 20;

/// A run being written; the system deletes its file when nobody holds it, even after a kill.
pub(super) struct RunWriter(ArrowWriter<File>);

/// A sorted run on disk.
pub(super) struct Run(File);

impl RunWriter {
    pub fn begin(folder: Option<&Path>, schema: SchemaRef) -> Result<Self, MaintainError> {
        let file = match folder {
            Some(folder) => tempfile::tempfile_in(folder)?,
            None => tempfile::tempfile()?,
        };
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_max_row_group_row_count(Some(RUN_GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(file, schema, Some(properties)).map_err(spill_error)?;
        Ok(Self(writer))
    }

    pub fn write(&mut self, rows: &RecordBatch) -> Result<(), MaintainError> {
        self.0.write(rows).map_err(spill_error)
    }

    pub fn end(self) -> Result<Run, MaintainError> {
        Ok(Run(self.0.into_inner().map_err(spill_error)?))
    }
}

/// A run while it is merged: its current batch, and where in it we are.
struct Cursor {
    reader: ParquetRecordBatchReader,
    /// Place of the batch among those the next rows come from.
    batch: usize,
    keys: Rows,
    row: usize,
}

/// Merges runs and hands their rows on in order.
pub(super) fn merge(
    keys: &Keys,
    runs: Vec<Run>,
    mut to: impl FnMut(RecordBatch) -> Result<(), MaintainError>,
) -> Result<(), MaintainError> {
    let mut batches: Vec<RecordBatch> = Vec::new();
    let mut cursors: Vec<Cursor> = Vec::new();
    for Run(file) in runs {
        let mut reader = ParquetRecordBatchReaderBuilder::try_new(file)
            .and_then(|builder| builder.with_batch_size(RUN_BATCH_ROWS).build())
            .map_err(spill_error)?;
        if let Some(batch) = reader.next().transpose()? {
            cursors.push(Cursor {
                reader,
                batch: batches.len(),
                keys: keys.rows(&batch)?,
                row: 0,
            });
            batches.push(batch);
        }
    }
    // Ties go to the earlier run, as a stable sort has it.
    let mut heap: BinaryHeap<Reverse<(OwnedRow, usize)>> = cursors
        .iter()
        .enumerate()
        .map(|(at, cursor)| Reverse((cursor.keys.row(0).owned(), at)))
        .collect();
    let mut places: Vec<(usize, usize)> = Vec::with_capacity(BATCH_ROWS);
    while let Some(Reverse((_, at))) = heap.pop() {
        let cursor = &mut cursors[at];
        places.push((cursor.batch, cursor.row));
        cursor.row += 1;
        if cursor.row == cursor.keys.num_rows()
            && let Some(batch) = cursor.reader.next().transpose()?
        {
            cursor.keys = keys.rows(&batch)?;
            cursor.row = 0;
            cursor.batch = batches.len();
            batches.push(batch);
        }
        if cursor.row < cursor.keys.num_rows() {
            heap.push(Reverse((cursor.keys.row(cursor.row).owned(), at)));
        }
        if places.len() == BATCH_ROWS {
            to(taken(&batches, &places)?)?;
            places.clear();
            keep_current(&mut batches, &mut cursors);
        }
    }
    match places.is_empty() {
        true => Ok(()),
        false => to(taken(&batches, &places)?),
    }
}

fn taken(batches: &[RecordBatch], places: &[(usize, usize)]) -> Result<RecordBatch, ArrowError> {
    let batches: Vec<&RecordBatch> = batches.iter().collect();
    interleave_record_batch(&batches, places)
}

/// Forgets batches whose rows were all handed on.
fn keep_current(batches: &mut Vec<RecordBatch>, cursors: &mut [Cursor]) {
    let mut kept = Vec::with_capacity(cursors.len());
    for cursor in cursors.iter_mut() {
        if cursor.row < cursor.keys.num_rows() {
            let current = batches[cursor.batch].clone();
            cursor.batch = kept.len();
            kept.push(current);
        }
    }
    *batches = kept;
}

fn spill_error(source: ParquetError) -> MaintainError {
    std::io::Error::other(source).into()
}
