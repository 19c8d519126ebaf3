//! What was refused: its bytes without card data, the reason and the place, in a table of its own.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int32Type, Int64Type};
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};
use schemas::Table;
use schemas::quarantine::Reason;

use super::aside::Positions;
use crate::accept::Taken;
use crate::decode::{self, Refused};

/// Keeps the messages that lie at or behind the quarantine's own position of their partition.
pub(super) fn behind(rows: &RecordBatch, positions: &Positions) -> Result<RecordBatch, ArrowError> {
    let partitions = rows["kafka_partition"].as_primitive::<Int32Type>();
    let offsets = rows["kafka_offset"].as_primitive::<Int64Type>();
    let places = partitions.values().iter().zip(offsets.values());
    let new: BooleanArray = places
        .map(|(partition, offset)| Some(positions.get(partition).is_none_or(|at| at <= offset)))
        .collect();
    filter_record_batch(rows, &new)
}

/// Makes the quarantine's rows of refused messages, without card data.
pub(super) fn quarantine_rows(
    topic: &str,
    taken: &[Taken<'_>],
    refused: &[Refused],
    now: DateTime<Utc>,
) -> Result<RecordBatch, ArrowError> {
    let of = |refused: &Refused| &taken[refused.message];
    let all = || refused.iter().map(of);
    let masked: Vec<Cow<'_, [u8]>> = all()
        .map(|taken| schemas::card_data::mask_pans(taken.payload))
        .collect();
    let stored = refused
        .iter()
        .zip(&masked)
        .map(|(refused, masked)| (refused.reason != Reason::Oversize).then_some(&**masked));
    let key = |taken: &Taken<'_>| {
        let key = schemas::card_data::mask_pans(taken.key?);
        Some(String::from_utf8_lossy(&key).into_owned())
    };
    let schema_id = |taken: &Taken<'_>| {
        decode::schema_id_of(taken.payload).and_then(|id| i32::try_from(id).ok())
    };
    let size = |taken: &Taken<'_>| i64::try_from(taken.payload.len()).expect("payloads fit memory");
    let changed = |masked: &Cow<'_, [u8]>| Some(matches!(masked, Cow::Owned(_)));
    let time_us = |taken: &Taken<'_>| taken.origin.time_ms.map(|ms| ms * 1000);
    let rows = refused.len();
    let times = |times: TimestampMicrosecondArray| times.with_timezone(schemas::UTC);
    let ingested = vec![now.timestamp_micros(); rows];
    let day = super::aside::day(now);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![topic; rows])),
        Arc::new(Int32Array::from_iter_values(
            all().map(|taken| taken.origin.partition),
        )),
        Arc::new(Int64Array::from_iter_values(
            all().map(|taken| taken.origin.offset),
        )),
        Arc::new(times(all().map(time_us).collect())),
        Arc::new(all().map(key).collect::<StringArray>()),
        Arc::new(StringArray::from_iter_values(
            refused.iter().map(|refused| refused.reason.as_str()),
        )),
        Arc::new(StringArray::from_iter_values(
            refused.iter().map(|refused| &refused.detail),
        )),
        Arc::new(all().map(schema_id).collect::<Int32Array>()),
        Arc::new(stored.collect::<BinaryArray>()),
        Arc::new(Int64Array::from_iter_values(all().map(size))),
        Arc::new(masked.iter().map(changed).collect::<BooleanArray>()),
        Arc::new(times(ingested.into())),
        Arc::new(Date32Array::from(vec![day; rows])),
    ];
    RecordBatch::try_new(Table::Quarantine.schema(), columns)
}
