//! Base stations: where each carrier has them, and which ones a place hears.

use std::collections::HashMap;

use crate::dice::{self, Dice};
use crate::radio;
use crate::towns::Town;
use crate::world::CarrierInfo;

/// Side of the squares sites are looked up by, degrees of latitude: some 2 km.
const SQUARE_DEG: f64 = 0.02;
/// Squares looked at around a place before giving up; some 90 km.
const FARTHEST_RING: i32 = 40;
/// Inhabitants one dense site serves, at density 1.
const INHABITANTS_PER_SITE: f64 = 7_000.0;
/// Sites in a square and the eight around it, some 35 km², from which on they are many: half the towns of
/// 15,000 inhabitants have so many, and seven in eight above 50,000; a lonely village has fewer.
const MANY_SITES: usize = 8;
/// Distance between sites along a road from town to town, km, at density 1.
const ROAD_SITE_KM: f64 = 5.0;

/// Kilometres of one degree of latitude.
pub const KM_PER_DEG: f64 = 111.195;

/// A flat map of one country: good to a percent, which a model of radio does not notice.
#[derive(Debug, Clone, Copy)]
pub struct Plane {
    shrink: f64,
}

impl Plane {
    /// Lays the map through the middle of the towns.
    pub fn of(towns: &[Town]) -> Self {
        let mean_lat = towns.iter().map(|town| town.lat).sum::<f64>() / towns.len() as f64;
        Self {
            shrink: mean_lat.to_radians().cos(),
        }
    }

    /// Returns kilometres east and north.
    pub fn km(self, lat: f64, lon: f64) -> (f64, f64) {
        (lon * KM_PER_DEG * self.shrink, lat * KM_PER_DEG)
    }

    /// Returns the place so many kilometres east and north of another.
    pub fn offset(self, lat: f64, lon: f64, east_km: f64, north_km: f64) -> (f64, f64) {
        let lat = lat + north_km / KM_PER_DEG;
        (lat, lon + east_km / (KM_PER_DEG * self.shrink))
    }

    /// Returns the distance between two places, km.
    pub fn distance_km(self, one: (f64, f64), other: (f64, f64)) -> f64 {
        let (east, north) = self.km(one.0 - other.0, one.1 - other.1);
        east.hypot(north)
    }
}

#[derive(Debug, Clone, Copy)]
struct Site {
    lat: f32,
    lon: f32,
    id: u32,
    dense: bool,
}

/// The sites of one carrier.
pub struct Sites {
    squares: HashMap<(i32, i32), Vec<Site>>,
    plane: Plane,
}

/// What a place hears of one carrier.
#[derive(Debug, Clone, Copy)]
pub struct Heard {
    /// The strongest site.
    pub site: u32,
    /// Whether that site is one of many.
    pub dense: bool,
    /// Its level before shadowing and walls, dBm.
    pub level_dbm: f64,
    /// Level of the second strongest, dBm.
    pub other_level_dbm: f64,
}

impl Sites {
    /// Builds the sites of a carrier: in every town by population, and along the roads between.
    pub fn build(
        seed: u64,
        carrier: usize,
        info: &CarrierInfo,
        towns: &[Town],
        roads: &[[usize; 3]],
        plane: Plane,
    ) -> Self {
        let mut sites = Self {
            squares: HashMap::new(),
            plane,
        };
        let mut next_id = 0;
        for (at, town) in towns.iter().enumerate() {
            let mut dice = Dice::new(&[seed, 0x5173, carrier as u64, at as u64]);
            sites.add_in_town(&mut dice, town, info.density, &mut next_id);
            for other in roads[at]
                .iter()
                .filter(|other| **other > at || !roads[**other].contains(&at))
            {
                sites.add_along_road(&mut dice, town, &towns[*other], info.density, &mut next_id);
            }
        }
        sites.mark_dense();
        sites
    }

    fn add_in_town(&mut self, dice: &mut Dice, town: &Town, density: f64, next_id: &mut u32) {
        let count = (town.population / INHABITANTS_PER_SITE * density).ceil() as u32;
        for _ in 0..count {
            let reach = town.radius_km();
            let (east, north) = (dice.normal() * reach * 0.6, dice.normal() * reach * 0.6);
            let (lat, lon) = self.plane.offset(town.lat, town.lon, east, north);
            self.add(lat, lon, next_id);
        }
    }

    fn add_along_road(
        &mut self,
        dice: &mut Dice,
        from: &Town,
        to: &Town,
        density: f64,
        next_id: &mut u32,
    ) {
        let length_km = self
            .plane
            .distance_km((from.lat, from.lon), (to.lat, to.lon));
        let count = (length_km.min(120.0) / ROAD_SITE_KM * density) as u32;
        for _ in 0..count {
            let along = dice.unit();
            let lat = from.lat + (to.lat - from.lat) * along;
            let lon = from.lon + (to.lon - from.lon) * along;
            let (lat, lon) = self
                .plane
                .offset(lat, lon, dice.normal() * 0.8, dice.normal() * 0.8);
            self.add(lat, lon, next_id);
        }
    }

    fn add(&mut self, lat: f64, lon: f64, next_id: &mut u32) {
        let site = Site {
            lat: lat as f32,
            lon: lon as f32,
            id: *next_id,
            dense: false,
        };
        *next_id += 1;
        self.squares.entry(square(lat, lon)).or_default().push(site);
    }

