//! Writes an answer: owns the formats a person or program gets.
//!
//! - `table`: a text table, for people: numbers with a fraction are cut to five decimals.
//! - `csv`: a header, then a line a row; null is empty, a list is its text.
//! - `json`: one array of objects; null columns are written as null.
//! - `ndjson`: one object a line.
//! - `parquet`: a file with the columns' own types, zstd.
//!
//! Times are RFC 3339 with the offset of their zone, `Z` for UTC; a time without a zone has none. A cell is a number where it is one (`notspot sql`),
//! and hexadecimal text in the reports, which convert it themselves.

use std::fmt;
use std::io::Write;
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow::util::pretty::pretty_format_batches_with_options;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A text table.
    Table,
    /// Comma-separated values with a header.
    Csv,
    /// One array of objects.
    Json,
    /// One object a line.
    NdJson,
    /// A Parquet file.
    Parquet,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [
        Self::Table,
        Self::Csv,
        Self::Json,
        Self::NdJson,
        Self::Parquet,
    ];

    /// Returns the name, which is also the usual file extension (but of `table`).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::NdJson => "ndjson",
            Self::Parquet => "parquet",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = RenderError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|format| format.name() == name)
            .ok_or_else(|| RenderError::UnknownFormat(name.to_owned()))
    }
}

/// Why an answer cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// No format has the name.
    #[error("unknown format {0:?}, expected table, csv, json, ndjson or parquet")]
    UnknownFormat(String),
    /// A value has no form in the format.
    #[error("cannot write the answer: {0}")]
    Arrow(#[from] ArrowError),
    /// The Parquet file cannot be written.
    #[error("cannot write the answer as parquet: {0}")]
    Parquet(#[from] ParquetError),
    /// The output is closed or full.
    #[error("cannot write the answer")]
    Io(#[from] std::io::Error),
}

/// Writes rows in a format.
///
/// # Errors
/// When the output fails, or a column has no form in the format.
pub fn write(
    format: Format,
    schema: &SchemaRef,
    batches: &[RecordBatch],
    out: &mut (impl Write + Send),
) -> Result<(), RenderError> {
    match format {
        Format::Table => write_table(schema, batches, out),
        Format::Csv => write_csv(schema, batches, out),
        Format::Json => {
            write_json::<arrow::json::writer::JsonArray>(batches, out)?;
            Ok(writeln!(out)?)
        }
        Format::NdJson => write_json::<arrow::json::writer::LineDelimited>(batches, out),
        Format::Parquet => write_parquet(schema, batches, out),
    }
}

fn write_table(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    out: &mut impl Write,
) -> Result<(), RenderError> {
    let options = FormatOptions::default().with_display_error(true);
    // Without rows the header still says which columns there would have been.
    let headed = std::iter::once(&RecordBatch::new_empty(schema.clone()))
        .chain(batches)
        .map(with_short_numbers)
        .collect::<Result<Vec<_>, _>>()?;
    let table = pretty_format_batches_with_options(&headed, &options)?;
    writeln!(out, "{table}")?;
    Ok(())
}

/// Turns columns of floating point numbers into text a person can take in.
fn with_short_numbers(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let texts = |column: &ArrayRef| {
        let wide = cast(column, &DataType::Float64)?;
        let numbers = wide.as_primitive::<Float64Type>().iter();
        let texts = numbers.map(|value| value.map(short));
        Ok(Arc::new(texts.collect::<StringArray>()) as ArrayRef)
    };
    replaced(batch, DataType::is_floating, texts)
}

/// Writes a number with at most five decimals; one under 1 with five significant digits.
fn short(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return number.to_string();
    }
    let magnitude = number.abs().log10().floor();
    if !(-4.0..15.0).contains(&magnitude) {
        return format!("{number:.4e}");
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "5 to 8 by the min and the range above"
    )]
    let decimals = (4.0 - magnitude.min(-1.0)) as usize;
    let text = format!("{number:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

fn write_csv(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    out: &mut impl Write,
) -> Result<(), RenderError> {
    let mut writer = arrow::csv::WriterBuilder::new()
        .with_header(true)
        .build(out);
    // As in a table, the header does not depend on there being rows.
    writer.write(&with_flat_columns(&RecordBatch::new_empty(schema.clone()))?)?;
    for batch in batches {
        writer.write(&with_flat_columns(batch)?)?;
    }
    Ok(())
}

/// Turns columns of lists and structures into text, which CSV has no other form of.
fn with_flat_columns(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let texts = |column: &ArrayRef| {
        let options = FormatOptions::default();
        let values = ArrayFormatter::try_new(column, &options)?;
        let rows = 0..column.len();
        let texts = rows.map(|row| column.is_valid(row).then(|| values.value(row).to_string()));
        Ok(Arc::new(texts.collect::<StringArray>()) as ArrayRef)
    };
    replaced(batch, |kind| kind.is_nested(), texts)
}

/// Replaces the columns of some types by their text.
fn replaced(
    batch: &RecordBatch,
    is_replaced: impl Fn(&DataType) -> bool,
    text: impl Fn(&ArrayRef) -> Result<ArrayRef, ArrowError>,
) -> Result<RecordBatch, ArrowError> {
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if is_replaced(field.data_type()) {
            fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
            columns.push(text(column)?);
        } else {
            fields.push(Arc::clone(field));
            columns.push(Arc::clone(column));
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
}

fn write_json<F: arrow::json::writer::JsonFormat>(
    batches: &[RecordBatch],
    out: &mut impl Write,
) -> Result<(), RenderError> {
    let mut writer = arrow::json::WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, F>(&mut *out);
    for batch in batches {
        writer.write(batch)?;
    }
    Ok(writer.finish()?)
}

fn write_parquet(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    out: &mut (impl Write + Send),
) -> Result<(), RenderError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let mut writer = ArrowWriter::try_new(out, schema.clone(), Some(properties))?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.close()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_cut_to_what_a_person_reads_and_never_to_nothing() {
        for (number, text) in [
            (0.063_333_333, "0.063333"),
            (0.5, "0.5"),
            (1.0, "1"),
            (-112.0, "-112"),
            (48.854_340_04, "48.85434"),
            (1_234_567.8, "1234567.8"),
            (0.000_001_234_56, "1.2346e-6"),
            (0.0, "0"),
        ] {
            assert_eq!(short(number), text);
        }
    }

    #[test]
    fn a_format_is_found_by_its_name_alone() {
        for format in Format::ALL {
            assert_eq!(
                format.name().parse::<Format>().expect("its own name"),
                format
            );
        }
        assert!("xml".parse::<Format>().is_err());
    }
}
