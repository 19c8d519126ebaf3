//! Avro in Confluent framing, through arrow-avro: magic byte 0, schema id, body.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::TimestampMillisecondType;
use arrow::error::ArrowError;
use arrow_avro::reader::ReaderBuilder;
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};
use schemas::EventKind;
use schemas::contract::{ContractField, FieldKind};
use schemas::quarantine::Reason;
use serde_json::Value;

use super::Failure;

/// Bytes before the body.
pub(super) const FRAME_BYTES: usize = 5;

pub(super) fn schema_id(payload: &[u8]) -> Option<u32> {
    let frame: [u8; FRAME_BYTES] = payload.get(..FRAME_BYTES)?.try_into().ok()?;
    let [magic, a, b, c, d] = frame;
    (magic == 0).then(|| u32::from_be_bytes([a, b, c, d]))
}

/// What a writer's schema says beside the types, which Avro's own resolution leaves out.
#[derive(Debug, Default)]
pub(super) struct Writer {
    /// Its moments that are not in milliseconds, and how many of their units one has.
    units: Vec<(String, i64)>,
    /// Its fields that the contract does not have.
    pub(super) unknown: Vec<String>,
}

impl Writer {
    /// Reads the schema of a writer of a kind of event.
    pub(super) fn of(kind: EventKind, schema: &str) -> Self {
        let mut writer = Self::default();
        if let Ok(schema) = serde_json::from_str::<Value>(schema) {
            writer.read(&schema, &kind.contract().fields, "");
        }
        writer
    }

    fn read(&mut self, record: &Value, contract: &[ContractField], prefix: &str) {
        for field in record["fields"].as_array().into_iter().flatten() {
            let Some(name) = field["name"].as_str() else {
                continue;
            };
            let Some(known) = contract.iter().find(|known| known.name == name) else {
                self.unknown.push(format!("{prefix}{name}"));
                continue;
            };
            let branches = match &field["type"] {
                Value::Array(branches) => branches.as_slice(),
                plain => std::slice::from_ref(plain),
            };
            for branch in branches {
                match &known.kind {
                    FieldKind::TimestampMillis => {
                        let per_ms = per_millisecond(branch["logicalType"].as_str());
                        self.units
                            .extend(per_ms.map(|per_ms| (name.to_owned(), per_ms)));
                    }
                    FieldKind::Records(fields) => {
                        self.read(&branch["items"], fields, &format!("{name}."));
                    }
                    _ => {}
                }
            }
        }
    }

    /// Brings moments to milliseconds; those between two are of the earlier.
    fn in_milliseconds(&self, batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
        let (schema, mut columns, _) = batch.into_parts();
        for (name, per_ms) in &self.units {
            let at = schema.index_of(name)?;
            let column = columns[at].as_primitive_opt::<TimestampMillisecondType>();
            let column = column.ok_or_else(|| misread(name))?;
            let type_of = column.data_type().clone();
            let scaled: TimestampMillisecondArray = column.unary(|time| time.div_euclid(*per_ms));
            columns[at] = Arc::new(scaled.with_data_type(type_of));
        }
        RecordBatch::try_new(schema, columns)
    }
}

fn misread(name: &str) -> ArrowError {
    ArrowError::SchemaError(format!("{name} was not read as a moment"))
}

fn per_millisecond(logical_type: Option<&str>) -> Option<i64> {
    match logical_type? {
        "timestamp-micros" | "local-timestamp-micros" => Some(1_000),
        "timestamp-nanos" | "local-timestamp-nanos" => Some(1_000_000),
        _ => None,
    }
}

/// Whether a writer's schema is the contract itself, but for its texts, units and bounds.
pub(super) fn is_contract(kind: EventKind, writer: &str) -> bool {
    let contract = kind.contract().avro;
    let read = |text: &str| Some(wire_form(&serde_json::from_str(text).ok()?));
    writer == contract || read(writer) == read(contract)
}

/// What of a schema decides which bytes a value has.
fn wire_form(schema: &Value) -> Value {
    let of_list = |list: &Vec<Value>| list.iter().map(wire_form).collect();
    match schema {
        Value::Array(branches) => Value::Array(of_list(branches)),
        Value::Object(attributes) => {
            let is_enum = attributes.get("type").is_some_and(|of| of == "enum");
            let decides = |key: &&String| match key.as_str() {
                "type" | "name" | "namespace" | "fields" | "items" | "values" | "size"
                | "logicalType" => true,
                "symbols" => is_enum,
                _ => false,
            };
            let kept = attributes.keys().filter(decides);
            kept.map(|key| (key.clone(), wire_form(&attributes[key])))
                .collect()
        }
        plain => plain.clone(),
    }
}

/// Decodes messages that all name the schema `id`; `writer` is what is read from its text.
pub(super) fn decode(
    kind: EventKind,
    id: u32,
    (schema, writer): (&str, &Writer),
    payloads: &[&[u8]],
    messages: &[usize],
) -> Result<RecordBatch, Failure> {
    let unusable =
        |error: &dyn ToString| Failure::somewhere(Reason::Undecodable, error.to_string());
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
    store
        .set(Fingerprint::Id(id), AvroSchema::new(schema.to_owned()))
        .map_err(|error| unusable(&error))?;
    let mut decoder = ReaderBuilder::new()
        .with_batch_size(messages.len())
        .with_reader_schema(AvroSchema::new(kind.contract().avro.to_owned()))
        .with_writer_schema_store(store)
        .with_active_fingerprint(Fingerprint::Id(id))
        .build_decoder()
        .map_err(|error| unusable(&error))?;
    let frame = [&[0], &id.to_be_bytes()[..]].concat();
    for &message in messages {
        let payload = payloads[message];
        let fault = |detail: String| Err(Failure::at(message, Reason::Undecodable, detail));
        // Behind an event the decoder takes a frame for the next message's, and fails at that one.
        if messages.len() > 1
            && payload.ends_with(&frame)
            && let Err(failure) = decode(kind, id, (schema, writer), payloads, &[message])
        {
            return fault(failure.detail);
        }
        let capacity = decoder.capacity();
        let read = match decoder.decode(payload) {
            Ok(read) => read,
            Err(error) => return fault(error.to_string()),
        };
        // A body that is cut off or missing would be looked for in the next message, and bytes behind
        // one may be an event of their own.
        let events = capacity - decoder.capacity();
        if read != payload.len() || events != 1 {
            let bytes = payload.len();
            return fault(format!(
                "{read} of {bytes} bytes read, {events} events found"
            ));
        }
    }
    let batch = decoder.flush().map_err(|error| unusable(&error))?;
    let batch = batch.ok_or_else(|| unusable(&"no rows"))?;
    writer
        .in_milliseconds(batch)
        .map_err(|error| unusable(&error))
}
