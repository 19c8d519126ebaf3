//! Where a row happened: the declared position to WGS-84 and to the cells it falls in.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray, StringBuilder,
};
use arrow::datatypes::Float64Type;
use h3o::{CellIndex, Resolution};
use schemas::LatLon;

use super::places::{Declared, Found, Places};

/// The columns a position fills.
pub(super) struct Place {
    lat: ArrayRef,
    lon: ArrayRef,
    lat_declared: ArrayRef,
    lon_declared: ArrayRef,
    cell_r9: ArrayRef,
    partition_cell: ArrayRef,
    nowhere: Vec<usize>,
}

impl Place {
    /// Returns the rows whose position is none: what receivers write that have no fix.
    pub(super) fn nowhere(&self) -> impl Iterator<Item = usize> {
        self.nowhere.iter().copied()
    }

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

/// Places rows whose positions were checked. `known` may have what was found of a row before.
pub(super) fn locate(
    wire: &RecordBatch,
    known: impl Fn(usize) -> Option<Found>,
    partition_resolution: Resolution,
    places: &mut Places,
) -> Place {
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
    let find = |row: usize| {
        if lats.is_null(row) || lons.is_null(row) || datum.is_null(row) {
            return None;
        }
        let declared = Declared {
            datum: datum.value(row).parse().ok()?,
            lat: lats.value(row),
            lon: lons.value(row),
        };
        match known(row) {
            Some(found) if found.declared == declared => Some(found),
            _ => places.find(declared),
        }
    };
    let found: Vec<Option<Found>> = (0..wire.num_rows()).map(find).collect();
    let is_nowhere = |row: &usize| lats.is_valid(*row) && found[*row].is_none();
    let degrees = |of: fn(LatLon) -> f64| -> ArrayRef {
        let values = found.iter().map(|found| found.map(|found| of(found.wgs84)));
        Arc::new(values.collect::<Float64Array>())
    };
    let cells = || found.iter().map(|found| found.map(|found| found.cell));
    Place {
        lat: degrees(LatLon::lat),
        lon: degrees(LatLon::lon),
        lat_declared: lat.clone(),
        lon_declared: lon.clone(),
        cell_r9: Arc::new(
            cells()
                .map(|cell| cell.map(schemas::lake::cell_to_i64))
                .collect::<Int64Array>(),
        ),
        partition_cell: Arc::new(partitions(cells(), partition_resolution)),
        nowhere: (0..wire.num_rows()).filter(is_nowhere).collect(),
    }
}

/// Names the partition of every cell; rows of one stand together mostly.
fn partitions(
    cells: impl ExactSizeIterator<Item = Option<CellIndex>>,
    resolution: Resolution,
) -> StringArray {
    let mut partitions = StringBuilder::with_capacity(cells.len(), cells.len() * 15);
    let mut before: Option<(CellIndex, String)> = None;
    for cell in cells {
        let parent = cell.and_then(|cell| schemas::position::partition_cell(cell, resolution));
        if let Some(parent) = parent
            && before.as_ref().is_none_or(|(of, _)| *of != parent)
        {
            before = Some((parent, parent.to_string()));
        }
        let name = before.as_ref().map(|(_, name)| name);
        partitions.append_option(name.filter(|_| parent.is_some()));
    }
    partitions.finish()
}
