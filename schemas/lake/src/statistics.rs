//! What the Delta log keeps of a file: its rows, and smallest, largest and null values of a few columns.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{max, max_string, min, min_string};
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, SecondsFormat};
use schemas::Table;
use serde_json::{Map, Value, json};

/// Smallest and largest value of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Bounds {
    Number(i64, i64),
    TimeUs(i64, i64),
    Text(String, String),
}

#[derive(Debug, Clone)]
struct Column {
    name: &'static str,
    nulls: usize,
    bounds: Option<Bounds>,
}

/// The `stats` of a Delta add action, gathered batch by batch.
#[derive(Debug, Clone)]
pub struct FileStatistics {
    rows: usize,
    columns: Vec<Column>,
}

impl FileStatistics {
    /// Begins a file of the table.
    pub fn new(table: Table) -> Self {
        let columns = table.statistics_columns().iter();
        Self {
            rows: 0,
            columns: columns
                .map(|name| Column {
                    name,
                    nulls: 0,
                    bounds: None,
                })
                .collect(),
        }
    }

    /// Returns the statistics of a file of just these rows.
    pub fn of(table: Table, rows: &RecordBatch) -> Self {
        let mut statistics = Self::new(table);
        statistics.add(rows);
        statistics
    }

    /// Takes rows of the file in.
    pub fn add(&mut self, rows: &RecordBatch) {
        self.rows += rows.num_rows();
        for column in &mut self.columns {
            if let Some(values) = rows.column_by_name(column.name) {
                column.nulls += values.null_count();
                column.bounds = match (column.bounds.take(), bounds(values)) {
                    (Some(before), Some(now)) => Some(before.with(now)),
                    (before, now) => before.or(now),
                };
            }
        }
    }

    /// Returns the rows so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the text of the add action: numRecords, minValues, maxValues, nullCount.
    pub fn to_json(&self) -> String {
        let (mut minimum, mut maximum, mut nulls) = (Map::new(), Map::new(), Map::new());
        for column in &self.columns {
            nulls.insert(column.name.into(), column.nulls.into());
            if let Some(bounds) = &column.bounds {
                let (low, high) = bounds.to_json();
                minimum.insert(column.name.into(), low);
                maximum.insert(column.name.into(), high);
            }
        }
        json!({
            "numRecords": self.rows, "minValues": minimum, "maxValues": maximum, "nullCount": nulls,
        })
        .to_string()
    }
}

impl Bounds {
    /// Joins bounds of the same column.
    fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Number(a, b), Self::Number(c, d)) => Self::Number(a.min(c), b.max(d)),
            (Self::TimeUs(a, b), Self::TimeUs(c, d)) => Self::TimeUs(a.min(c), b.max(d)),
            (Self::Text(a, b), Self::Text(c, d)) => Self::Text(a.min(c), b.max(d)),
            (first, _) => first,
        }
    }

    /// Delta keeps times in ms: rounded down for a minimum, up for a maximum.
    fn to_json(&self) -> (Value, Value) {
        match self {
            Self::Number(low, high) => ((*low).into(), (*high).into()),
            Self::TimeUs(low, high) => (time(*low).into(), time(high + 999).into()),
            Self::Text(low, high) => (low.clone().into(), high.clone().into()),
        }
    }
}

fn bounds(column: &dyn Array) -> Option<Bounds> {
    Some(match column.data_type() {
        DataType::Int32 => {
            let column = column.as_primitive::<Int32Type>();
            Bounds::Number(min(column)?.into(), max(column)?.into())
        }
        DataType::Int64 => {
            let column = column.as_primitive::<Int64Type>();
            Bounds::Number(min(column)?, max(column)?)
        }
        DataType::Timestamp(..) => {
            let column = column.as_primitive::<TimestampMicrosecondType>();
            Bounds::TimeUs(min(column)?, max(column)?)
        }
        DataType::Utf8 => {
            let column = column.as_string::<i32>();
            Bounds::Text(min_string(column)?.into(), max_string(column)?.into())
        }
        _ => return None,
    })
}

fn time(microseconds: i64) -> String {
    DateTime::from_timestamp_micros(microseconds)
        .expect("times of the lake are in chrono's range")
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray};

    use super::*;

    fn rows(cells: &[Option<i64>], terminals: &[&str], times_us: &[i64]) -> RecordBatch {
        let columns: [(&str, ArrayRef); 3] = [
            ("cell_r9", Arc::new(Int64Array::from(cells.to_vec()))),
            (
                "terminal_id",
                Arc::new(StringArray::from(terminals.to_vec())),
            ),
            (
                "event_time",
                Arc::new(TimestampMicrosecondArray::from(times_us.to_vec())),
            ),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, values)| (name, values, true)))
            .expect("columns of one length")
    }

    #[test]
    fn batches_one_by_one_give_what_their_sum_gives() {
        let (first, second) = (
            rows(&[Some(7), None], &["T2", "T1"], &[1_500, 2_000]),
            rows(&[Some(3)], &["T9"], &[9_001]),
        );
        let mut statistics = FileStatistics::of(Table::Heartbeats, &first);
        statistics.add(&second);
        let whole = rows(
            &[Some(7), None, Some(3)],
            &["T2", "T1", "T9"],
            &[1_500, 2_000, 9_001],
        );
        let text = statistics.to_json();
        assert_eq!(
            text,
            FileStatistics::of(Table::Heartbeats, &whole).to_json()
        );
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["numRecords"], 3);
        assert_eq!(value["nullCount"]["cell_r9"], 1);
        assert_eq!(value["minValues"]["cell_r9"], 3);
        assert_eq!(value["maxValues"]["terminal_id"], "T9");
        // Whole ms that hold every time.
        assert_eq!(value["minValues"]["event_time"], "1970-01-01T00:00:00.001Z");
        assert_eq!(value["maxValues"]["event_time"], "1970-01-01T00:00:00.010Z");
    }
}
