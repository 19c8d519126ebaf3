//! Why a method has no answer.

use std::error::Error;

/// Why a method has no answer.
#[derive(Debug, thiserror::Error)]
pub enum StatError {
    /// An option that does not fit the input or another option.
    #[error("{0}")]
    Option(String),
    /// The file is missing, or not readable.
    #[error("cannot open {file}")]
    Open {
        /// Which file.
        file: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no table.
    #[error("cannot read {file}: {source}")]
    Read {
        /// Which file.
        file: String,
        /// What is wrong, and where.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A column the method needs is not there.
    #[error("{file} has no column {column}; it has {}", or_none(.found))]
    NoColumn {
        /// Which file.
        file: String,
        /// Name, or names to choose from.
        column: &'static str,
        /// Columns of the file.
        found: Vec<String>,
    },
    /// A row that is none.
    #[error("{file}: {place}: {reason}")]
    Row {
        /// Which file.
        file: String,
        /// Its line as an editor shows it, or in a Parquet file its number.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// A value is not what its column holds.
    #[error("{file}: {place}, column {column}: {value:?} is not {expected}{hint}")]
    Value {
        /// Which file.
        file: String,
        /// The row's line as an editor shows it, or in a Parquet file its number.
        place: String,
        /// Which column.
        column: &'static str,
        /// What is there.
        value: String,
        /// What should be there.
        expected: &'static str,
        /// What else there is to say, such as that a spreadsheet shortened it; may be empty.
        hint: String,
    },
    /// A value is missing where the method needs one.
    #[error("{file}: {place}, column {column}: empty, expected {expected}")]
    Empty {
        /// Which file.
        file: String,
        /// The row's line as an editor shows it, or in a Parquet file its number.
        place: String,
        /// Which column.
        column: &'static str,
        /// What should be there.
        expected: &'static str,
    },
    /// Counts that are no share.
    #[error("{file}: {place}, column failures: {failures} failures in {attempts} attempts")]
    FailuresExceedAttempts {
        /// Which file.
        file: String,
        /// The row's line as an editor shows it, or in a Parquet file its number.
        place: String,
        /// Number of failures there.
        failures: u64,
        /// Number of attempts there.
        attempts: u64,
    },
    /// More attempts than a double counts exactly.
    #[error("{file}: {place}, column attempts: the attempts up to here add up to more than 2^53")]
    TooManyAttempts {
        /// Which file.
        file: String,
        /// The row's line as an editor shows it, or in a Parquet file its number.
        place: String,
    },
    /// The method refuses the rows.
    #[error("{file}: {source}")]
    Method {
        /// Which file.
        file: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
}

fn or_none(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.join(", ")
}
