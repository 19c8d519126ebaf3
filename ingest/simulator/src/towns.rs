//! The towns of a country: real places by population, from GeoNames (credit in `data/README.md`).

use std::io::Read;

use chrono_tz::Tz;
use serde::Deserialize;

static CITIES: &[u8] = include_bytes!("../data/cities.csv.zst");

/// A place people shop in.
#[derive(Debug, Clone)]
pub struct Town {
    /// Name in its local spelling.
    pub name: String,
    /// Latitude, WGS-84.
    pub lat: f64,
    /// Longitude, WGS-84.
    pub lon: f64,
    /// First-level region, as GeoNames codes it.
    pub admin1: String,
    /// Inhabitants.
    pub population: f64,
    /// Clock its shops keep.
    pub time_zone: Tz,
}

#[derive(Deserialize)]
struct Row<'a> {
    name: &'a str,
    lat: f64,
    lon: f64,
    country: &'a str,
    admin1: &'a str,
    population: f64,
    timezone: &'a str,
}

impl Town {
    /// Returns the distance at which the town thins out, km; about 1 for 10,000 inhabitants, 8 for a million.
    pub fn radius_km(&self) -> f64 {
        0.95 * (self.population / 10_000.0).powf(0.45)
    }
}

/// Reads the towns of a country with at least this population, largest regions' order as shipped.
pub fn of_country(country: &str, min_population: u32) -> Vec<Town> {
    let mut text = Vec::new();
    zstd::Decoder::new(CITIES)
        .and_then(|mut decoder| decoder.read_to_end(&mut text))
        .expect("the embedded list of cities is zstd");
    let mut reader = csv::Reader::from_reader(text.as_slice());
    let headers = reader
        .byte_headers()
        .expect("the list has a header")
        .clone();
    let mut record = csv::ByteRecord::new();
    let mut towns = Vec::new();
    while reader
        .read_byte_record(&mut record)
        .expect("the embedded list is CSV")
    {
        let row: Row = record
            .deserialize(Some(&headers))
            .expect("rows match the header");
        if row.country == country && row.population >= f64::from(min_population) {
            towns.push(Town::from(row));
        }
    }
    towns
}

impl From<Row<'_>> for Town {
    fn from(row: Row<'_>) -> Self {
        Self {
            name: row.name.to_owned(),
            lat: row.lat,
            lon: row.lon,
            admin1: row.admin1.to_owned(),
            population: row.population,
            time_zone: row.timezone.parse().unwrap_or(Tz::UTC),
        }
    }
}

/// Draws towns by population.
pub struct TownPicker {
    cumulative: Vec<f64>,
}

impl TownPicker {
    /// Weighs towns; shops grow a little slower than inhabitants.
    pub fn new(towns: &[Town]) -> Self {
        let mut sum = 0.0;
        let cumulative = towns
            .iter()
            .map(|town| {
                sum += town.population.powf(0.93);
                sum
            })
            .collect();
        Self { cumulative }
    }

    /// Returns the town that a number in [0, 1) falls on.
    pub fn pick(&self, unit: f64) -> usize {
        let total = self.cumulative.last().copied().unwrap_or(0.0);
        let at = self.cumulative.partition_point(|sum| *sum <= unit * total);
        at.min(self.cumulative.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_has_its_real_towns() {
        let towns = of_country("PT", 5_000);
        assert!(towns.len() > 400, "{}", towns.len());
        let lisbon = towns
            .iter()
            .find(|town| town.name == "Lisbon")
            .expect("the capital is there");
        assert!((lisbon.lat - 38.7).abs() < 0.1 && (lisbon.lon + 9.1).abs() < 0.1);
        assert_eq!(lisbon.time_zone, Tz::Europe__Lisbon);
        assert!(of_country("XX", 0).is_empty());
    }

    #[test]
    fn every_time_zone_of_the_list_is_known() {
        let mut text = String::new();
        zstd::Decoder::new(CITIES)
            .and_then(|mut decoder| decoder.read_to_string(&mut text))
            .expect("UTF-8 in zstd");
        for line in text.lines().skip(1) {
            let zone = line.rsplit(',').next().expect("a last column");
            assert!(zone.parse::<Tz>().is_ok(), "{line}");
        }
    }
}
