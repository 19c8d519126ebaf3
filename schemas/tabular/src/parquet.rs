//! Rows of a Parquet file: the columns asked for, each value spelled as a text would spell it.

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, RecordBatch, StringArray,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow::error::ArrowError;
use chrono::{DateTime, SecondsFormat, Utc};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::reader::ChunkReader;

use crate::table::{Body, Column};
use crate::{ReadError, Row, Spelling, Table};

/// The rows of a Parquet file.
pub(crate) struct ParquetRows {
    /// Makes the reader once it is known what is to be read.
    begin: Option<Box<Begin>>,
    batches: Option<ParquetRecordBatchReader>,
    /// For each column read its place in a row.
    slots: Vec<usize>,
    columns: Vec<Values>,
    at: usize,
    len: usize,
    row: u64,
}

type Begin = dyn FnOnce(&[usize]) -> Result<ParquetRecordBatchReader, ReadError>;

/// Values of one column of a batch.
enum Values {
    Texts(StringArray, Spelling),
    Singles(PrimitiveArray<Float32Type>),
    Doubles(PrimitiveArray<Float64Type>),
}

impl ParquetRows {
    pub(crate) fn open(file: impl ChunkReader + 'static) -> Result<Table, ReadError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(wrong)?;
        let fields = builder.schema().fields().clone();
        let columns = fields.iter().map(|field| Column {
            name: schemas::ids::trimmed(field.name()).to_owned(),
            nested: nested(field.data_type()),
        });
        let begin = move |roots: &[usize]| {
            let mask = ProjectionMask::roots(builder.parquet_schema(), roots.iter().copied());
            builder.with_projection(mask).build().map_err(wrong)
        };
        let rows = Self {
            begin: Some(Box::new(begin)),
            batches: None,
            slots: Vec::new(),
            columns: Vec::new(),
            at: 0,
            len: 0,
            row: 0,
        };
        Ok(Table::new(columns.collect(), Body::Parquet(Box::new(rows))))
    }

    /// Begins to read these columns, which come in a row in this order.
    pub(crate) fn choose(&mut self, chosen: &[usize]) -> Result<(), ReadError> {
        let Some(begin) = self.begin.take() else {
            return Ok(());
        };
        self.batches = Some(begin(chosen)?);
        // The reader keeps the order of the file.
        let mut in_file: Vec<(usize, usize)> = chosen.iter().copied().zip(0..).collect();
        in_file.sort_unstable();
        self.slots = in_file.into_iter().map(|(_, slot)| slot).collect();
        Ok(())
    }

    pub(crate) fn read(&mut self, row: &mut Row) -> Result<bool, ReadError> {
        while self.at == self.len {
            let Some(batch) = self.batches.as_mut().and_then(Iterator::next) else {
                return Ok(false);
            };
            self.take(&batch.map_err(wrong)?)?;
        }
        self.row += 1;
        row.begin(self.row, self.slots.len());
        for (column, slot) in self.columns.iter().zip(&self.slots) {
            column.put(row, *slot, self.at);
        }
        row.end();
        self.at += 1;
        Ok(true)
    }

    fn take(&mut self, batch: &RecordBatch) -> Result<(), ReadError> {
        let columns = batch.columns().iter().map(values);
        self.columns = columns.collect::<Result<_, _>>().map_err(wrong)?;
        (self.at, self.len) = (0, batch.num_rows());
        Ok(())
    }
}

fn wrong(error: impl std::fmt::Display) -> ReadError {
    ReadError::Parquet(error.to_string())
}

fn nested(kind: &DataType) -> Option<&'static str> {
    match kind {
        DataType::Struct(_) => Some("structs"),
        DataType::Map(..) => Some("maps"),
        DataType::Union(..) => Some("unions"),
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::ListView(_)
        | DataType::LargeListView(_)
        | DataType::FixedSizeList(..) => Some("lists"),
        DataType::Dictionary(_, values) => nested(values),
        _ => None,
    }
}

impl Values {
    fn put(&self, row: &mut Row, slot: usize, at: usize) {
        match self {
            Self::Texts(texts, spelling) if texts.is_valid(at) => {
                row.put(slot, texts.value(at), *spelling);
            }
            // The shortest text that reads back, and a whole number without a fraction.
            Self::Singles(numbers) if numbers.is_valid(at) => {
                row.put_shown(slot, numbers.value(at), Spelling::Single);
            }
            Self::Doubles(numbers) if numbers.is_valid(at) => {
                row.put_shown(slot, numbers.value(at), Spelling::Double);
            }
            _ => {}
        }
    }
}

