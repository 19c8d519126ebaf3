//! The cells of one carrier, or of all together, each tested and estimated against ordinary places.
//!
//! Baselines, scales and spreads come from cells where nothing is high, and what is high depends on
//! them: a few rounds settle it. The first round leaves out the worst cells unseen.

use std::collections::HashMap;

use h3o::CellIndex;
use rayon::prelude::*;

use super::bad::bad_share;
use super::fleet::{Fleet, Seat, Sums};
use super::spread::Spread;
use super::{Baseline, CellClass, ZoneOptions};
use crate::special::{beta_quantile, beta_upper};
use crate::{fdr, terminals};

/// One cell in so many is left out at the start, the worst first: as many zones as a small fleet may
/// have. What is not high comes back in the next round; a zone that stays in hides itself and the others.
const WORST_ONE_IN: usize = 5;
const MOST_ROUNDS: usize = 6;
/// A raised cell has at least this rate, in baselines, and this p-value.
pub(super) const RAISED_RATIO: f64 = 2.0;
pub(super) const RAISED_P: f64 = 0.02;
/// A cell whose rate is credibly below this many baselines is ordinary.
const ORDINARY_RATIO: f64 = 1.5;
/// Probability on either side of the 95 % interval.
const OUTSIDE: f64 = 0.025;
/// The prior is worth so many effective attempts at least and at most. The upper end keeps rare high
/// places from being shrunk away by a crowd of ordinary ones (limited translation, Efron and Morris 1972).
const STRENGTHS: (f64, f64) = (5.0, 100.0);
/// Expected rates are kept inside.
const RATES: (f64, f64) = (1e-6, 0.9);

/// The seats of one cell, with the carrier's scale of each.
pub(super) struct CellSeats<'a> {
    pub(super) all: Vec<(&'a Seat, f64)>,
}

impl CellSeats<'_> {
    /// Attempts and expected rate of each seat with attempts.
    pub(super) fn seats(&self) -> impl Iterator<Item = (f64, f64)> {
        self.used().map(|(seat, scale)| {
            let attempts = seat.sums.attempts as f64;
            let rate = scaled(seat, scale) / attempts;
            (attempts, rate)
        })
    }

    /// Failures beyond the expected ones, in the same order.
    pub(super) fn residuals(&self) -> impl Iterator<Item = f64> {
        self.used()
            .map(|(seat, scale)| seat.sums.failures as f64 - scaled(seat, scale))
    }

    fn used(&self) -> impl Iterator<Item = (&Seat, f64)> {
        self.all
            .iter()
            .filter(|(seat, _)| seat.sums.attempts > 0)
            .map(|(seat, scale)| (*seat, *scale))
    }

    pub(super) fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        for (seat, scale) in &self.all {
            let mut part = seat.sums;
            part.expected = scaled(seat, *scale);
            sums += &part;
        }
        sums
    }
}

fn scaled(seat: &Seat, scale: f64) -> f64 {
    let attempts = seat.sums.attempts as f64;
    (scale * seat.sums.expected).clamp(RATES.0 * attempts, RATES.1 * attempts)
}

/// A shrunken rate, whose posterior is the beta distribution with shapes `a` and `b`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Estimate {
    a: f64,
    b: f64,
    pub(super) rate: f64,
    /// The rate in baselines, after the odds of worse devices are taken off.
    pub(super) ratio: f64,
    /// The baseline, and how many times the odds its devices have.
    base: f64,
    devices: f64,
}

impl Estimate {
    /// Returns the ends of the 95 % interval.
    pub(super) fn interval(&self) -> (f64, f64) {
        let end = |p| beta_quantile(p, self.a, self.b);
        (end(OUTSIDE), end(1.0 - OUTSIDE))
    }

    /// Whether the upper end is below so many baselines, without looking for where it is.
    fn is_below(&self, ratio: f64) -> bool {
        let limit = share(odds((ratio * self.base).min(1.0)) * self.devices);
        beta_upper(limit, self.a, self.b) < OUTSIDE
    }

    /// Whether the place is credibly not raised.
    pub(super) fn is_not_raised(&self) -> bool {
        self.is_below(RAISED_RATIO)
    }
}

