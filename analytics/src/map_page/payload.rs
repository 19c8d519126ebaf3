//! The map's data as the page reads it: owns its compact JSON form.
//!
//! Coordinates are whole numbers of 10⁻⁵ degree (about a metre), longitude first as everywhere on the web;
//! longitudes lie within half a turn of the fleet's middle, so that a fleet across the antimeridian hangs together.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::borders::{self, Bounds};
use super::{MapDocument, RATE_CLASS_BOUNDS};
use crate::map::MapCell;

/// Degrees of map kept around the cells.
const MARGIN_DEG: f64 = 4.0;
/// Steps per degree in cells, places and truths.
const FINE: f64 = 1e5;
/// Steps per degree in borders, which are no better than this.
const COARSE: f64 = 1e3;

/// Returns the document as JSON text.
pub(super) fn json(document: &MapDocument) -> String {
    let middle_lon = middle_longitude(&document.cells);
    let plmns = plmns(&document.cells);
    let carriers: Vec<Value> = plmns
        .iter()
        .map(|plmn| json!([plmn, document.carrier_names.get(*plmn)]))
        .collect();
    let cells: Vec<Value> = document
        .cells
        .iter()
        .map(|cell| cell_value(cell, &plmns, middle_lon))
        .collect();
    let value = json!({
        "title": document.title,
        "subtitle": document.subtitle,
        "days": [document.first_day.to_string(), document.last_day.to_string()],
        "generatedAt": document.generated_at.format("%Y-%m-%d %H:%M UTC").to_string(),
        "minimumAttempts": document.minimum_attempts,
        "bounds": RATE_CLASS_BOUNDS,
        "carriers": carriers,
        "cells": cells,
        "borders": border_values(document, middle_lon),
        "truths": truth_values(document, middle_lon),
        "places": place_values(document, middle_lon),
        "credits": document.credits,
    });
    value.to_string()
}

/// Every carrier seen in a cell, sorted; the empty text stands for an unknown one.
fn plmns(cells: &[MapCell]) -> Vec<&str> {
    let seen: BTreeSet<&str> = cells
        .iter()
        .flat_map(|cell| &cell.carriers)
        .map(|carrier| carrier.plmn.as_str())
        .collect();
    seen.into_iter().collect()
}

/// `[id, lon, lat, outline as steps from the centre, counts, rsrp, [[carrier, counts], …]]`
fn cell_value(cell: &MapCell, plmns: &[&str], middle_lon: f64) -> Value {
    let [lat, lon] = cell.centre;
    let carriers: Vec<Value> = cell
        .carriers
        .iter()
        .map(|carrier| {
            let index = plmns.binary_search(&carrier.plmn.as_str());
            let index = index.expect("the list holds the carriers of every cell");
            json!([
                index,
                carrier.attempts,
                carrier.out_of_range_failures,
                share(carrier.rate_low),
                share(carrier.rate_high),
                carrier.terminals,
                carrier.readings,
                carrier.weak_readings
            ])
        })
        .collect();
    json!([
        cell.cell,
        fine(near(lon, middle_lon)),
        fine(lat),
        outline(cell),
        [
            json!(cell.attempts),
            json!(cell.out_of_range_failures),
            share(cell.rate_low),
            share(cell.rate_high),
            json!(cell.terminals),
            json!(cell.readings),
            json!(cell.weak_readings)
        ],
        cell.rsrp_p50_dbm.map(f64::round),
        carriers
    ])
}

/// A share to five digits, which the page never shows in full.
fn share(value: Option<f64>) -> Value {
    json!(value.map(|share| (share * 1e5).round() / 1e5))
}

fn outline(cell: &MapCell) -> Vec<i64> {
    let [centre_lat, centre_lon] = cell.centre;
    cell.boundary
        .iter()
        .flat_map(|[lat, lon]| {
            [
                fine(near(*lon, centre_lon) - centre_lon),
                fine(lat - centre_lat),
            ]
        })
        .collect()
}

fn truth_values(document: &MapDocument, middle_lon: f64) -> Vec<Value> {
    let value = |truth: &super::MapTruth| {
        let area = truth.area.map(|(centre, radius_m)| {
            json!([
                fine(near(centre.lng(), middle_lon)),
                fine(centre.lat()),
                radius_m.round()
            ])
        });
        json!({"name": truth.name, "kind": truth.kind, "detail": truth.detail, "area": area})
    };
    document.truths.iter().map(value).collect()
}

fn place_values(document: &MapDocument, middle_lon: f64) -> Vec<Value> {
    let value = |place: &super::MapPlace| {
        let (lon, lat) = (near(place.position.lng(), middle_lon), place.position.lat());
        json!([place.name, fine(lon), fine(lat), place.terminals])
    };
    document.places.iter().map(value).collect()
}

