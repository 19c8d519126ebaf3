//! Cells for a map: owns the shape a map page reads; the numbers are the coverage report's own.

use std::collections::{BTreeSet, HashMap};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use h3o::{CellIndex, LatLng};
use serde::Serialize;

use crate::report::{self, Params, ReportError};
use crate::session::{Answer, LakeSession};

const COVERAGE: &str = "coverage";
const CARRIERS: &str = "carriers";

/// Everything a map of cells shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MapData {
    /// The cells, worst first.
    pub cells: Vec<MapCell>,
}

/// A cell with its outline and numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MapCell {
    /// The cell of resolution 8, hexadecimal.
    pub cell: String,
    /// Its corners, latitude and longitude in degrees; the first is not repeated.
    pub boundary: Vec<[f64; 2]>,
    /// Its centre, latitude and longitude in degrees.
    pub centre: [f64; 2],
    /// Terminals that sent anything from there.
    pub terminals: i64,
    /// Sale attempts.
    pub attempts: i64,
    /// Attempts without an answer from the host.
    pub out_of_range_failures: i64,
    /// `out_of_range_failures / attempts`.
    pub rate: Option<f64>,
    /// Lower end of its 95 % interval.
    pub rate_low: Option<f64>,
    /// Upper end of its 95 % interval.
    pub rate_high: Option<f64>,
    /// Signal readings that can be judged.
    pub readings: i64,
    /// Those that are weak.
    pub weak_readings: i64,
    /// `weak_readings / readings`.
    pub weak_share: Option<f64>,
    /// Median RSRP, dBm.
    pub rsrp_p50_dbm: Option<f64>,
    /// The part of each carrier seen there.
    pub carriers: Vec<MapCarrier>,
}

/// A carrier's part in the numbers of a cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MapCarrier {
    /// The network, MCC-MNC.
    pub plmn: String,
    /// Terminals that sent anything from there on it.
    pub terminals: i64,
    /// Sale attempts.
    pub attempts: i64,
    /// Attempts without an answer from the host.
    pub out_of_range_failures: i64,
    /// `out_of_range_failures / attempts`.
    pub rate: Option<f64>,
    /// Lower end of its 95 % interval.
    pub rate_low: Option<f64>,
    /// Upper end of its 95 % interval.
    pub rate_high: Option<f64>,
    /// Signal readings that can be judged.
    pub readings: i64,
    /// Those that are weak.
    pub weak_readings: i64,
    /// `weak_readings / readings`.
    pub weak_share: Option<f64>,
}

/// Returns the cells of the coverage report with its parameters, and each carrier's part in them.
///
/// Events without a position are in the report and not on the map; those of an unknown carrier
/// are in a cell's own numbers alone.
///
/// # Errors
/// As the report's.
pub async fn map_cells(lake: &LakeSession, params: &Params) -> Result<MapData, ReportError> {
    let answer = report::find(COVERAGE)?.run(lake, params).await?;
    let mut cells = read_cells(&answer)?;
    for plmn in carriers(lake, params).await? {
        add_carrier(lake, params, &mut cells, &plmn).await?;
    }
    Ok(MapData { cells })
}

async fn add_carrier(
    lake: &LakeSession,
    params: &Params,
    cells: &mut [MapCell],
    plmn: &str,
) -> Result<(), ReportError> {
    // Which cells are shown is settled; a carrier's part in one of them may be small.
    let params = params
        .clone()
        .with("plmn", plmn)
        .with("min_attempts", "0")
        .without("top");
    let answer = report::find(COVERAGE)?.run(lake, &params).await?;
    let mut found: HashMap<String, MapCell> = read_cells(&answer)?
        .into_iter()
        .map(|part| (part.cell.clone(), part))
        .collect();
    for cell in cells {
        if let Some(part) = found.remove(&cell.cell) {
            cell.carriers.push(part.into_carrier(plmn));
        }
    }
    Ok(())
}

