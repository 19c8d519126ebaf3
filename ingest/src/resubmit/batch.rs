//! The quarantined messages of some files, as they are tried again.

use std::collections::HashSet;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use lake::{LakeFile, LakeTable, TableError};
use schemas::EventKind;
use schemas::quarantine::Reason;

use super::{Run, TopicReport};
use crate::accept::{Acceptance, Accepted, Taken};
use crate::config::{Encoding, TopicConfig};
use crate::decode::{self, schema_ids::SchemaIds};
use crate::error::IngestError;
use crate::validate::Origin;
use crate::validate::places::Places;

/// Partition and offset of a message.
pub(super) type Place = (i32, i64);

/// Reads the rows of files.
pub(super) async fn read(
    quarantine: &LakeTable,
    files: &[LakeFile],
) -> Result<Vec<RecordBatch>, TableError> {
    let mut rows = Vec::new();
    for file in files {
        rows.extend(quarantine.read(&file.path).await?);
    }
    Ok(rows)
}

/// Returns the place of each row of a topic, and its row.
pub(super) fn places<'a>(
    rows: &'a RecordBatch,
    topic: &'a str,
) -> impl Iterator<Item = (usize, Place)> + 'a {
    let topics = rows["kafka_topic"].as_string::<i32>();
    let partitions = rows["kafka_partition"].as_primitive::<Int32Type>();
    let offsets = rows["kafka_offset"].as_primitive::<Int64Type>();
    (0..rows.num_rows())
        .filter(move |row| topics.value(*row) == topic)
        .map(|row| (row, (partitions.value(row), offsets.value(row))))
}

/// Messages that can be tried: wanted, kept, and as they were sent.
pub(super) struct Batch<'a>(Vec<Taken<'a>>);

impl<'a> Batch<'a> {
    /// Counts in the report those that cannot.
    pub(super) fn of(
        rows: &'a [RecordBatch],
        topic: &'a str,
        reasons: &[Reason],
        report: &mut TopicReport,
    ) -> Self {
        let mut taken = Vec::new();
        for rows in rows {
            let why = rows["reason"].as_string::<i32>();
            let masked = rows["payload_masked"].as_boolean();
            let payloads = rows["payload"].as_binary::<i32>();
            let keys = rows["kafka_key"].as_string::<i32>();
            let times = rows["kafka_time"].as_primitive::<TimestampMicrosecondType>();
            for (row, (partition, offset)) in places(rows, topic) {
                let is_wanted = |reason: &Reason| reason.as_str() == why.value(row);
                if !reasons.is_empty() && !reasons.iter().any(is_wanted) {
                    continue;
                }
                if payloads.is_null(row) {
                    report.not_kept += 1;
                } else if masked.value(row) {
                    report.masked += 1;
                } else {
                    taken.push(Taken {
                        origin: Origin {
                            partition,
                            offset,
                            time_ms: times.is_valid(row).then(|| times.value(row) / 1000),
                        },
                        key: keys.is_valid(row).then(|| keys.value(row).as_bytes()),
                        payload: payloads.value(row),
                    });
                }
            }
        }
        Self(taken)
    }

    /// Learns the schemas that the messages name.
    pub(super) async fn learn(
        &self,
        encoding: Encoding,
        ids: &mut SchemaIds,
    ) -> Result<(), IngestError> {
        if encoding == Encoding::Avro {
            let payloads: Vec<&[u8]> = self.0.iter().map(|taken| taken.payload).collect();
            ids.learn(decode::schema_ids_of(&payloads)).await?;
        }
        Ok(())
    }

    /// Tries the messages; a dry run writes no files.
    pub(super) async fn accept(
        &self,
        kind: EventKind,
        topic: &TopicConfig,
        run: &Run<'_>,
        facts: &LakeTable,
        report: &mut TopicReport,
    ) -> Result<Accepted, IngestError> {
        let acceptance = Acceptance {
            kind,
            topic,
            validation: &run.config.validation,
            partition_resolution: facts.partition_resolution,
            ids: &run.ids,
        };
        let table = (!run.options.dry_run).then_some(facts);
        let accepted = acceptance
            .accept(&self.0, &mut Places::default(), table, run.now)
            .await?;
        for refused in &accepted.refused {
            *report.refused.entry(refused.reason).or_default() += 1;
        }
        Ok(accepted)
    }

    /// Returns where the messages that were accepted lie.
    pub(super) fn accepted(&self, accepted: &Accepted) -> HashSet<Place> {
        let refused = accepted.refused.iter().map(|refused| refused.message);
        let refused: HashSet<usize> = refused.collect();
        let messages = self.0.iter().enumerate();
        messages
            .filter(|(message, _)| !refused.contains(message))
            .map(|(_, taken)| (taken.origin.partition, taken.origin.offset))
            .collect()
    }
}
