//! Where declared positions are: in WGS-84, and in which cell.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use h3o::CellIndex;
use schemas::{Datum, LatLon};

/// Positions of a generation, at about 80 bytes each: as many as a table of 2^16 places takes.
const REMEMBERED: usize = 7 << 13;

/// A position as an event declares it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Declared {
    pub(crate) datum: Datum,
    pub(crate) lat: f64,
    pub(crate) lon: f64,
}

/// A declared position, found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Found {
    pub(crate) declared: Declared,
    /// The position in WGS-84.
    pub(crate) wgs84: LatLon,
    /// Its cell at resolution 9.
    pub(crate) cell: CellIndex,
}

type Known = HashMap<(u64, u64, Datum), Found, FixedState>;

/// Finds positions, and remembers the last ones whose datum takes long to convert: two generations, of
/// which the elder is forgotten when the younger is full.
#[derive(Debug, Default)]
pub(crate) struct Places {
    younger: Known,
    elder: Known,
}

impl Places {
    /// Finds a position; `None` when there is no such place, or it stands for none.
    pub(crate) fn find(&mut self, declared: Declared) -> Option<Found> {
        // The cell alone is found about as fast as a table looked up.
        if declared.datum == Datum::Wgs84 {
            return found(declared);
        }
        let key = (
            declared.lat.to_bits(),
            declared.lon.to_bits(),
            declared.datum,
        );
        if let Some(found) = self.younger.get(&key) {
            return Some(*found);
        }
        let found = match self.elder.get(&key) {
            Some(found) => *found,
            None => found(declared)?,
        };
        if self.younger.len() == REMEMBERED {
            self.elder = std::mem::take(&mut self.younger);
        }
        self.younger.insert(key, found);
        Some(found)
    }
}

fn found(declared: Declared) -> Option<Found> {
    let position = LatLon::new(declared.lat, declared.lon).ok()?;
    if position.is_null_island() {
        return None;
    }
    let wgs84 = schemas::position::to_wgs84(declared.datum, position);
    Some(Found {
        declared,
        wgs84,
        cell: wgs84.cell_r9(),
    })
}
