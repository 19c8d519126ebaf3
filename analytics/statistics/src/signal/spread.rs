//! How much terminals differ on one radio cell, by moments.

use super::rows::Heard;

/// At least this share of the variance between terminals is of single radio cells: two masts are
/// never equally far from a terminal, and one that hears many must not count for too much.
const LEAST_PLACES: f64 = 1.0 / 16.0;

/// Variances of the parts of a mean reading, in dB².
#[derive(Debug, Clone, Copy)]
pub(super) struct Spread {
    /// Of single readings of a terminal on a radio cell.
    pub(super) readings: f64,
    /// Of what is a terminal's own on all its radio cells.
    pub(super) terminals: f64,
    /// Of what is of one terminal on one radio cell.
    pub(super) places: f64,
}

impl Spread {
    pub(super) fn of(heard: &Heard) -> Self {
        let (squares, freedom) = heard.within;
        let readings = if freedom > 0.0 {
            squares / freedom
        } else {
            0.0
        };
        let deviations = deviations(heard);
        let between = between(heard, &deviations, readings);
        let terminals = match shared(heard, &deviations) {
            // What is a terminal's own shows only where it hears two radio cells.
            None => between,
            Some(shared) => shared.clamp(0.0, between * (1.0 - LEAST_PLACES)),
        };
        Self {
            readings,
            terminals,
            places: between - terminals,
        }
    }

    /// Variance of a mean on one radio cell, less what is the terminal's own.
    pub(super) fn of_mean(&self, readings: f64) -> f64 {
        self.places + self.readings / readings
    }
}

/// Each mean less the plain mean of its radio cell: as much for a busy terminal as for a quiet one.
fn deviations(heard: &Heard) -> Vec<f64> {
    let mut deviations = vec![0.0; heard.means.len()];
    for cell in 0..heard.cells() {
        let sum: f64 = heard.of_cell(cell).map(|at| heard.means[at].db).sum();
        let mean = sum / heard.listeners(cell) as f64;
        for at in heard.of_cell(cell) {
            deviations[at] = heard.means[at].db - mean;
        }
    }
    deviations
}

/// Variance between terminals on one radio cell, less the noise of their readings.
fn between(heard: &Heard, deviations: &[f64], readings: f64) -> f64 {
    let (mut excess, mut freedom) = (0.0, 0.0);
    for (mean, deviation) in heard.means.iter().zip(deviations) {
        let share = 1.0 - 1.0 / heard.listeners(mean.radio_cell as usize) as f64;
        excess += deviation * deviation - share * readings / mean.readings;
        freedom += share;
    }
    if freedom > 0.0 {
        (excess / freedom).max(0.0)
    } else {
        0.0
    }
}

/// Radio cells that more terminals hear are left out where pairs of terminals are visited: what they
/// would add is below a thousandth of what they are part of.
const MOST_LISTENERS: usize = 1_000;

/// Covariance of the deviations of one terminal on two radio cells, or `None` without such a pair.
/// A terminal counts in proportion to its radio cells.
///
/// The product of two deviations is expected to be 1 − 1/k − 1/l + c/(kl) of that covariance, for k and
/// l terminals on the two radio cells and c on both. Sums over the pairs of radio cells are taken as
/// squares of sums: a terminal that moves has millions of pairs. c counts terminals, so the last term
/// is a sum over the pairs of terminals that share radio cells.
fn shared(heard: &Heard, deviations: &[f64]) -> Option<f64> {
    let inverse = |at: usize| 1.0 / heard.listeners(heard.means[at].radio_cell as usize) as f64;
    let (mut products, mut expected) = (0.0, 0.0);
    let mut common: Vec<[f64; 2]> = vec![[0.0; 2]; heard.terminals()];
    let mut met = Vec::new();
    for terminal in 0..heard.terminals() {
        let own = heard.of_terminal(terminal);
        let Some(others @ 1..) = own.len().checked_sub(1) else {
            continue;
        };
        let weight = 1.0 / others as f64;
        products += weight * of_pairs(own.clone().map(|at| deviations[at]));
        let pairs = own.len() as f64 * others as f64 / 2.0;
        let single: f64 = own.clone().map(inverse).sum();
        expected += weight * (pairs - others as f64 * single);
        for at in own {
            let cell = heard.means[at].radio_cell as usize;
            if heard.listeners(cell) > MOST_LISTENERS {
                continue;
            }
            for other in heard.of_cell(cell) {
                let other = heard.means[other].terminal as usize;
                if common[other] == [0.0; 2] {
                    met.push(other);
                }
                common[other][0] += inverse(at);
                common[other][1] += inverse(at).powi(2);
            }
        }
        for other in met.drain(..) {
            let [sum, squares] = std::mem::take(&mut common[other]);
            expected += weight * (sum * sum - squares) / 2.0;
        }
    }
    (expected > 0.0).then(|| products / expected)
}

/// Sum of the products of all pairs.
fn of_pairs(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut squares) = (0.0, 0.0);
    for value in values {
        sum += value;
        squares += value * value;
    }
    (sum * sum - squares) / 2.0
}
