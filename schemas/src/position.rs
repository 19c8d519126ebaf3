//! Where an event happened: owns the checked position, its datum and the cells it falls in.
//!
//! Latitude comes first everywhere. A position is converted by the datum its source declares;
//! nothing here guesses a datum from a place.

mod datum;
mod mainland;

use h3o::{CellIndex, LatLng, Resolution};

pub use datum::{Datum, UnknownDatum, from_wgs84, to_wgs84};

use crate::lake::STORED_RESOLUTION;

/// Radius of the sphere H3 works on, in metres; the one distances here use too.
pub const EARTH_RADIUS_M: f64 = 6_371_007.180_918_475;

/// A position on the globe, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatLon {
    lat: f64,
    lon: f64,
}

/// A latitude and longitude that name no place.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("position {lat}, {lon} is off the globe: latitude is -90 to 90, longitude -180 to 180")]
pub struct OffGlobe {
    /// Latitude as given, degrees.
    pub lat: f64,
    /// Longitude as given, degrees.
    pub lon: f64,
}

impl LatLon {
    /// Checks a position.
    ///
    /// # Errors
    /// When either number is not finite or beyond its range.
    ///
    /// ```
    /// let lima = schemas::LatLon::new(-12.05, -77.04)?;
    /// assert_eq!(lima.cell_r9().to_string(), "898e62c0cc3ffff");
    /// assert!(schemas::LatLon::new(91.0, 0.0).is_err());
    /// # Ok::<(), schemas::position::OffGlobe>(())
    /// ```
    pub fn new(lat: f64, lon: f64) -> Result<Self, OffGlobe> {
        // NaN is in no range, infinity neither.
        if (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon) {
            Ok(Self { lat, lon })
        } else {
            Err(OffGlobe { lat, lon })
        }
    }

    /// Returns the latitude in degrees.
    pub const fn lat(self) -> f64 {
        self.lat
    }

    /// Returns the longitude in degrees.
    pub const fn lon(self) -> f64 {
        self.lon
    }

    /// Tells whether this is latitude and longitude 0, which receivers write that have no fix: open sea,
    /// 600 km from any terminal.
    pub fn is_null_island(self) -> bool {
        const NEAR_DEGREES: f64 = 0.001;
        self.lat.abs() < NEAR_DEGREES && self.lon.abs() < NEAR_DEGREES
    }

    /// Returns the stored cell, at resolution 9.
    pub fn cell_r9(self) -> CellIndex {
        LatLng::new(self.lat, self.lon)
            .expect("a checked position is finite")
            .to_cell(STORED_RESOLUTION)
    }

    /// Returns the cell that names the lake partition of this position.
    ///
    /// `None` when the resolution is finer than the stored cell.
    pub fn partition_cell(self, resolution: Resolution) -> Option<CellIndex> {
        partition_cell(self.cell_r9(), resolution)
    }
}

/// Returns the partition of a stored cell; `None` when the resolution is finer than the cell.
///
/// It is the parent of the stored cell, not the coarse cell the position itself falls in: near
/// borders the two differ, and only the parent's range of cells holds the stored one.
pub fn partition_cell(cell_r9: CellIndex, resolution: Resolution) -> Option<CellIndex> {
    cell_r9.parent(resolution)
}

/// Returns the great-circle distance between two positions, in metres.
pub fn haversine_m(one: LatLon, other: LatLon) -> f64 {
    let half_lat = ((other.lat - one.lat) / 2.0).to_radians().sin();
    let half_lon = ((other.lon - one.lon) / 2.0).to_radians().sin();
    let shrink = one.lat.to_radians().cos() * other.lat.to_radians().cos();
    let square = half_lat * half_lat + shrink * half_lon * half_lon;
    2.0 * EARTH_RADIUS_M * square.clamp(0.0, 1.0).sqrt().asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lat: f64, lon: f64) -> LatLon {
        LatLon::new(lat, lon).expect("on the globe")
    }

    #[test]
    fn only_places_on_the_globe_are_positions() {
        for (lat, lon) in [(90.0, 180.0), (-90.0, -180.0), (0.0, 0.0)] {
            assert!(LatLon::new(lat, lon).is_ok());
        }
        for (lat, lon) in [
            (90.000_1, 0.0),
            (0.0, 180.000_1),
            (f64::NAN, 0.0),
            (0.0, f64::INFINITY),
        ] {
            assert!(LatLon::new(lat, lon).is_err(), "{lat}, {lon}");
        }
    }

    #[test]
    fn a_degree_of_latitude_is_a_sixtieth_of_sixty_nautical_miles() {
        let distance_m = haversine_m(at(10.0, 20.0), at(11.0, 20.0));
        assert!((distance_m - EARTH_RADIUS_M.to_radians()).abs() < 1e-6);
        let across_m = haversine_m(at(0.0, 179.5), at(0.0, -179.5));
        assert!((across_m - EARTH_RADIUS_M.to_radians()).abs() < 1e-6);
        let halfway_m = haversine_m(at(90.0, 0.0), at(-90.0, 0.0));
        assert!((halfway_m - EARTH_RADIUS_M * std::f64::consts::PI).abs() < 1e-6);
    }

    #[test]
    fn a_partition_holds_the_stored_cells_of_its_positions() {
        for step in 0..2_000 {
            let step = f64::from(step);
            let place = at((step * 0.37) % 180.0 - 90.0, (step * 7.13) % 360.0 - 180.0);
            for resolution in [Resolution::Zero, Resolution::Two, Resolution::Four] {
                let partition = place.partition_cell(resolution).expect("coarser than r9");
                let (low, high) =
                    crate::lake::stored_cell_range(partition).expect("coarser than r9");
                assert!((low..=high).contains(&crate::lake::cell_to_i64(place.cell_r9())));
            }
        }
        assert_eq!(at(1.0, 1.0).partition_cell(Resolution::Ten), None);
    }
}
