//! What a file holds by the table log: owns the way from Delta's JSON statistics and a file's
//! partition to minimum, maximum and null count of every column.

use arrow::datatypes::{DataType, Field, TimeUnit};
use chrono::{DateTime, NaiveDate};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use schemas::Table;
use schemas::lake::stored_cell_range;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Writers keep whole milliseconds of a time, so the true maximum may lie this much later.
const TRUNCATED_US: i64 = 999;
const DAY_US: i64 = 86_400_000_000;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct DeltaStatistics {
    num_records: Option<usize>,
    min_values: Map<String, Value>,
    max_values: Map<String, Value>,
    null_count: Map<String, Value>,
}

/// What the log states of a file, and nothing else: a lake may have many thousands of files, and of
/// most columns nothing is stated.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FileStatistics {
    rows: Option<usize>,
    /// Of some columns, by their place in the table.
    stated: Box<[(usize, Bounds)]>,
}

#[derive(Debug, Clone, PartialEq)]
struct Bounds {
    nulls: Option<usize>,
    min: Option<ScalarValue>,
    max: Option<ScalarValue>,
}

impl FileStatistics {
    /// Reads what the log states.
    pub(super) fn read(table: Table, json: Option<&str>) -> Result<Self, String> {
        let log: DeltaStatistics = match json {
            Some(json) if !json.is_empty() => serde_json::from_str(json)
                .map_err(|error| format!("unreadable statistics: {error}"))?,
            _ => DeltaStatistics::default(),
        };
        let schema = table.schema();
        let stated = schema.fields().iter().enumerate();
        let stated = stated.filter_map(|(at, field)| Some((at, Bounds::read(&log, field)?)));
        Ok(Self {
            rows: log.num_records,
            stated: stated.collect(),
        })
    }

    /// Counts the rows; `None` when the log does not say.
    pub(crate) fn rows(&self) -> Option<usize> {
        self.rows
    }

    /// Returns the statistics of a column of `table`, partition columns included.
    ///
    /// A partition narrows more than itself: its date bounds `event_time`, its cell bounds `cell_r9`.
    /// Where the log does not say more, these bounds are filled in, so that a file is skipped by
    /// either of the two ways of asking.
    pub(super) fn column(
        &self,
        table: Table,
        partition_values: &[ScalarValue],
        field: (usize, &Field),
    ) -> ColumnStatistics {
        let rows = precise_count(self.rows);
        let partition_of = |name: &str| {
            let columns = table.partition_columns().iter();
            let position = columns.clone().position(|column| *column == name)?;
            partition_values.get(position)
        };
        let (at, field) = field;
        match partition_of(field.name()) {
            Some(value) => constant(value, rows),
            None => {
                let known = self.stated.iter().find(|(column, _)| *column == at);
                let stated = known.map(|(_, bounds)| bounds.statistics(field.data_type()));
                Column(stated.unwrap_or_else(ColumnStatistics::new_unknown))
                    .or_implied(field.name(), partition_of, rows)
                    .0
            }
        }
    }

    /// Returns the statistics of every column of `table`.
    pub(super) fn of_all(&self, table: Table, partition_values: &[ScalarValue]) -> Statistics {
        let schema = table.schema();
        let fields = schema.fields().iter().enumerate();
        let columns = fields.map(|(at, field)| self.column(table, partition_values, (at, field)));
        Statistics {
            num_rows: precise_count(self.rows),
            total_byte_size: Precision::Absent,
            column_statistics: columns.collect(),
        }
    }
}

fn precise_count(count: Option<usize>) -> Precision<usize> {
    count.map_or(Precision::Absent, Precision::Exact)
}

impl Bounds {
    fn read(log: &DeltaStatistics, field: &Field) -> Option<Self> {
        let name = field.name();
        let value = |values: &Map<String, Value>, is_max| {
            bound(field.data_type(), values.get(name)?, is_max)
        };
        let nulls = log.null_count.get(name).and_then(Value::as_u64);
        let bounds = Self {
            nulls: nulls.and_then(|nulls| usize::try_from(nulls).ok()),
            min: value(&log.min_values, false),
            max: value(&log.max_values, true),
        };
        let says = bounds.nulls.is_some() || bounds.min.is_some() || bounds.max.is_some();
        says.then_some(bounds)
    }

    fn statistics(&self, kind: &DataType) -> ColumnStatistics {
        let bound = |value: &Option<ScalarValue>| match value {
            Some(value) => precise(kind, value.clone()),
            None => Precision::Absent,
        };
        ColumnStatistics {
            null_count: precise_count(self.nulls),
            min_value: bound(&self.min),
            max_value: bound(&self.max),
            ..ColumnStatistics::new_unknown()
        }
    }
}

/// Statistics of a partition column, which has one value in the whole file.
fn constant(value: &ScalarValue, rows: Precision<usize>) -> ColumnStatistics {
    if value.is_null() {
        return ColumnStatistics {
            null_count: rows,
            ..ColumnStatistics::new_unknown()
        };
    }
    ColumnStatistics {
        null_count: Precision::Exact(0),
        min_value: Precision::Exact(value.clone()),
        max_value: Precision::Exact(value.clone()),
        distinct_count: Precision::Exact(1),
        ..ColumnStatistics::new_unknown()
    }
}

struct Column(ColumnStatistics);