impl MapCell {
    fn into_carrier(self, plmn: &str) -> MapCarrier {
        MapCarrier {
            plmn: plmn.to_owned(),
            terminals: self.terminals,
            attempts: self.attempts,
            out_of_range_failures: self.out_of_range_failures,
            rate: self.rate,
            rate_low: self.rate_low,
            rate_high: self.rate_high,
            readings: self.readings,
            weak_readings: self.weak_readings,
            weak_share: self.weak_share,
        }
    }
}

/// Names the carriers of the window, or the one that was asked for.
async fn carriers(lake: &LakeSession, params: &Params) -> Result<Vec<String>, ReportError> {
    if let Some((_, plmn)) = params.iter().find(|(name, _)| *name == "plmn") {
        return Ok(vec![plmn.to_owned()]);
    }
    let report = report::find(CARRIERS)?;
    let shared = params
        .iter()
        .filter(|(name, _)| report.params.iter().any(|p| p.name == *name));
    let answer = report.run(lake, &report.parse_params(shared)?).await?;
    let mut names = BTreeSet::new();
    for batch in &answer.batches {
        let column = column(CARRIERS, batch, "carrier_plmn", &DataType::Utf8)?;
        names.extend(
            column
                .as_string::<i32>()
                .iter()
                .flatten()
                .map(str::to_owned),
        );
    }
    Ok(names.into_iter().collect())
}

fn read_cells(answer: &Answer) -> Result<Vec<MapCell>, ReportError> {
    let mut cells = Vec::with_capacity(answer.rows());
    for batch in &answer.batches {
        let names = column(COVERAGE, batch, "cell_r8", &DataType::Utf8)?.as_string::<i32>();
        for (row, name) in names.iter().enumerate() {
            if let Some(cell) = name.and_then(|name| name.parse().ok()) {
                cells.push(map_cell(cell, Row { batch, row })?);
            }
        }
    }
    Ok(cells)
}

fn map_cell(cell: CellIndex, row: Row<'_>) -> Result<MapCell, ReportError> {
    let position = |at: LatLng| [at.lat(), at.lng()];
    Ok(MapCell {
        cell: cell.to_string(),
        boundary: cell
            .boundary()
            .iter()
            .map(|corner| position(*corner))
            .collect(),
        centre: position(cell.into()),
        terminals: row.count("terminals")?,
        attempts: row.count("attempts")?,
        out_of_range_failures: row.count("out_of_range_failures")?,
        rate: row.number("rate")?,
        rate_low: row.number("rate_low")?,
        rate_high: row.number("rate_high")?,
        readings: row.count("readings")?,
        weak_readings: row.count("weak_readings")?,
        weak_share: row.number("weak_share")?,
        rsrp_p50_dbm: row.number("rsrp_p50_dbm")?,
        carriers: Vec::new(),
    })
}

#[derive(Clone, Copy)]
struct Row<'a> {
    batch: &'a RecordBatch,
    row: usize,
}

impl Row<'_> {
    fn count(self, name: &'static str) -> Result<i64, ReportError> {
        let column = column(COVERAGE, self.batch, name, &DataType::Int64)?;
        Ok(column.as_primitive::<Int64Type>().value(self.row))
    }

    fn number(self, name: &'static str) -> Result<Option<f64>, ReportError> {
        let column = column(COVERAGE, self.batch, name, &DataType::Float64)?;
        let value = || column.as_primitive::<Float64Type>().value(self.row);
        Ok(column.is_valid(self.row).then(value))
    }
}

fn column<'a>(
    report: &str,
    batch: &'a RecordBatch,
    name: &'static str,
    kind: &DataType,
) -> Result<&'a dyn Array, ReportError> {
    batch
        .column_by_name(name)
        .filter(|column| column.data_type() == kind)
        .map(|column| column.as_ref())
        .ok_or_else(|| ReportError::Column {
            report: report.to_owned(),
            column: name,
        })
}
