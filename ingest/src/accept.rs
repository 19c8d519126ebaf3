//! From payloads to rows of a fact table: what is decoded, checked and refused, and the files of the rest.

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use deltalake_core::kernel::Add;
use futures::{StreamExt, TryStreamExt};
use h3o::Resolution;
use lake::LakeTable;
use schemas::EventKind;
use schemas::quarantine::Reason;

use crate::config::{Encoding, TopicConfig, ValidationConfig};
use crate::decode::schema_ids::SchemaIds;
use crate::decode::{self, Decoded, Refused};
use crate::error::IngestError;
use crate::sink::order;
use crate::validate::{self, Checked, Origin, Rules};

/// One message as Kafka had it.
pub(crate) struct Taken<'a> {
    pub(crate) origin: Origin,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) payload: &'a [u8],
}

/// Rows ready for the table, as they were decoded, and the messages refused on the way.
pub(crate) struct Accepted {
    pub(crate) rows: Vec<RecordBatch>,
    pub(crate) refused: Vec<Refused>,
}

impl Accepted {
    pub(crate) fn rows(&self) -> usize {
        self.rows.iter().map(RecordBatch::num_rows).sum()
    }
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
    pub(crate) fn accept(
        &self,
        taken: &[Taken<'_>],
        now: DateTime<Utc>,
    ) -> Result<Accepted, IngestError> {
        let (kind, table) = (self.kind, self.kind.table());
        let columns = |source| IngestError::Columns { table, source };
        let limit = self.validation.max_message_size.as_u64();
        let fits = |taken: &Taken<'_>| taken.payload.len() as u64 <= limit;
        let (small, large): (Vec<usize>, Vec<usize>) =
            (0..taken.len()).partition(|index| fits(&taken[*index]));
        let mut refused: Vec<Refused> = large
            .into_iter()
            .map(|message| Refused {
                message,
                reason: Reason::Oversize,
                detail: format!(
                    "{} bytes, the limit is {limit}",
                    taken[message].payload.len()
                ),
            })
            .collect();
        let mut rows = Vec::new();
        let rules = Rules {
            max_future: self.validation.max_future,
            retention: self.validation.retention,
            partition_resolution: self.partition_resolution,
        };
        for chunk in small.chunks(CHUNK_MESSAGES) {
            let payloads: Vec<&[u8]> = chunk.iter().map(|index| taken[*index].payload).collect();
            let origins: Vec<Origin> = chunk.iter().map(|index| taken[*index].origin).collect();
            let decoded: Decoded = match self.topic.encoding {
                Encoding::Json => decode::decode_json(kind, &payloads),
                Encoding::Avro => decode::decode_avro(kind, &payloads, self.ids),
            }
            .map_err(columns)?;
            let checked: Checked =
                validate::check(kind, &self.topic.name, decoded, &origins, &rules, now)
                    .map_err(columns)?;
            if checked.rows.num_rows() > 0 {
                rows.push(checked.rows);
            }
            refused.extend(checked.refused.into_iter().map(|refused| Refused {
                message: chunk[refused.message],
                ..refused
            }));
        }
        Ok(Accepted { rows, refused })
    }
}

/// Writes one file a day and partition cell. However many the rows touch, only a few are in
/// memory at once.
pub(crate) async fn write_groups(
    table: &LakeTable,
    rows: &[RecordBatch],
) -> Result<Vec<Add>, IngestError> {
    let columns = |source| IngestError::Columns {
        table: table.table,
        source,
    };
    let groups = order::groups(rows).map_err(columns)?;
    let write = |group: order::Group| async move {
        let sorted = group.rows(rows).map_err(columns)?;
        Ok::<_, IngestError>(lake::write(table, &sorted).await?)
    };
    let written: Vec<Vec<Add>> = futures::stream::iter(groups.into_iter().map(write))
        .buffered(FILES_AT_ONCE)
        .try_collect()
        .await?;
    Ok(written.into_iter().flatten().collect())
}

/// Files that are encoded and stored at the same time.
const FILES_AT_ONCE: usize = 8;
/// Messages decoded at once: bounds the work thrown away when one is bad.
const CHUNK_MESSAGES: usize = 8192;
