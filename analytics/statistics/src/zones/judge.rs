//! Whether joined cells are a zone: thresholds, one test for the whole, and without its worst parts.
//!
//! Candidates are chosen for being high, so the tail probability of their counts is multiplied by the
//! number of connected sets of as many cells that the layer could have offered. Connected sets of k
//! hexagons, up to a shift, are fewer than 5.1832^k (growth constant by Vöge and Guttmann 2003), each at
//! as many places as the layer has cells. That bounds the search from above, without simulation.

use std::collections::BTreeMap;

use h3o::{CellIndex, LatLng};

use super::fleet::{Fleet, Seat, Sums};
use super::grow::grow;
use super::layer::{Estimate, Evidence, Ground, Layer, LayerCell, RAISED_P, RAISED_RATIO};
use super::{CarrierCounts, Refusal, RefusedZone, Zone, ZoneKind, ZoneOptions};
use crate::fdr;

/// Growth constant of fixed polyhexes.
const POLYHEX_GROWTH: f64 = 5.1832;
/// Fewest readings by which a cell's signal is judged.
const JUDGED_READINGS: u64 = 50;
/// Fewest attempts of a quarter of the day that can be raised.
const DAYPART_ATTEMPTS: u64 = 5;
/// A carrier with one terminal in a place says nothing about the place.
const OBSERVED_TERMINALS: usize = 2;
/// A carrier's own zone with this share of its attempts inside a place of all carriers is part of it.
const ABSORBED_SHARE: f64 = 0.5;

/// Joined cells with what is known about them.
pub(super) struct Candidate {
    zone: Zone,
    full: Tested,
    without_terminal: Option<Tested>,
    without_merchant: Option<Tested>,
}

/// Estimate and p-value of a set of seats.
#[derive(Clone, Copy)]
struct Tested {
    estimate: Estimate,
    p: f64,
}

impl Tested {
    fn of(evidence: &Evidence, tries: f64) -> Option<Self> {
        (evidence.attempts > 0.0).then(|| Self {
            estimate: evidence.estimate(),
            p: (evidence.upper_tail() * tries).min(1.0),
        })
    }
}

/// Seats of one layer inside some cells, cell by cell.
struct Inside<'a> {
    ground: &'a Ground,
    fleet: &'a Fleet<'a>,
    cells: Vec<&'a LayerCell>,
}

impl Inside<'_> {
    fn seats(&self) -> impl Iterator<Item = &Seat> {
        let seats = self.cells.iter().flat_map(|cell| &cell.seats);
        seats.map(|&seat| &self.fleet.seats[seat as usize])
    }

    fn evidence(&self, keep: impl Fn(&Seat) -> bool) -> Evidence {
        let mut evidence = Evidence::default();
        for cell in &self.cells {
            let seats = cell.seats.iter().copied();
            let seats: Vec<u32> = seats
                .filter(|&seat| keep(&self.fleet.seats[seat as usize]))
                .collect();
            let seats = self.ground.seats(self.fleet, &seats);
            evidence.add(&self.ground.evidence(&seats));
        }
        evidence
    }

    /// The key with most failures beyond the expected rate of the rest, and its share of failures.
    fn worst(&self, rate: f64, key: impl Fn(&Seat) -> u32) -> (u32, f64) {
        let mut counts: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        for seat in self.seats() {
            let entry = counts.entry(key(seat)).or_default();
            entry.0 += seat.sums.failures;
            entry.1 += seat.sums.attempts;
        }
        let excess = |(failures, attempts): (u64, u64)| failures as f64 - attempts as f64 * rate;
        let total: u64 = counts.values().map(|count| count.0).sum();
        let most = counts.values().map(|count| count.0).max().unwrap_or(0);
        let worst = counts
            .iter()
            .max_by(|a, b| excess(*a.1).total_cmp(&excess(*b.1)).then(b.0.cmp(a.0)));
        let share = most as f64 / total.max(1) as f64;
        (worst.map_or(0, |(key, _)| *key), share)
    }

    fn distinct(&self, key: impl Fn(&Seat) -> u32) -> usize {
        let mut keys: Vec<u32> = self.seats().map(key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.len()
    }
}

