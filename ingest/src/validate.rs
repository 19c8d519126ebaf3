//! Wire rows to fact rows, in passes over arrays: what cannot be used is refused with a reason,
//! what is merely wrong becomes null and is counted.

mod lists;
mod numbers;
mod place;
pub(crate) mod places;
mod refusals;
mod texts;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Int32Array, Int64Array, RecordBatch, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMillisecondType};
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};
use foldhash::fast::FixedState;
use h3o::Resolution;
use schemas::EventKind;
use schemas::quarantine::Reason;

use crate::config::UnknownFields;
use crate::decode::{Decoded, Refused, take_rows};
use places::{Found, Places};

/// What is refused, and where rows go.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// How far in the future an event may lie.
    pub max_future: Duration,
    /// How old an event may be.
    pub retention: Duration,
    /// Resolution of `partition_cell`.
    pub partition_resolution: Resolution,
    /// What becomes of an event with a field its contract does not know.
    pub unknown_fields: UnknownFields,
}

impl Rules {
    /// Returns the latest time that an event may name, ms.
    fn latest_ms(&self, now: DateTime<Utc>) -> i64 {
        let now = now.timestamp_millis();
        now.saturating_add(millis(self.max_future))
    }
}

/// Where a message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Partition of the topic.
    pub partition: i32,
    /// Offset in it.
    pub offset: i64,
    /// Kafka's timestamp, ms since the epoch.
    pub time_ms: Option<i64>,
}

/// What is known of a message before it is decoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub(crate) origin: Origin,
    /// Its position, where that was looked for.
    pub(crate) found: Option<Found>,
}

/// Rows ready for the table, and the messages refused on the way.
#[derive(Debug)]
pub struct Checked {
    /// Rows in the table's schema.
    pub rows: RecordBatch,
    /// Messages refused, by decoding or here.
    pub refused: Vec<Refused>,
    /// Fields that the contract does not know, and how many messages had each.
    pub unknown_fields: BTreeMap<String, u64>,
}

/// Checks decoded rows and brings them into their table's schema.
///
/// `known` holds one entry a message; `now` is the ingest time.
///
/// # Errors
/// Only when columns do not fit together, which is a bug.
pub(crate) fn check(
    kind: EventKind,
    topic: &str,
    decoded: Decoded,
    known: &[Known],
    rules: &Rules,
    places: &mut Places,
    now: DateTime<Utc>,
) -> Result<Checked, ArrowError> {
    let Decoded {
        rows,
        messages,
        mut refused,
        remarks,
    } = decoded;
    let rows = texts::trim(rows)?;
    let mut reasons = refusals::find(kind, &rows, rules, now);
    let mut unknown_fields = BTreeMap::new();
    for (row, name) in remarks.unknown_fields() {
        *unknown_fields.entry(name.to_owned()).or_default() += 1;
        if rules.unknown_fields == UnknownFields::Refuse && reasons[row].is_none() {
            let detail = unknown_field(kind, name);
            reasons[row] = Some((Reason::UnknownField, detail));
        }
    }
    let mut keep = Vec::with_capacity(rows.num_rows());
    for (row, reason) in reasons.into_iter().enumerate() {
        match reason {
            None => keep.push(u32::try_from(row).expect("a flush has fewer than 2^32 rows")),
            Some((reason, detail)) => {
                refused.push(Refused {
                    message: messages[row],
                    reason,
                    detail,
                });
            }
        }
    }
    let rows = match keep.len() == rows.num_rows() {
        true => rows,
        false => take_rows(&rows, &keep)?,
    };
    let of_row = |row: &u32| known[messages[*row as usize]];
    let origins: Vec<Origin> = keep.iter().map(|row| of_row(row).origin).collect();
    let found = |row: usize| of_row(&keep[row]).found;
    let place = place::locate(&rows, found, rules.partition_resolution, places);
    let (earlier, latest) = (millis(rules.max_future), rules.latest_ms(now));
    let sent = |happened: i64| happened.saturating_sub(earlier)..=latest;
    let mut numbers = numbers::clean(kind, &rows, sent)?;
    for row in place.nowhere() {
        numbers.sentinels[row] += 1;
    }
    for row in remarks.nulled_rows() {
        if let Ok(at) = keep.binary_search_by(|kept| (*kept as usize).cmp(row)) {
            numbers.out_of_range[at] += 1;
        }
    }
    let rows = facts(kind, topic, &rows, &origins, (&place, &numbers), now)?;
    Ok(Checked {
        rows,
        refused,
        unknown_fields,
    })
}

