//! How rows of a table are encoded in Parquet.

use std::sync::LazyLock;

use arrow::datatypes::Schema;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::{ColumnPath, SchemaDescriptor};
use schemas::Table;

use crate::file_schema;

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

/// A file of facts with fewer rows is written for speed, with statistics of those columns alone that the log
/// has them of: it is merged into larger ones within days.
const FEW_ROWS: usize = 8 * 1024;

/// Returns how a file of the table is written, with so many rows where that is known.
///
/// Arrow's own account of the columns is left out: it says nothing that Parquet's does not say of them,
/// and takes 3.6 kB of every file.
pub(crate) fn writer_options(table: Table, rows: Option<usize>) -> ArrowWriterOptions {
    ArrowWriterOptions::new()
        .with_properties(properties(table, &file_schema(table), rows))
        .with_parquet_schema(parquet_schema(table).clone())
        .with_skip_arrow_metadata(true)
}

fn parquet_schema(table: Table) -> &'static SchemaDescriptor {
    static SCHEMAS: LazyLock<[SchemaDescriptor; Table::ALL.len()]> = LazyLock::new(|| {
        Table::ALL.map(|table| {
            let converted = ArrowSchemaConverter::new().convert(&file_schema(table));
            converted.expect("a table has columns that Parquet knows")
        })
    });
    &SCHEMAS[table as usize]
}

fn properties(table: Table, schema: &Schema, rows: Option<usize>) -> WriterProperties {
    // What is derived is written once and read often; facts are written at the pace of Kafka.
    let zstd = |level| Compression::ZSTD(ZstdLevel::try_new(level).expect("a zstd level"));
    let is_small = !table.is_derived() && rows.is_some_and(|rows| rows < FEW_ROWS);
    let mut builder = WriterProperties::builder()
        .set_compression(match (is_small, table.is_derived()) {
            // A context of zstd for each column takes longer than the few rows of it.
            (true, _) => Compression::SNAPPY,
            (false, true) => zstd(3),
            (false, false) => zstd(1),
        })
        // Nor is a dictionary worth its making.
        .set_dictionary_enabled(!is_small)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(match is_small {
            true => EnabledStatistics::None,
            false => EnabledStatistics::Page,
        })
        .set_offset_index_disabled(is_small)
        .set_sorting_columns(Some(sorting_columns(table, schema)));
    if is_small {
        for column in table.statistics_columns() {
            let path = ColumnPath::from(*column);
            builder = builder.set_column_statistics_enabled(path, EnabledStatistics::Chunk);
        }
    }
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
        if let Some(rows) = rows.and_then(|rows| u64::try_from(rows).ok()) {
            let terminals = rows.clamp(1, ROW_GROUP_ROWS as u64);
            builder =
                builder.set_column_bloom_filter_max_ndv(ColumnPath::from("terminal_id"), terminals);
        }
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

#[cfg(test)]
mod tests {
    use parquet::arrow::parquet_to_arrow_schema;

    use super::*;

    #[test]
    fn readers_find_the_columns_of_every_table_without_arrows_account_of_them() {
        for table in Table::ALL {
            let read = parquet_to_arrow_schema(parquet_schema(table), None);
            assert_eq!(&read.expect("columns"), file_schema(table).as_ref());
        }
    }
}
