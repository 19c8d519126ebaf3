//! Whole files of every form, spoiled as people and tools spoil them.

use std::io::Write as _;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array,
    Float64Array, Int64Array, LargeStringArray, ListArray, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray, UInt32Array,
};
use arrow::datatypes::{DataType, Field, Int32Type};

use super::*;

/// The rows of some columns of a file: numbers, and texts or why there are none.
type Read = Vec<(u64, Result<Vec<String>, String>)>;

fn read_with(
    layout: &Layout,
    name: &str,
    content: &[u8],
    columns: &[&str],
) -> Result<Read, ReadError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    std::fs::write(&path, content).expect("written");
    let table = Source::path(path).open(layout)?;
    let mut chosen = Vec::new();
    for column in columns {
        chosen.push(table.find(column)?.expect("the column is there"));
    }
    let mut rows = table.rows(&chosen)?;
    let (mut row, mut read) = (Row::default(), Vec::new());
    while rows.read(&mut row)? {
        let cells = (0..chosen.len()).map(|at| row.cell(at).text().to_owned());
        let found = row
            .fault()
            .map_or(Ok(cells.collect()), |fault| Err(fault.to_string()));
        read.push((row.number(), found));
    }
    Ok(read)
}

fn read(name: &str, content: impl AsRef<[u8]>, columns: &[&str]) -> Result<Read, ReadError> {
    read_with(&Layout::default(), name, content.as_ref(), columns)
}

fn good(number: u64, cells: &[&str]) -> (u64, Result<Vec<String>, String>) {
    (
        number,
        Ok(cells.iter().map(|cell| (*cell).to_owned()).collect()),
    )
}

fn error(name: &str, content: impl AsRef<[u8]>, columns: &[&str]) -> String {
    read(name, content, columns)
        .expect_err("it is no table")
        .to_string()
}

#[test]
fn a_text_is_read_whatever_ends_its_lines_and_separates_its_values() {
    let expected = vec![good(2, &["2", "a"]), good(4, &["", "b c"])];
    for (name, text) in [
        ("a.csv", "n,id,x\n2,a,\n\n,b c,\n"),
        ("a.csv", "\u{feff}n,id,x\r\n2,a,\r\n\r\n,b c,\r\n"),
        ("a.csv", "n,id,x\r2,a,\r\r,b c,"),
        ("a.csv", "n;id;x\n2;a;\n\n;b c;\n"),
        ("a.txt", "n\tid\tx\n2\ta\t\n\n\tb c\t\n"),
        ("a.TSV", "n\tid\t\"x,y\"\n2\ta\t\n\n\tb c\t\n"),
        ("a", "\"n\", id ,x\n2,\u{a0}a\u{200b},\n\n,\"b c \",\n"),
    ] {
        assert_eq!(
            read(name, text, &["n", "id"]).expect("a table"),
            expected,
            "{text:?}"
        );
    }
}

#[test]
fn a_spreadsheet_may_say_its_delimiter_first() {
    let rows = read("a.csv", "sep=|\r\nid|x,y\r\na|1\r\n", &["x,y"]).expect("a table");
    assert_eq!(rows, [good(3, &["1"])]);
}

#[test]
fn a_bad_row_costs_itself_and_is_told_with_its_line() {
    let text = b"id,x\r\na,\"1\r\n2\"\r\n\"b,1\r\nc,2\r\nd\r\ne,\xe9\r\nf,\0\r\ng,3";
    let rows = read("a.csv", text, &["id", "x"]).expect("a table");
    let fault = |number, told: &str| (number, Err::<Vec<String>, _>(told.to_owned()));
    assert_eq!(
        rows,
        [
            good(2, &["a", "1\n2"]),
            fault(
                4,
                "quote is not closed: the row's first line alone is left out"
            ),
            good(5, &["c", "2"]),
            fault(6, "row is not as wide as the header: 1 values, 2 columns"),
            fault(
                7,
                "row is not UTF-8: byte E9 is 'é' in Latin-1: save the file as UTF-8"
            ),
            fault(8, "row has a NUL byte: is the file UTF-16, or binary?"),
            good(9, &["g", "3"]),
        ]
    );
}

