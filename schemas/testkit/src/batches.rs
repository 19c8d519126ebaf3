//! Record batches as plain JSON rows, so that a test states what it expects in the words of the wire.

use anyhow::{Context, Result};
use arrow::array::RecordBatch;
use arrow::json::ArrayWriter;
use serde_json::{Map, Value};

/// Returns the rows of batches as JSON objects; nulls are left out.
///
/// # Errors
/// When a column has a type that JSON cannot hold.
pub fn json_rows(batches: &[RecordBatch]) -> Result<Vec<Map<String, Value>>> {
    let mut writer = ArrayWriter::new(Vec::new());
    writer.write_batches(&batches.iter().collect::<Vec<_>>())?;
    writer.finish()?;
    let text = writer.into_inner();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_slice(&text).context("arrow writes an array of objects")
}

/// Returns the rows of batches without their order, which a lake does not promise.
///
/// # Errors
/// As [`json_rows`].
pub fn sorted_rows(batches: &[RecordBatch]) -> Result<Vec<String>> {
    let mut rows: Vec<String> = json_rows(batches)?
        .into_iter()
        .map(|row| Value::Object(row).to_string())
        .collect();
    rows.sort();
    Ok(rows)
}
