//! Rows in the table's order: keys that compare as bytes, for rows in memory and for runs.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};
use schemas::Table;

/// Rows handed on at once.
pub(super) const BATCH_ROWS: usize = 8 * 1024;

/// Makes the keys of rows; keys of two batches compare only when one `Keys` made them.
pub(super) struct Keys {
    columns: &'static [&'static str],
    converter: RowConverter,
}

impl Keys {
    pub fn of(table: Table) -> Result<Self, ArrowError> {
        let schema = table.schema();
        let columns = table.sort_columns();
        let kind = |name: &&str| {
            let field = schema.field_with_name(name)?;
            Ok(SortField::new(field.data_type().clone()))
        };
        let fields = columns
            .iter()
            .map(kind)
            .collect::<Result<_, ArrowError>>()?;
        Ok(Self {
            columns,
            converter: RowConverter::new(fields)?,
        })
    }

    pub fn rows(&self, batch: &RecordBatch) -> Result<Rows, ArrowError> {
        let column = |name: &&str| -> Result<ArrayRef, ArrowError> {
            let found = batch.column_by_name(name).cloned();
            found.ok_or_else(|| ArrowError::SchemaError(format!("no column {name}")))
        };
        let columns: Vec<ArrayRef> = self.columns.iter().map(column).collect::<Result<_, _>>()?;
        self.converter.convert_columns(&columns)
    }
}

/// Rows in memory with their keys.
#[derive(Default)]
pub(super) struct Chunk {
    batches: Vec<RecordBatch>,
    keys: Vec<Rows>,
    bytes: usize,
}

impl Chunk {
    pub fn push(&mut self, keys: &Keys, batch: RecordBatch) -> Result<(), ArrowError> {
        let of_rows = keys.rows(&batch)?;
        // Beside rows and keys: a place of two numbers a row, when they are sorted.
        let places = batch.num_rows() * size_of::<(u32, u32)>() * 3 / 2;
        self.bytes += batch.get_array_memory_size() + of_rows.size() + places;
        self.batches.push(batch);
        self.keys.push(of_rows);
        Ok(())
    }

    /// Returns the memory held until the rows were handed on, bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Hands the rows on in order and forgets them.
    pub fn drain_sorted<E: From<ArrowError>>(
        &mut self,
        mut to: impl FnMut(RecordBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self { batches, keys, .. } = std::mem::take(self);
        let rows = batches.iter().map(RecordBatch::num_rows).sum();
        let mut places: Vec<(u32, u32)> = Vec::with_capacity(rows);
        for (batch, rows) in (0_u32..).zip(&batches) {
            places.extend((0_u32..).take(rows.num_rows()).map(|row| (batch, row)));
        }
        let key = |(batch, row): (u32, u32)| keys[batch as usize].row(row as usize);
        // Files are sorted inside: a sort that is stable finds those runs and merges them.
        places.sort_by(|left, right| key(*left).cmp(&key(*right)));
        drop(keys);
        let batches: Vec<&RecordBatch> = batches.iter().collect();
        for places in places.chunks(BATCH_ROWS) {
            let places: Vec<(usize, usize)> = places
                .iter()
                .map(|(batch, row)| (*batch as usize, *row as usize))
                .collect();
            to(interleave_record_batch(&batches, &places)?)?;
        }
        Ok(())
    }
}
