//! How much the failures of healthy terminals differ from those of their peers.
//!
//! With z² = (x − n·mu)² / (n·mu·(1 − mu)), E z² = phi + (n − 1)·rho. Failures come in runs, such as the retries
//! of one sale: then a terminal's variance is phi times the binomial one, however many attempts there
//! are (the heterogeneity factor of Finney 1971). Terminals also differ lastingly, by an equal
//! correlation of their attempts at every rate (Williams 1982), or by equal odds (antennas): then rho
//! grows with mu·(1 − mu). All three parts are estimated, none below its least, with what is not known about
//! the peers taken off and each terminal weighted by the variance of its z² and by its health.

use rayon::prelude::*;

use super::peers::{Counts, Expected, as_f64};

/// The largest intra-class correlation: at 1 a terminal would fail always or never.
const LARGEST: f64 = 0.9;
/// The worst of so many terminals are left out at the start.
const ONE_IN: usize = 20;
/// From so many terminals on the worst is left out.
const ENOUGH: usize = 4;
/// Degrees of freedom of a spread are not below this: nothing at all could be said.
const FEWEST: f64 = 1.0;
/// Sums are made of chunks of this size, whatever the number of threads.
const CHUNK: usize = 4096;
/// Passes of the weights, which need the spread that they are for.
const PASSES: usize = 4;

/// phi = 1 + `runs`, rho = `equal` + `odds` × mu × (1 − mu).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Spread {
    runs: f64,
    equal: f64,
    odds: f64,
    /// What the estimate is worth.
    freedom: f64,
}

impl Spread {
    /// A guess to start from.
    pub(super) fn first() -> Self {
        Self {
            runs: 0.0,
            equal: 0.005,
            odds: 0.0,
            freedom: f64::INFINITY,
        }
    }

    /// The same with runs at least as long.
    pub(super) fn with_runs(self, length: f64) -> Self {
        Self {
            runs: self.runs.max(length - 1.0),
            ..self
        }
    }

    /// Degrees of freedom of the estimate: as many normal deviates would tell a variance as well.
    pub(super) fn freedom(&self) -> f64 {
        self.freedom
    }

    /// The correlations of what lasts and of runs, for so many attempts, if all variance were `scale`
    /// times what it is estimated at. That of single attempts stays: no variance is below binomial.
    pub(super) fn scaled(&self, attempts: u64, expected: &Expected, scale: f64) -> (f64, f64) {
        let more = as_f64(attempts) - 1.0;
        if more <= 0.0 {
            return (0.0, 0.0);
        }
        let inflation = self.inflation(more + 1.0, self.of(expected)) * scale;
        let runs = self.runs.min((inflation - 1.0).max(0.0));
        let lasting = (inflation - 1.0 - runs).max(0.0);
        ((lasting / more).min(LARGEST), (runs / more).min(LARGEST))
    }

    /// How many failures come together: the variance that is not lasting, in binomial variances.
    pub(super) fn phi(&self) -> f64 {
        1.0 + self.runs
    }

    /// Intra-class correlation of healthy terminals whose rate is expected to be `rate`.
    pub(super) fn at(&self, rate: f64) -> f64 {
        (self.equal + self.odds * rate * (1.0 - rate)).min(LARGEST)
    }

    /// The same together with what is not known about the peers.
    pub(super) fn of(&self, expected: &Expected) -> f64 {
        (self.at(expected.rate) + expected.rho).min(LARGEST)
    }

    /// The correlation that gives so many attempts the variance of all parts together.
    pub(super) fn of_attempts(&self, attempts: u64, expected: &Expected) -> f64 {
        let more = as_f64(attempts) - 1.0;
        let runs = if more > 0.0 { self.runs / more } else { 0.0 };
        (self.of(expected) + runs).min(LARGEST)
    }

    /// Variance of the failures of so many attempts, in binomial variances.
    pub(super) fn inflation(&self, attempts: f64, rho: f64) -> f64 {
        self.phi() + (attempts - 1.0) * rho
    }

    pub(super) fn estimate(
        terminals: &[Counts],
        expected: &[Option<Expected>],
        healthy: &[f64],
        first: &Self,
    ) -> Self {
        let mut spread = *first;
        for _ in 0..PASSES {
            let chunks = terminals.par_chunks(CHUNK).zip(expected.par_chunks(CHUNK));
            let parts: Vec<Sums> = chunks
                .zip(healthy.par_chunks(CHUNK))
                .map(|((terminals, expected), healthy)| {
                    let mut sums = Sums::default();
                    for ((counts, expected), &healthy) in
                        terminals.iter().zip(expected).zip(healthy)
                    {
                        if let Some(expected) = expected {
                            sums.add(counts, expected, healthy, &spread);
                        }
                    }
                    sums
                })
                .collect();
            spread = parts.iter().fold(Sums::default(), Sums::plus).solve();
        }
        spread.freedom = spread.count_freedom(terminals, expected, healthy);
        spread
    }

