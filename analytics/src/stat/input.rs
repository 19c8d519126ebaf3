//! A table as a method sees it: columns asked for as ids, names, counts, numbers, flags or cells.

mod read;

use std::collections::BTreeMap;
use std::error::Error;

use h3o::CellIndex;
use schemas::ids::parse_cell;
use tabular::{Cell, Misread, Spelling};

use super::StatError;

/// Largest count: above it a double skips whole numbers.
const MOST: u64 = 1 << 53;

/// The columns of a file that a method may ask for.
#[derive(Debug)]
pub(super) struct Table {
    file: String,
    /// Every column of the file, wanted or not.
    found: Vec<String>,
    columns: BTreeMap<&'static str, Cells>,
    /// Where each row is, as an editor shows it.
    places: Vec<u64>,
    /// What places count: `line` or `row`.
    counts: &'static str,
}

/// The cells of one column.
#[derive(Debug, Default)]
struct Cells {
    texts: String,
    /// Bytes of each text, and what wrote it: five bytes a cell.
    lengths: Vec<u32>,
    spellings: Vec<Spelling>,
}

impl Cells {
    fn push(&mut self, cell: Cell<'_>) {
        let length = u32::try_from(cell.text().len());
        self.texts.push_str(cell.text());
        self.lengths
            .push(length.expect("a value is shorter than 4 GiB"));
        self.spellings.push(cell.spelling());
    }

    fn iter(&self) -> impl Iterator<Item = Cell<'_>> {
        let mut rest = self.texts.as_str();
        let cells = self.lengths.iter().zip(&self.spellings);
        cells.map(move |(length, spelling)| {
            let (text, after) = rest.split_at(*length as usize);
            rest = after;
            Cell::new(text, *spelling)
        })
    }
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

    /// Reads a column of ids; a number is one too, in its one spelling.
    pub(super) fn ids(&self, column: &'static str) -> Result<Vec<&str>, StatError> {
        self.values(column, "an id", Cell::id)
    }

    /// Reads a column of names, such as models; a number is one too.
    pub(super) fn names(&self, column: &'static str) -> Result<Vec<&str>, StatError> {
        self.values(column, "a name", Cell::name)
    }

    /// Reads the columns `attempts` and `failures`.
    pub(super) fn counts(&self) -> Result<Vec<Counts>, StatError> {
        let expected = "a whole number from 0 to 2^53";
        let attempts = self.values("attempts", expected, count)?;
        let failures = self.values("failures", expected, count)?;
        let mut total = 0;
        let mut rows = Vec::with_capacity(attempts.len());
        for (at, (attempts, failures)) in attempts.into_iter().zip(failures).enumerate() {
            let (file, place) = (self.file.clone(), self.place(at));
            if failures > attempts {
                return Err(StatError::FailuresExceedAttempts {
                    file,
                    place,
                    failures,
                    attempts,
                });
            }
            total += attempts;
            if total > MOST {
                return Err(StatError::TooManyAttempts { file, place });
            }
            rows.push(Counts { attempts, failures });
        }
        Ok(rows)
    }

    /// Reads a column of numbers that may be undefined.
    pub(super) fn numbers(&self, column: &'static str) -> Result<Vec<Option<f64>>, StatError> {
        self.parsed(column, "a finite number", Cell::number)
    }

    /// Reads a column of probabilities that may be undefined.
    pub(super) fn probabilities(
        &self,
        column: &'static str,
    ) -> Result<Vec<Option<f64>>, StatError> {
        self.parsed(column, "a number from 0 to 1", |cell| {
            let p = cell.number()?;
            within(p, (0.0..=1.0).contains(&p))
        })
    }

    /// Reads a column of coordinates in the plane, or of longitudes in degrees.
    pub(super) fn coordinates(&self, column: &'static str) -> Result<Vec<f64>, StatError> {
        self.values(column, "a finite number", Cell::number)
    }

    /// Reads a column of latitudes in degrees.
    pub(super) fn latitudes(&self, column: &'static str) -> Result<Vec<f64>, StatError> {
        self.values(column, "a latitude from -90 to 90", |cell| {
            let lat = cell.number()?;
            within(lat, lat.abs() <= 90.0)
        })
    }

    /// Reads a column of flags.
    pub(super) fn flags(&self, column: &'static str) -> Result<Vec<bool>, StatError> {
        self.values(column, "true, false, 1 or 0", Cell::boolean)
    }

    /// Reads a column of H3 cells, in hexadecimal or as numbers.
    pub(super) fn cells(&self, column: &'static str) -> Result<Vec<CellIndex>, StatError> {
        self.values(column, "an H3 cell", |cell| {
            parse_cell(cell.id()?).ok_or(Misread::NotWhole)
        })
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
        read: impl Fn(Cell<'a>) -> Result<T, Misread>,
    ) -> Result<Vec<T>, StatError> {
        let rows = self.parsed(column, expected, read)?.into_iter().enumerate();
        let empty = |at| StatError::Empty {
            file: self.file.clone(),
            place: self.place(at),
            column,
            expected,
        };
        rows.map(|(at, value)| value.ok_or_else(|| empty(at)))
            .collect()
    }

    fn parsed<'a, T>(
        &'a self,
        column: &'static str,
        expected: &'static str,
        read: impl Fn(Cell<'a>) -> Result<T, Misread>,
    ) -> Result<Vec<Option<T>>, StatError> {
        let cells = self.columns.get(column).ok_or_else(|| self.lacks(column))?;
        let mut values = Vec::with_capacity(self.places.len());
        for (at, cell) in cells.iter().enumerate() {
            if cell.is_empty() {
                values.push(None);
                continue;
            }
            let value = read(cell).map_err(|why| StatError::Value {
                file: self.file.clone(),
                place: self.place(at),
                column,
                value: cell.text().to_owned(),
                expected,
                hint: hint(why),
            })?;
            values.push(Some(value));
        }
        Ok(values)
    }

    fn place(&self, at: usize) -> String {
        format!("{} {}", self.counts, self.places[at])
    }
}

/// What there is to say beyond what was expected.
fn hint(why: Misread) -> String {
    match why {
        Misread::NotWhole
        | Misread::NotNumber
        | Misread::NotBoolean
        | Misread::NotTime
        | Misread::Missing
        | Misread::TooLarge => String::new(),
        why => format!(": {why}"),
    }
}

fn within(number: f64, is_within: bool) -> Result<f64, Misread> {
    match is_within {
        true => Ok(number),
        false => Err(Misread::NotNumber),
    }
}

/// Reads a count; a tool that knows an empty count writes the others as `12.0`.
fn count(cell: Cell<'_>) -> Result<u64, Misread> {
    let count = u64::try_from(cell.whole()?).map_err(|_| Misread::NotWhole)?;
    match count <= MOST {
        true => Ok(count),
        false => Err(Misread::TooLarge),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_whole_and_not_negative_however_it_is_written() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("12", Ok(12)),
            ("12.0", Ok(12)),
            ("9007199254740992", Ok(MOST)),
            ("9007199254740993", Err(Misread::TooLarge)),
            ("1e+05", Err(Misread::Shortened)),
            ("12.5", Err(Misread::NotWhole)),
            ("-1", Err(Misread::NotWhole)),
            ("NaN", Err(Misread::NotWhole)),
            ("many", Err(Misread::NotWhole)),
        ] {
            let read = count(Cell::new(text, Spelling::Text));
            assert_eq!(read, expected, "{text}");
        }
    }
}
