//! Offsets without an event, recorded so that every offset can be accounted for.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};
use schemas::Table;

use super::aside::{Cover, Positions, day};
use super::engine::{Engine, Partition};
use super::window::Skipped;
use crate::error::IngestError;

const TABLE: Table = Table::OffsetsWithoutEvent;

impl Engine {
    /// Records the offsets that windows passed over.
    pub(super) async fn commit_skipped(
        &mut self,
        covers: &[Cover],
        now: DateTime<Utc>,
    ) -> Result<(), IngestError> {
        if covers.iter().all(|cover| cover.skipped.is_empty()) {
            return Ok(());
        }
        let place =
            |partition: Partition| (self.topic(partition.0).name.clone(), self.app_id(partition));
        let places: Vec<(String, String)> = covers.iter().map(|c| place(c.partition)).collect();
        let rows = |positions: &Positions| {
            let mut rows = Rows::default();
            for (cover, (topic, app_id)) in covers.iter().zip(&places) {
                let position = positions
                    .get(&cover.partition.1)
                    .copied()
                    .unwrap_or(i64::MIN);
                // A replay may meet a run that was recorded in part, when more of it is gone.
                let new = cover.skipped.iter().filter(|run| run.last >= position);
                for run in new {
                    let first = run.first.max(position);
                    rows.add(topic, cover.partition.1, app_id, Skipped { first, ..*run });
                }
            }
            rows.into_batch(now)
        };
        self.commit_aside(TABLE, covers, rows, now).await?;
        Ok(())
    }
}

#[derive(Default)]
struct Rows {
    topics: Vec<String>,
    partitions: Vec<i32>,
    app_ids: Vec<String>,
    runs: Vec<Skipped>,
}

impl Rows {
    fn add(&mut self, topic: &str, partition: i32, app_id: &str, run: Skipped) {
        self.topics.push(topic.to_owned());
        self.partitions.push(partition);
        self.app_ids.push(app_id.to_owned());
        self.runs.push(run);
    }

    fn into_batch(self, now: DateTime<Utc>) -> Result<RecordBatch, ArrowError> {
        let rows = self.runs.len();
        let runs = || self.runs.iter();
        let ingested = TimestampMicrosecondArray::from(vec![now.timestamp_micros(); rows]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(&self.topics)),
            Arc::new(Int32Array::from(self.partitions.clone())),
            Arc::new(StringArray::from_iter_values(&self.app_ids)),
            Arc::new(Int64Array::from_iter_values(runs().map(|run| run.first))),
            Arc::new(Int64Array::from_iter_values(runs().map(|run| run.last))),
            Arc::new(StringArray::from_iter_values(
                runs().map(|run| run.why.as_str()),
            )),
            Arc::new(ingested.with_timezone(schemas::UTC)),
            Arc::new(Date32Array::from(vec![day(now); rows])),
        ];
        RecordBatch::try_new(TABLE.schema(), columns)
    }
}