#[test]
fn a_column_that_is_wanted_is_there_once_and_no_other_is_looked_at() {
    let text = "id,x,x,\na,1,2,\n";
    assert_eq!(
        read("a.csv", text, &["id"]).expect("a table"),
        [good(2, &["a"])]
    );
    assert!(error("a.csv", text, &["x"]).contains("two columns are called \"x\""));
    assert!(error("a.csv", "", &[]).contains("the file is empty"));
    assert!(error("a.csv", "id,\"x\n1,2\n", &[]).contains("a quote that is not closed"));
    assert!(error("a.csv", b"id,caf\xe9\n", &[]).contains("in Latin-1"));
}

#[test]
fn a_layout_says_what_no_header_does() {
    let layout = Layout {
        columns: Some(vec!["id".into(), "note".into()]),
        delimiter: Some(';'),
        quoting: Quoting::None,
        skip_lines: 1,
        comment: Some("#".into()),
        last_column_takes_rest: true,
        ..Layout::default()
    };
    let text = b"written by a tool\r\n# note\r\n1;\"Ping; DNS: \"\"\"\r\n2;x\r\n3\r\n";
    let rows = read_with(&layout, "a.log", text, &["id", "note"]).expect("a table");
    assert_eq!(rows[0], good(3, &["1", "\"Ping; DNS: \"\"\""]));
    assert_eq!(rows[1], good(4, &["2", "x"]));
    assert!(rows[2].1.is_err());
    let spare = Layout {
        trailing_delimiter: true,
        ..Layout::default()
    };
    let rows = read_with(&spare, "a.csv", b"a,b,\n1,2,\n3,4\n", &["b"]).expect("a table");
    assert_eq!(rows, [good(2, &["2"]), good(3, &["4"])]);
}

#[test]
fn json_is_read_as_rows_on_the_lines_their_objects_begin() {
    let columns = ["id", "n"];
    let expected = vec![
        good(1, &["7", "1"]),
        good(2, &["7", ""]),
        good(3, &["7", "0.30000000000000004"]),
    ];
    let objects = [
        "{\"id\":7,\"n\":1,\"x\":[{}]}",
        "{\"n\":null,\"id\":7.0}",
        "{\"id\":\"7\\u200b\",\"n\":0.30000000000000004}",
    ];
    for (name, text) in [
        ("a.json", format!("[{}]", objects.join(",\n"))),
        ("a.ndjson", objects.join("\n")),
        ("pipe", format!("\u{feff}[ {} ]\n", objects.join(" ,\r\n"))),
    ] {
        assert_eq!(
            read(name, &text, &columns).expect("a table"),
            expected,
            "{text}"
        );
    }
    let digits = r#"{"id":613220000000000001,"n":"\"a\",\\"}"#;
    let rows = read("a.json", digits, &columns).expect("a table");
    assert_eq!(rows, [good(1, &["613220000000000001", "\"a\",\\"])]);
    assert_eq!(read("a.json", "[]", &[]).expect("a table"), []);
}

#[test]
fn json_that_is_no_table_says_where_and_why() {
    for (text, told) in [
        ("[{\"n\":1},\n{\"n\":NaN}]", "line 2: NaN is no JSON"),
        ("[{\"n\":-Infinity}]", "line 1: Infinity is no JSON"),
        ("[{\"n\":1}\n", "line 2: the array has no end"),
        ("[{\"n\":1}\n{\"n\":1}]", "line 2: two rows without a comma"),
        ("{\"n\":1", "line 1: the object that begins here has no end"),
        ("{\"n\":01}", "line 1: "),
        ("[1,2]", "a row is no object"),
        ("[[\"n\"]]", "a row is no object"),
        ("[] 7", "something follows"),
    ] {
        let error = error("a.json", text, &[]);
        assert!(error.contains(told), "{text}: {error}");
    }
    let rows = read(
        "a.json",
        r#"[{"n":1,"n":2},{"n":{"0":1}},{"n":[1]}]"#,
        &["n"],
    );
    let told: Vec<String> = rows
        .expect("a table")
        .into_iter()
        .map(|row| row.1.expect_err("bad"))
        .collect();
    assert!(told[0].contains("\"n\""), "{told:?}");
    assert!(
        told[1].contains("holds an object") && told[1].contains("orient"),
        "{told:?}"
    );
    assert!(told[2].contains("holds a list"), "{told:?}");
}

