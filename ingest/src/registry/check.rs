//! The checks of registry rows, and the rows as a batch of the lake. Pure: no file, no lake.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field};
use chrono::{DateTime, Utc};
use schemas::card_data::mask_pans;
use schemas::lake::cell_to_i64;
use schemas::position::to_wgs84;
use schemas::registry::{RegistryColumn, file_columns};
use schemas::{Datum, LatLon};
use tabular::{Cell, Row};

use super::rows::RegistryFile;
use super::value::{Value, checked_value, days, integer, number, text};
use super::{Ids, LoadReport, RegistryError, RegistryTable, RowFault};

/// A good row: a value for every file column, and its place where it has one.
#[derive(Debug)]
struct GoodRow {
    values: Vec<Option<Value>>,
    declared: Option<LatLon>,
    /// On WGS-84.
    place: Option<LatLon>,
    origin: Origin,
}

/// Where a row was read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    file: usize,
    line: u64,
}

/// Rows checked so far.
#[derive(Debug)]
pub(super) struct Checked {
    table: RegistryTable,
    columns: &'static [RegistryColumn],
    files: Vec<String>,
    good: Vec<GoodRow>,
    by_id: BTreeMap<String, Origin>,
    rows_read: u64,
    rows_bad: u64,
    faults: Vec<RowFault>,
}

/// A fault of a row that does not know yet where the row is.
struct Wrong<'r> {
    column: &'r str,
    value: &'r str,
    reason: String,
}

impl Checked {
    pub(super) fn new(table: RegistryTable) -> Self {
        Self {
            table,
            columns: file_columns(table.table()),
            files: Vec::new(),
            good: Vec::new(),
            by_id: BTreeMap::new(),
            rows_read: 0,
            rows_bad: 0,
            faults: Vec::new(),
        }
    }

    /// Checks the rows of a file.
    pub(super) fn read(&mut self, mut file: RegistryFile) -> Result<(), RegistryError> {
        self.files.push(file.path.clone());
        let mut row = Row::default();
        loop {
            let more = file.rows.read(&mut row);
            let unreadable = |source| RegistryError::Read {
                file: file.path.clone(),
                source,
            };
            if !more.map_err(unreadable)? {
                return Ok(());
            }
            self.rows_read += 1;
            let origin = Origin {
                file: self.files.len() - 1,
                line: row.number(),
            };
            match self.check(&row, &file.places, &origin) {
                Ok(good) => self.good.push(good),
                Err(faults) => {
                    self.rows_bad += 1;
                    self.faults.extend(faults);
                }
            }
        }
    }

    fn check(
        &mut self,
        row: &Row,
        places: &[Option<usize>],
        origin: &Origin,
    ) -> Result<GoodRow, Vec<RowFault>> {
        if let Some(fault) = row.fault() {
            let wrong = Wrong {
                column: "",
                value: "",
                reason: fault.to_string(),
            };
            return Err(vec![self.fault(origin, &wrong)]);
        }
        let cells = places.iter().map(|at| match at {
            Some(at) => row.cell(*at),
            None => Cell::EMPTY,
        });
        let cells: Vec<Cell<'_>> = cells.collect();
        let mut wrong = Vec::new();
        let mut values = Vec::new();
        for (column, cell) in self.columns.iter().zip(&cells) {
            match checked_value(column, *cell) {
                Ok(value) => values.push(value),
                Err(reason) => {
                    wrong.push(Wrong {
                        column: &column.column,
                        value: cell.text(),
                        reason,
                    });
                    values.push(None);
                }
            }
        }
        wrong.extend(self.repeated_id(&cells));
        let (mut declared, mut place) = (None, None);
        if self.table == RegistryTable::Terminals && wrong.is_empty() {
            match self.position(&values) {
                Ok(found) => (declared, place) = found.unzip(),
                Err((column, reason)) => {
                    wrong.push(Wrong {
                        column,
                        value: self.cell(&cells, column).text(),
                        reason,
                    });
                }
            }
        }
        if !wrong.is_empty() {
            return Err(wrong
                .iter()
                .map(|wrong| self.fault(origin, wrong))
                .collect());
        }
        let id = self.cell(&cells, self.table.id_column()).plain();
        self.by_id.insert(id.to_owned(), origin.clone());
        Ok(GoodRow {
            values,
            declared,
            place,
            origin: origin.clone(),
        })
    }

    fn at(&self, column: &str) -> usize {
        let at = self.columns.iter().position(|own| own.column == column);
        at.expect("checks name columns of the contract")
    }

