//! The extent in which Chinese datums shift: a coarse outline, owned here and used by `datum`.
//!
//! The customary box (0.83 to 55.83 N, 72.0 to 137.8 E) takes in Hanoi, Seoul and Delhi; the
//! outline is that of Natural Earth, and stands a few kilometres off where nobody lives.

use std::sync::LazyLock;

use serde::Deserialize;

use super::LatLon;

/// Height of a band of the index, degrees of latitude.
const BAND_DEG: f64 = 0.5;

#[derive(Deserialize)]
struct Corner {
    ring: u32,
    lat: f64,
    lon: f64,
}

/// One side of a ring, from south to north.
struct Side {
    south: (f64, f64),
    north: (f64, f64),
}

/// The outline's sides by the bands of latitude they cross, so that a test looks at a few sides.
struct Outline {
    south_deg: f64,
    bands: Vec<Vec<Side>>,
}

static OUTLINE: LazyLock<Outline> = LazyLock::new(|| {
    let file = include_str!("mainland_china.csv");
    let corners: Vec<Corner> = csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .from_reader(file.as_bytes())
        .deserialize()
        .collect::<Result<_, _>>()
        .expect("the embedded outline is a table of corners");
    Outline::new(&corners)
});

/// Says whether a WGS-84 position lies where Chinese datums shift.
pub(super) fn contains(place: LatLon) -> bool {
    OUTLINE.contains(place)
}

impl Outline {
    fn new(corners: &[Corner]) -> Self {
        let lats = corners.iter().map(|corner| corner.lat);
        let south_deg = lats.clone().fold(f64::INFINITY, f64::min);
        let north_deg = lats.fold(f64::NEG_INFINITY, f64::max);
        let count = ((north_deg - south_deg) / BAND_DEG) as usize + 1;
        let mut outline = Self {
            south_deg,
            bands: (0..count).map(|_| Vec::new()).collect(),
        };
        for pair in corners.windows(2) {
            // Rings are closed, so a side never joins two of them.
            if pair[0].ring == pair[1].ring {
                outline.add((pair[0].lat, pair[0].lon), (pair[1].lat, pair[1].lon));
            }
        }
        outline
    }

    fn add(&mut self, one: (f64, f64), other: (f64, f64)) {
        let (south, north) = if one.0 <= other.0 {
            (one, other)
        } else {
            (other, one)
        };
        let inside = "a corner lies between the southernmost and the northernmost";
        let (first, last) = (
            self.band(south.0).expect(inside),
            self.band(north.0).expect(inside),
        );
        for band in &mut self.bands[first..=last] {
            band.push(Side { south, north });
        }
    }

    fn band(&self, lat: f64) -> Option<usize> {
        let band = (lat - self.south_deg) / BAND_DEG;
        (band >= 0.0 && (band as usize) < self.bands.len()).then_some(band as usize)
    }

    /// Counts the sides west of the place: an odd number means inside.
    fn contains(&self, place: LatLon) -> bool {
        let Some(band) = self.band(place.lat()) else {
            return false;
        };
        let west = self.bands[band]
            .iter()
            .filter(|side| side.is_west_of(place));
        west.count() % 2 == 1
    }
}

impl Side {
    fn is_west_of(&self, place: LatLon) -> bool {
        let ((south_lat, south_lon), (north_lat, north_lon)) = (self.south, self.north);
        // Half open, so that a corner counts once.
        if !(south_lat..north_lat).contains(&place.lat()) {
            return false;
        }
        let share = (place.lat() - south_lat) / (north_lat - south_lat);
        south_lon + share * (north_lon - south_lon) < place.lon()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mainland_cities_are_inside_and_neighbours_outside() {
        for (name, lat, lon, inside) in [
            ("Beijing", 39.90, 116.40, true),
            ("Urumqi", 43.80, 87.60, true),
            ("Kashgar", 39.47, 75.99, true),
            ("Lhasa", 29.65, 91.10, true),
            ("Haikou", 20.03, 110.33, true),
            ("Zhoushan", 29.98, 122.20, true),
            ("Harbin", 45.75, 126.63, true),
            ("Xiamen", 24.48, 118.09, true),
            ("Shenzhen, Luohu", 22.545, 114.118, true),
            ("Zhuhai, Gongbei", 22.223, 113.548, true),
            ("Hong Kong, Lo Wu", 22.528, 114.113, false),
            ("Hong Kong, Central", 22.28, 114.16, false),
            ("Macao", 22.19, 113.54, false),
            ("Kinmen", 24.43, 118.32, false),
            ("Taipei", 25.03, 121.56, false),
            ("Hanoi", 21.03, 105.85, false),
            ("Seoul", 37.57, 126.98, false),
            ("Delhi", 28.61, 77.21, false),
            ("Ulaanbaatar", 47.90, 106.90, false),
            ("Singapore", 1.35, 103.82, false),
            ("Blagoveshchensk", 50.29, 127.53, false),
            ("New York", 40.71, -74.01, false),
        ] {
            let place = LatLon::new(lat, lon).expect("a city is on the globe");
            assert_eq!(contains(place), inside, "{name}");
        }
    }
}