/// Changes a type without losing a value: what does not fit is an error, not a null.
fn cast(column: &ArrayRef, kind: &DataType) -> Result<ArrayRef, ArrowError> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(column, kind, &options)
}

fn texts(column: &ArrayRef, spelling: Spelling) -> Result<Values, ArrowError> {
    let texts = cast(column, &DataType::Utf8)?;
    Ok(Values::Texts(texts.as_string::<i32>().clone(), spelling))
}

/// Spells a column.
fn values(column: &ArrayRef) -> Result<Values, ArrowError> {
    match column.data_type() {
        DataType::Dictionary(_, kind) => values(&cast(column, kind)?),
        DataType::RunEndEncoded(_, kind) => values(&cast(column, kind.data_type())?),
        DataType::Float16 | DataType::Float32 => {
            let numbers = cast(column, &DataType::Float32)?;
            Ok(Values::Singles(numbers.as_primitive().clone()))
        }
        DataType::Float64 => Ok(Values::Doubles(column.as_primitive().clone())),
        kind if kind.is_decimal() => {
            let texts = cast(column, &DataType::Utf8)?;
            let texts = texts.as_string::<i32>().iter();
            let texts = texts.map(|text| text.map(without_zeros)).collect();
            Ok(Values::Texts(texts, Spelling::Decimal))
        }
        kind if kind.is_integer() => texts(column, Spelling::Integer),
        DataType::Boolean => texts(column, Spelling::Boolean),
        DataType::Date32 => texts(column, Spelling::Date),
        DataType::Date64 => {
            let times = DataType::Timestamp(TimeUnit::Millisecond, None);
            values(&cast(column, &times)?)
        }
        DataType::Timestamp(unit, zone) => Ok(times(column, *unit, zone.is_some())),
        DataType::FixedSizeBinary(_) => values(&cast(column, &DataType::Binary)?),
        _ => texts(column, Spelling::Text),
    }
}

/// A decimal of a fixed number of places without those that say nothing.
fn without_zeros(text: &str) -> &str {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    }
}

fn times(column: &ArrayRef, unit: TimeUnit, zoned: bool) -> Values {
    match unit {
        TimeUnit::Second => {
            spelled::<TimestampSecondType>(column, zoned, |s| DateTime::from_timestamp(s, 0))
        }
        TimeUnit::Millisecond => {
            spelled::<TimestampMillisecondType>(column, zoned, DateTime::from_timestamp_millis)
        }
        TimeUnit::Microsecond => {
            spelled::<TimestampMicrosecondType>(column, zoned, DateTime::from_timestamp_micros)
        }
        TimeUnit::Nanosecond => spelled::<TimestampNanosecondType>(column, zoned, |ns| {
            Some(DateTime::from_timestamp_nanos(ns))
        }),
    }
}

/// Spells times as RFC 3339; those without a zone end without one.
fn spelled<T: ArrowPrimitiveType<Native = i64>>(
    column: &ArrayRef,
    zoned: bool,
    time: impl Fn(i64) -> Option<DateTime<Utc>>,
) -> Values {
    let text = |number: i64| match time(number) {
        Some(time) => {
            let text = time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            match zoned {
                true => text,
                false => text.trim_end_matches('Z').to_owned(),
            }
        }
        // Beyond what a calendar shows: refused by whatever reads a time.
        None => number.to_string(),
    };
    let numbers = column.as_primitive::<T>().iter();
    let spelling = match zoned {
        true => Spelling::Instant,
        false => Spelling::LocalTime,
    };
    Values::Texts(numbers.map(|n| n.map(text)).collect(), spelling)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_decimal_is_shown_without_empty_places() {
        for (text, shown) in [("10023.00", "10023"), ("0.50", "0.5"), ("100", "100")] {
            assert_eq!(without_zeros(text), shown);
        }
    }

    #[test]
    fn a_nested_column_is_known_by_its_type() {
        let list = DataType::List(Arc::new(arrow::datatypes::Field::new(
            "l",
            DataType::Int8,
            true,
        )));
        assert_eq!(nested(&list), Some("lists"));
        assert_eq!(nested(&DataType::Utf8View), None);
    }
}