fn parquet_of(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let columns = columns
        .into_iter()
        .map(|(name, values)| (name, values, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length");
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.into_inner().expect("written")
}

#[test]
fn parquet_columns_of_every_type_are_spelled_as_text_would_be() {
    let midnight = 1_767_571_200_000_000;
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "double",
            Arc::new(Float64Array::from(vec![Some(10023.0), None])),
        ),
        ("single", Arc::new(Float32Array::from(vec![0.1, -90.0]))),
        (
            "cell",
            Arc::new(Int64Array::from(vec![613_220_000_000_000_001, -2])),
        ),
        ("count", Arc::new(UInt32Array::from(vec![12, 0]))),
        ("flag", Arc::new(BooleanArray::from(vec![true, false]))),
        (
            "model",
            Arc::new(DictionaryArray::<Int32Type>::from_iter([" a", "b\u{a0}"])),
        ),
        (
            "large",
            Arc::new(LargeStringArray::from(vec![Some("店"), None])),
        ),
        (
            "decimal",
            Arc::new(
                Decimal128Array::from(vec![1_002_300, 50])
                    .with_precision_and_scale(10, 2)
                    .expect("fits"),
            ),
        ),
        ("day", Arc::new(Date32Array::from(vec![20_458, 0]))),
        (
            "local",
            Arc::new(TimestampMicrosecondArray::from(vec![
                midnight,
                midnight + 1_500_000,
            ])),
        ),
        (
            "time",
            Arc::new(
                TimestampMicrosecondArray::from(vec![midnight, 0]).with_timezone("Asia/Shanghai"),
            ),
        ),
    ];
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let file = parquet_of(columns);
    let rows = read("a.parquet", &file, &names).expect("a table");
    let first = [
        "10023",
        "0.1",
        "613220000000000001",
        "12",
        "true",
        "a",
        "店",
        "10023",
        "2026-01-05",
        "2026-01-05T00:00:00",
        "2026-01-05T00:00:00Z",
    ];
    let second = [
        "",
        "-90",
        "-2",
        "0",
        "false",
        "b",
        "",
        "0.5",
        "1970-01-01",
        "2026-01-05T00:00:01.500",
        "1970-01-01T00:00:00Z",
    ];
    assert_eq!(rows, [good(1, &first), good(2, &second)]);
    let backwards: Vec<&str> = names.iter().rev().copied().collect();
    let mut first = first;
    first.reverse();
    let rows = read("a.parquet", &file, &backwards).expect("a table");
    assert_eq!(
        rows[0],
        good(1, &first),
        "the order asked for is the order given"
    );
}

#[test]
fn nested_parquet_columns_matter_only_when_they_are_asked_for() {
    let corner: ArrayRef = Arc::new(Float64Array::from(vec![0.0]));
    let bbox = StructArray::from(vec![(
        Arc::new(Field::new("xmin", DataType::Float64, true)),
        corner,
    )]);
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)])]);
    let file = parquet_of(vec![
        ("bbox", Arc::new(bbox)),
        ("id", Arc::new(StringArray::from(vec!["a"]))),
        ("l", Arc::new(list)),
    ]);
    assert_eq!(
        read("a.parquet", &file, &["id"]).expect("a table"),
        [good(1, &["a"])]
    );
    assert!(error("a.parquet", &file, &["bbox"]).contains("column \"bbox\" holds structs"));
    assert!(error("a.parquet", &file, &["id", "l"]).contains("column \"l\" holds lists"));
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&file).expect("packed");
    let packed = packed.finish().expect("packed");
    assert_eq!(
        read("a.parquet.gz", packed, &["id"]).expect("a table"),
        [good(1, &["a"])]
    );
}

#[test]
fn what_programs_write_for_no_value_is_no_id() {
    for (text, why) in [
        ("#N/A", Misread::SpreadsheetError),
        ("#DIV/0!", Misread::SpreadsheetError),
        ("NaN", Misread::Placeholder),
        ("null", Misread::Placeholder),
    ] {
        assert_eq!(Cell::new(text, Spelling::Text).id(), Err(why), "{text}");
    }
    assert_eq!(
        Cell::new("#REF!", Spelling::Text).name(),
        Err(Misread::SpreadsheetError)
    );
    for text in ["NA-7", "Nancy", "#12", "None of these"] {
        assert_eq!(Cell::new(text, Spelling::Text).id(), Ok(text));
    }
}