fn odds(rate: f64) -> f64 {
    rate / (1.0 - rate).max(f64::EPSILON)
}

fn share(odds: f64) -> f64 {
    odds / (1.0 + odds)
}

/// What an estimate and a test need to know about some seats together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence {
    pub(super) attempts: f64,
    pub(super) failures: f64,
    pub(super) expected: f64,
    /// Variance of the failures in ordinary places, and given the rate of the place.
    pub(super) variance: f64,
    pub(super) variance_within: f64,
    /// Sum of attempts × baseline, and of attempts × strength of the prior.
    pub(super) baseline: f64,
    pub(super) strength: f64,
}

impl Evidence {
    pub(super) fn add(&mut self, other: &Self) {
        self.attempts += other.attempts;
        self.failures += other.failures;
        self.expected += other.expected;
        self.variance += other.variance;
        self.variance_within += other.variance_within;
        self.baseline += other.baseline;
        self.strength += other.strength;
    }

    pub(super) fn baseline_rate(&self) -> f64 {
        self.baseline / self.attempts
    }

    pub(super) fn expected_rate(&self) -> f64 {
        self.expected / self.attempts
    }

    fn inflation(&self, variance: f64) -> f64 {
        let rate = self.expected_rate();
        (variance / (self.attempts * rate * (1.0 - rate))).max(1.0)
    }

    /// Probability of at least so many failures: the beta-binomial of the same mean and variance.
    pub(super) fn upper_tail(&self) -> f64 {
        let more = self.attempts - 1.0;
        let rho = match more > 0.0 {
            true => ((self.inflation(self.variance) - 1.0) / more).min(0.99),
            false => 0.0,
        };
        let (failures, attempts) = (self.failures as u64, self.attempts as u64);
        let tail = terminals::upper_tail(failures, attempts, self.expected_rate(), rho);
        (tail.at + tail.above).clamp(f64::MIN_POSITIVE, 1.0)
    }

    pub(super) fn estimate(&self) -> Estimate {
        let strength = self.strength / self.attempts;
        let inflation = self.inflation(self.variance_within);
        let (failures, successes) = (
            self.failures / inflation,
            (self.attempts - self.failures) / inflation,
        );
        let a = failures + strength * self.expected_rate();
        let b = successes + strength * (1.0 - self.expected_rate());
        let rate = a / (a + b);
        // What its devices explain is taken off its odds, and put on those of an ordinary place.
        let base = self.baseline_rate();
        let devices = (odds(self.expected_rate()) / odds(base)).max(1.0);
        Estimate {
            a,
            b,
            rate,
            ratio: share(odds(rate) / devices) / base,
            base,
            devices,
        }
    }
}

/// One cell of a layer.
#[derive(Clone, Debug)]
pub(super) struct LayerCell {
    pub(super) cell: CellIndex,
    /// Positions of its seats in the fleet.
    pub(super) seats: Vec<u32>,
    pub(super) terminals: usize,
    pub(super) merchants: usize,
    pub(super) sums: Sums,
    pub(super) evidence: Evidence,
    pub(super) estimate: Option<Estimate>,
    pub(super) p: Option<f64>,
    pub(super) q: Option<f64>,
    pub(super) class: CellClass,
}

impl LayerCell {
    fn empty(cell: CellIndex, seats: Vec<u32>, fleet: &Fleet<'_>) -> Self {
        let count = |key: fn(&Seat) -> u32| {
            let mut keys: Vec<u32> = seats
                .iter()
                .map(|&seat| key(&fleet.seats[seat as usize]))
                .collect();
            keys.sort_unstable();
            keys.dedup();
            keys.len()
        };
        Self {
            cell,
            terminals: count(|seat| seat.terminal),
            merchants: count(|seat| seat.merchant),
            seats,
            sums: Sums::default(),
            evidence: Evidence::default(),
            estimate: None,
            p: None,
            q: None,
            class: CellClass::Untested,
        }
    }

    pub(super) fn rate(&self) -> Option<f64> {
        let Sums {
            attempts, failures, ..
        } = self.sums;
        (attempts > 0).then(|| failures as f64 / attempts as f64)
    }

