//! Why a file cannot be read, and why a row of it cannot.

use std::io;

/// Why a file, or the rest of it, cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// What the system or the decompressor said.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Something else than a table of a known form.
    #[error("it is {0}: save it as CSV in UTF-8, or as Parquet")]
    Foreign(&'static str),
    /// Text in an encoding of two bytes a character.
    #[error("it is UTF-16: save it as UTF-8 (spreadsheets call it \"CSV UTF-8\")")]
    Utf16,
    /// A file that is called Parquet and is none.
    #[error("it is called .parquet and does not begin as Parquet does")]
    NotParquet,
    /// What the Parquet reader said.
    #[error("{0}")]
    Parquet(String),
    /// A text file without a line.
    #[error("the file is empty, it has no header row")]
    NoHeader,
    /// A header that is no text.
    #[error("the header is not UTF-8: {}", latin1(*.0))]
    HeaderNotUtf8(u8),
    /// A quote in the header that never ends.
    #[error("the header has a quote that is not closed")]
    HeaderQuote,
    /// A line no table has.
    #[error("line {0} is longer than 64 MiB: this is no table of rows")]
    LongLine(u64),
    /// A column that is wanted is there twice.
    #[error("two columns are called {0:?}: which is meant cannot be known")]
    Twice(String),
    /// A column that is wanted has no single values.
    #[error("column {column:?} holds {holds}, not a value a row")]
    Nested {
        /// Name of the column.
        column: String,
        /// What it holds.
        holds: &'static str,
    },
    /// JSON that is none, or not of objects.
    #[error("line {line}: {reason}")]
    Json {
        /// Line from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
}

/// Why a row cannot be used; the rows after it can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowFault {
    /// A byte that is no UTF-8.
    NotUtf8(u8),
    /// A quote that is not closed within a hundred lines.
    OpenQuote,
    /// More or fewer values than the header has columns.
    Width {
        /// Values of the row.
        values: usize,
        /// Columns of the header.
        columns: usize,
    },
    /// A value with a NUL byte.
    Nul,
    /// A JSON object with a key twice.
    KeyTwice(String),
    /// A JSON object with an object or a list where a value should be.
    Nested {
        /// The key.
        key: String,
        /// What it holds.
        holds: &'static str,
    },
}

impl RowFault {
    /// Returns why, in words that are the same for every such row.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotUtf8(_) => "row is not UTF-8",
            Self::OpenQuote => "quote is not closed",
            Self::Width { .. } => "row is not as wide as the header",
            Self::Nul => "row has a NUL byte",
            Self::KeyTwice(_) => "a key is there twice",
            Self::Nested { .. } => "a key holds more than a value",
        }
    }

    /// Returns what is special about this row.
    pub fn detail(&self) -> String {
        match self {
            Self::NotUtf8(byte) => latin1(*byte),
            Self::OpenQuote => "the row's first line alone is left out".to_owned(),
            Self::Width { values, columns } => format!("{values} values, {columns} columns"),
            Self::Nul => "is the file UTF-16, or binary?".to_owned(),
            Self::KeyTwice(key) => format!("{key:?}"),
            Self::Nested { key, holds } => format!(
                "{key:?} holds {holds}; JSON is read as rows, objects of values (pandas: orient=\"records\")"
            ),
        }
    }
}

impl std::fmt::Display for RowFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.reason(), self.detail())
    }
}

/// Says what a byte that is no UTF-8 most likely is.
fn latin1(byte: u8) -> String {
    match byte {
        0xa0..=0xff => format!(
            "byte {byte:02X} is {:?} in Latin-1: save the file as UTF-8",
            char::from(byte)
        ),
        _ => format!("byte {byte:02X}: save the file as UTF-8"),
    }
}
