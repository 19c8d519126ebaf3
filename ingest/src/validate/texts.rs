//! Texts as they are stored: without what nobody sees at their ends, and null where nothing is left.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use schemas::ids::trimmed;

/// Cuts off every text what is invisible at its ends: fields of fixed width are padded, and a terminal
/// must not be two.
pub(super) fn trim(wire: RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = wire.schema();
    let fields = schema.fields().iter().zip(wire.columns());
    let columns: Vec<Option<StringArray>> = fields
        .map(
            |(field, column)| match (field.name().as_str(), field.data_type()) {
                (EVENT_ID, DataType::Utf8) => identical(column.as_string()),
                (_, DataType::Utf8) => cut(column.as_string()),
                _ => None,
            },
        )
        .collect();
    if columns.iter().all(Option::is_none) {
        return Ok(wire);
    }
    let columns = columns.into_iter().zip(wire.columns());
    let columns = columns.map(|(cut, column)| match cut {
        Some(cut) => Arc::new(cut) as ArrayRef,
        None => column.clone(),
    });
    RecordBatch::try_new(wire.schema(), columns.collect())
}

/// A UUID, which has no case: a resend by way of a program that writes it in capitals is the same event.
const EVENT_ID: &str = "event_id";

/// Returns the ids cut and in small letters; `None` when all are as they should be.
fn identical(column: &StringArray) -> Option<StringArray> {
    let has_capitals = |id: &str| id.bytes().any(|byte| byte.is_ascii_uppercase());
    let is_cut = cut(column);
    let column = is_cut.as_ref().unwrap_or(column);
    if !column.iter().flatten().any(has_capitals) {
        return is_cut;
    }
    Some(
        column
            .iter()
            .map(|id| id.map(str::to_ascii_lowercase))
            .collect(),
    )
}

/// Returns the texts cut; `None` when all are as they should be.
fn cut(column: &StringArray) -> Option<StringArray> {
    let is_right = |text: &str| !text.is_empty() && trimmed(text).len() == text.len();
    if column.iter().flatten().all(is_right) {
        return None;
    }
    let texts = column.iter().map(|text| text.map(trimmed));
    Some(
        texts
            .map(|text| text.filter(|text| !text.is_empty()))
            .collect(),
    )
}