    fn cell<'r>(&self, cells: &[Cell<'r>], column: &str) -> Cell<'r> {
        cells[self.at(column)]
    }

    fn repeated_id<'r>(&self, cells: &[Cell<'r>]) -> Option<Wrong<'r>> {
        let column = self.table.id_column();
        let value = self.cell(cells, column).plain();
        let first = self.by_id.get(value)?;
        let reason = format!("is already in {}:{}", self.files[first.file], first.line);
        Some(Wrong {
            column,
            value,
            reason,
        })
    }

    /// Returns the declared position and the one on WGS-84, or the column at fault.
    fn position(
        &self,
        values: &[Option<Value>],
    ) -> Result<Option<(LatLon, LatLon)>, (&'static str, String)> {
        let number = |column| match &values[self.at(column)] {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        };
        let (lat, lon) = match (number("lat"), number("lon")) {
            (None, None) => return Ok(None),
            (Some(lat), Some(lon)) => (lat, lon),
            (Some(_), None) => return Err(("lon", "is missing beside lat".into())),
            (None, Some(_)) => return Err(("lat", "is missing beside lon".into())),
        };
        let Some(Value::Text(datum)) = &values[self.at("datum")] else {
            return Err((
                "datum",
                "is missing: a position needs its datum, it is never guessed".into(),
            ));
        };
        let datum: Datum = datum.parse().map_err(|_| ("datum", "is unknown".into()))?;
        let declared = LatLon::new(lat, lon).map_err(|off| ("lat", off.to_string()))?;
        if declared.is_null_island() {
            let reason = "is 0 beside lon 0, which is no place of a terminal: leave both empty";
            return Err(("lat", reason.into()));
        }
        Ok(Some((declared, to_wgs84(datum, declared))))
    }

    fn fault(&self, origin: &Origin, wrong: &Wrong<'_>) -> RowFault {
        RowFault {
            file: self.files[origin.file].clone(),
            line: origin.line,
            column: wrong.column.to_owned(),
            value: shown(wrong.value),
            reason: wrong.reason.clone(),
        }
    }

    /// Returns what was found.
    pub(super) fn report(&self) -> LoadReport {
        LoadReport {
            table: self.table.to_string(),
            rows_read: self.rows_read,
            rows_loaded: self.good.len() as u64,
            rows_bad: self.rows_bad,
            rows_in_table: 0,
            faults: self.faults.clone(),
            warnings: Vec::new(),
        }
    }

    /// Tells the good rows whose merchant is not a known one.
    pub(super) fn unknown_merchants(&self, known: &Ids) -> Vec<RowFault> {
        let column = "merchant_id";
        let at = self.at(column);
        let unknown = self.good.iter().filter_map(|row| match &row.values[at] {
            Some(Value::Text(id)) if !known.contains(id) => Some((row, id)),
            _ => None,
        });
        unknown
            .map(|(row, id)| {
                let reason = "is not a merchant of the lake".to_owned();
                self.fault(
                    &row.origin,
                    &Wrong {
                        column,
                        value: id,
                        reason,
                    },
                )
            })
            .collect()
    }

    /// Turns the good rows into a batch of the lake's table.
    pub(super) fn into_batch(self, now: DateTime<Utc>) -> RecordBatch {
        let schema = self.table.table().schema();
        let columns = schema
            .fields()
            .iter()
            .map(|field| self.column(field, now))
            .collect();
        RecordBatch::try_new(schema.clone(), columns)
            .expect("columns are made with the types of the table")
    }

    fn column(&self, field: &Field, now: DateTime<Utc>) -> ArrayRef {
        let rows = self.good.iter();
        match field.name().as_str() {
            "lat" => degrees(rows.map(|row| row.place.map(LatLon::lat))),
            "lon" => degrees(rows.map(|row| row.place.map(LatLon::lon))),
            "lat_declared" => degrees(rows.map(|row| row.declared.map(LatLon::lat))),
            "lon_declared" => degrees(rows.map(|row| row.declared.map(LatLon::lon))),
            "cell_r9" => {
                let cells = rows.map(|row| row.place.map(|place| cell_to_i64(place.cell_r9())));
                Arc::new(cells.collect::<Int64Array>())
            }
            "loaded_at" => {
                let times = rows.map(|_| now.timestamp_micros());
                let times = TimestampMicrosecondArray::from_iter_values(times);
                Arc::new(times.with_timezone(schemas::UTC))
            }
            listed => self.listed(self.at(listed), field.data_type()),
        }
    }

    fn listed(&self, at: usize, kind: &DataType) -> ArrayRef {
        let values = self.good.iter().map(|row| row.values[at].as_ref());
        match kind {
            DataType::Int32 => Arc::new(values.map(integer).collect::<Int32Array>()),
            DataType::Float64 => Arc::new(values.map(number).collect::<Float64Array>()),
            DataType::Date32 => Arc::new(values.map(days).collect::<Date32Array>()),
            _ => Arc::new(values.map(text).collect::<StringArray>()),
        }
    }
}

fn degrees(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.collect::<Float64Array>())
}

/// Longest part of a value a fault repeats.
const SHOWN_CHARS: usize = 60;

fn shown(value: &str) -> String {
    let masked = mask_pans(value.as_bytes());
    String::from_utf8_lossy(&masked)
        .chars()
        .take(SHOWN_CHARS)
        .collect()
}