/// Each ring as `[lon, lat, step, step, …]`.
fn border_values(document: &MapDocument, middle_lon: f64) -> Vec<Vec<i64>> {
    let Some(window) = window(&document.cells, middle_lon) else {
        return Vec::new();
    };
    borders::rings_in(window)
        .iter()
        .map(|ring| steps(ring))
        .collect()
}

fn steps(ring: &[[f64; 2]]) -> Vec<i64> {
    let mut at = [0, 0];
    let mut steps = Vec::with_capacity(ring.len() * 2);
    for point in ring {
        let next = point.map(|degrees| whole(degrees * COARSE));
        if next != at {
            steps.extend([next[0] - at[0], next[1] - at[1]]);
        }
        at = next;
    }
    steps
}

fn window(cells: &[MapCell], middle_lon: f64) -> Option<Bounds> {
    cells
        .iter()
        .map(|cell| {
            let (lat, lon) = (cell.centre[0], near(cell.centre[1], middle_lon));
            Bounds {
                west: lon - MARGIN_DEG,
                south: lat - MARGIN_DEG,
                east: lon + MARGIN_DEG,
                north: lat + MARGIN_DEG,
            }
        })
        .reduce(|one, two| Bounds {
            west: one.west.min(two.west),
            south: one.south.min(two.south),
            east: one.east.max(two.east),
            north: one.north.max(two.north),
        })
}

/// Middle of the cells' longitudes as directions, which knows no edge at 180°; 0 without cells.
fn middle_longitude(cells: &[MapCell]) -> f64 {
    let (mut east, mut north) = (0.0, 0.0);
    for cell in cells {
        let lon = cell.centre[1].to_radians();
        east += lon.sin();
        north += lon.cos();
    }
    f64::atan2(east, north).to_degrees()
}

/// Moves a longitude by whole turns to within half a turn of another.
fn near(lon: f64, other: f64) -> f64 {
    other + (lon - other + 180.0).rem_euclid(360.0) - 180.0
}

fn fine(degrees: f64) -> i64 {
    whole(degrees * FINE)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "degrees times a small factor fit"
)]
fn whole(value: f64) -> i64 {
    value.round() as i64
}

/// A cell with one carrier, for tests.
#[cfg(test)]
pub(super) fn cell_at(lat: f64, lon: f64) -> MapCell {
    let cell = h3o::LatLng::new(lat, lon)
        .expect("on the globe")
        .to_cell(schemas::lake::ANALYSIS_RESOLUTION);
    let centre = h3o::LatLng::from(cell);
    let carrier = crate::map::MapCarrier {
        plmn: "208-01".into(),
        terminals: 3,
        attempts: 400,
        out_of_range_failures: 40,
        rate: Some(0.1),
        rate_low: Some(0.07),
        rate_high: Some(0.13),
        readings: 90,
        weak_readings: 9,
        weak_share: Some(0.1),
    };
    MapCell {
        cell: cell.to_string(),
        boundary: cell
            .boundary()
            .iter()
            .map(|corner| [corner.lat(), corner.lng()])
            .collect(),
        centre: [centre.lat(), centre.lng()],
        terminals: 3,
        attempts: 400,
        out_of_range_failures: 40,
        rate: Some(0.1),
        rate_low: Some(0.07),
        rate_high: Some(0.13),
        readings: 90,
        weak_readings: 9,
        weak_share: Some(0.1),
        rsrp_p50_dbm: Some(-101.5),
        carriers: vec![carrier],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_across_the_antimeridian_hangs_together() {
        let fiji = [cell_at(-17.0, 179.5), cell_at(-17.0, -179.5)];
        let window = window(&fiji, middle_longitude(&fiji)).expect("there are cells");
        assert!(window.east - window.west < 10.0, "{window:?}");
    }

    #[test]
    fn an_outline_surrounds_its_centre_closely_even_at_the_antimeridian() {
        let steps = outline(&cell_at(-17.0, 179.9999));
        assert!(steps.len() >= 12);
        assert!(steps.iter().all(|step| step.abs() < 2_000), "{steps:?}");
    }

    #[test]
    fn a_cell_is_written_as_the_page_reads_it() {
        let cell = cell_at(48.85, 2.35);
        let value = cell_value(&cell, &["208-01"], 2.0);
        assert_eq!(value[4], json!([400, 40, 0.07, 0.13, 3, 90, 9]));
        assert_eq!(value[5], json!(-102.0));
        assert_eq!(value[6], json!([[0, 400, 40, 0.07, 0.13, 3, 90, 9]]));
    }
}
