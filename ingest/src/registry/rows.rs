//! Rows of registry files as text, with their lines: CSV or Parquet, whatever the compression.

use std::io::{self, Read};
use std::path::Path;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use bytes::Bytes;
use schemas::registry::file_columns;

use super::{RegistryError, RegistryTable};

/// A file of a registry table.
#[derive(Debug)]
pub(super) struct RegistryFile {
    pub(super) path: String,
    pub(super) rows: Vec<TextRow>,
}

/// The values of a row in the order of the table's file columns, empty where there is none.
#[derive(Debug)]
pub(super) struct TextRow {
    pub(super) line: u64,
    pub(super) values: Result<Vec<String>, String>,
}

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];
const PARQUET_MAGIC: [u8; 4] = *b"PAR1";

/// Reads a file whole: registries are read once, checked as a whole and small beside the facts.
pub(super) fn open(table: RegistryTable, path: &Path) -> Result<RegistryFile, RegistryError> {
    let file = path.display().to_string();
    let unreadable = |source| RegistryError::Read {
        file: file.clone(),
        source,
    };
    let bytes = std::fs::read(path)
        .and_then(decompressed)
        .map_err(unreadable)?;
    let (header, rows) = match bytes.starts_with(&PARQUET_MAGIC) {
        true => parquet_rows(bytes),
        false => csv_rows(&bytes),
    }
    .map_err(unreadable)?;
    let order = column_order(table, &header).map_err(|reason| RegistryError::Columns {
        file: file.clone(),
        table,
        reason,
    })?;
    let in_order = |row: TextRow| TextRow {
        line: row.line,
        values: row.values.map(|mut values| {
            let mut take = |at: &Option<usize>| at.map(|at| std::mem::take(&mut values[at]));
            order
                .iter()
                .map(|at| take(at).unwrap_or_default())
                .collect()
        }),
    };
    Ok(RegistryFile {
        path: file,
        rows: rows.into_iter().map(in_order).collect(),
    })
}

fn decompressed(bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    if bytes.starts_with(&ZSTD_MAGIC) {
        return zstd::decode_all(bytes.as_slice());
    }
    if bytes.starts_with(&GZIP_MAGIC) {
        let mut plain = Vec::new();
        flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut plain)?;
        return Ok(plain);
    }
    Ok(bytes)
}

/// Finds the table's columns in a header; a column the table does not have is refused, as it is most
/// likely a misspelt one.
fn column_order(table: RegistryTable, header: &[String]) -> Result<Vec<Option<usize>>, String> {
    let columns = file_columns(table.table());
    for (at, name) in header.iter().enumerate() {
        if header[..at].contains(name) {
            return Err(format!("column {name:?} is there twice"));
        }
        if !columns.iter().any(|column| column.column == *name) {
            let known: Vec<&str> = columns
                .iter()
                .map(|column| column.column.as_str())
                .collect();
            return Err(format!(
                "column {name:?} is not one of {}",
                known.join(", ")
            ));
        }
    }
    let order: Vec<Option<usize>> = columns
        .iter()
        .map(|column| header.iter().position(|name| *name == column.column))
        .collect();
    match columns
        .iter()
        .zip(&order)
        .find(|(column, at)| column.required && at.is_none())
    {
        Some((missing, _)) => Err(format!("column {:?} is missing", missing.column)),
        None => Ok(order),
    }
}

type HeaderAndRows = (Vec<String>, Vec<TextRow>);

fn csv_rows(bytes: &[u8]) -> io::Result<HeaderAndRows> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let header: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    let mut lines = Lines::new(bytes);
    let mut record = csv::ByteRecord::new();
    let mut rows = Vec::new();
    while reader.read_byte_record(&mut record)? {
        let byte = record.position().map_or(0, csv::Position::byte);
        let line = lines.at(usize::try_from(byte).expect("the file is in memory"));
        if record.iter().any(|value| value.contains(&b'\n')) {
            // The rows inside the quotes would be lost in one value.
            let what = format!("line {line}: a value spans lines: a quote is not closed");
            return Err(io::Error::other(what));
        }
        rows.push(TextRow {
            line,
            values: csv_values(&record, header.len()),
        });
    }
    Ok((header, rows))
}

fn csv_values(record: &csv::ByteRecord, width: usize) -> Result<Vec<String>, String> {
    if record.len() != width {
        return Err(format!(
            "row has {} values, the header {width}",
            record.len()
        ));
    }
    let text = |value: &[u8]| {
        std::str::from_utf8(value)
            .map(str::to_owned)
            .map_err(|_| "row is not UTF-8".to_owned())
    };
    record.iter().map(text).collect()
}

/// Counts lines up to growing positions.
///
/// The reader's own count of lines is one behind where lines end in CR LF.
struct Lines<'b> {
    bytes: &'b [u8],
    counted_to: usize,
    line: u64,
}

impl<'b> Lines<'b> {
    const fn new(bytes: &'b [u8]) -> Self {
        Self {
            bytes,
            counted_to: 0,
            line: 1,
        }
    }

    /// Returns the line of the first row at or after a position.
    fn at(&mut self, byte: usize) -> u64 {
        let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let skipped = self.bytes[byte..]
            .iter()
            .take_while(|byte| is_end(byte))
            .count();
        let start = byte + skipped;
        let ends = self.bytes[self.counted_to..start]
            .iter()
            .filter(|byte| **byte == b'\n');
        self.line += ends.count() as u64;
        self.counted_to = start;
        self.line
    }
}

fn parquet_rows(bytes: Vec<u8>) -> io::Result<HeaderAndRows> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes))?;
    let header = builder
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let mut rows = Vec::new();
    for batch in builder.build()? {
        let batch = batch.map_err(io::Error::other)?;
        let columns: Vec<StringArray> = batch
            .columns()
            .iter()
            .map(text_column)
            .collect::<io::Result<_>>()?;
        for row in 0..batch.num_rows() {
            let value = |column: &StringArray| match column.is_null(row) {
                true => String::new(),
                false => column.value(row).trim().to_owned(),
            };
            let values = columns.iter().map(value).collect();
            rows.push(TextRow {
                line: rows.len() as u64 + 1,
                values: Ok(values),
            });
        }
    }
    Ok((header, rows))
}

fn text_column(column: &ArrayRef) -> io::Result<StringArray> {
    let text = cast(column, &DataType::Utf8).map_err(io::Error::other)?;
    Ok(text.as_string::<i32>().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<u64> {
        let (_, rows) = csv_rows(text.as_bytes()).expect("the text is CSV");
        rows.iter().map(|row| row.line).collect()
    }

    #[test]
    fn rows_are_on_the_lines_an_editor_shows() {
        assert_eq!(lines("a,b\n1,2\n\n3,4\n"), [2, 4]);
        assert_eq!(lines("a,b\r\n1,2\r\n\r\n3,4"), [2, 4]);
        assert_eq!(lines("\u{feff}a\n1\n2\n"), [2, 3]);
    }

    #[test]
    fn a_quote_that_is_not_closed_is_an_error_with_its_line() {
        let error = csv_rows(b"a,b\n1,2\n\"3,4\n5,6\n").expect_err("the quote is open");
        assert!(error.to_string().contains("line 3"), "{error}");
    }
}
