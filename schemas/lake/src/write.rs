//! Sorted rows to files of one partition each.

use std::collections::HashMap;
use std::ops::Range;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{self, SortColumn, SortOptions};
use arrow::datatypes::{DataType, Date32Type};
use arrow::error::ArrowError;
use chrono::NaiveDate;
use deltalake_core::kernel::Add;
use schemas::Table;

use crate::{FileWriter, LakeTable, TableError};

/// Sorts rows by partition and then as the table's files are sorted.
///
/// # Errors
/// When a sort column is missing, which is a bug.
pub fn sort(table: Table, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let options = Some(SortOptions {
        descending: false,
        nulls_first: true,
    });
    let names = table.partition_columns().iter().chain(table.sort_columns());
    let columns = names
        .map(|name| {
            let values = rows
                .column_by_name(name)
                .ok_or_else(|| ArrowError::SchemaError(format!("no column {name}")))?;
            Ok(SortColumn {
                values: values.clone(),
                options,
            })
        })
        .collect::<Result<Vec<_>, ArrowError>>()?;
    let order = compute::lexsort_to_indices(&columns, None)?;
    compute::take_record_batch(rows, &order)
}

/// Writes sorted rows, one file a partition, and returns what the log is to add.
///
/// # Errors
/// When a file cannot be encoded or stored; files already stored are left for vacuum.
pub async fn write(table: &LakeTable, sorted: &RecordBatch) -> Result<Vec<Add>, TableError> {
    let kind = table.table;
    let mut adds = Vec::new();
    if sorted.num_rows() == 0 {
        return Ok(adds);
    }
    let misfit = |error| TableError::unencodable(kind, error);
    for range in partition_ranges(kind, sorted).map_err(misfit)? {
        let rows = sorted.slice(range.start, range.len());
        let mut file = begin(table, &rows, rows.num_rows())?;
        file.write(&without_partitions(kind, &rows)?).await?;
        adds.push(file.finish().await?);
    }
    Ok(adds)
}

/// Begins the file of the partition that these rows are of, which will have about so many.
///
/// # Errors
/// As [`FileWriter::begin`].
pub fn begin(
    table: &LakeTable,
    rows: &RecordBatch,
    expected_rows: usize,
) -> Result<FileWriter, TableError> {
    let (folder, partition_values) = partition_of(table.table, rows);
    FileWriter::begin(table, &folder, partition_values, Some(expected_rows))
}

fn partition_ranges(table: Table, sorted: &RecordBatch) -> Result<Vec<Range<usize>>, ArrowError> {
    let columns: Vec<_> = table
        .partition_columns()
        .iter()
        .filter_map(|name| sorted.column_by_name(name).cloned())
        .collect();
    if columns.is_empty() {
        return Ok(std::iter::once(0..sorted.num_rows()).collect());
    }
    Ok(compute::partition(&columns)?.ranges())
}

/// Returns the folder (with a slash) and the Delta partition values of rows of one partition.
fn partition_of(table: Table, rows: &RecordBatch) -> (String, HashMap<String, Option<String>>) {
    let mut values = HashMap::new();
    let mut folder = String::new();
    for name in table.partition_columns() {
        let column = rows
            .column_by_name(name)
            .expect("partition columns are columns");
        let value = text_value(column, 0);
        let shown = value.as_deref().unwrap_or(schemas::lake::NULL_PARTITION);
        folder.push_str(&format!("{name}={shown}/"));
        values.insert((*name).to_owned(), value);
    }
    (folder, values)
}

fn text_value(column: &dyn Array, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Date32 => date(column.as_primitive::<Date32Type>().value(row)).to_string(),
        _ => column.as_string::<i32>().value(row).to_owned(),
    })
}

fn date(days: i32) -> NaiveDate {
    NaiveDate::from_epoch_days(days).expect("validated dates are in chrono's range")
}

/// Leaves out the columns that folders say.
///
/// # Errors
/// When a column is missing, which is a bug.
pub fn without_partitions(table: Table, rows: &RecordBatch) -> Result<RecordBatch, TableError> {
    let schema = rows.schema();
    let is_kept = |at: &usize| {
        let name = schema.field(*at).name().as_str();
        !table.partition_columns().contains(&name)
    };
    let kept: Vec<usize> = (0..schema.fields().len()).filter(is_kept).collect();
    let kept = rows.project(&kept);
    kept.map_err(|error| TableError::unencodable(table, error))
}
