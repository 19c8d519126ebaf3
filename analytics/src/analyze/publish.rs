//! Writes derived tables: owns how a partition of one is replaced in a single commit.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{SortColumn, concat_batches, lexsort_to_indices, max, min, take};
use arrow::datatypes::{DataType, Date32Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use chrono::{DateTime, NaiveDate, SecondsFormat};
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake_core::kernel::{Action, Add, Remove, StructType, Transaction};
use deltalake_core::logstore::object_store::ObjectStoreExt;
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::{DeltaTable, DeltaTableBuilder, DeltaTableError, Path};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use schemas::Table;
use schemas::lake::DEFAULT_PARTITION_RESOLUTION;
use url::Url;

use super::AnalyzeError;

/// A derived table that can be written.
#[derive(Debug)]
pub(super) struct DerivedTable {
    table: Table,
    delta: DeltaTable,
}

impl DerivedTable {
    /// Opens the table, or creates it empty.
    pub(super) async fn open(lake: &Url, table: Table) -> Result<Self, AnalyzeError> {
        let mut location = lake.clone();
        let folder = format!("{}/{}/", lake.path().trim_end_matches('/'), table.name());
        location.set_path(&folder);
        let failed = |source| AnalyzeError::Publish { table, source };
        if let Ok(folder) = location.to_file_path() {
            std::fs::create_dir_all(&folder)
                .map_err(|error| failed(DeltaTableError::generic(error.to_string())))?;
        }
        let mut delta = DeltaTableBuilder::from_url(location.clone())
            .and_then(DeltaTableBuilder::build)
            .map_err(failed)?;
        match delta.load().await {
            Ok(()) if has_columns(table, &delta).map_err(failed)? => {}
            Ok(()) => {
                // An older build's columns: everything derived can be derived again.
                delta = create(table, &location, SaveMode::Overwrite)
                    .await
                    .map_err(failed)?;
            }
            Err(DeltaTableError::NotATable(_) | DeltaTableError::InvalidTableLocation(_)) => {
                delta = create(table, &location, SaveMode::Ignore)
                    .await
                    .map_err(failed)?;
            }
            Err(source) => return Err(failed(source)),
        }
        Ok(Self { table, delta })
    }

    /// Returns the version of the inputs a partition was last made from.
    pub(super) async fn made_from(&self, app_id: &str) -> Result<Option<i64>, AnalyzeError> {
        let state = self.delta.snapshot().map_err(|e| self.failed(e))?;
        let store = self.delta.log_store();
        state
            .snapshot()
            .transaction_version(store.as_ref(), app_id)
            .await
            .map_err(|source| self.failed(source))
    }

    /// Replaces the rows of some days by these, a file a part and day, in one commit that also keeps `made_from`.
    ///
    /// A crash before the commit leaves the rows of before; files written for nothing are vacuum's.
    pub(super) async fn replace(
        &mut self,
        days: &[NaiveDate],
        parts: impl IntoIterator<Item = Result<RecordBatch, ArrowError>>,
        made_from: (&str, i64),
        now_ms: i64,
    ) -> Result<u64, AnalyzeError> {
        let mut actions = self.removals(days, now_ms)?;
        let mut rows = 0;
        for part in parts {
            let part = part?;
            rows += part.num_rows() as u64;
            for of_day in by_day(self.table, &part)? {
                actions.push(Action::Add(self.write(&of_day, now_ms).await?));
            }
        }
        let transaction = Transaction::new_with_last_update(made_from.0, made_from.1, Some(now_ms));
        let properties = CommitProperties::default()
            .with_application_transactions(vec![transaction])
            .with_max_retries(3)
            .with_create_checkpoint(false)
            .with_cleanup_expired_logs(Some(false));
        let partition_by = self
            .table
            .partition_columns()
            .iter()
            .map(|c| (*c).to_owned());
        let operation = DeltaOperation::Write {
            mode: SaveMode::Overwrite,
            partition_by: Some(partition_by.collect()),
            predicate: None,
        };
        let state = self.delta.snapshot().map_err(|e| self.failed(e))?.clone();
        let commit = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(&state), self.delta.log_store(), operation)
            .await
            .map_err(|source| self.failed(source))?;
        self.delta.state = Some(commit.snapshot());
        Ok(rows)
    }

    fn removals(&self, days: &[NaiveDate], now_ms: i64) -> Result<Vec<Action>, AnalyzeError> {
        let column = self.table.partition_columns()[0];
        let state = self.delta.snapshot().map_err(|e| self.failed(e))?;
        let mut removals = Vec::new();
        for view in state.log_data().iter() {
            let remove = view.remove_action(true);
            let values = remove.partition_values.as_ref();
            let day = values.and_then(|values| values.get(column).cloned().flatten());
            if day.is_some_and(|day| days.iter().any(|wanted| wanted.to_string() == day)) {
                removals.push(Action::Remove(Remove {
                    deletion_timestamp: Some(now_ms),
                    ..remove
                }));
            }
        }
        Ok(removals)
    }

    async fn write(&self, rows: &RecordBatch, now_ms: i64) -> Result<Add, AnalyzeError> {
        let column = self.table.partition_columns()[0];
        let day = day_of(rows, column, 0)?;
        let folder = format!("{column}={day}");
        let kept: Vec<usize> = (0..rows.num_columns())
            .filter(|at| rows.schema().field(*at).name() != column)
            .collect();
        let rows = sorted(self.table, &rows.project(&kept)?)?;
        let level = ZstdLevel::try_new(3).expect("3 is a level");
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .build();
        let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties))?;
        writer.write(&rows)?;
        let bytes = writer.into_inner()?;
        let path = format!("{folder}/part-{}.parquet", uuid::Uuid::new_v4());
        let size = i64::try_from(bytes.len()).expect("a file is smaller than 8 EiB");
        let store = self.delta.log_store().object_store(None);
        store
            .put(&Path::from(path.as_str()), bytes.into())
            .await
            .map_err(|error| self.failed(DeltaTableError::from(error)))?;
        Ok(Add {
            path,
            partition_values: HashMap::from([(column.to_owned(), Some(day.to_string()))]),
            size,
            modification_time: now_ms,
            data_change: true,
            stats: Some(statistics(self.table, &rows)),
            ..Add::default()
        })
    }

    fn failed(&self, source: DeltaTableError) -> AnalyzeError {
        AnalyzeError::Publish {
            table: self.table,
            source,
        }
    }
}