/// Every candidate of a layer; those of the layer of all carriers only where several are observed and
/// each is raised.
pub(super) fn candidates(
    fleet: &Fleet<'_>,
    ground: &Ground,
    layer: &Layer,
    options: &ZoneOptions,
) -> Vec<Candidate> {
    if !fleet.has_rates {
        return Vec::new();
    }
    let zones = grow(layer, options.gap);
    let candidate = |cells: Vec<CellIndex>| {
        let cells = without_good_signal(layer, cells, options);
        let found = cells.iter().filter_map(|cell| {
            let at = layer.cells.binary_search_by_key(cell, |known| known.cell);
            at.ok().map(|at| &layer.cells[at])
        });
        let inside = Inside {
            ground,
            fleet,
            cells: found.collect(),
        };
        if layer.plmn.is_none() && !is_everyones(&inside, options) {
            return None;
        }
        judge(&inside, layer, cells, options)
    };
    zones.into_iter().filter_map(candidate).collect()
}

/// Takes cells with good signal out of a place that is weak as a whole: growing and bridging took them
/// in, and what fails in them fails for other reasons. A place that is not weak stays as it is.
fn without_good_signal(
    layer: &Layer,
    cells: Vec<CellIndex>,
    options: &ZoneOptions,
) -> Vec<CellIndex> {
    let sums = |cell: &CellIndex| {
        let at = layer.cells.binary_search_by_key(cell, |known| known.cell);
        at.map_or((0, 0), |at| {
            let sums = &layer.cells[at].sums;
            (sums.readings, sums.weak_readings)
        })
    };
    let is_weak =
        |(readings, weak): (u64, u64)| weak as f64 >= options.weak_share * readings as f64;
    let all = cells
        .iter()
        .map(sums)
        .fold((0, 0), |all, cell| (all.0 + cell.0, all.1 + cell.1));
    if all.0 == 0 || !is_weak(all) {
        return cells;
    }
    let stays = |cell: &CellIndex| {
        let measured = sums(cell);
        measured.0 < JUDGED_READINGS || is_weak(measured)
    };
    cells.into_iter().filter(stays).collect()
}

/// Whether at least two carriers are observed and each of them is clearly raised.
fn is_everyones(inside: &Inside<'_>, options: &ZoneOptions) -> bool {
    let mut observed = 0;
    for plmn in 0..inside.fleet.plmns.len() {
        let mut terminals: Vec<u32> = inside
            .seats()
            .filter(|seat| seat.plmn as usize == plmn && seat.sums.attempts > 0)
            .map(|seat| seat.terminal)
            .collect();
        terminals.sort_unstable();
        terminals.dedup();
        let evidence = inside.evidence(|seat| seat.plmn as usize == plmn);
        let enough = evidence.attempts >= options.min_attempts.max(1) as f64;
        if !enough || terminals.len() < OBSERVED_TERMINALS {
            continue;
        }
        observed += 1;
        let raised = evidence.estimate().ratio >= RAISED_RATIO && evidence.upper_tail() <= RAISED_P;
        if !raised {
            return false;
        }
    }
    observed >= 2
}

