//! Committed values: `expected/NAME.csv`, one map from column to text a row.

use std::collections::HashMap;
use std::path::Path;

/// One row of a file.
pub struct Row(HashMap<String, String>);

impl Row {
    /// The text of a column.
    pub fn text(&self, column: &str) -> &str {
        self.0
            .get(column)
            .unwrap_or_else(|| panic!("no column {column}"))
    }

    /// The value of a column, `None` where it is empty.
    pub fn value(&self, column: &str) -> Option<f64> {
        let text = self.text(column);
        (!text.is_empty()).then(|| {
            text.parse()
                .unwrap_or_else(|_| panic!("{column} is {text}"))
        })
    }

    /// The count in a column.
    pub fn count(&self, column: &str) -> u64 {
        self.text(column)
            .parse()
            .unwrap_or_else(|_| panic!("{column} is {}", self.text(column)))
    }
}

/// Reads a file without quoted fields.
pub fn rows(name: &str) -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/expected")
        .join(name);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().expect("a header").split(',').collect();
    lines
        .map(|line| {
            let cells = line.split(',').map(str::to_owned);
            Row(columns
                .iter()
                .map(|column| (*column).to_owned())
                .zip(cells)
                .collect())
        })
        .collect()
}

/// Asserts that a value equals the expected one to a part of it, and is missing where that is.
#[track_caller]
pub fn assert_close(what: &str, got: Option<f64>, expected: Option<f64>, tolerance: f64) {
    match (got, expected) {
        (Some(got), Some(expected)) => assert!(
            (got - expected).abs() <= tolerance * expected.abs().max(1e-12),
            "{what}: {got} is not {expected}"
        ),
        (got, expected) => assert_eq!(got, expected, "{what}"),
    }
}
