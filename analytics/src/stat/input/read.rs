//! From a file to columns of text: CSV, JSON and Parquet, plain or compressed.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::{cast, concat_batches};
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::de::IgnoredAny;

use super::{StatError, Table};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What is in a file, by its ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Csv,
    Json,
    Parquet,
}

/// How a file is packed, by its last ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// Names of the columns of a file, and those of them that were wanted, as text.
struct Content {
    found: Vec<String>,
    batch: RecordBatch,
}

type Unreadable = Box<dyn Error + Send + Sync>;

impl Table {
    /// Reads those of the wanted columns that the file has.
    ///
    /// # Errors
    /// When the file cannot be opened, is not of the form of its ending, or has a column twice.
    pub(in crate::stat) fn read(path: &Path, wanted: &[&'static str]) -> Result<Self, StatError> {
        let file = path.display().to_string();
        let opened = File::open(path).and_then(|opened| match opened.metadata()?.is_dir() {
            true => Err(io::ErrorKind::IsADirectory.into()),
            false => Ok(opened),
        });
        let opened = opened.map_err(|source| StatError::Open {
            file: file.clone(),
            source,
        })?;
        let content = match form(path) {
            (Form::Parquet, _) => parquet(opened, wanted),
            (Form::Csv, packing) => unpacked(opened, packing).and_then(|bytes| {
                csv(
                    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes),
                    wanted,
                )
            }),
            (Form::Json, packing) => {
                unpacked(opened, packing).and_then(|bytes| json(bytes, wanted))
            }
        };
        let content = content.map_err(|source| StatError::Read {
            file: file.clone(),
            source,
        })?;
        Self::of(file, wanted, &content)
    }

    fn of(file: String, wanted: &[&'static str], content: &Content) -> Result<Self, StatError> {
        let mut columns = BTreeMap::new();
        let schema = content.batch.schema();
        for (field, column) in schema.fields().iter().zip(content.batch.columns()) {
            let named = wanted.iter().find(|name| *name == field.name());
            let name = named.expect("only wanted columns are read");
            let texts = column.as_string::<i32>().clone();
            if columns.insert(*name, texts).is_some() {
                return Err(StatError::TwoColumns {
                    file,
                    column: field.name().clone(),
                });
            }
        }
        Ok(Self {
            file,
            found: content.found.clone(),
            columns,
        })
    }
}

fn form(path: &Path) -> (Form, Packing) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_lowercase();
    let (name, packing) = if let Some(name) = name.strip_suffix(".gz") {
        (name, Packing::Gzip)
    } else if let Some(name) = name.strip_suffix(".zst") {
        (name, Packing::Zstd)
    } else {
        (name.as_str(), Packing::Plain)
    };
    let form = match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("parquet") => Form::Parquet,
        Some("json" | "ndjson" | "jsonl") => Form::Json,
        _ => Form::Csv,
    };
    (form, packing)
}