    fn is_tested(&self, options: &ZoneOptions) -> bool {
        self.sums.attempts >= options.min_cell_attempts.max(1)
    }

    fn classify(&mut self, options: &ZoneOptions) {
        self.class = match (self.estimate, self.p, self.q) {
            (Some(estimate), Some(p), Some(q)) => {
                if estimate.ratio >= options.rate_ratio && q <= options.q {
                    CellClass::High
                } else if estimate.ratio >= RAISED_RATIO && p <= RAISED_P {
                    CellClass::Raised
                } else if estimate.is_below(ORDINARY_RATIO) {
                    CellClass::Ordinary
                } else {
                    CellClass::Open
                }
            }
            _ => CellClass::Untested,
        };
    }
}

/// Cells of one carrier (`plmn` is its number) or of all (`None`), sorted by cell.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) plmn: Option<usize>,
    pub(super) cells: Vec<LayerCell>,
}

impl Layer {
    pub(super) fn at(&self, cell: CellIndex) -> Option<&LayerCell> {
        let at = self.cells.binary_search_by_key(&cell, |known| known.cell);
        at.ok().map(|at| &self.cells[at])
    }

    pub(super) fn evidence(&self) -> Evidence {
        let mut sum = Evidence::default();
        self.cells.iter().for_each(|cell| sum.add(&cell.evidence));
        sum
    }
}

/// What ordinary places are like, for each carrier, and every carrier's cells judged by it.
pub(super) struct Ground {
    pub(super) spread: Spread,
    /// Share of terminals that fail by themselves.
    pub(super) bad_share: f64,
    pub(super) carriers: Vec<Layer>,
    carriers_of: HashMap<CellIndex, Vec<u32>>,
    scale: Vec<f64>,
    baseline: Vec<Option<f64>>,
    strength: Vec<f64>,
}

impl Ground {
    pub(super) fn of(fleet: &Fleet<'_>, options: &ZoneOptions) -> Self {
        let count = fleet.plmns.len();
        let mut ground = Self {
            spread: Spread::first(),
            bad_share: 0.0,
            carriers: layers(fleet),
            carriers_of: HashMap::new(),
            scale: vec![1.0; count],
            baseline: vec![None; count],
            strength: vec![STRENGTHS.1; count],
        };
        for (plmn, layer) in (0..).zip(&ground.carriers) {
            for cell in &layer.cells {
                ground.carriers_of.entry(cell.cell).or_default().push(plmn);
            }
        }
        if !fleet.has_rates {
            ground.sum_only(fleet);
            return ground;
        }
        let mut high = ground.worst(fleet);
        for _ in 0..MOST_ROUNDS {
            ground.settle(fleet, &high);
            ground.test(fleet, options);
            let now = ground.high();
            if now == high {
                break;
            }
            high = now;
        }
        ground.bad_share = bad_share(fleet, &ground, options);
        ground
    }

    /// The carriers with rows in a cell, by number, sorted.
    pub(super) fn carriers_of(&self, cell: CellIndex) -> &[u32] {
        self.carriers_of.get(&cell).map_or(&[], Vec::as_slice)
    }

    pub(super) fn baselines(&self, fleet: &Fleet<'_>) -> Vec<Baseline> {
        let rates = fleet.plmns.iter().zip(&self.baseline);
        rates
            .map(|(plmn, rate)| Baseline {
                plmn: (*plmn).to_owned(),
                rate: *rate,
            })
            .collect()
    }

    /// All carriers in one layer; a cell is ordinary when carriers with half of its attempts are.
    /// `None` with fewer than two carriers.
    pub(super) fn together(&self, fleet: &Fleet<'_>, options: &ZoneOptions) -> Option<Layer> {
        if self.carriers.len() < 2 || !fleet.has_rates {
            return None;
        }
        let mut parts: Vec<&LayerCell> = self
            .carriers
            .iter()
            .flat_map(|layer| &layer.cells)
            .collect();
        parts.sort_by_key(|part| part.cell);
        let mut layer = Layer {
            plmn: None,
            cells: parts
                .chunk_by(|a, b| a.cell == b.cell)
                .map(|same| {
                    let seats = same.iter().flat_map(|part| part.seats.iter().copied());
                    LayerCell::empty(same[0].cell, seats.collect(), fleet)
                })
                .collect(),
        };
        self.test_layer(fleet, &mut layer, options);
        set_q(std::slice::from_mut(&mut layer));
        let same = parts.chunk_by(|a, b| a.cell == b.cell);
        for (cell, parts) in layer.cells.iter_mut().zip(same) {
            cell.classify(options);
            let ordinary = parts
                .iter()
                .filter(|part| part.class == CellClass::Ordinary);
            let attempts: u64 = ordinary.map(|part| part.sums.attempts).sum();
            if attempts > 0 && 2 * attempts >= cell.sums.attempts {
                cell.class = CellClass::Ordinary;
            }
        }
        Some(layer)
    }