impl Column {
    fn or_implied<'a>(
        self,
        name: &str,
        partition_of: impl Fn(&str) -> Option<&'a ScalarValue>,
        rows: Precision<usize>,
    ) -> Self {
        match name {
            "event_time" => match partition_of("event_date") {
                Some(ScalarValue::Date32(Some(day))) => self.or_bounds(day_bounds(*day)),
                _ => self,
            },
            "cell_r9" => match partition_of("partition_cell") {
                Some(ScalarValue::Utf8(Some(cell))) => match cell_bounds(cell) {
                    Some(bounds) => self.or_bounds(bounds),
                    None => self,
                },
                // Without a partition cell no row of the file has a position.
                Some(_) => Self(ColumnStatistics {
                    null_count: rows,
                    ..self.0
                }),
                None => self,
            },
            _ => self,
        }
    }

    fn or_bounds(mut self, (min, max): (ScalarValue, ScalarValue)) -> Self {
        if self.0.min_value == Precision::Absent {
            self.0.min_value = Precision::Inexact(min);
        }
        if self.0.max_value == Precision::Absent {
            self.0.max_value = Precision::Inexact(max);
        }
        self
    }
}

fn day_bounds(day: i32) -> (ScalarValue, ScalarValue) {
    let start = i64::from(day) * DAY_US;
    (timestamp(start), timestamp(start + DAY_US - 1))
}

fn cell_bounds(hex: &str) -> Option<(ScalarValue, ScalarValue)> {
    let (first, last) = stored_cell_range(hex.parse().ok()?)?;
    Some((first.into(), last.into()))
}

fn timestamp(micros: i64) -> ScalarValue {
    ScalarValue::TimestampMicrosecond(Some(micros), Some(schemas::UTC.into()))
}

/// Text may be cut and times are, so those bounds hold without being values of the column.
fn precise(kind: &DataType, scalar: ScalarValue) -> Precision<ScalarValue> {
    match kind {
        DataType::Int32 | DataType::Int64 | DataType::Date32 => Precision::Exact(scalar),
        _ => Precision::Inexact(scalar),
    }
}

fn bound(kind: &DataType, value: &Value, is_max: bool) -> Option<ScalarValue> {
    match kind {
        DataType::Int32 => Some(i32::try_from(value.as_i64()?).ok()?.into()),
        DataType::Int64 => Some(value.as_i64()?.into()),
        DataType::Utf8 => Some(value.as_str()?.into()),
        DataType::Date32 => {
            let date: NaiveDate = value.as_str()?.parse().ok()?;
            let days = date
                .signed_duration_since(DateTime::UNIX_EPOCH.date_naive())
                .num_days();
            Some(ScalarValue::Date32(Some(i32::try_from(days).ok()?)))
        }
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            let micros = DateTime::parse_from_rfc3339(value.as_str()?)
                .ok()?
                .timestamp_micros();
            Some(timestamp(if is_max {
                micros + TRUNCATED_US
            } else {
                micros
            }))
        }
        // Floats order NaN differently from writer to writer; nothing prunes by the other types.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_file(
        table: Table,
        partition_values: &[ScalarValue],
        json: Option<&str>,
    ) -> Result<Statistics, String> {
        Ok(FileStatistics::read(table, json)?.of_all(table, partition_values))
    }

    fn column(statistics: &Statistics, table: Table, name: &str) -> ColumnStatistics {
        let index = table
            .schema()
            .index_of(name)
            .expect("a column of the table");
        statistics.column_statistics[index].clone()
    }

    fn date(text: &str) -> ScalarValue {
        ScalarValue::try_from_string(text.to_owned(), &DataType::Date32).expect("a date")
    }

    #[test]
    fn a_partition_bounds_time_and_place_when_the_log_says_nothing() {
        let partition = [date("2026-11-24"), "821fb7fffffffff".into()];
        let statistics = of_file(Table::Declines, &partition, None).expect("readable");
        let time = column(&statistics, Table::Declines, "event_time");
        assert_eq!(
            time.min_value,
            Precision::Inexact(timestamp(1_795_478_400_000_000))
        );
        assert_eq!(
            time.max_value,
            Precision::Inexact(timestamp(1_795_564_799_999_999))
        );
        let cell = column(&statistics, Table::Declines, "cell_r9");
        let (first, last) =
            stored_cell_range("821fb7fffffffff".parse().expect("a cell")).expect("a coarse cell");
        assert_eq!(cell.min_value, Precision::Inexact(first.into()));
        assert_eq!(cell.max_value, Precision::Inexact(last.into()));
    }

    #[test]
    fn a_file_without_a_cell_is_known_to_hold_no_position() {
        let partition = [date("2026-11-24"), ScalarValue::Utf8(None)];
        let json = r#"{"numRecords": 7}"#;
        let statistics = of_file(Table::Declines, &partition, Some(json)).expect("readable");
        for name in ["cell_r9", "partition_cell"] {
            let column = column(&statistics, Table::Declines, name);
            assert_eq!(column.null_count, Precision::Exact(7), "{name}");
            assert_eq!(column.min_value, Precision::Absent, "{name}");
        }
    }

    #[test]
    fn a_maximum_time_cut_to_milliseconds_still_bounds_its_column() {
        let json = r#"{"numRecords": 1, "maxValues": {"event_time": "2026-11-24T10:00:00.123Z"}}"#;
        let partition = [date("2026-11-24"), ScalarValue::Utf8(None)];
        let statistics = of_file(Table::Declines, &partition, Some(json)).expect("readable");
        let time = column(&statistics, Table::Declines, "event_time");
        assert_eq!(
            time.max_value,
            Precision::Inexact(timestamp(1_795_514_400_123_999))
        );
    }

    #[test]
    fn broken_statistics_are_an_error_and_not_a_file_without_bounds() {
        let partition = [date("2026-11-24"), ScalarValue::Utf8(None)];
        assert!(of_file(Table::Declines, &partition, Some("{")).is_err());
    }
}
