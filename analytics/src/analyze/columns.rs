//! Columns of an answer as plain values.

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type};
use arrow::error::ArrowError;
use chrono::NaiveDate;

/// Returns an integer column; null counts as 0.
pub(super) fn counts(batch: &RecordBatch, name: &str) -> Result<Vec<u64>, ArrowError> {
    let values = optional_integers(batch, name)?.into_iter();
    Ok(values
        .map(|value| {
            value
                .and_then(|value| u64::try_from(value).ok())
                .unwrap_or(0)
        })
        .collect())
}

/// Returns an integer column.
pub(super) fn optional_integers(
    batch: &RecordBatch,
    name: &str,
) -> Result<Vec<Option<i64>>, ArrowError> {
    let column = cast(column(batch, name)?, &DataType::Int64)?;
    Ok(column.as_primitive::<Int64Type>().iter().collect())
}

/// Returns a column of numbers.
pub(super) fn numbers(batch: &RecordBatch, name: &str) -> Result<Vec<Option<f64>>, ArrowError> {
    let column = cast(column(batch, name)?, &DataType::Float64)?;
    Ok(column.as_primitive::<Float64Type>().iter().collect())
}

/// Returns a column of days.
pub(super) fn days(batch: &RecordBatch, name: &str) -> Result<Vec<Option<NaiveDate>>, ArrowError> {
    let column = cast(column(batch, name)?, &DataType::Date32)?;
    let days = column.as_primitive::<Date32Type>().iter();
    Ok(days
        .map(|day| day.and_then(Date32Type::to_naive_date_opt))
        .collect())
}

/// Returns a column of yes and no; null counts as no.
pub(super) fn flags(batch: &RecordBatch, name: &str) -> Result<Vec<bool>, ArrowError> {
    let column = cast(column(batch, name)?, &DataType::Boolean)?;
    let flags = column.as_boolean().iter();
    Ok(flags.map(|flag| flag == Some(true)).collect())
}

/// Returns a text column.
pub(crate) fn texts(batch: &RecordBatch, name: &str) -> Result<StringArray, ArrowError> {
    let column = cast(column(batch, name)?, &DataType::Utf8)?;
    Ok(column.as_string::<i32>().clone())
}

/// Returns a value of a text column, `None` where it is null.
pub(crate) fn text(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

fn column<'a>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a std::sync::Arc<dyn Array>, ArrowError> {
    batch
        .column_by_name(name)
        .ok_or_else(|| ArrowError::SchemaError(format!("the answer has no column {name}")))
}