    /// Sites among many stand low and on higher bands, whichever town or road they were built for.
    fn mark_dense(&mut self) {
        let counts: HashMap<(i32, i32), usize> = self
            .squares
            .iter()
            .map(|(at, sites)| (*at, sites.len()))
            .collect();
        for ((row, column), sites) in &mut self.squares {
            let around = (0..=1).flat_map(|ring| ring_around(*row, *column, ring));
            let many: usize = around.filter_map(|near| counts.get(&near)).sum();
            for site in sites {
                site.dense = many >= MANY_SITES;
            }
        }
    }

    /// Returns what a place hears of this carrier.
    pub fn heard_at(&self, lat: f64, lon: f64) -> Heard {
        let mut heard = Heard {
            site: 0,
            dense: false,
            level_dbm: -150.0,
            other_level_dbm: -150.0,
        };
        let (row, column) = square(lat, lon);
        let mut found_in = None;
        for ring in 0..=FARTHEST_RING {
            // Once something is heard, one more ring may hold something nearer still.
            if found_in.is_some_and(|first| ring > first + 1) {
                break;
            }
            for near in ring_around(row, column, ring) {
                for site in self.squares.get(&near).into_iter().flatten() {
                    heard.take(site, self.plane.distance_km((lat, lon), site.place()));
                    found_in.get_or_insert(ring);
                }
            }
        }
        heard
    }
}

impl Site {
    fn place(&self) -> (f64, f64) {
        (f64::from(self.lat), f64::from(self.lon))
    }
}

impl Heard {
    fn take(&mut self, site: &Site, distance_km: f64) {
        let level_dbm = radio::mean_level_dbm(distance_km, site.dense);
        if level_dbm > self.level_dbm {
            self.other_level_dbm = self.level_dbm;
            (self.site, self.dense, self.level_dbm) = (site.id, site.dense, level_dbm);
        } else {
            self.other_level_dbm = self.other_level_dbm.max(level_dbm);
        }
    }
}

fn square(lat: f64, lon: f64) -> (i32, i32) {
    (
        (lat / SQUARE_DEG).floor() as i32,
        (lon / SQUARE_DEG).floor() as i32,
    )
}

/// Walks the border of the square of squares at a distance.
fn ring_around(row: i32, column: i32, ring: i32) -> impl Iterator<Item = (i32, i32)> {
    (-ring..=ring).flat_map(move |up| {
        let step = if up.abs() == ring {
            1
        } else {
            (2 * ring).max(1)
        };
        (-ring..=ring)
            .step_by(usize::try_from(step).expect("a step is positive"))
            .map(move |right| (row + up, column + right))
    })
}

/// Returns the three nearest other towns of every town, where roads lead.
pub fn roads(towns: &[Town], plane: Plane) -> Vec<[usize; 3]> {
    let places: Vec<(f64, f64)> = towns
        .iter()
        .map(|town| plane.km(town.lat, town.lon))
        .collect();
    let nearest = |from: usize| {
        let mut best = [(f64::INFINITY, from); 3];
        for (at, place) in places.iter().enumerate().filter(|(at, _)| *at != from) {
            let square = (place.0 - places[from].0).powi(2) + (place.1 - places[from].1).powi(2);
            if square < best[2].0 {
                best[2] = (square, at);
                best.sort_by(|one, other| one.0.total_cmp(&other.0));
            }
        }
        best.map(|(_, at)| at)
    };
    (0..towns.len()).map(nearest).collect()
}

/// Loss through the walls of a shop, dB; the same for everything inside.
pub fn wall_loss_db(seed: u64, merchant: u64) -> f64 {
    (8.0 + 4.0 * dice::normal(dice::hash(&[seed, 0x0a11, merchant]))).clamp(0.0, 20.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_walks_its_border_once() {
        for ring in 0..4 {
            let mut squares: Vec<_> = ring_around(10, -3, ring).collect();
            let expected = if ring == 0 { 1 } else { 8 * ring };
            assert_eq!(squares.len(), usize::try_from(expected).expect("small"));
            squares.sort_unstable();
            squares.dedup();
            assert_eq!(squares.len(), usize::try_from(expected).expect("small"));
        }
    }

    #[test]
    fn towns_are_heard_better_than_the_far_country() {
        let towns = crate::towns::of_country("PT", 5_000);
        let plane = Plane::of(&towns);
        let carrier = CarrierInfo {
            plmn: "268-01".into(),
            sim_share: 1.0,
            density: 1.0,
            rats: 1,
        };
        let sites = Sites::build(1, 0, &carrier, &towns, &roads(&towns, plane), plane);
        let lisbon = sites.heard_at(38.72, -9.14);
        assert!(lisbon.dense && lisbon.level_dbm > -100.0, "{lisbon:?}");
        assert!(lisbon.other_level_dbm <= lisbon.level_dbm);
        let alentejo = sites.heard_at(37.85, -7.80);
        assert!(!alentejo.dense, "{alentejo:?}");
        let atlantic = sites.heard_at(38.0, -10.4);
        assert!(atlantic.level_dbm < -118.0, "{atlantic:?}");
    }
}