fn judge(
    inside: &Inside<'_>,
    layer: &Layer,
    cells: Vec<CellIndex>,
    options: &ZoneOptions,
) -> Option<Candidate> {
    let tries = layer.cells.len() as f64 * POLYHEX_GROWTH.powf(cells.len() as f64);
    let evidence = inside.evidence(|_| true);
    let full = Tested::of(&evidence, tries)?;
    let ordinary = evidence.expected / evidence.attempts;
    let (terminal, worst_terminal_share) = inside.worst(ordinary, |seat| seat.terminal);
    let (merchant, worst_merchant_share) = inside.worst(ordinary, |seat| seat.merchant);
    let without_terminal = inside.evidence(|seat| seat.terminal != terminal);
    let without_merchant = inside.evidence(|seat| seat.merchant != merchant);
    let mut zone = describe(inside, layer, cells, options);
    let estimate = full.estimate;
    zone.expected = evidence.expected;
    zone.eb_rate = estimate.rate;
    (zone.low, zone.high) = estimate.interval();
    zone.baseline_rate = evidence.baseline_rate();
    zone.rate_ratio = estimate.ratio;
    zone.dayparts = raised_dayparts(inside, zone.baseline_rate);
    zone.llr = llr(layer, &evidence);
    zone.p = full.p;
    zone.worst_terminal_share = worst_terminal_share;
    zone.worst_merchant_share = worst_merchant_share;
    Some(Candidate {
        zone,
        full,
        without_terminal: Tested::of(&without_terminal, tries),
        without_merchant: Tested::of(&without_merchant, tries),
    })
}

/// The zone with everything that is only counted.
fn describe(
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
    let plmn = layer.plmn.map(|plmn| inside.fleet.plmns[plmn].to_owned());
    let (own, other): (Vec<_>, Vec<_>) = carriers_in(inside.fleet, &cells)
        .into_iter()
        .partition(|counts| plmn.as_ref().is_none_or(|plmn| *plmn == counts.plmn));
    Zone {
        kind,
        plmn,
        plmns: own.into_iter().map(|counts| counts.plmn).collect(),
        centroid: centroid(&inside.cells, cells[0]),
        cells,
        terminals: inside.distinct(|seat| seat.terminal),
        merchants: inside.distinct(|seat| seat.merchant),
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
        other_carriers: other,
    }
}

/// Counts of every carrier in the cells, sorted by carrier.
fn carriers_in(fleet: &Fleet<'_>, cells: &[CellIndex]) -> Vec<CarrierCounts> {
    let mut found = Vec::new();
    for (plmn, name) in fleet.plmns.iter().enumerate() {
        let (mut attempts, mut failures, mut terminals) = (0, 0, Vec::new());
        for &cell in cells {
            let key = |seat: &Seat| (seat.plmn as usize, seat.cell);
            let from = fleet.seats.partition_point(|seat| key(seat) < (plmn, cell));
            let same = fleet.seats[from..]
                .iter()
                .take_while(|seat| key(seat) == (plmn, cell));
            for seat in same {
                attempts += seat.sums.attempts;
                failures += seat.sums.failures;
                terminals.push(seat.terminal);
            }
        }
        terminals.sort_unstable();
        terminals.dedup();
        if attempts > 0 {
            found.push(CarrierCounts {
                plmn: (*name).to_owned(),
                terminals: terminals.len(),
                attempts,
                failures,
            });
        }
    }
    found
}

