//! How rows of a table are encoded in Parquet.

use arrow::datatypes::Schema;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use schemas::Table;

/// Rows of a row group: also the unit readers prune by.
const ROW_GROUP_ROWS: usize = 128 * 1024;

/// Columns of facts that differ in every row and little from the row before.
const DELTA_PACKED: [&str; 6] = [
    "event_time",
    "sent_time",
    "kafka_time",
    "ingest_time",
    "kafka_offset",
    "cell_r9",
];

/// Returns how a file with these columns of the table is written.
pub(crate) fn writer_properties(table: Table, schema: &Schema) -> WriterProperties {
    // What is derived is written once and read often; facts are written at the pace of Kafka.
    let level = ZstdLevel::try_new(if table.is_derived() { 3 } else { 1 });
    let level = level.expect("both are zstd levels");
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_sorting_columns(Some(sorting_columns(table, schema)));
    if table.is_derived() {
        return builder.build();
    }
    for column in DELTA_PACKED {
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
