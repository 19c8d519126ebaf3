//! A table as a method sees it: columns of text, asked for as ids, counts, numbers, flags or cells.

mod read;

use std::collections::BTreeMap;
use std::error::Error;

use arrow::array::{Array, StringArray};
use h3o::CellIndex;

use super::StatError;

/// Largest count: above it a double skips whole numbers.
const MOST: u64 = 1 << 53;

/// The columns of a file that a method may ask for.
#[derive(Debug)]
pub(super) struct Table {
    file: String,
    /// Every column of the file, wanted or not.
    found: Vec<String>,
    columns: BTreeMap<&'static str, StringArray>,
}

/// Attempts and failures of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) attempts: u64,
    pub(super) failures: u64,
}

impl Table {
    /// Tells whether the file has the column.
    pub(super) fn has(&self, column: &str) -> bool {
        self.columns.contains_key(column)
    }

    /// Reads a column of names; a number is one too.
    pub(super) fn names(&self, column: &'static str) -> Result<Vec<&str>, StatError> {
        self.values(column, "a name", Some)
    }

    /// Reads the columns `attempts` and `failures`.
    pub(super) fn counts(&self) -> Result<Vec<Counts>, StatError> {
        let expected = "a whole number from 0 to 2^53";
        let attempts = self.values("attempts", expected, count)?;
        let failures = self.values("failures", expected, count)?;
        let mut total = 0;
        let mut rows = Vec::with_capacity(attempts.len());
        for (place, (attempts, failures)) in attempts.into_iter().zip(failures).enumerate() {
            let (file, row) = (self.file.clone(), place + 1);
            if failures > attempts {
                return Err(StatError::FailuresExceedAttempts {
                    file,
                    row,
                    failures,
                    attempts,
                });
            }
            total += attempts;
            if total > MOST {
                return Err(StatError::TooManyAttempts { file, row });
            }
            rows.push(Counts { attempts, failures });
        }
        Ok(rows)
    }

    /// Reads a column of numbers that may be undefined.
    pub(super) fn numbers(&self, column: &'static str) -> Result<Vec<Option<f64>>, StatError> {
        self.parsed(column, "a finite number", number)
    }

    /// Reads a column of probabilities that may be undefined.
    pub(super) fn probabilities(
        &self,
        column: &'static str,
    ) -> Result<Vec<Option<f64>>, StatError> {
        self.parsed(column, "a number from 0 to 1", |text| {
            number(text).filter(|p| (0.0..=1.0).contains(p))
        })
    }

    /// Reads a column of coordinates in the plane, or of longitudes in degrees.
    pub(super) fn coordinates(&self, column: &'static str) -> Result<Vec<f64>, StatError> {
        self.values(column, "a finite number", number)
    }

    /// Reads a column of latitudes in degrees.
    pub(super) fn latitudes(&self, column: &'static str) -> Result<Vec<f64>, StatError> {
        self.values(column, "a latitude from -90 to 90", |text| {
            number(text).filter(|lat| lat.abs() <= 90.0)
        })
    }

    /// Reads a column of flags.
    pub(super) fn flags(&self, column: &'static str) -> Result<Vec<bool>, StatError> {
        self.values(column, "true, false, 1 or 0", flag)
    }

    /// Reads a column of H3 cells, in hexadecimal or as numbers.
    pub(super) fn cells(&self, column: &'static str) -> Result<Vec<CellIndex>, StatError> {
        self.values(column, "an H3 cell", cell)
    }

    /// The error of columns of which the file has none.
    pub(super) fn lacks(&self, column: &'static str) -> StatError {
        StatError::NoColumn {
            file: self.file.clone(),
            column,
            found: self.found.clone(),
        }
    }

    /// The error of a method that refuses the rows.
    pub(super) fn refused(&self, source: impl Error + Send + Sync + 'static) -> StatError {
        StatError::Method {
            file: self.file.clone(),
            source: Box::new(source),
        }
    }