/// The cell of the mean position on the sphere, weighted by attempts.
fn centroid(cells: &[&LayerCell], fallback: CellIndex) -> CellIndex {
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

fn raised_dayparts(inside: &Inside<'_>, baseline_rate: f64) -> usize {
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
fn llr(layer: &Layer, zone: &Evidence) -> f64 {
    let (mut failures, mut expected) = (0.0, 0.0);
    for cell in &layer.cells {
        failures += cell.evidence.failures;
        expected += cell.evidence.expected;
    }
    let (inner, outer) = (zone.failures, failures - zone.failures);
    let share = zone.expected / expected;
    let (inner_expected, outer_expected) = (failures * share, failures * (1.0 - share));
    if inner <= inner_expected {
        return 0.0;
    }
    let part = |count: f64, expected: f64| match count > 0.0 && expected > 0.0 {
        true => count * (count / expected).ln(),
        false => 0.0,
    };
    part(inner, inner_expected) + part(outer, outer_expected)
}

/// Tests the candidates as one family; zones of a single carrier inside a place of all are dropped.
pub(super) fn verdicts(
    fleet: &Fleet<'_>,
    candidates: Vec<Candidate>,
    options: &ZoneOptions,
) -> (Vec<Zone>, Vec<RefusedZone>) {
    let q_of = |p_of: &dyn Fn(&Candidate) -> Option<f64>| {
        let family = candidates.iter().map(|candidate| {
            let enough = count_refusal(&candidate.zone, options).is_none();
            p_of(candidate).filter(|_| enough)
        });
        fdr::bh(&family.collect::<Vec<_>>())
    };
    let q = q_of(&|candidate| Some(candidate.full.p));
    let q_terminal = q_of(&|candidate| candidate.without_terminal.map(|tested| tested.p));
    let q_merchant = q_of(&|candidate| candidate.without_merchant.map(|tested| tested.p));
    let (mut zones, mut refused) = (Vec::new(), Vec::new());
    for (at, candidate) in candidates.into_iter().enumerate() {
        let holds = |tested: Option<Tested>, q: Option<f64>| {
            tested.is_some_and(|tested| tested.estimate.ratio >= options.rate_ratio)
                && q.is_some_and(|q| q <= options.q)
        };
        let terminal = holds(candidate.without_terminal, q_terminal[at]);
        let merchant = holds(candidate.without_merchant, q_merchant[at]);
        let mut zone = candidate.zone;
        zone.q = q[at];
        zone.survives_leave_one_out = terminal && merchant;
        let by_rate = (zone.rate_ratio < options.rate_ratio).then_some(Refusal::LowRate);
        let by_chance = q[at]
            .is_none_or(|q| q > options.q)
            .then_some(Refusal::Chance);
        let reason = count_refusal(&zone, options)
            .or(by_rate)
            .or(by_chance)
            .or((!terminal).then_some(Refusal::OneTerminal))
            .or((!merchant).then_some(Refusal::OneMerchant));
        match reason {
            None => zones.push(zone),
            Some(reason) => refused.push(RefusedZone { zone, reason }),
        }
    }
    absorb(fleet, &mut zones, &mut refused);
    zones.sort_by(|a, b| order(a).cmp(&order(b)));
    refused.sort_by(|a, b| order(&a.zone).cmp(&order(&b.zone)));
    (zones, refused)
}

fn order(zone: &Zone) -> (CellIndex, Option<&str>, ZoneKind) {
    (zone.cells[0], zone.plmn.as_deref(), zone.kind)
}

fn count_refusal(zone: &Zone, options: &ZoneOptions) -> Option<Refusal> {
    if zone.terminals < options.min_terminals {
        return Some(Refusal::FewTerminals);
    }
    if zone.attempts < options.min_attempts {
        return Some(Refusal::FewAttempts);
    }
    if zone.days < options.min_days {
        return Some(Refusal::FewDays);
    }
    (zone.dayparts < options.min_dayparts).then_some(Refusal::FewDayparts)
}

/// A place of all carriers takes in what single carriers have there, zones and refused candidates.
fn absorb(fleet: &Fleet<'_>, zones: &mut Vec<Zone>, refused: &mut Vec<RefusedZone>) {
    let everyones = zones.iter().filter(|zone| zone.plmn.is_none());
    let places: Vec<Vec<CellIndex>> = everyones.map(|zone| zone.cells.clone()).collect();
    let is_part = |zone: &Zone| {
        let Some(plmn) = &zone.plmn else { return false };
        let within = |place: &Vec<CellIndex>| {
            let common = zone.cells.iter().copied();
            let common: Vec<CellIndex> = common
                .filter(|cell| place.binary_search(cell).is_ok())
                .collect();
            let counts = carriers_in(fleet, &common);
            let attempts = counts.iter().find(|counts| counts.plmn == *plmn);
            let attempts = attempts.map_or(0, |counts| counts.attempts);
            attempts as f64 >= ABSORBED_SHARE * zone.attempts as f64
        };
        places.iter().any(within)
    };
    zones.retain(|zone| !is_part(zone));
    refused.retain(|candidate| !is_part(&candidate.zone));
}
