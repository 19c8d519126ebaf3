//! Texts as they are stored: without what nobody sees at their ends, and null where nothing is left.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use schemas::ids::trimmed;

/// Cuts off every text what is invisible at its ends: fields of fixed width are padded, and a terminal
/// must not be two.
pub(super) fn trim(wire: RecordBatch) -> Result<RecordBatch, ArrowError> {
    let is_text = |column: &ArrayRef| *column.data_type() == DataType::Utf8;
    let cut = |column: &ArrayRef| is_text(column).then(|| cut(column.as_string()))?;
    let columns: Vec<Option<StringArray>> = wire.columns().iter().map(cut).collect();
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
