//! How much healthy terminals differ from each other.
//!
//! With z² = (x − n·mu)² / (n·mu·(1 − mu)), E z² = 1 + (n − 1)·rho (Williams 1982). Terminals may differ
//! by an equal correlation at every rate (a beta distribution), or by equal odds (antennas): then rho
//! grows with mu·(1 − mu). Both parts are estimated, neither below 0, with what is not known about the
//! peers taken off and each terminal weighted by the variance of its z² and by its health.

use super::peers::{Counts, Expected, as_f64};

/// The largest intra-class correlation: at 1 a terminal would fail always or never.
const LARGEST: f64 = 0.9;
/// The worst of so many terminals are left out at the start.
const ONE_IN: usize = 20;
/// Passes of the weights, which need the spread that they are for.
const PASSES: usize = 4;

/// rho = `equal` + `odds` × mu × (1 − mu).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Spread {
    equal: f64,
    odds: f64,
}

impl Spread {
    /// A guess to start from.
    pub(super) fn first() -> Self {
        Self {
            equal: 0.005,
            odds: 0.0,
        }
    }

    /// Intra-class correlation of healthy terminals whose rate is expected to be `rate`.
    pub(super) fn at(&self, rate: f64) -> f64 {
        (self.equal + self.odds * rate * (1.0 - rate)).min(LARGEST)
    }

    /// The same together with what is not known about the peers.
    pub(super) fn of(&self, expected: &Expected) -> f64 {
        (self.at(expected.rate) + expected.rho).min(LARGEST)
    }

    pub(super) fn estimate(
        terminals: &[Counts],
        expected: &[Option<Expected>],
        healthy: &[f64],
        first: &Self,
    ) -> Self {
        let mut spread = *first;
        for _ in 0..PASSES {
            let mut sums = Sums::default();
            for ((counts, expected), &healthy) in terminals.iter().zip(expected).zip(healthy) {
                if let Some(expected) = expected {
                    sums.add(counts, expected, healthy, &spread);
                }
            }
            spread = sums.solve();
        }
        spread
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
            let inflation = 1.0 + (attempts - 1.0) * spread.of(&expected);
            let variance = attempts * expected.rate * (1.0 - expected.rate) * inflation;
            (as_f64(counts.failures) - attempts * expected.rate) / variance.sqrt()
        })
    };
    let excesses: Vec<f64> = terminals.iter().zip(expected).map(excess).collect();
    let mut sorted = excesses.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let worst = sorted.len() - sorted.len() / ONE_IN;
    let limit = sorted.get(worst).copied().unwrap_or(f64::INFINITY);
    excesses
        .iter()
        .map(|&excess| if excess >= limit { 0.0 } else { 1.0 })
        .collect()
}

/// The normal equations of z² − 1 by (n − 1) and (n − 1)·mu·(1 − mu).
#[derive(Default)]
struct Sums {
    xx: f64,
    xy: f64,
    yy: f64,
    xz: f64,
    yz: f64,
}

impl Sums {
    fn add(&mut self, counts: &Counts, expected: &Expected, healthy: f64, spread: &Spread) {
        let attempts = as_f64(counts.attempts);
        let rate = expected.rate;
        let unit = rate * (1.0 - rate);
        let variance = attempts * unit;
        let inflation = 1.0 + (attempts - 1.0) * spread.of(expected);
        let z2 = (as_f64(counts.failures) - attempts * rate).powi(2) / variance;
        let weight = healthy / (2.0 * inflation * inflation + inflation / variance);
        let x = attempts - 1.0;
        let y = x * unit;
        let excess = z2 - 1.0 - x * expected.rho;
        self.xx += weight * x * x;
        self.xy += weight * x * y;
        self.yy += weight * y * y;
        self.xz += weight * x * excess;
        self.yz += weight * y * excess;
    }

    /// The least squares with neither part below 0.
    fn solve(&self) -> Spread {
        let alone = |xz: f64, xx: f64| if xx > 0.0 { (xz / xx).max(0.0) } else { 0.0 };
        let determinant = self.xx * self.yy - self.xy * self.xy;
        if determinant > 1e-9 * self.xx * self.yy {
            let equal = (self.xz * self.yy - self.yz * self.xy) / determinant;
            let odds = (self.yz * self.xx - self.xz * self.xy) / determinant;
            if equal >= 0.0 && odds >= 0.0 {
                return Spread { equal, odds };
            }
        }
        let (equal, odds) = (alone(self.xz, self.xx), alone(self.yz, self.yy));
        if self.xz * equal >= self.yz * odds {
            Spread { equal, odds: 0.0 }
        } else {
            Spread { equal: 0.0, odds }
        }
    }
}
