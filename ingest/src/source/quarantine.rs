//! What was refused: its bytes without card data, the reason and the place, in a table of its own.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow::compute::filter_record_batch;
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};
use schemas::Table;
use schemas::quarantine::Reason;

use super::engine::{Engine, Partition};
use super::flush_topic::Taken;
use crate::decode::{self, Refused};
use crate::error::IngestError;
use crate::sink::commit::{Advance, Outcome, Skipped, commit_fenced};

/// Commits of the quarantine tried before the ingester stops.
const QUARANTINE_ATTEMPTS: u32 = 8;

pub(super) fn in_quarantine(source: ArrowError) -> IngestError {
    IngestError::Columns {
        table: Table::Quarantine,
        source,
    }
}

impl Engine {
    /// Commits refused messages under the quarantine's own positions, which never go down: a
    /// replay that cuts its batches elsewhere adds nothing twice.
    pub(super) async fn commit_quarantine(
        &mut self,
        partitions: &[Partition],
        refused: &Quarantined,
        now: DateTime<Utc>,
    ) -> Result<usize, IngestError> {
        if refused.places.is_empty() {
            return Ok(0);
        }
        // A conflict here is another partition's ingester or our own replay: read and try again.
        for _ in 0..QUARANTINE_ATTEMPTS {
            self.quarantine.refresh().await?;
            let mut advances = Vec::new();
            let mut new = vec![false; refused.places.len()];
            for partition in partitions {
                let app_id = self.app_id(*partition);
                let position = self.quarantine.position(&app_id).await?;
                if refused.mark(partition.1, position, &mut new) {
                    let window = &self.windows[partition];
                    advances.push(Advance {
                        app_id,
                        start: position.unwrap_or(window.start),
                        end: window.next,
                        last_time_ms: None,
                        skipped: Skipped::default(),
                    });
                }
            }
            if advances.is_empty() {
                return Ok(0);
            }
            let rows = filter_record_batch(&refused.rows, &new.into()).map_err(in_quarantine)?;
            let sorted = lake::sort(Table::Quarantine, &rows).map_err(in_quarantine)?;
            let adds = lake::write(&self.quarantine, &sorted).await?;
            let now_ms = now.timestamp_millis();
            if commit_fenced(&mut self.quarantine, adds, &advances, now_ms).await?
                == Outcome::Committed
            {
                return Ok(rows.num_rows());
            }
        }
        Err(IngestError::Worker("the quarantine's positions keep moving: is another ingester of the same group and partitions running?".into()))
    }
}

/// Refused messages as rows of the quarantine, and the partition and offset of each.
pub(super) struct Quarantined {
    places: Vec<(i32, i64)>,
    rows: RecordBatch,
}

impl Quarantined {
    /// Marks the messages of a partition that lie at or behind its position; tells whether any does.
    fn mark(&self, partition: i32, position: Option<i64>, new: &mut [bool]) -> bool {
        let mut any = false;
        for (new, (of, offset)) in new.iter_mut().zip(&self.places) {
            if *of == partition && position.is_none_or(|position| *offset >= position) {
                *new = true;
                any = true;
            }
        }
        any
    }
}

/// Makes the quarantine's rows of refused messages, without card data.
pub(super) fn quarantine_rows(
    topic: &str,
    taken: &[Taken<'_>],
    refused: &[Refused],
    now: DateTime<Utc>,
) -> Result<Quarantined, ArrowError> {
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
    let day = i32::try_from(now.timestamp().div_euclid(86_400)).expect("before the year 5 million");
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
    Ok(Quarantined {
        places: all()
            .map(|taken| (taken.origin.partition, taken.origin.offset))
            .collect(),
        rows: RecordBatch::try_new(Table::Quarantine.schema(), columns)?,
    })
}