    /// Degrees of freedom that the terminals give: fewer where their counts are small, and fewer where some
    /// stand out from the rest, as z² of rates with a long tail do.
    fn count_freedom(
        &self,
        terminals: &[Counts],
        expected: &[Option<Expected>],
        healthy: &[f64],
    ) -> f64 {
        let (mut by_law, mut mean, mut squares, mut weights) = (0.0, 0.0, 0.0, 0.0);
        for ((counts, expected), healthy) in terminals.iter().zip(expected).zip(healthy) {
            let Some(expected) = expected else { continue };
            let attempts = as_f64(counts.attempts);
            let variance = attempts * expected.rate * (1.0 - expected.rate);
            let inflation = self.inflation(attempts, self.of(expected));
            let z2 = (as_f64(counts.failures) - attempts * expected.rate).powi(2) / variance;
            let worth = 2.0 * inflation / (2.0 * inflation + self.phi() / variance);
            let (weight, scaled) = (healthy * worth, z2 / inflation);
            by_law += weight;
            weights += weight;
            mean += weight * scaled;
            squares += weight * weight * (scaled - 1.0).powi(2);
        }
        let by_sight = 2.0 * (mean.max(weights)).powi(2) / squares.max(f64::MIN_POSITIVE);
        (by_law.min(by_sight) - 1.0).max(FEWEST)
    }
}

/// Health to start from: 0 for the share of terminals furthest above their peers, else 1. A start with
/// the bad among the healthy can end there: a wide spread explains everyone.
pub(super) fn without_worst(
    terminals: &[Counts],
    expected: &[Option<Expected>],
    spread: &Spread,
) -> Vec<f64> {
    let excess = |(counts, expected): (&Counts, &Option<Expected>)| {
        expected.map_or(f64::NEG_INFINITY, |expected| {
            let attempts = as_f64(counts.attempts);
            let inflation = spread.inflation(attempts, spread.of(&expected));
            let variance = attempts * expected.rate * (1.0 - expected.rate) * inflation;
            (as_f64(counts.failures) - attempts * expected.rate) / variance.sqrt()
        })
    };
    let excesses: Vec<f64> = terminals.iter().zip(expected).map(excess).collect();
    let mut sorted = excesses.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let out = (sorted.len() / ONE_IN).max(usize::from(sorted.len() >= ENOUGH));
    let worst = sorted.len() - out;
    let limit = sorted.get(worst).copied().unwrap_or(f64::INFINITY);
    excesses
        .iter()
        .map(|&excess| if excess >= limit { 0.0 } else { 1.0 })
        .collect()
}

/// The normal equations of z² − 1 by 1, n − 1 and (n − 1)·mu·(1 − mu).
#[derive(Default)]
struct Sums {
    by: [[f64; 3]; 3],
    excess: [f64; 3],
}

impl Sums {
    fn add(&mut self, counts: &Counts, expected: &Expected, healthy: f64, spread: &Spread) {
        let attempts = as_f64(counts.attempts);
        let rate = expected.rate;
        let unit = rate * (1.0 - rate);
        let variance = attempts * unit;
        let inflation = spread.inflation(attempts, spread.of(expected));
        let z2 = (as_f64(counts.failures) - attempts * rate).powi(2) / variance;
        let weight = healthy / (2.0 * inflation * inflation + inflation * spread.phi() / variance);
        let more = attempts - 1.0;
        // One attempt alone is in no run.
        let parts = [f64::from(u8::from(more > 0.0)), more, more * unit];
        let excess = z2 - 1.0 - more * expected.rho;
        for one in 0..3 {
            for other in 0..3 {
                self.by[one][other] += weight * parts[one] * parts[other];
            }
            self.excess[one] += weight * parts[one] * excess;
        }
    }

    fn plus(mut self, other: &Self) -> Self {
        for one in 0..3 {
            for (sum, more) in self.by[one].iter_mut().zip(other.by[one]) {
                *sum += more;
            }
            self.excess[one] += other.excess[one];
        }
        self
    }

    /// The least squares with no part below 0: the best of those that set some parts to 0.
    fn solve(&self) -> Spread {
        // Fewer parts first, and lasting ones before runs: a tie goes to what is simpler, and warier.
        const CHOICES: [&[usize]; 7] = [&[1], &[2], &[0], &[1, 2], &[0, 1], &[0, 2], &[0, 1, 2]];
        let mut best = (0.0, [0.0; 3]);
        for choice in CHOICES {
            let Some(parts) = self.solve_for(choice) else {
                continue;
            };
            // What the squares fall by.
            let fall: f64 = (0..3).map(|part| parts[part] * self.excess[part]).sum();
            if fall > best.0 * (1.0 + 1e-9) {
                best = (fall, parts);
            }
        }
        let [runs, equal, odds] = best.1;
        Spread {
            runs,
            equal,
            odds,
            freedom: f64::INFINITY,
        }
    }

    /// The least squares of some parts alone; `None` where they cannot be told apart or one is below 0.
    fn solve_for(&self, choice: &[usize]) -> Option<[f64; 3]> {
        let size = choice.len();
        let mut rows = [[0.0; 4]; 3];
        for (row, &part) in choice.iter().enumerate() {
            for (column, &other) in choice.iter().enumerate() {
                rows[row][column] = self.by[part][other];
            }
            rows[row][size] = self.excess[part];
        }
        for at in 0..size {
            if rows[at][at] <= 1e-9 * self.by[choice[at]][choice[at]] || rows[at][at] <= 0.0 {
                return None;
            }
            let pivot = rows[at];
            for other in (0..size).filter(|other| *other != at) {
                let times = rows[other][at] / pivot[at];
                for (value, of_pivot) in rows[other].iter_mut().zip(pivot) {
                    *value -= times * of_pivot;
                }
            }
        }
        let mut parts = [0.0; 3];
        for (row, &part) in choice.iter().enumerate() {
            parts[part] = rows[row][size] / rows[row][row];
        }
        parts.iter().all(|part| *part >= 0.0).then_some(parts)
    }
}
