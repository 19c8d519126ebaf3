//! Avro in Confluent framing, through arrow-avro: magic byte 0, schema id, body.

use arrow::array::RecordBatch;
use arrow_avro::reader::ReaderBuilder;
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};
use schemas::EventKind;
use schemas::quarantine::Reason;

use super::Failure;

/// Bytes before the body.
pub(super) const FRAME_BYTES: usize = 5;

pub(super) fn schema_id(payload: &[u8]) -> Option<u32> {
    let frame: [u8; FRAME_BYTES] = payload.get(..FRAME_BYTES)?.try_into().ok()?;
    let [magic, a, b, c, d] = frame;
    (magic == 0).then(|| u32::from_be_bytes([a, b, c, d]))
}

/// Whether a writer's schema is the contract itself, however it is spelled.
pub(super) fn is_contract(kind: EventKind, writer: &str) -> bool {
    let contract = kind.contract().avro;
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    writer == contract || read(writer) == read(contract)
}

/// Decodes messages that all name the schema `id`, whose text is `writer`.
pub(super) fn decode(
    kind: EventKind,
    id: u32,
    writer: &str,
    payloads: &[&[u8]],
    messages: &[usize],
) -> Result<RecordBatch, Failure> {
    let unusable =
        |error: &dyn ToString| Failure::somewhere(Reason::Undecodable, error.to_string());
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
    store
        .set(Fingerprint::Id(id), AvroSchema::new(writer.to_owned()))
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
            && let Err(failure) = decode(kind, id, writer, payloads, &[message])
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
    batch.ok_or_else(|| unusable(&"no rows"))
}
