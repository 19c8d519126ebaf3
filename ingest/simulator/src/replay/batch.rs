//! Events gathered into wire batches.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, StringArray,
    TimestampMillisecondArray, new_null_array,
};
use arrow::record_batch::RecordBatch;
use schemas::{ContractField, EventKind, FieldKind};

use super::convert::Cell;
use super::plan::Event;
use crate::publish::{EventSink, PublishError};

/// Rows of a batch sent at full speed.
const BATCH_ROWS: usize = 4096;

/// Gathers events by kind and sends a batch when it is full.
#[derive(Debug, Default)]
pub(super) struct Batches([Vec<Event>; 3]);

impl Batches {
    pub(super) fn push(
        &mut self,
        event: Event,
        sink: &mut dyn EventSink,
    ) -> Result<(), PublishError> {
        let kind = event.kind;
        let events = &mut self.0[kind as usize];
        events.push(event);
        if events.len() == BATCH_ROWS {
            self.flush_kind(kind, sink)?;
        }
        Ok(())
    }

    pub(super) fn flush(&mut self, sink: &mut dyn EventSink) -> Result<(), PublishError> {
        for kind in EventKind::ALL {
            self.flush_kind(kind, sink)?;
        }
        Ok(())
    }

    fn flush_kind(
        &mut self,
        kind: EventKind,
        sink: &mut dyn EventSink,
    ) -> Result<(), PublishError> {
        let mut events = std::mem::take(&mut self.0[kind as usize]);
        if events.is_empty() {
            return Ok(());
        }
        sink.send(kind, &wire_batch(kind, &mut events))
    }
}

fn wire_batch(kind: EventKind, events: &mut [Event]) -> RecordBatch {
    let fields = kind.contract().fields.iter().enumerate();
    let columns = fields
        .map(|(at, field)| column(at, field, events))
        .collect();
    RecordBatch::try_new(kind.wire_schema(), columns)
        .expect("values were converted to the types of the contract")
}

fn column(at: usize, field: &ContractField, events: &mut [Event]) -> ArrayRef {
    if field.name == "event_time" {
        let times = TimestampMillisecondArray::from_iter_values(events.iter().map(|e| e.time_ms));
        return Arc::new(times.with_timezone(schemas::UTC));
    }
    let len = events.len();
    let cells = events.iter_mut().map(|event| event.cells[at].take());
    match field.kind {
        FieldKind::Text => Arc::new(cells.map(text).collect::<StringArray>()),
        FieldKind::Boolean => Arc::new(cells.map(boolean).collect::<BooleanArray>()),
        FieldKind::Int => Arc::new(cells.map(int).collect::<Int32Array>()),
        FieldKind::Long => Arc::new(cells.map(long).collect::<Int64Array>()),
        FieldKind::Float => Arc::new(cells.map(float).collect::<Float32Array>()),
        FieldKind::Double => Arc::new(cells.map(double).collect::<Float64Array>()),
        FieldKind::TimestampMillis => {
            let times: TimestampMillisecondArray = cells.map(long).collect();
            Arc::new(times.with_timezone(schemas::UTC))
        }
        FieldKind::Records(_) => new_null_array(field.arrow().data_type(), len),
    }
}

fn text(cell: Option<Cell>) -> Option<String> {
    match cell? {
        Cell::Text(text) => Some(text),
        _ => None,
    }
}

fn boolean(cell: Option<Cell>) -> Option<bool> {
    match cell? {
        Cell::Boolean(truth) => Some(truth),
        _ => None,
    }
}

fn long(cell: Option<Cell>) -> Option<i64> {
    match cell? {
        Cell::Integer(number) => Some(number),
        _ => None,
    }
}

fn int(cell: Option<Cell>) -> Option<i32> {
    i32::try_from(long(cell)?).ok()
}

fn double(cell: Option<Cell>) -> Option<f64> {
    match cell? {
        Cell::Number(number) => Some(number),
        _ => None,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the contract holds these with 24 bits"
)]
fn float(cell: Option<Cell>) -> Option<f32> {
    double(cell).map(|number| number as f32)
}