    pub(super) fn seats<'f>(&self, fleet: &'f Fleet<'_>, seats: &[u32]) -> CellSeats<'f> {
        let all = seats.iter().map(|&seat| {
            let seat = &fleet.seats[seat as usize];
            (seat, self.scale[seat.plmn as usize])
        });
        CellSeats { all: all.collect() }
    }

    /// Evidence of seats of one cell.
    pub(super) fn evidence(&self, seats: &CellSeats<'_>) -> Evidence {
        let sums = seats.sums();
        let mut evidence = Evidence {
            attempts: sums.attempts as f64,
            failures: sums.failures as f64,
            expected: sums.expected,
            variance: self.spread.variance(seats),
            variance_within: self.spread.variance_within(seats),
            ..Evidence::default()
        };
        for (seat, _) in &seats.all {
            let (attempts, plmn) = (seat.sums.attempts as f64, seat.plmn as usize);
            evidence.baseline += attempts * self.baseline[plmn].unwrap_or(0.0).max(RATES.0);
            evidence.strength += attempts * self.strength[plmn];
        }
        evidence
    }

    fn sum_only(&mut self, fleet: &Fleet<'_>) {
        for layer in &mut self.carriers {
            for cell in &mut layer.cells {
                for &seat in &cell.seats {
                    cell.sums += &fleet.seats[seat as usize].sums;
                }
            }
        }
    }

    fn high(&self) -> Vec<Vec<bool>> {
        let is_high = |cell: &LayerCell| cell.class == CellClass::High;
        let of_layer = |layer: &Layer| layer.cells.iter().map(is_high).collect();
        self.carriers.iter().map(of_layer).collect()
    }

    /// The worst cells of each carrier by their standardised excess.
    fn worst(&mut self, fleet: &Fleet<'_>) -> Vec<Vec<bool>> {
        let none: Vec<Vec<bool>> = self.high();
        self.set_scales(fleet, &none);
        let of_layer = |layer: &Layer| {
            let excess: Vec<f64> = layer
                .cells
                .iter()
                .map(|cell| {
                    let evidence = self.evidence(&self.seats(fleet, &cell.seats));
                    match evidence.variance > 0.0 {
                        true => (evidence.failures - evidence.expected) / evidence.variance.sqrt(),
                        false => f64::NEG_INFINITY,
                    }
                })
                .collect();
            let mut sorted = excess.clone();
            sorted.sort_unstable_by(|a, b| b.total_cmp(a));
            let limit = sorted[sorted.len().div_ceil(WORST_ONE_IN) - 1];
            let enough = sorted.len() >= WORST_ONE_IN;
            excess.iter().map(|&z| enough && z >= limit).collect()
        };
        self.carriers.iter().map(of_layer).collect()
    }

    /// Scale and baseline of each carrier, from its cells that are not high.
    fn set_scales(&mut self, fleet: &Fleet<'_>, high: &[Vec<bool>]) {
        for (plmn, layer) in self.carriers.iter().enumerate() {
            let mut sums = Sums::default();
            for (cell, _) in ordinary(layer, &high[plmn]) {
                for &seat in &cell.seats {
                    sums += &fleet.seats[seat as usize].sums;
                }
            }
            let failures = sums.failures as f64;
            self.baseline[plmn] = (sums.attempts > 0).then(|| failures / sums.attempts as f64);
            // Half a failure: a carrier without any is good, not perfect.
            self.scale[plmn] = match sums.expected > 0.0 {
                true => failures.max(0.5) / sums.expected,
                false => 1.0,
            };
        }
    }

