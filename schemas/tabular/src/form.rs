//! What a file is, by what it begins with and then by its ending.

use crate::ReadError;

/// What is in a file, unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Json,
    Parquet,
}

pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Beginnings of files that people take for tables, with their names.
const FOREIGN: [(&[u8], &str); 11] = [
    (
        b"PK\x03\x04",
        "a spreadsheet (.xlsx, .ods) or another ZIP archive",
    ),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet (.xls)"),
    (b"ARROW1", "an Arrow (Feather) file"),
    (b"Obj\x01", "an Avro file"),
    (b"PARE", "an encrypted Parquet file"),
    (b"SQLite format 3", "a SQLite database"),
    (b"\xfd7zXZ", "packed with xz"),
    (b"\x04\x22\x4d\x18", "packed with lz4"),
    (b"%PDF", "a PDF"),
    (b"<?xml", "XML"),
    (b"<!DOCTYPE", "a web page"),
];

/// Names the form of a file that begins with `head`.
pub(crate) fn form(name: &str, head: &[u8]) -> Result<Form, ReadError> {
    if head.starts_with(b"PAR1") {
        return Ok(Form::Parquet);
    }
    if let Some((_, what)) = FOREIGN.iter().find(|(start, _)| head.starts_with(start)) {
        return Err(ReadError::Foreign(what));
    }
    if is_utf16(head) {
        return Err(ReadError::Utf16);
    }
    let name = name.to_ascii_lowercase();
    let ends = |ending: &str| name.ends_with(ending);
    if ends(".parquet") {
        return Err(ReadError::NotParquet);
    }
    let is_json = ends(".json") || ends(".ndjson") || ends(".jsonl") || begins_as_json(head);
    Ok(if is_json { Form::Json } else { Form::Text })
}

/// Two bytes a character: by the mark, or by the zeros beside letters.
fn is_utf16(head: &[u8]) -> bool {
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return true;
    }
    let pairs = head.len() / 2;
    let zeros = |first: usize| {
        let bytes = head.iter().skip(first).step_by(2);
        bytes.filter(|byte| **byte == 0).count()
    };
    pairs >= 4 && (zeros(0) * 2 > pairs || zeros(1) * 2 > pairs)
}

fn begins_as_json(head: &[u8]) -> bool {
    let head = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
    let mut bytes = head.iter().filter(|byte| !byte.is_ascii_whitespace());
    match (bytes.next(), bytes.next()) {
        (Some(b'{'), second) => matches!(second, Some(b'"' | b'}')),
        (Some(b'['), second) => matches!(second, Some(b'{')),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_it_begins_with_and_then_what_it_is_called() {
        for (name, head, expected) in [
            ("a.csv", &b"id,n\n"[..], Form::Text),
            ("a", b"", Form::Text),
            ("a.parquet", b"PAR1..", Form::Parquet),
            ("a.csv", b"PAR1..", Form::Parquet),
            ("a.JSON", b"", Form::Json),
            ("a.ndjson", b"7", Form::Json),
            ("fd", b"\xef\xbb\xbf [ {\"id\"", Form::Json),
            ("fd", b"{\n \"id\"", Form::Json),
            ("a.csv", b"[id],{n}\n", Form::Text),
        ] {
            let found = form(name, head).expect("a table");
            assert_eq!(found, expected, "{name} {head:?}");
        }
    }

    #[test]
    fn what_is_no_table_is_told_by_name() {
        for (name, head, told) in [
            ("a.csv", &b"\xff\xfei\0d\0"[..], "UTF-16"),
            ("a.csv", b"i\0d\0,\0n\0\r\0", "UTF-16"),
            ("a.csv", b"\0i\0d\0,\0n", "UTF-16"),
            ("a.csv", b"PK\x03\x04..", ".xlsx"),
            ("a.parquet", b"id,n\n", "does not begin as Parquet"),
            ("a.csv", b"<?xml version", "XML"),
        ] {
            let error = form(name, head).expect_err("no table").to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
