//! Rows of a Parquet file, every value as text: the mapping's transforms are the same for all files.

use std::io;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::files::{RawRow, Rows, Values};

pub(super) struct ParquetRows {
    batches: ParquetRecordBatchReader,
    columns: Vec<StringArray>,
    at: usize,
    len: usize,
    row: u64,
}

impl ParquetRows {
    pub(super) fn open(bytes: Vec<u8>) -> io::Result<Rows> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes))?;
        let columns = builder
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        let batches = builder.build()?;
        let rows = Self {
            batches,
            columns: Vec::new(),
            at: 0,
            len: 0,
            row: 0,
        };
        Ok(Rows {
            columns,
            rows: Box::new(rows),
        })
    }

    fn advance(&mut self) -> io::Result<bool> {
        while self.at == self.len {
            let Some(batch) = self.batches.next() else {
                return Ok(false);
            };
            let batch = batch.map_err(io::Error::other)?;
            self.columns = texts(&batch)?;
            (self.at, self.len) = (0, batch.num_rows());
        }
        Ok(true)
    }

    fn take(&mut self) -> RawRow {
        let at = self.at;
        let value = |column: &StringArray| match column.is_null(at) {
            true => String::new(),
            false => column.value(at).trim().to_owned(),
        };
        let values = Values(self.columns.iter().map(value).collect());
        self.at += 1;
        self.row += 1;
        RawRow {
            line: self.row,
            values: Ok(values),
        }
    }
}

fn texts(batch: &RecordBatch) -> io::Result<Vec<StringArray>> {
    let text = |column: &ArrayRef| {
        let text = cast(column, &DataType::Utf8).map_err(io::Error::other)?;
        Ok(text.as_string::<i32>().clone())
    };
    batch.columns().iter().map(text).collect()
}

impl Iterator for ParquetRows {
    type Item = io::Result<RawRow>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.advance() {
            Ok(true) => Some(Ok(self.take())),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }
}
