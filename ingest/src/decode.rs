//! Payloads to Arrow, the bad one alone.
//!
//! What terminals write all day is decoded straight into columns. The rest goes to general decoders, which
//! are the judges of what is wrong: `json` message by message, and for Avro of other schemas Arrow's own,
//! where a chunk that fails is split until the fault stands alone.

mod avro;
mod columns;
mod direct_avro;
mod direct_json;
pub(crate) mod glance;
mod json;
pub(crate) mod remarks;
pub mod schema_ids;

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use schemas::EventKind;
use schemas::card_data::looks_like_pan;
use schemas::quarantine::Reason;

use avro::Writer;
use columns::Columns;
use remarks::Remarks;
use schema_ids::SchemaIds;

/// A message that could not be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Index of the message in what was given.
    pub message: usize,
    /// Why.
    pub reason: Reason,
    /// What was found, without card data.
    pub detail: String,
}

/// Messages decoded: the rows, which message each came from, and the messages refused.
#[derive(Debug)]
pub struct Decoded {
    /// Rows in the wire schema, every column nullable.
    pub rows: RecordBatch,
    /// Index of the message behind each row.
    pub messages: Vec<usize>,
    /// The rest.
    pub refused: Vec<Refused>,
    /// What was found wrong with rows.
    pub(crate) remarks: Remarks,
}

/// A value as a reason may repeat it: no card number, and no more of it than so many characters.
pub(crate) fn shown(value: &str, chars_max: usize) -> String {
    match looks_like_pan(value) {
        true => "<masked>".into(),
        false => format!("{:?}", value.chars().take(chars_max).collect::<String>()),
    }
}

/// A failed chunk: what went wrong, and the message it is known to be, if it is.
struct Failure {
    message: Option<usize>,
    reason: Reason,
    detail: String,
}

impl Failure {
    fn somewhere(reason: Reason, detail: impl ToString) -> Self {
        Self {
            message: None,
            reason,
            detail: detail.to_string(),
        }
    }

    fn at(message: usize, reason: Reason, detail: impl ToString) -> Self {
        Self {
            message: Some(message),
            reason,
            detail: detail.to_string(),
        }
    }
}

/// Returns the wire schema with every column nullable: what is missing is found by validation.
pub fn lenient_schema(kind: EventKind) -> SchemaRef {
    let wire = kind.wire_schema();
    let fields = wire.fields().iter();
    Schema::new(
        fields
            .map(|f| f.as_ref().clone().with_nullable(true))
            .collect::<Vec<_>>(),
    )
    .into()
}

/// Decodes JSON messages.
///
/// # Errors
/// Only when decoded columns cannot be joined, which is a bug.
pub fn decode_json(kind: EventKind, payloads: &[&[u8]]) -> Result<Decoded, ArrowError> {
    let all: Vec<usize> = (0..payloads.len()).collect();
    let mut state = Assembly::new(kind);
    let left = state.direct(payloads, all, direct_json::read);
    state.judge(payloads, left, json::read);
    state.finish()
}

/// Decodes Avro messages in Confluent framing, one bucket a schema id.
///
/// # Errors
/// Only when decoded columns cannot be joined, which is a bug.
pub fn decode_avro(
    kind: EventKind,
    payloads: &[&[u8]],
    ids: &SchemaIds,
) -> Result<Decoded, ArrowError> {
    let mut state = Assembly::new(kind);
    let mut buckets: Vec<(u32, Vec<usize>)> = Vec::new();
    for (message, payload) in payloads.iter().enumerate() {
        match avro::schema_id(payload) {
            None => state.refuse(
                message,
                Reason::WrongFraming,
                "no magic byte 0 and schema id",
            ),
            Some(id) if ids.get(id).is_none() => {
                state.refuse(message, Reason::UnknownSchemaId, format!("schema id {id}"));
            }
            Some(id) => match buckets.iter_mut().find(|(known, _)| *known == id) {
                Some((_, bucket)) => bucket.push(message),
                None => buckets.push((id, vec![message])),
            },
        }
    }
    for (id, messages) in buckets {
        let schema = ids.get(id).expect("unknown ids were refused above");
        let (messages, writer) = match ids.is_contract(kind, id) {
            true => {
                let read = |columns: &mut Columns, payload: &[u8]| {
                    direct_avro::read(columns, payload.get(avro::FRAME_BYTES..)?)
                };
                (state.direct(payloads, messages, read), Writer::default())
            }
            false => (messages, Writer::of(kind, schema)),
        };
        let before = state.messages.len();
        state.decode(&messages, &|messages| {
            avro::decode(kind, id, (schema, &writer), payloads, messages)
        });
        for row in before..state.messages.len() {
            let unknown = writer.unknown.iter();
            unknown.for_each(|name| state.remarks.unknown(row, name));
        }
    }
    state.finish()
}

/// Returns the schema ids Avro messages name.
pub fn schema_ids_of(payloads: &[&[u8]]) -> std::collections::BTreeSet<u32> {
    payloads
        .iter()
        .filter_map(|payload| avro::schema_id(payload))
        .collect()
}

/// Returns the schema id an Avro message names, if its framing is right.
pub fn schema_id_of(payload: &[u8]) -> Option<u32> {
    avro::schema_id(payload)
}

type ChunkDecoder<'a> = dyn Fn(&[usize]) -> Result<RecordBatch, Failure> + 'a;

struct Assembly {
    kind: EventKind,
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    messages: Vec<usize>,
    refused: Vec<Refused>,
    remarks: Remarks,
}

