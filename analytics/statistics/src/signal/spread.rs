//! How much terminals differ on one radio cell, by moments.

use std::collections::HashMap;

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

/// Covariance of the deviations of one terminal on two radio cells, or `None` without such a pair.
/// A terminal counts in proportion to its radio cells.
fn shared(heard: &Heard, deviations: &[f64]) -> Option<f64> {
    let mut common: HashMap<(u32, u32), f64> = HashMap::new();
    for_each_pair(heard, |_, one, other| {
        let cells = (heard.means[one].radio_cell, heard.means[other].radio_cell);
        *common.entry(cells).or_default() += 1.0;
    });
    let (mut products, mut expected) = (0.0, 0.0);
    for_each_pair(heard, |weight, one, other| {
        let cells = (heard.means[one].radio_cell, heard.means[other].radio_cell);
        let listeners = |cell: u32| heard.listeners(cell as usize) as f64;
        let (k, l) = (listeners(cells.0), listeners(cells.1));
        products += weight * deviations[one] * deviations[other];
        expected += weight * (1.0 - 1.0 / k - 1.0 / l + common[&cells] / (k * l));
    });
    (expected > 0.0).then(|| products / expected)
}

/// Visits the pairs of radio cells of each terminal, with the weight of its pairs.
fn for_each_pair(heard: &Heard, mut visit: impl FnMut(f64, usize, usize)) {
    for terminal in 0..heard.terminals() {
        let own = heard.of_terminal(terminal);
        let weight = 1.0 / (own.len().max(2) - 1) as f64;
        for one in own.clone() {
            for other in one + 1..own.end {
                visit(weight, one, other);
            }
        }
    }
}