/// Says that a contract does not know a field, and which it may mean.
pub(crate) fn unknown_field(kind: EventKind, name: &str) -> String {
    let known = kind
        .contract()
        .fields
        .iter()
        .map(|field| field.name.as_str());
    let meant = schemas::spelling::nearest(name, known);
    let meant = meant.map_or_else(String::new, |meant| format!(" (did you mean {meant:?}?)"));
    format!("{kind} has no field {name:?}{meant}")
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 4)
}

fn facts(
    kind: EventKind,
    topic: &str,
    wire: &RecordBatch,
    origins: &[Origin],
    (place, numbers): (&place::Place, &numbers::Cleaned),
    now: DateTime<Utc>,
) -> Result<RecordBatch, ArrowError> {
    let schema = kind.table().schema();
    let rows = wire.num_rows();
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some(schemas::UTC.into()));
    let columns = schema.fields().iter().map(|field| {
        let column: ArrayRef = match field.name().as_str() {
            "sentinels_nulled" => Arc::new(Int32Array::from(numbers.sentinels.clone())),
            "out_of_range_nulled" => Arc::new(Int32Array::from(numbers.out_of_range.clone())),
            "kafka_topic_partition" => topic_partitions(topic, origins),
            "kafka_offset" => Arc::new(
                origins
                    .iter()
                    .map(|o| Some(o.offset))
                    .collect::<Int64Array>(),
            ),
            "kafka_time" => Arc::new(
                origins
                    .iter()
                    .map(|o| o.time_ms.map(|ms| ms * 1000))
                    .collect::<TimestampMicrosecondArray>()
                    .with_timezone(schemas::UTC),
            ),
            "ingest_time" => Arc::new(
                TimestampMicrosecondArray::from(vec![now.timestamp_micros(); rows])
                    .with_timezone(schemas::UTC),
            ),
            "event_date" => event_dates(wire),
            name => {
                let checked = place.column(name).or_else(|| numbers.column(name));
                let column = checked.or_else(|| wire.column_by_name(name).cloned());
                let column = column.ok_or_else(|| {
                    ArrowError::SchemaError(format!("no rule fills column {name}"))
                })?;
                match field.data_type() {
                    DataType::Timestamp(..) => cast(&column, &time)?,
                    _ => column,
                }
            }
        };
        Ok(column)
    });
    let columns = columns.collect::<Result<Vec<_>, ArrowError>>()?;
    RecordBatch::try_new(schema, columns)
}

/// Names the partition of every row.
fn topic_partitions(topic: &str, origins: &[Origin]) -> ArrayRef {
    let mut names: HashMap<i32, String, FixedState> = HashMap::default();
    let mut column = StringBuilder::with_capacity(origins.len(), origins.len() * topic.len());
    for Origin { partition, .. } in origins {
        let name = names.entry(*partition);
        column.append_value(
            name.or_insert_with(|| schemas::lake::topic_partition(topic, *partition)),
        );
    }
    Arc::new(column.finish())
}

const DAY_MS: i64 = 86_400_000;

fn event_dates(wire: &RecordBatch) -> ArrayRef {
    let times = wire
        .column_by_name("event_time")
        .expect("every contract has event_time")
        .as_primitive::<TimestampMillisecondType>();
    let day = |ms: i64| i32::try_from(ms.div_euclid(DAY_MS)).expect("refused beyond retention");
    let dates: Date32Array = times.iter().map(|time| time.map(day)).collect();
    debug_assert_eq!(dates.null_count(), 0, "rows without a time were refused");
    Arc::new(dates)
}

#[cfg(test)]
mod tests;