    fn settle(&mut self, fleet: &Fleet<'_>, high: &[Vec<bool>]) {
        self.set_scales(fleet, high);
        let cells: Vec<CellSeats<'_>> = self
            .carriers
            .iter()
            .zip(high)
            .flat_map(|(layer, high)| ordinary(layer, high))
            .map(|(cell, _)| self.seats(fleet, &cell.seats))
            .collect();
        self.spread = self.spread.estimate(&cells);
        let strengths = self
            .carriers
            .iter()
            .map(|layer| self.strength(fleet, layer));
        self.strength = strengths.collect();
    }

    /// What the prior of a carrier's cells is worth: their variance beyond that of their terminals, the
    /// high ones included.
    fn strength(&self, fleet: &Fleet<'_>, layer: &Layer) -> f64 {
        let (mut square, mut noise, mut unit, mut weights) = (0.0, 0.0, 0.0, 0.0);
        for cell in &layer.cells {
            let evidence = self.evidence(&self.seats(fleet, &cell.seats));
            if evidence.attempts == 0.0 {
                continue;
            }
            let rate = evidence.expected_rate();
            let weight = evidence.attempts / evidence.inflation(evidence.variance_within);
            let scale = weight / (evidence.attempts * evidence.attempts);
            square += scale * (evidence.failures - evidence.expected).powi(2);
            noise += scale * evidence.variance_within;
            unit += weight * rate * (1.0 - rate);
            weights += weight;
        }
        if weights == 0.0 || square <= noise {
            return STRENGTHS.1;
        }
        (unit / (square - noise) - 1.0).clamp(STRENGTHS.0, STRENGTHS.1)
    }

    fn test(&mut self, fleet: &Fleet<'_>, options: &ZoneOptions) {
        let mut carriers = std::mem::take(&mut self.carriers);
        for layer in &mut carriers {
            self.test_layer(fleet, layer, options);
        }
        set_q(&mut carriers);
        for cell in carriers.iter_mut().flat_map(|layer| &mut layer.cells) {
            cell.classify(options);
        }
        self.carriers = carriers;
    }

    fn test_layer(&self, fleet: &Fleet<'_>, layer: &mut Layer, options: &ZoneOptions) {
        layer.cells.par_iter_mut().for_each(|cell| {
            let seats = self.seats(fleet, &cell.seats);
            cell.sums = seats.sums();
            cell.evidence = self.evidence(&seats);
            let has_attempts = cell.sums.attempts > 0;
            cell.estimate = has_attempts.then(|| cell.evidence.estimate());
            cell.p = cell.is_tested(options).then(|| cell.evidence.upper_tail());
        });
    }
}

fn ordinary<'l>(
    layer: &'l Layer,
    high: &'l [bool],
) -> impl Iterator<Item = (&'l LayerCell, &'l bool)> {
    layer.cells.iter().zip(high).filter(|(_, high)| !**high)
}

/// One layer for each carrier; seats are sorted by carrier and cell.
fn layers(fleet: &Fleet<'_>) -> Vec<Layer> {
    let mut layers: Vec<Layer> = (0..fleet.plmns.len())
        .map(|plmn| Layer {
            plmn: Some(plmn),
            cells: Vec::new(),
        })
        .collect();
    let mut from = 0_u32;
    for same in fleet
        .seats
        .chunk_by(|a, b| (a.plmn, a.cell) == (b.plmn, b.cell))
    {
        let to = from + u32::try_from(same.len()).expect("fewer than 2^32 seats");
        let cell = LayerCell::empty(same[0].cell, (from..to).collect(), fleet);
        layers[same[0].plmn as usize].cells.push(cell);
        from = to;
    }
    layers
}

/// q-values over all cells of the layers.
fn set_q(layers: &mut [Layer]) {
    let cells = || layers.iter().flat_map(|layer| &layer.cells);
    let p: Vec<Option<f64>> = cells().map(|cell| cell.p).collect();
    let q = fdr::bh(&p);
    let cells = layers.iter_mut().flat_map(|layer| &mut layer.cells);
    for (cell, q) in cells.zip(q) {
        cell.q = q;
    }
}
