//! Sorted rows to Parquet files of one partition each, with the statistics the log keeps.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, Encoding, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::SortingColumn;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::schema::types::ColumnPath;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{self, SortColumn, SortOptions};
use arrow::datatypes::{
    DataType, Date32Type, Int32Type, Int64Type, Schema, SchemaRef, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use chrono::{DateTime, NaiveDate, SecondsFormat};
use deltalake_core::kernel::Add;
use deltalake_core::logstore::object_store::ObjectStoreExt;
use deltalake_core::{DeltaTableError, Path};
use schemas::Table;
use uuid::Uuid;

use super::table::{LakeTable, TableError};

/// Rows of a row group: also the unit readers prune by.
const ROW_GROUP_ROWS: usize = 128 * 1024;

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
    for range in partition_ranges(kind, sorted).map_err(|error| encode_error(kind, error))? {
        let rows = sorted.slice(range.start, range.len());
        let (folder, partition_values) = partition_of(kind, &rows);
        let file_rows =
            without_partitions(kind, &rows).map_err(|error| encode_error(kind, error))?;
        let bytes = encode(kind, &file_rows).map_err(|source| TableError::Encode {
            table: kind,
            source,
        })?;
        let path = format!("{folder}part-{}.parquet", Uuid::new_v4());
        let size = i64::try_from(bytes.len()).expect("a file is smaller than 8 EiB");
        let location = Path::from(path.as_str());
        table
            .store()
            .put(&location, bytes.into())
            .await
            .map_err(|error| table.log_error(DeltaTableError::from(error)))?;
        adds.push(Add {
            path,
            partition_values,
            size,
            // Informative only; the commit carries the time.
            modification_time: 0,
            data_change: true,
            stats: Some(statistics(kind, &file_rows)),
            ..Add::default()
        });
    }
    Ok(adds)
}

fn encode_error(table: Table, error: ArrowError) -> TableError {
    TableError::Encode {
        table,
        source: ParquetError::from(error),
    }
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

fn without_partitions(table: Table, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = rows.schema();
    let keep: Vec<usize> = (0..schema.fields().len())
        .filter(|index| {
            !table
                .partition_columns()
                .contains(&schema.field(*index).name().as_str())
        })
        .collect();
    rows.project(&keep)
}

fn encode(table: Table, rows: &RecordBatch) -> Result<Vec<u8>, ParquetError> {
    let schema = rows.schema();
    let mut writer =
        ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties(table, &schema)))?;
    writer.write(rows)?;
    writer.into_inner()
}

fn properties(table: Table, schema: &SchemaRef) -> WriterProperties {
    let level = ZstdLevel::try_new(1).expect("1 is a zstd level");
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_sorting_columns(Some(sorting_columns(table, schema)));
    for column in [
        "event_time",
        "sent_time",
        "kafka_time",
        "ingest_time",
        "kafka_offset",
        "cell_r9",
    ] {
        if schema.column_with_name(column).is_some() {
            let path = ColumnPath::from(column);
            builder = builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
        }
    }
    if schema.column_with_name("event_id").is_some() {
        builder = builder
            .set_column_dictionary_enabled(ColumnPath::from("event_id"), false)
            .set_column_bloom_filter_enabled(ColumnPath::from("terminal_id"), true);
    }
    builder.build()
}

fn sorting_columns(table: Table, schema: &Schema) -> Vec<SortingColumn> {
    let index = |name: &&str| {
        schema
            .index_of(name)
            .ok()
            .and_then(|i| i32::try_from(i).ok())
    };
    let columns = table.sort_columns().iter().filter_map(index);
    columns
        .map(|column_idx| SortingColumn {
            column_idx,
            descending: false,
            nulls_first: true,
        })
        .collect()
}

/// Returns the `stats` text of a Delta add action (numRecords, minValues, maxValues, nullCount).
fn statistics(table: Table, rows: &RecordBatch) -> String {
    let mut minimum = serde_json::Map::new();
    let mut maximum = serde_json::Map::new();
    let mut nulls = serde_json::Map::new();
    for name in table.statistics_columns() {
        let Some(column) = rows.column_by_name(name) else {
            continue;
        };
        nulls.insert((*name).into(), column.null_count().into());
        if let Some((low, high)) = bounds(column) {
            minimum.insert((*name).into(), low);
            maximum.insert((*name).into(), high);
        }
    }
    serde_json::json!({
        "numRecords": rows.num_rows(), "minValues": minimum, "maxValues": maximum, "nullCount": nulls,
    })
    .to_string()
}

fn bounds(column: &Arc<dyn Array>) -> Option<(serde_json::Value, serde_json::Value)> {
    use arrow::compute::kernels::aggregate::{max, max_string, min, min_string};
    Some(match column.data_type() {
        DataType::Int32 => {
            let column = column.as_primitive::<Int32Type>();
            (min(column)?.into(), max(column)?.into())
        }
        DataType::Int64 => {
            let column = column.as_primitive::<Int64Type>();
            (min(column)?.into(), max(column)?.into())
        }
        DataType::Timestamp(..) => {
            let column = column.as_primitive::<TimestampMicrosecondType>();
            (time(min(column)?, 0).into(), time(max(column)?, 999).into())
        }
        DataType::Utf8 => {
            let column = column.as_string::<i32>();
            (min_string(column)?.into(), max_string(column)?.into())
        }
        _ => return None,
    })
}

/// Delta keeps times in ms: rounded down for a minimum, up by `slack_us` for a maximum.
fn time(microseconds: i64, slack_us: i64) -> String {
    DateTime::from_timestamp_micros(microseconds + slack_us)
        .expect("validated times are in chrono's range")
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}