fn unpacked(mut file: File, packing: Packing) -> Result<Vec<u8>, Unreadable> {
    let mut bytes = Vec::new();
    match packing {
        Packing::Plain => file.read_to_end(&mut bytes)?,
        Packing::Gzip => flate2::read::MultiGzDecoder::new(file).read_to_end(&mut bytes)?,
        Packing::Zstd => zstd::Decoder::new(file)?.read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

fn csv(bytes: &[u8], wanted: &[&'static str]) -> Result<Content, Unreadable> {
    let format = Format::default().with_header(true);
    let (header, _) = format.infer_schema(bytes, Some(0))?;
    let found = |field: &Arc<Field>| field.name().trim().to_owned();
    let found: Vec<String> = header.fields().iter().map(found).collect();
    let schema = schema_of_texts(&found);
    let projection = found
        .iter()
        .enumerate()
        .filter(|(_, name)| wanted.contains(&name.as_str()))
        .map(|(place, _)| place);
    let reader = arrow::csv::ReaderBuilder::new(Arc::clone(&schema))
        .with_format(format)
        .with_projection(projection.clone().collect())
        .build_buffered(bytes)?;
    let schema = Arc::new(schema.project(&projection.collect::<Vec<_>>())?);
    let batch = joined(&schema, reader)?;
    Ok(Content { found, batch })
}

/// Reads one array of objects, or objects that follow each other.
fn json(mut bytes: Vec<u8>, wanted: &[&'static str]) -> Result<Content, Unreadable> {
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        unwrap_array(&mut bytes)?;
    }
    let mut found = BTreeSet::new();
    let rows = serde_json::Deserializer::from_slice(&bytes);
    for row in rows.into_iter::<BTreeMap<String, IgnoredAny>>() {
        found.extend(row?.into_keys());
    }
    let found: Vec<String> = found.into_iter().collect();
    let known = found.iter().filter(|name| wanted.contains(&name.as_str()));
    let schema = schema_of_texts(&known.cloned().collect::<Vec<_>>());
    // Text keeps every digit of a number, which no detour by a double does.
    let reader = arrow::json::ReaderBuilder::new(Arc::clone(&schema))
        .with_coerce_primitive(true)
        .build(bytes.as_slice())?;
    let batch = joined(&schema, reader)?;
    Ok(Content { found, batch })
}

/// Blanks the brackets of an array and the commas between its elements.
fn unwrap_array(bytes: &mut [u8]) -> Result<(), ArrowError> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in bytes.iter_mut() {
        if in_text {
            in_text = escaped || *byte != b'"';
            escaped = *byte == b'\\' && !escaped;
            continue;
        }
        match *byte {
            b'"' => in_text = true,
            b'[' | b'{' => {
                depth += 1;
                if depth == 1 {
                    *byte = b' ';
                }
            }
            b']' | b'}' => {
                if depth == 1 {
                    *byte = b' ';
                }
                depth = depth.saturating_sub(1);
            }
            b',' if depth == 1 => *byte = b' ',
            _ => {}
        }
    }
    if depth > 0 || in_text {
        return Err(ArrowError::JsonError("the array has no end".to_owned()));
    }
    Ok(())
}

fn parquet(file: File, wanted: &[&'static str]) -> Result<Content, Unreadable> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
    let fields = builder.schema().fields().clone();
    let found: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
    let roots = (0..found.len()).filter(|place| wanted.contains(&found[*place].as_str()));
    let roots: Vec<usize> = roots.collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots.iter().copied());
    let names: Vec<String> = roots.iter().map(|place| found[*place].clone()).collect();
    let schema = schema_of_texts(&names);
    let texts = builder.with_projection(mask).build()?.map(|batch| {
        let columns = batch?
            .columns()
            .iter()
            .map(as_text)
            .collect::<Result<_, _>>()?;
        RecordBatch::try_new(Arc::clone(&schema), columns)
    });
    let batch = joined(&schema, texts)?;
    Ok(Content { found, batch })
}

/// Writes a column as text that reads back to the same values.
fn as_text(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    if !column.data_type().is_floating() {
        return cast(column, &DataType::Utf8);
    }
    // The shortest text that reads back, and a whole id without a fraction.
    let numbers = cast(column, &DataType::Float64)?;
    let numbers = numbers.as_primitive::<Float64Type>().iter();
    let texts: StringArray = numbers
        .map(|number| number.map(|number| number.to_string()))
        .collect();
    Ok(Arc::new(texts))
}

fn schema_of_texts(names: &[String]) -> SchemaRef {
    let field = |name: &String| Field::new(name, DataType::Utf8, true);
    Arc::new(Schema::new(names.iter().map(field).collect::<Vec<_>>()))
}

fn joined(
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
) -> Result<RecordBatch, ArrowError> {
    let batches = batches.collect::<Result<Vec<_>, _>>()?;
    concat_batches(schema, &batches)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use arrow::array::{BooleanArray, DictionaryArray, Float64Array, Int64Array, UInt32Array};
    use arrow::datatypes::Int32Type;
    use parquet::arrow::ArrowWriter;

    use super::*;

    #[test]
    fn the_ending_tells_form_and_packing() {
        for (name, expected) in [
            ("a.csv", (Form::Csv, Packing::Plain)),
            ("a.csv.gz", (Form::Csv, Packing::Gzip)),
            ("a.JSON", (Form::Json, Packing::Plain)),
            ("a.ndjson.zst", (Form::Json, Packing::Zstd)),
            ("a.b.parquet", (Form::Parquet, Packing::Plain)),
            ("a", (Form::Csv, Packing::Plain)),
        ] {
            assert_eq!(form(Path::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn an_array_becomes_objects_that_follow_each_other() {
        let mut bytes = br#"[{"a":[1,{"b":"],\"["}]},{"c":"\\"},{}]"#.to_vec();
        unwrap_array(&mut bytes).expect("closed");
        let blank = br#" {"a":[1,{"b":"],\"["}]} {"c":"\\"} {} "#;
        assert_eq!(bytes, blank);
        assert!(unwrap_array(&mut b"[{\"a\":1}".to_vec()).is_err());
    }

    #[test]
    fn digits_of_a_number_survive_json() {
        let bytes = br#"[{"value":0.30000000000000004,"cell":613220000000000001,"x":null}]"#;
        let content = json(bytes.to_vec(), &["cell", "value"]).expect("read");
        assert_eq!(content.found, ["cell", "value", "x"]);
        let text = |place| {
            content
                .batch
                .column(place)
                .as_string::<i32>()
                .value(0)
                .to_owned()
        };
        assert_eq!(text(0), "613220000000000001");
        assert_eq!(text(1), "0.30000000000000004");
    }
    #[test]
    fn columns_of_any_type_are_read_from_parquet() {
        let columns: [(&str, ArrayRef); 6] = [
            ("id", Arc::new(Float64Array::from(vec![Some(7.0), None]))),
            (
                "cell",
                Arc::new(Int64Array::from(vec![613_220_000_000_000_001, 2])),
            ),
            ("attempts", Arc::new(UInt32Array::from(vec![12, 0]))),
            (
                "value",
                Arc::new(Float64Array::from(vec![0.1 + 0.2, 1e-300])),
            ),
            ("treated", Arc::new(BooleanArray::from(vec![true, false]))),
            (
                "model",
                Arc::new(DictionaryArray::<Int32Type>::from_iter(["a", "b"])),
            ),
        ];
        let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.parquet");
        let file = File::create(&path).expect("created");
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
        writer.write(&batch).expect("written");
        writer.close().expect("closed");
        let wanted = [
            "id", "value", "cell", "attempts", "treated", "model", "post",
        ];
        let table = Table::read(&path, &wanted).expect("read");
        let texts = |name: &str| {
            let column = table.columns[name].iter();
            column
                .map(Option::unwrap_or_default)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(texts("id"), "7 ");
        assert_eq!(texts("cell"), "613220000000000001 2");
        assert_eq!(texts("attempts"), "12 0");
        assert_eq!(
            table.numbers("value").expect("numbers"),
            [Some(0.1 + 0.2), Some(1e-300)]
        );
        assert_eq!(table.flags("treated").expect("flags"), [true, false]);
        assert_eq!(texts("model"), "a b");
        assert!(!table.has("post"));
    }

    #[test]
    fn a_packed_file_is_unpacked_and_a_byte_order_mark_ignored() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let csv = "\u{feff}id, p\n\"a,b\",0.5\n\n007,\n";
        let packed = zstd::encode_all(csv.as_bytes(), 1).expect("packed");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(csv.as_bytes()).expect("packed");
        let zipped = gzip.finish().expect("packed");
        for (name, bytes) in [
            ("a.csv", csv.as_bytes()),
            ("a.csv.zst", &packed),
            ("a.csv.gz", &zipped),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("written");
            let table = Table::read(&path, &["id", "p"]).expect("read");
            assert_eq!(table.names("id").expect("names"), ["a,b", "007"], "{name}");
            assert_eq!(
                table.numbers("p").expect("numbers"),
                [Some(0.5), None],
                "{name}"
            );
        }
    }
}
