//! Wire batches to message payloads: one JSON object or one Confluent-framed Avro record a row.

use std::fmt;
use std::str::FromStr;

use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use arrow_avro::schema::{FingerprintStrategy, SCHEMA_METADATA_KEY};
use arrow_avro::writer::format::AvroSoeFormat;
use arrow_avro::writer::{Encoder as AvroEncoder, WriterBuilder as AvroWriterBuilder};
use arrow_json::writer::{LineDelimited, WriterBuilder as JsonWriterBuilder};
use schemas::EventKind;

use super::{PublishError, SchemaIds};

/// How a row becomes a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// One JSON object; fields without a value are left out.
    Json,
    /// Avro in Confluent framing: a zero byte, the schema id, the record.
    Avro,
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "json",
            Self::Avro => "avro",
        })
    }
}

impl FromStr for Encoding {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "json" => Ok(Self::Json),
            "avro" => Ok(Self::Avro),
            other => Err(format!("unknown encoding {other:?}: expected json or avro")),
        }
    }
}

/// Payloads of a batch, in one buffer.
#[derive(Debug, Default)]
pub struct Messages {
    data: Vec<u8>,
    ends: Vec<usize>,
}

impl Messages {
    /// Returns the number of messages.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Tells whether there is no message.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns the bytes of every payload together.
    pub fn payload_bytes(&self) -> usize {
        self.iter().map(<[u8]>::len).sum()
    }

    /// Walks the payloads, in row order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| {
            let payload = &self.data[start..end];
            payload.strip_suffix(b"\n").unwrap_or(payload)
        })
    }
}

/// Encodes batches of one kind of event.
pub struct MessageEncoder {
    kind: EventKind,
    avro: Option<AvroEncoder>,
}

impl MessageEncoder {
    /// Makes the encoder of one kind.
    ///
    /// # Errors
    /// When the Avro encoder does not take the contract.
    pub fn new(kind: EventKind, encoding: Encoding, ids: SchemaIds) -> Result<Self, PublishError> {
        let avro = match encoding {
            Encoding::Json => None,
            Encoding::Avro => {
                Some(
                    avro_encoder(kind, ids).map_err(|error| PublishError::Encode {
                        kind,
                        encoding,
                        reason: error.to_string(),
                    })?,
                )
            }
        };
        Ok(Self { kind, avro })
    }

    /// Makes the encoders of every kind, in the order of [`EventKind::ALL`].
    ///
    /// # Errors
    /// When the Avro encoder does not take a contract.
    pub fn for_all(encoding: Encoding, ids: SchemaIds) -> Result<[Self; 3], PublishError> {
        let [heartbeat, signal, decline] = EventKind::ALL;
        Ok([
            Self::new(heartbeat, encoding, ids)?,
            Self::new(signal, encoding, ids)?,
            Self::new(decline, encoding, ids)?,
        ])
    }

    /// Encodes every row of a batch.
    ///
    /// # Errors
    /// When the batch does not have the wire schema of the kind.
    pub fn encode(&mut self, batch: &RecordBatch) -> Result<Messages, PublishError> {
        let (encoded, encoding) = match &mut self.avro {
            None => (encode_json(batch), Encoding::Json),
            Some(encoder) => (encode_avro(encoder, batch), Encoding::Avro),
        };
        encoded.map_err(|reason| PublishError::Encode {
            kind: self.kind,
            encoding,
            reason,
        })
    }
}

/// The contract itself is the writer schema: one derived from Arrow would differ from it in names and docs.
fn avro_encoder(
    kind: EventKind,
    ids: SchemaIds,
) -> Result<AvroEncoder, Box<dyn std::error::Error>> {
    let metadata = [(
        SCHEMA_METADATA_KEY.to_owned(),
        kind.contract().avro.to_owned(),
    )];
    let schema = Schema::new_with_metadata(
        kind.wire_schema().fields().clone(),
        metadata.into_iter().collect(),
    );
    let encoder = AvroWriterBuilder::new(schema)
        .with_fingerprint_strategy(FingerprintStrategy::Id(ids.of(kind)))
        .build_encoder::<AvroSoeFormat>()?;
    Ok(encoder)
}

fn encode_avro(encoder: &mut AvroEncoder, batch: &RecordBatch) -> Result<Messages, String> {
    encoder.encode(batch).map_err(|error| error.to_string())?;
    let rows = encoder.flush();
    Ok(Messages {
        data: rows.bytes().to_vec(),
        ends: rows.offsets()[1..].to_vec(),
    })
}

fn encode_json(batch: &RecordBatch) -> Result<Messages, String> {
    let mut writer = JsonWriterBuilder::new()
        .with_explicit_nulls(false)
        .build::<_, LineDelimited>(Vec::with_capacity(batch.num_rows() * 700));
    writer.write(batch).map_err(|error| error.to_string())?;
    writer.finish().map_err(|error| error.to_string())?;
    let data = writer.into_inner();
    // JSON text never holds a bare line feed, so each one ends a message.
    let line_feeds = data.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let ends = line_feeds.map(|(at, _)| at + 1).collect();
    Ok(Messages { data, ends })
}