impl Assembly {
    fn new(kind: EventKind) -> Self {
        Self {
            kind,
            schema: lenient_schema(kind),
            batches: Vec::new(),
            messages: Vec::new(),
            refused: Vec::new(),
            remarks: Remarks::default(),
        }
    }

    fn refuse(&mut self, message: usize, reason: Reason, detail: impl Into<String>) {
        self.refused.push(Refused {
            message,
            reason,
            detail: detail.into(),
        });
    }

    /// Decodes straight into columns what is plainly right, and returns the other messages.
    fn direct(
        &mut self,
        payloads: &[&[u8]],
        messages: Vec<usize>,
        read: impl Fn(&mut Columns, &[u8]) -> Option<()>,
    ) -> Vec<usize> {
        let decode = || {
            let mut columns = Columns::new(&self.kind.contract().fields, messages.len());
            let (mut taken, mut left) = (Vec::with_capacity(messages.len()), Vec::new());
            for message in &messages {
                match read(&mut columns, payloads[*message]) {
                    Some(()) => taken.push(*message),
                    None => {
                        columns.take_back();
                        left.push(*message);
                    }
                }
            }
            let (rows, remarks) = columns.finish(&self.schema).ok()?;
            (rows.num_rows() == taken.len()).then_some((rows, remarks, taken, left))
        };
        // A text that is not UTF-8, or a panic: the general decoder finds which message it is.
        let Ok(Some((rows, remarks, taken, left))) = catch_unwind(AssertUnwindSafe(decode)) else {
            return messages;
        };
        self.add(rows, &remarks, &taken);
        left
    }

    /// Decodes into columns message by message, and refuses those that `read` says are wrong.
    fn judge(
        &mut self,
        payloads: &[&[u8]],
        messages: Vec<usize>,
        read: impl Fn(&mut Columns, &[u8]) -> Result<(), String>,
    ) {
        let mut columns = Columns::new(&self.kind.contract().fields, messages.len());
        let mut taken = Vec::with_capacity(messages.len());
        for message in messages {
            match read(&mut columns, payloads[message]) {
                Ok(()) => taken.push(message),
                Err(detail) => {
                    columns.take_back();
                    self.refuse(message, Reason::Undecodable, detail);
                }
            }
        }
        match columns.finish(&self.schema) {
            Ok((rows, remarks)) => self.add(rows, &remarks, &taken),
            Err(error) => {
                let detail = error.to_string();
                taken.into_iter().for_each(|message| {
                    self.refuse(message, Reason::Undecodable, detail.clone());
                });
            }
        }
    }

    fn add(&mut self, rows: RecordBatch, remarks: &Remarks, messages: &[usize]) {
        if messages.is_empty() {
            return;
        }
        let before = self.messages.len();
        self.remarks.take_over(remarks, "", |row| before + row);
        self.batches.push(rows);
        self.messages.extend_from_slice(messages);
    }

    /// Decodes `messages` with a fresh decoder; on a fault decodes what lies around it anew.
    fn decode(&mut self, messages: &[usize], decoder: &ChunkDecoder<'_>) {
        if messages.is_empty() {
            return;
        }
        // Decoders of untrusted bytes have panicked before; a panic is a fault like another.
        let result = catch_unwind(AssertUnwindSafe(|| decoder(messages)))
            .unwrap_or_else(|_| Err(Failure::somewhere(Reason::Undecodable, "decoder panicked")));
        let failure = match result.and_then(|batch| self.conform(&batch, messages.len())) {
            Ok(batch) => {
                self.batches.push(batch);
                self.messages.extend_from_slice(messages);
                return;
            }
            Err(failure) => failure,
        };
        if messages.len() == 1 {
            return self.refuse(messages[0], failure.reason, failure.detail);
        }
        if let Some(at) = failure
            .message
            .and_then(|bad| messages.iter().position(|m| *m == bad))
        {
            self.decode(&messages[..at], decoder);
            self.refuse(messages[at], failure.reason, failure.detail);
            return self.decode(&messages[at + 1..], decoder);
        }
        let (left, right) = messages.split_at(messages.len() / 2);
        self.decode(left, decoder);
        self.decode(right, decoder);
    }

    /// Brings columns to the wire types by name; both encodings leave here alike.
    fn conform(&self, batch: &RecordBatch, expected_rows: usize) -> Result<RecordBatch, Failure> {
        if batch.num_rows() != expected_rows {
            let detail = format!("{} rows from {expected_rows} messages", batch.num_rows());
            return Err(Failure::somewhere(Reason::Undecodable, detail));
        }
        let column = |field: &std::sync::Arc<Field>| {
            let column = batch
                .column_by_name(field.name())
                .ok_or_else(|| ArrowError::SchemaError(format!("no column {}", field.name())))?;
            cast(column, field.data_type())
        };
        let columns = self
            .schema
            .fields()
            .iter()
            .map(column)
            .collect::<Result<Vec<_>, _>>();
        columns
            .and_then(|columns| RecordBatch::try_new(self.schema.clone(), columns))
            .map_err(|error| Failure::somewhere(Reason::Undecodable, error))
    }

    fn finish(self) -> Result<Decoded, ArrowError> {
        let rows = concat_batches(&self.schema, &self.batches)?;
        Ok(Decoded {
            rows,
            messages: self.messages,
            refused: self.refused,
            remarks: self.remarks,
        })
    }
}

/// Keeps the rows of `decoded` at `keep`, in that order.
///
/// # Errors
/// When an index lies outside, which is a bug.
pub fn take_rows(rows: &RecordBatch, keep: &[u32]) -> Result<RecordBatch, ArrowError> {
    arrow::compute::take_record_batch(rows, &UInt32Array::from(keep.to_vec()))
}

#[cfg(test)]
mod tests;
