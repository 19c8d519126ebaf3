//! Everything about a place that is only counted or located.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use h3o::{CellIndex, LatLng};

use super::fleet::Sums;
use super::inside::Inside;
use super::layer::{Evidence, Layer, LayerCell, RAISED_RATIO};
use super::{CarrierCounts, Zone, ZoneKind, ZoneOptions};

/// Fewest attempts of a quarter of the day that can be raised.
const DAYPART_ATTEMPTS: u64 = 5;

/// The zone with everything that is only counted.
pub(super) fn describe(
    inside: &Inside<'_>,
    layer: &Layer,
    cells: Vec<CellIndex>,
    options: &ZoneOptions,
) -> Zone {
    let mut sums = Sums::default();
    inside.seats().for_each(|seat| sums += &seat.sums);
    let weak_share = (sums.readings > 0).then(|| sums.weak_readings as f64 / sums.readings as f64);
    let is_weak = weak_share.is_some_and(|share| share >= options.weak_share);
    let kind = match (is_weak, layer.plmn) {
        (false, _) => ZoneKind::FailureZone,
        (true, Some(_)) => ZoneKind::WeakZone,
        (true, None) => ZoneKind::NotSpot,
    };
    let name = |plmn: usize| inside.fleet.plmns[plmn].to_owned();
    let with_attempts = inside.seats().filter(|seat| seat.sums.attempts > 0);
    let mut own: Vec<u32> = with_attempts.map(|seat| seat.plmn).collect();
    own.sort_unstable();
    own.dedup();
    let mut others = carriers_in(inside, &cells);
    others.retain(|(plmn, _)| own.binary_search(plmn).is_err());
    let with_data = inside.cells.iter().filter(|cell| cell.sums.attempts > 0);
    Zone {
        kind,
        plmn: layer.plmn.map(name),
        plmns: own.into_iter().map(|plmn| name(plmn as usize)).collect(),
        centroid: centroid(&inside.cells, cells[0]),
        cells,
        cells_with_data: with_data.count(),
        terminals: inside.distinct(|seat| seat.terminal).len(),
        merchants: inside.distinct(|seat| seat.merchant).len(),
        attempts: sums.attempts,
        failures: sums.failures,
        expected: 0.0,
        rate: sums.failures as f64 / sums.attempts as f64,
        eb_rate: 0.0,
        low: 0.0,
        high: 0.0,
        baseline_rate: 0.0,
        rate_ratio: 0.0,
        llr: 0.0,
        p: 1.0,
        q: None,
        readings: sums.readings,
        weak_readings: sums.weak_readings,
        weak_share,
        days: inside.seats().map(|seat| seat.days).max().unwrap_or(0),
        dayparts: 0,
        worst_terminal_share: 0.0,
        worst_merchant_share: 0.0,
        survives_leave_one_out: false,
        other_carriers: others.into_iter().map(|(_, counts)| counts).collect(),
        good_parts: Vec::new(),
    }
}

/// Counts of every carrier in the cells, by its number.
fn carriers_in(inside: &Inside<'_>, cells: &[CellIndex]) -> Vec<(u32, CarrierCounts)> {
    let (fleet, ground) = (inside.fleet, inside.ground);
    let mut found: BTreeMap<u32, (u64, u64, BTreeSet<u32>)> = BTreeMap::new();
    for &cell in cells {
        for &plmn in ground.carriers_of(cell) {
            let (attempts, failures, terminals) = found.entry(plmn).or_default();
            for seat in fleet.seats_of(plmn, cell) {
                *attempts += seat.sums.attempts;
                *failures += seat.sums.failures;
                terminals.insert(seat.terminal);
            }
        }
    }
    let counts = found
        .into_iter()
        .filter(|(_, (attempts, ..))| *attempts > 0);
    let named = counts.map(|(plmn, (attempts, failures, terminals))| {
        let counts = CarrierCounts {
            plmn: fleet.plmns[plmn as usize].to_owned(),
            terminals: terminals.len(),
            attempts,
            failures,
        };
        (plmn, counts)
    });
    named.collect()
}

/// The cell of the mean position on the sphere, weighted by attempts.
fn centroid(cells: &[Cow<'_, LayerCell>], fallback: CellIndex) -> CellIndex {
    let mut mean = [0.0; 3];
    for cell in cells {
        let place = LatLng::from(cell.cell);
        let (lat, lng) = (place.lat_radians(), place.lng_radians());
        let weight = cell.sums.attempts as f64;
        let parts = [lat.cos() * lng.cos(), lat.cos() * lng.sin(), lat.sin()];
        for (sum, part) in mean.iter_mut().zip(parts) {
            *sum += weight * part;
        }
    }
    let [x, y, z] = mean;
    let (lat, lng) = (z.atan2(x.hypot(y)), y.atan2(x));
    match LatLng::from_radians(lat, lng) {
        Ok(place) if x.hypot(y) + z.abs() > 0.0 => place.to_cell(fallback.resolution()),
        _ => fallback,
    }
}

pub(super) fn raised_dayparts(inside: &Inside<'_>, baseline_rate: f64) -> usize {
    let mut sums = Sums::default();
    inside.seats().for_each(|seat| sums += &seat.sums);
    let quarters = sums.daypart_failures.iter().zip(sums.daypart_attempts);
    let is_raised = |(failures, attempts): &(&u64, u64)| {
        *attempts >= DAYPART_ATTEMPTS
            && **failures as f64 >= RAISED_RATIO * baseline_rate * *attempts as f64
    };
    quarters.filter(is_raised).count()
}

/// Kulldorff's ratio for the failures of the layer; expected ones are scaled to their total.
pub(super) fn llr(layer: &Evidence, zone: &Evidence) -> f64 {
    let (inner, outer) = (zone.failures, layer.failures - zone.failures);
    let share = zone.expected / layer.expected;
    let inner_expected = layer.failures * share;
    let outer_expected = layer.failures * (1.0 - share);
    if inner <= inner_expected {
        return 0.0;
    }
    let part = |count: f64, expected: f64| match count > 0.0 && expected > 0.0 {
        true => count * (count / expected).ln(),
        false => 0.0,
    };
    part(inner, inner_expected) + part(outer, outer_expected)
}