fn has_columns(table: Table, delta: &DeltaTable) -> Result<bool, DeltaTableError> {
    let found = delta.snapshot()?.schema();
    let schema = table.schema();
    let mut columns = schema.fields().iter();
    Ok(columns.all(|column| found.field(column.name()).is_some()))
}

async fn create(
    table: Table,
    location: &Url,
    mode: SaveMode,
) -> Result<DeltaTable, DeltaTableError> {
    let columns: StructType = table.schema().as_ref().try_into_kernel()?;
    let properties = table.properties(DEFAULT_PARTITION_RESOLUTION);
    CreateBuilder::new()
        .with_location(location.as_str())
        .with_table_name(table.name())
        .with_comment(table.doc())
        .with_columns(columns.fields().cloned())
        .with_partition_columns(table.partition_columns().iter().copied())
        .with_configuration(
            properties
                .into_iter()
                .map(|(key, value)| (key, Some(value))),
        )
        .with_raise_if_key_not_exists(false)
        .with_save_mode(mode)
        .await
}

/// Splits rows by the table's day column.
fn by_day(table: Table, rows: &RecordBatch) -> Result<Vec<RecordBatch>, AnalyzeError> {
    let column = table.partition_columns()[0];
    let mut days: BTreeMap<NaiveDate, Vec<u32>> = BTreeMap::new();
    for row in 0..rows.num_rows() {
        let row_number = u32::try_from(row).expect("fewer rows than 2^32 a commit");
        days.entry(day_of(rows, column, row)?)
            .or_default()
            .push(row_number);
    }
    days.into_values()
        .map(|numbers| {
            Ok(arrow::compute::take_record_batch(
                rows,
                &UInt32Array::from(numbers),
            )?)
        })
        .collect()
}

fn day_of(rows: &RecordBatch, column: &str, row: usize) -> Result<NaiveDate, AnalyzeError> {
    let days = rows
        .column_by_name(column)
        .expect("partition columns are columns");
    let days = days.as_primitive::<Date32Type>();
    Ok(Date32Type::to_naive_date_opt(days.value(row)).expect("a day of the lake is a date"))
}

fn sorted(table: Table, rows: &RecordBatch) -> Result<RecordBatch, AnalyzeError> {
    let keys: Vec<SortColumn> = table
        .sort_columns()
        .iter()
        .filter_map(|name| rows.column_by_name(name))
        .map(|values| SortColumn {
            values: Arc::clone(values),
            options: None,
        })
        .collect();
    let order = lexsort_to_indices(&keys, None)?;
    let columns = rows
        .columns()
        .iter()
        .map(|column| take(column, &order, None));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new(rows.schema(), columns)?)
}

/// Returns the `stats` text of a Delta add action.
fn statistics(table: Table, rows: &RecordBatch) -> String {
    let (mut minimum, mut maximum, mut nulls) = (
        serde_json::Map::new(),
        serde_json::Map::new(),
        serde_json::Map::new(),
    );
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

fn bounds(column: &dyn Array) -> Option<(serde_json::Value, serde_json::Value)> {
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
            let low = arrow::compute::min_string(column)?;
            (low.into(), arrow::compute::max_string(column)?.into())
        }
        _ => return None,
    })
}

/// Delta keeps times in ms: rounded down for a minimum, up by `slack_us` for a maximum.
fn time(microseconds: i64, slack_us: i64) -> String {
    DateTime::from_timestamp_micros(microseconds + slack_us)
        .expect("times of the lake are in chrono's range")
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Turns rows that serialise to the columns of a table into a batch.
pub(super) fn rows_to_batch<T: serde::Serialize>(
    table: Table,
    rows: &[T],
) -> Result<RecordBatch, AnalyzeError> {
    let schema = table.schema();
    let mut decoder = arrow::json::ReaderBuilder::new(schema.clone()).build_decoder()?;
    decoder.serialize(rows)?;
    Ok(decoder
        .flush()?
        .unwrap_or_else(|| RecordBatch::new_empty(schema)))
}

/// Rows that become columns at a time: as text between the two they take many times their size.
const ROWS_AT_ONCE: usize = 16 * 1024;
/// Rows of one file.
const FILE_ROWS: usize = 512 * 1024;

/// Returns rows as the table has them, a batch a file.
pub(super) fn rows_to_batches<T: serde::Serialize>(
    table: Table,
    rows: &[T],
) -> Result<Vec<RecordBatch>, AnalyzeError> {
    let files = rows.chunks(FILE_ROWS).map(|rows| {
        let parts = rows.chunks(ROWS_AT_ONCE);
        let parts: Vec<RecordBatch> = parts
            .map(|rows| rows_to_batch(table, rows))
            .collect::<Result<_, _>>()?;
        Ok(concat_batches(&table.schema(), &parts)?)
    });
    files.collect()
}
