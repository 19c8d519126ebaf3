//! The two commits of a step, and what tells a step that was cut off between them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Date32Array, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use deltalake_core::kernel::{Add, Remove, Transaction};
use futures::TryStreamExt;
use lake::{Commit, CommitKind, LakeFile, LakeTable};
use schemas::Table;

use super::batch::{Place, places};
use crate::config::TopicConfig;
use crate::error::IngestError;

/// Commits tried before a run gives up: ingesters may commit every second.
const ATTEMPTS: u32 = 12;

/// Steps that entered the table of events, and steps whose messages left the quarantine.
pub(super) struct Steps {
    /// Name under which both tables count.
    id: String,
    entered: i64,
    left: i64,
}

impl Steps {
    pub(super) async fn of(facts: &LakeTable, quarantine: &LakeTable) -> Result<Self, IngestError> {
        let id = format!("notspot/resubmit/{}", facts.table);
        Ok(Self {
            entered: facts.position(&id).await?.unwrap_or(0),
            left: quarantine.position(&id).await?.unwrap_or(0),
            id,
        })
    }

    pub(super) fn is_cut_off(&self) -> bool {
        self.entered != self.left
    }

    /// Makes the rows of files events. A run beside this one counts the same step: the later of the two conflicts.
    pub(super) async fn enter(
        &mut self,
        facts: &mut LakeTable,
        adds: Vec<Add>,
        now: DateTime<Utc>,
    ) -> Result<(), IngestError> {
        let commit = Commit {
            adds,
            transactions: vec![self.count(self.entered + 1, now)],
            ..Commit::default()
        };
        facts.commit(commit, CommitKind::Append).await?;
        self.entered += 1;
        Ok(())
    }

    /// Takes messages that are events now out of the quarantine's files.
    pub(super) async fn leave(
        &mut self,
        quarantine: &mut LakeTable,
        files: &[LakeFile],
        topic: &TopicConfig,
        events: &HashSet<Place>,
        now: DateTime<Utc>,
    ) -> Result<(), IngestError> {
        let mut commit = Commit {
            transactions: vec![self.count(self.entered, now)],
            ..Commit::default()
        };
        for file in files {
            let rows = quarantine.read(&file.path).await?;
            let left = without(&rows, &topic.name, events).map_err(misfit)?;
            let before: usize = rows.iter().map(RecordBatch::num_rows).sum();
            if left.num_rows() == before {
                continue;
            }
            let left = with_day(&left, file).map_err(misfit)?;
            commit.adds.extend(lake::write(quarantine, &left).await?);
            commit.removes.push(Remove {
                deletion_timestamp: Some(now.timestamp_millis()),
                ..file.removal.clone()
            });
        }
        for attempt in 0_u32.. {
            quarantine.refresh().await?;
            // An answer may have been lost: the count tells whether the commit landed.
            if attempt > 0 && quarantine.position(&self.id).await? == Some(self.entered) {
                break;
            }
            let present = quarantine.files().await?.into_iter();
            let present: HashSet<String> = present.map(|file| file.removal.path).collect();
            if !commit.removes.iter().all(|old| present.contains(&old.path)) {
                return Err(IngestError::Overtaken(Table::Quarantine));
            }
            let Err(error) = quarantine.commit(commit.clone(), CommitKind::Delete).await else {
                break;
            };
            tracing::info!(attempt, %error, "another commit came first, looking again");
            if attempt + 1 == ATTEMPTS {
                return Err(error.into());
            }
            tokio::time::sleep(Duration::from_millis(50 << attempt.min(5))).await;
        }
        self.left = self.entered;
        Ok(())
    }

    fn count(&self, steps: i64, now: DateTime<Utc>) -> Transaction {
        Transaction::new_with_last_update(&self.id, steps, Some(now.timestamp_millis()))
    }
}

/// Returns the quarantined messages of a topic that are rows of its table.
pub(super) async fn already_events(
    facts: &LakeTable,
    quarantine: &LakeTable,
    topic: &TopicConfig,
) -> Result<HashSet<Place>, IngestError> {
    let mut quarantined = HashSet::new();
    for file in quarantine.files().await? {
        for rows in quarantine.read(&file.path).await? {
            quarantined.extend(places(&rows, &topic.name).map(|(_, place)| place));
        }
    }
    let mut events = HashSet::new();
    for file in facts.files().await? {
        let columns = ["kafka_topic_partition", "kafka_offset"];
        let (_, rows) = facts.columns(&file, &columns).await?;
        let mut rows = std::pin::pin!(rows);
        while let Some(rows) = rows.try_next().await? {
            let names = rows["kafka_topic_partition"].as_string::<i32>();
            let offsets = rows["kafka_offset"].as_primitive::<Int64Type>();
            for (name, offset) in names.iter().flatten().zip(offsets.values()) {
                let place = name.rsplit_once('/').filter(|(of, _)| *of == topic.name);
                let partition = place.and_then(|(_, partition)| partition.parse().ok());
                let place = partition.map(|partition| (partition, *offset));
                events.extend(place.filter(|place| quarantined.contains(place)));
            }
        }
    }
    Ok(events)
}

fn without(
    rows: &[RecordBatch],
    topic: &str,
    events: &HashSet<Place>,
) -> Result<RecordBatch, ArrowError> {
    let mut left = Vec::new();
    for rows in rows {
        let mut stays = vec![true; rows.num_rows()];
        for (row, place) in places(rows, topic) {
            stays[row] = !events.contains(&place);
        }
        left.push(filter_record_batch(rows, &BooleanArray::from(stays))?);
    }
    concat_batches(&lake::file_schema(Table::Quarantine), &left)
}

/// Puts back the day that a file's folder says.
fn with_day(rows: &RecordBatch, file: &LakeFile) -> Result<RecordBatch, ArrowError> {
    let day = file.partition.get("ingest_date").cloned().flatten();
    let day = day.and_then(|day| day.parse::<NaiveDate>().ok());
    let day = day.ok_or_else(|| ArrowError::SchemaError(format!("{} has no day", file.path)))?;
    let since_epoch = day.num_days_from_ce() - NaiveDate::default().num_days_from_ce();
    let days: ArrayRef = Arc::new(Date32Array::from(vec![since_epoch; rows.num_rows()]));
    let columns = rows.columns().iter().cloned().chain([days]);
    RecordBatch::try_new(Table::Quarantine.schema(), columns.collect())
}

fn misfit(source: ArrowError) -> IngestError {
    IngestError::Columns {
        table: Table::Quarantine,
        source,
    }
}
