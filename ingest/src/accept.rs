//! From payloads to files of a fact table: what is put in order, decoded, checked, refused and written.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::compute::max;
use arrow::datatypes::TimestampMicrosecondType;
use chrono::{DateTime, Utc};
use deltalake_core::kernel::Add;
use h3o::Resolution;
use lake::LakeTable;
use schemas::EventKind;
use schemas::lake::DEFAULT_PARTITION_RESOLUTION;
use schemas::quarantine::Reason;

use crate::config::{Encoding, IngestConfig, TopicConfig, ValidationConfig};
use crate::decode::glance;
use crate::decode::schema_ids::SchemaIds;
use crate::decode::{self, Decoded, Refused};
use crate::error::IngestError;
use crate::sink::files::FactFiles;
use crate::sink::order::{Order, Ordered};
use crate::validate::places::Places;
use crate::validate::{self, Checked, Known, Origin, Rules};

/// One message as Kafka had it.
pub(crate) struct Taken<'a> {
    pub(crate) origin: Origin,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) payload: &'a [u8],
}

/// What became of messages: files ready for a commit, and the messages refused on the way.
#[derive(Debug, Default)]
pub(crate) struct Accepted {
    pub(crate) adds: Vec<Add>,
    pub(crate) rows: usize,
    /// Time of the newest event.
    pub(crate) newest_us: Option<i64>,
    pub(crate) refused: Vec<Refused>,
    /// Fields that the contract does not know, and how many messages had each.
    pub(crate) unknown_fields: BTreeMap<String, u64>,
}

/// What decides whether a message of a topic is an event.
pub(crate) struct Acceptance<'a> {
    pub(crate) kind: EventKind,
    pub(crate) topic: &'a TopicConfig,
    pub(crate) validation: &'a ValidationConfig,
    pub(crate) partition_resolution: Resolution,
    /// Knows every schema id of the messages that there is.
    pub(crate) ids: &'a SchemaIds,
}

impl Acceptance<'_> {
    /// Decodes and checks messages, and writes the rows to files of the table where one is given: one
    /// a day and partition cell. Whatever their number, only a few thousand rows are in memory at once.
    pub(crate) async fn accept(
        &self,
        taken: &[Taken<'_>],
        places: &mut Places,
        table: Option<&LakeTable>,
        now: DateTime<Utc>,
    ) -> Result<Accepted, IngestError> {
        let columns = |source| IngestError::Columns {
            table: self.kind.table(),
            source,
        };
        let mut accepted = Accepted::default();
        let order = self.order(taken, places, &mut accepted.refused);
        let rules = Rules {
            max_future: self.validation.max_future,
            retention: self.validation.retention,
            partition_resolution: self.partition_resolution,
            unknown_fields: self.validation.unknown_fields,
        };
        let mut files = table.map(|table| FactFiles::new(table, &order));
        for chunk in order.messages.chunks(CHUNK_MESSAGES) {
            let message = |of: &Ordered| &taken[of.message];
            let payloads: Vec<&[u8]> = chunk.iter().map(|of| message(of).payload).collect();
            let known = chunk.iter().map(|of| Known {
                origin: message(of).origin,
                found: of.found,
            });
            let known: Vec<Known> = known.collect();
            let decoded: Decoded = match self.topic.encoding {
                Encoding::Json => decode::decode_json(self.kind, &payloads),
                Encoding::Avro => decode::decode_avro(self.kind, &payloads, self.ids),
            }
            .map_err(columns)?;
            let topic = &self.topic.name;
            let checked: Checked =
                validate::check(self.kind, topic, decoded, &known, &rules, places, now)
                    .map_err(columns)?;
            accepted
                .refused
                .extend(checked.refused.into_iter().map(|refused| Refused {
                    message: chunk[refused.message].message,
                    ..refused
                }));
            for (name, messages) in checked.unknown_fields {
                *accepted.unknown_fields.entry(name).or_default() += messages;
            }
            if checked.rows.num_rows() > 0 {
                accepted.rows += checked.rows.num_rows();
                let times = checked.rows["event_time"].as_primitive::<TimestampMicrosecondType>();
                accepted.newest_us = accepted.newest_us.max(max(times));
                if let Some(files) = &mut files {
                    files.write(&checked.rows).await?;
                }
            }
        }
        if let Some(files) = files {
            accepted.adds = files.finish().await?;
        }
        Ok(accepted)
    }

    /// Refuses what is too large, and puts the rest in the order of the files to come.
    fn order(&self, taken: &[Taken<'_>], places: &mut Places, refused: &mut Vec<Refused>) -> Order {
        let limit = self.validation.max_message_size.as_u64();
        let glances = taken.iter().enumerate().filter_map(|(message, taken)| {
            let bytes = taken.payload.len();
            if bytes as u64 > limit {
                refused.push(Refused {
                    message,
                    reason: Reason::Oversize,
                    detail: format!("{bytes} bytes, the limit is {limit}"),
                });
                return None;
            }
            let glance = match self.topic.encoding {
                Encoding::Json => glance::json(taken.payload),
                Encoding::Avro => glance::avro(self.kind, self.ids, taken.payload),
            };
            Some((message, glance))
        });
        Order::of(glances, places, self.partition_resolution)
    }
}

/// What would become of messages, beside those refused.
#[derive(Debug)]
pub struct Judged {
    /// Messages that would be rows.
    pub rows: usize,
    /// The others.
    pub refused: Vec<Refused>,
}

/// Says what would become of messages at `now` with the settings and contracts of this build; writes
/// nothing.
///
/// # Errors
/// Only when columns do not fit together, which is a bug.
pub fn judge(
    kind: EventKind,
    encoding: Encoding,
    payloads: &[&[u8]],
    now: DateTime<Utc>,
) -> Result<Judged, IngestError> {
    let taken = (0..).zip(payloads).map(|(offset, payload)| Taken {
        origin: Origin {
            partition: 0,
            offset,
            time_ms: None,
        },
        key: None,
        payload,
    });
    let acceptance = Acceptance {
        kind,
        topic: &TopicConfig {
            name: kind.topic().to_owned(),
            encoding,
        },
        validation: &IngestConfig::default().validation,
        partition_resolution: DEFAULT_PARTITION_RESOLUTION,
        ids: &SchemaIds::embedded(),
    };
    let taken: Vec<Taken<'_>> = taken.collect();
    let mut places = Places::default();
    let accepted = acceptance.accept(&taken, &mut places, None, now);
    let accepted = futures::executor::block_on(accepted)?;
    Ok(Judged {
        rows: accepted.rows,
        refused: accepted.refused,
    })
}

/// Messages decoded at once: bounds the work thrown away when one is bad.
const CHUNK_MESSAGES: usize = 8192;
