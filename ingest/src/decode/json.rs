//! One JSON object a message, through arrow-json.

use arrow::array::RecordBatch;
use arrow_json::ReaderBuilder;
use schemas::EventKind;
use schemas::quarantine::Reason;

use super::{Failure, lenient_schema};

pub(super) fn decode(
    kind: EventKind,
    payloads: &[&[u8]],
    messages: &[usize],
) -> Result<RecordBatch, Failure> {
    let mut decoder = ReaderBuilder::new(lenient_schema(kind))
        .with_batch_size(messages.len())
        .build_decoder()
        .map_err(|error| Failure::somewhere(Reason::Undecodable, error))?;
    for (row, &message) in messages.iter().enumerate() {
        let payload = payloads[message];
        let fault = |detail: String| Err(Failure::at(message, Reason::Undecodable, detail));
        // The tape takes any JSON value; an event is an object.
        if payload.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            return fault("not a JSON object".into());
        }
        match decoder.decode(payload) {
            Err(error) => return fault(error.to_string()),
            Ok(_) if decoder.has_partial_record() => return fault("truncated JSON".into()),
            Ok(read) if read < payload.trim_ascii_end().len() || decoder.len() != row + 1 => {
                return fault("more than one JSON value".into());
            }
            Ok(_) => {}
        }
    }
    let batch = decoder
        .flush()
        .map_err(|error| Failure::somewhere(Reason::Undecodable, error))?;
    batch.ok_or_else(|| Failure::somewhere(Reason::Undecodable, "no rows"))
}
