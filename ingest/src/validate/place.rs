//! Where a row happened: the declared position to WGS-84 and to the cells it falls in.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray, StringBuilder,
};
use arrow::datatypes::Float64Type;
use foldhash::fast::FixedState;
use h3o::{CellIndex, Resolution};
use schemas::{Datum, LatLon};

/// The columns a position fills.
pub(super) struct Place {
    lat: ArrayRef,
    lon: ArrayRef,
    lat_declared: ArrayRef,
    lon_declared: ArrayRef,
    cell_r9: ArrayRef,
    partition_cell: ArrayRef,
}

impl Place {
    pub(super) fn column(&self, name: &str) -> Option<ArrayRef> {
        Some(match name {
            "lat" => self.lat.clone(),
            "lon" => self.lon.clone(),
            "lat_declared" => self.lat_declared.clone(),
            "lon_declared" => self.lon_declared.clone(),
            "cell_r9" => self.cell_r9.clone(),
            "partition_cell" => self.partition_cell.clone(),
            _ => return None,
        })
    }
}

/// Places rows whose positions were checked.
pub(super) fn locate(wire: &RecordBatch, partition_resolution: Resolution) -> Place {
    let column = |name: &str| {
        wire.column_by_name(name)
            .expect("every contract has a position")
    };
    let (lat, lon) = (column("lat"), column("lon"));
    let datum = column("datum").as_string::<i32>();
    let (lats, lons) = (
        lat.as_primitive::<Float64Type>(),
        lon.as_primitive::<Float64Type>(),
    );
    let place = |row: usize| {
        if lats.is_null(row) || lons.is_null(row) || datum.is_null(row) {
            return None;
        }
        let declared = LatLon::new(lats.value(row), lons.value(row)).ok()?;
        let datum: Datum = datum.value(row).parse().ok()?;
        Some(schemas::position::to_wgs84(datum, declared))
    };
    let places: Vec<Option<LatLon>> = (0..wire.num_rows()).map(place).collect();
    let cells = cells(&places);
    let partitions = partitions(&cells, partition_resolution);
    Place {
        lat: Arc::new(
            places
                .iter()
                .map(|p| p.map(LatLon::lat))
                .collect::<Float64Array>(),
        ),
        lon: Arc::new(
            places
                .iter()
                .map(|p| p.map(LatLon::lon))
                .collect::<Float64Array>(),
        ),
        lat_declared: lat.clone(),
        lon_declared: lon.clone(),
        cell_r9: Arc::new(
            cells
                .iter()
                .map(|c| c.map(schemas::lake::cell_to_i64))
                .collect::<Int64Array>(),
        ),
        partition_cell: Arc::new(partitions),
    }
}

/// Returns the cell of every position. Terminals mostly stay where they are, and finding a cell takes
/// longer than finding the same position again.
fn cells(places: &[Option<LatLon>]) -> Vec<Option<CellIndex>> {
    let mut known: HashMap<[u64; 2], CellIndex, FixedState> = HashMap::default();
    let cell = |place: &Option<LatLon>| {
        let place = (*place)?;
        let bits = [place.lat(), place.lon()].map(f64::to_bits);
        Some(*known.entry(bits).or_insert_with(|| place.cell_r9()))
    };
    places.iter().map(cell).collect()
}

/// Names the partition of every cell.
fn partitions(cells: &[Option<CellIndex>], resolution: Resolution) -> StringArray {
    let mut names: HashMap<CellIndex, String, FixedState> = HashMap::default();
    let mut partitions = StringBuilder::with_capacity(cells.len(), cells.len() * 15);
    for cell in cells {
        let parent = cell.and_then(|cell| schemas::position::partition_cell(cell, resolution));
        let name = parent.map(|parent| &*names.entry(parent).or_insert_with(|| parent.to_string()));
        partitions.append_option(name);
    }
    partitions.finish()
}