    /// Reads a column in which every row has a value.
    pub(super) fn values<'a, T>(
        &'a self,
        column: &'static str,
        expected: &'static str,
        read: impl Fn(&'a str) -> Option<T>,
    ) -> Result<Vec<T>, StatError> {
        let rows = self.parsed(column, expected, read)?.into_iter().enumerate();
        let empty = |place| StatError::Empty {
            file: self.file.clone(),
            row: place + 1,
            column,
            expected,
        };
        rows.map(|(place, value)| value.ok_or_else(|| empty(place)))
            .collect()
    }

    fn parsed<'a, T>(
        &'a self,
        column: &'static str,
        expected: &'static str,
        read: impl Fn(&'a str) -> Option<T>,
    ) -> Result<Vec<Option<T>>, StatError> {
        let texts = self.columns.get(column).ok_or_else(|| self.lacks(column))?;
        let mut values = Vec::with_capacity(texts.len());
        for (place, text) in texts.iter().enumerate() {
            let Some(text) = text.filter(|text| !text.is_empty()) else {
                values.push(None);
                continue;
            };
            let value = read(text).ok_or_else(|| StatError::Value {
                file: self.file.clone(),
                row: place + 1,
                column,
                value: text.to_owned(),
                expected,
            })?;
            values.push(Some(value));
        }
        Ok(values)
    }
}

/// Reads a count; a tool that knows an empty count writes the others as `12.0`.
fn count(text: &str) -> Option<u64> {
    let text = text.trim();
    if let Ok(count) = text.parse() {
        return (count <= MOST).then_some(count);
    }
    let number = number(text)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and in range"
    )]
    (number.fract() == 0.0 && (0.0..=MOST as f64).contains(&number)).then_some(number as u64)
}

fn number(text: &str) -> Option<f64> {
    let number: f64 = text.trim().parse().ok()?;
    number.is_finite().then_some(number)
}

fn flag(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "1.0" => Some(true),
        "false" | "0" | "0.0" => Some(false),
        _ => None,
    }
}

/// Reads a cell: 18 digits are its number, for every cell has that many, fewer its hexadecimal form.
fn cell(text: &str) -> Option<CellIndex> {
    let text = text.trim();
    if text.len() == 18 {
        return CellIndex::try_from(text.parse::<u64>().ok()?).ok();
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_whole_and_not_negative_however_it_is_written() {
        for (text, expected) in [
            ("0", Some(0)),
            (" 12 ", Some(12)),
            ("12.0", Some(12)),
            ("1e3", Some(1000)),
            ("9007199254740992", Some(MOST)),
            ("9007199254740993", None),
            ("12.5", None),
            ("-1", None),
            ("NaN", None),
            ("many", None),
        ] {
            assert_eq!(count(text), expected, "{text}");
        }
    }

    #[test]
    fn a_cell_is_read_as_text_and_as_a_number() {
        let hex = "881fb46625fffff";
        let cell_r8 = hex.parse::<CellIndex>().expect("a cell");
        for text in [
            hex.to_owned(),
            u64::from(cell_r8).to_string(),
            "881FB46625FFFFF".into(),
        ] {
            assert_eq!(cell(&text), Some(cell_r8), "{text}");
        }
        for text in ["", "paris", "ffffffffffffffff", "123456789012345678"] {
            assert_eq!(cell(text), None, "{text}");
        }
    }

    #[test]
    fn every_cell_has_18_digits() {
        // Mode 1 in the highest byte; the rest is resolution and place.
        for number in [0x0800_0000_0000_0000_u64, 0x08ff_ffff_ffff_ffff] {
            assert_eq!(number.to_string().len(), 18);
        }
    }

    #[test]
    fn a_flag_is_read_as_people_and_tools_write_it() {
        for (text, expected) in [
            ("true", Some(true)),
            ("True", Some(true)),
            ("1", Some(true)),
            ("FALSE", Some(false)),
            ("0", Some(false)),
            ("yes", None),
            ("2", None),
        ] {
            assert_eq!(flag(text), expected, "{text}");
        }
    }
}
