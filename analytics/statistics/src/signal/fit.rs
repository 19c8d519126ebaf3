//! Generalised least squares with an effect for each radio cell and random terminals.
//!
//! With V the covariance of the means (blocks by terminal) and X the incidence of radio cells,
//! everything needed are sums of V⁻¹ and solutions of A x = g, A = X'V⁻¹X. A is a diagonal, the
//! precisions d of the radio cells, less a term for each terminal: A = diag(d) − P S P', so by Woodbury's
//! identity A⁻¹ = diag(1/d) + diag(1/d) P K⁻¹ P' diag(1/d), where K ([`super::factor`]) has the size of the
//! terminals. A itself is dense and nearly singular where terminals move, and no sweep over it ends.

use super::factor::Factors;
use super::rows::{Heard, Mean};
use super::spread::Spread;

/// The fitted effects, and what comparisons need of the weights.
pub(super) struct Fit<'a> {
    pub(super) heard: &'a Heard,
    pub(super) spread: Spread,
    /// Inverse variance of each mean, less what is the terminal's own.
    precision: Vec<f64>,
    /// For each terminal, the variance of its own over 1 + that × the sum of its precisions.
    slope: Vec<f64>,
    /// Sum of the precisions on each radio cell.
    cell_precision: Vec<f64>,
    /// `None` where terminals have no variance of their own.
    factors: Option<Factors>,
    /// Each mean less the effect of its radio cell, in dB.
    pub(super) residual: Vec<f64>,
    /// V⁻¹ of the residuals.
    pub(super) weighted: Vec<f64>,
}

impl<'a> Fit<'a> {
    pub(super) fn new(heard: &'a Heard, spread: Spread) -> Self {
        // Readings without any spread at all weigh alike, and are not testable.
        let precision: Vec<f64> = heard
            .means
            .iter()
            .map(|mean| spread.of_mean(mean.readings))
            .map(|variance| if variance > 0.0 { 1.0 / variance } else { 1.0 })
            .collect();
        let slope = (0..heard.terminals()).map(|terminal| {
            let sum: f64 = precision[heard.of_terminal(terminal)].iter().sum();
            spread.terminals / (1.0 + spread.terminals * sum)
        });
        let slope: Vec<f64> = slope.collect();
        let mut cell_precision = vec![0.0; heard.cells()];
        for (mean, precision) in heard.means.iter().zip(&precision) {
            cell_precision[mean.radio_cell as usize] += precision;
        }
        let factors = (spread.terminals > 0.0).then(|| {
            let own: Vec<f64> = slope.iter().map(|slope| slope.recip()).collect();
            Factors::of(heard, &precision, &own, &cell_precision)
        });
        let mut fit = Self {
            heard,
            spread,
            precision,
            slope,
            cell_precision,
            factors,
            residual: heard.means.iter().map(|mean| mean.db).collect(),
            weighted: Vec::new(),
        };
        fit.take_out_cells();
        fit
    }

    fn take_out_cells(&mut self) {
        let weighted = self.weigh_all(&self.residual);
        let effects = self.solve(&weighted);
        for (residual, mean) in self.residual.iter_mut().zip(&self.heard.means) {
            *residual -= effects[mean.radio_cell as usize];
        }
        self.weighted = self.weigh_all(&self.residual);
    }

    /// Solves A x = g, for a g that is the sum of a value for each mean on its radio cell.
    pub(super) fn solve(&self, g: &[f64]) -> Vec<f64> {
        let mut cells = vec![0.0; self.heard.cells()];
        for (mean, g) in self.heard.means.iter().zip(g) {
            cells[mean.radio_cell as usize] += g;
        }
        for (cell, precision) in cells.iter_mut().zip(&self.cell_precision) {
            // A radio cell that nobody shares has no mean here.
            *cell = if *precision > 0.0 {
                *cell / precision
            } else {
                0.0
            };
        }
        let Some(factors) = &self.factors else {
            return cells;
        };
        let mut terminals = vec![0.0; self.heard.terminals()];
        for (mean, precision) in self.heard.means.iter().zip(&self.precision) {
            terminals[mean.terminal as usize] += precision * cells[mean.radio_cell as usize];
        }
        factors.solve(&mut terminals);
        for (mean, precision) in self.heard.means.iter().zip(&self.precision) {
            let cell = mean.radio_cell as usize;
            cells[cell] +=
                precision * terminals[mean.terminal as usize] / self.cell_precision[cell];
        }
        cells
    }

    /// g' A⁻¹ g for a value of each mean of one terminal.
    pub(super) fn taken_by_cells(&self, terminal: usize, g: &[f64]) -> f64 {
        let own = self.heard.of_terminal(terminal);
        let cell = |at: usize| self.heard.means[at].radio_cell as usize;
        let alone = own
            .clone()
            .zip(g)
            .map(|(at, g)| g * g / self.cell_precision[cell(at)]);
        let alone: f64 = alone.sum();
        let Some(factors) = &self.factors else {
            return alone;
        };
        let passed_on = own.zip(g).flat_map(|(at, g)| {
            let share = g / self.cell_precision[cell(at)];
            let listeners = self.heard.of_cell(cell(at));
            listeners.map(move |other| {
                let terminal = self.heard.means[other].terminal;
                (terminal, share * self.precision[other])
            })
        });
        alone + factors.square(passed_on)
    }

    /// V⁻¹ of a value for each mean.
    pub(super) fn weigh_all(&self, values: &[f64]) -> Vec<f64> {
        let mut weighted = Vec::with_capacity(values.len());
        for terminal in 0..self.heard.terminals() {
            let own = self.heard.of_terminal(terminal);
            let sum: f64 = own.clone().map(|at| self.precision[at] * values[at]).sum();
            let common = self.slope[terminal] * sum;
            weighted.extend(own.map(|at| self.precision[at] * (values[at] - common)));
        }
        weighted
    }

    /// V⁻¹ of 1 for every mean of a terminal.
    pub(super) fn weights_of(&self, terminal: usize) -> Vec<f64> {
        let own = &self.precision[self.heard.of_terminal(terminal)];
        let kept = 1.0 - self.slope[terminal] * own.iter().sum::<f64>();
        own.iter().map(|precision| precision * kept).collect()
    }

    /// The variance that the model gives a weighted sum of the means of one terminal.
    pub(super) fn variance(&self, means: &[Mean], weights: &[f64]) -> f64 {
        let own: f64 = means
            .iter()
            .zip(weights)
            .map(|(mean, weight)| weight * weight * self.spread.of_mean(mean.readings))
            .sum();
        let sum: f64 = weights.iter().sum();
        own + self.spread.terminals * sum * sum
    }

    /// Whether there is a spread that differences can be measured by.
    pub(super) fn has_spread(&self) -> bool {
        self.spread.readings + self.spread.terminals + self.spread.places > 0.0
    }
}
