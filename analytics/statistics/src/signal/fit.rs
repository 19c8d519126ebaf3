//! Generalised least squares with an effect for each radio cell and random terminals.
//!
//! With V the covariance of the means (blocks by terminal) and X the incidence of radio cells,
//! everything needed are sums of V⁻¹ and solutions of A x = g, A = X'V⁻¹X. A is never built: its
//! off-diagonal entries are negative and each row's sum is positive, so sweeps over the radio cells
//! converge, and a sweep need only visit those whose equation is not met yet. What one radio cell
//! changes dies out within a few of its neighbours. Of the inverse of A only the entries between
//! radio cells of one terminal are kept: one solution for each radio cell serves every comparison.

use std::collections::VecDeque;

use rayon::prelude::*;

use super::rows::{Heard, Mean};
use super::spread::Spread;

/// An equation is met when its next step would be smaller than this share of the largest first one.
const MET: f64 = 1e-11;

/// The fitted effects, and what comparisons need of the weights.
pub(super) struct Fit<'a> {
    pub(super) heard: &'a Heard,
    pub(super) spread: Spread,
    /// Inverse variance of each mean, less what is the terminal's own.
    precision: Vec<f64>,
    /// For each terminal, the variance of its own over 1 + that × the sum of its precisions.
    slope: Vec<f64>,
    diagonal: Vec<f64>,
    /// Each mean less the effect of its radio cell, in dB.
    pub(super) residual: Vec<f64>,
    /// V⁻¹ of the residuals.
    pub(super) weighted: Vec<f64>,
    /// For each mean, the entries of A⁻¹ between its radio cell and those of its terminal.
    inverse: Vec<Vec<f64>>,
}

/// The solution of an equation and what it still lacks, by radio cell; kept to be used again.
#[derive(Default)]
pub(super) struct Scratch {
    solution: Vec<f64>,
    unmet: Vec<f64>,
    queued: Vec<bool>,
    queue: VecDeque<u32>,
    touched: Vec<u32>,
}

impl Scratch {
    pub(super) fn new(cells: usize) -> Self {
        Self {
            solution: vec![0.0; cells],
            unmet: vec![0.0; cells],
            queued: vec![false; cells],
            ..Self::default()
        }
    }

    /// The solution at a radio cell.
    pub(super) fn at(&self, cell: u32) -> f64 {
        self.solution[cell as usize]
    }

    fn clear(&mut self) {
        for cell in self.touched.drain(..) {
            self.solution[cell as usize] = 0.0;
            self.unmet[cell as usize] = 0.0;
        }
    }

    fn add(&mut self, cell: u32, value: f64) {
        let at = cell as usize;
        if self.unmet[at] == 0.0 && self.solution[at] == 0.0 {
            self.touched.push(cell);
        }
        self.unmet[at] += value;
    }

    /// Queues a radio cell whose next step would exceed `met`.
    fn queue(&mut self, cell: u32, step: f64, met: f64) {
        if step.abs() > met && !std::mem::replace(&mut self.queued[cell as usize], true) {
            self.queue.push_back(cell);
        }
    }
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
        let mut diagonal = vec![0.0; heard.cells()];
        for (mean, precision) in heard.means.iter().zip(&precision) {
            diagonal[mean.radio_cell as usize] +=
                precision * (1.0 - slope[mean.terminal as usize] * precision);
        }
        let mut fit = Self {
            heard,
            spread,
            precision,
            slope,
            diagonal,
            residual: heard.means.iter().map(|mean| mean.db).collect(),
            weighted: Vec::new(),
            inverse: vec![Vec::new(); heard.means.len()],
        };
        fit.take_out_cells();
        fit.invert();
        fit
    }

    fn take_out_cells(&mut self) {
        let weighted = self.weigh_all(&self.residual);
        let mut scratch = Scratch::new(self.heard.cells());
        let cells = self.heard.means.iter().map(|mean| mean.radio_cell);
        self.solve(&mut scratch, cells.zip(weighted));
        for (residual, mean) in self.residual.iter_mut().zip(&self.heard.means) {
            *residual -= scratch.at(mean.radio_cell);
        }
        self.weighted = self.weigh_all(&self.residual);
    }

    fn invert(&mut self) {
        let fit = &*self;
        let of_cells: Vec<Vec<(usize, Vec<f64>)>> = (0..fit.heard.cells())
            .into_par_iter()
            .map_init(
                || Scratch::new(fit.heard.cells()),
                |scratch, cell| fit.inverse_of(cell, scratch),
            )
            .collect();
        for (at, entries) in of_cells.into_iter().flatten() {
            self.inverse[at] = entries;
        }
    }

    /// The entries of A⁻¹ in the row of one radio cell, for each mean there.
    fn inverse_of(&self, cell: usize, scratch: &mut Scratch) -> Vec<(usize, Vec<f64>)> {
        let Some(first) = self.heard.of_cell(cell).next() else {
            return Vec::new();
        };
        let unit = (self.heard.means[first].radio_cell, 1.0);
        self.solve(scratch, std::iter::once(unit));
        let entries = |at: usize| {
            let own = self
                .heard
                .of_terminal(self.heard.means[at].terminal as usize);
            let cells = self.heard.means[own].iter().map(|mean| mean.radio_cell);
            cells.map(|cell| scratch.at(cell)).collect()
        };
        self.heard
            .of_cell(cell)
            .map(|at| (at, entries(at)))
            .collect()
    }

    /// g' A⁻¹ g for a value of each mean of one terminal.
    pub(super) fn taken_by_cells(&self, terminal: usize, g: &[f64]) -> f64 {
        let rows = &self.inverse[self.heard.of_terminal(terminal)];
        let row = |entries: &Vec<f64>| entries.iter().zip(g).map(|(a, g)| a * g).sum::<f64>();
        rows.iter()
            .zip(g)
            .map(|(entries, g)| g * row(entries))
            .sum()
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

    /// Solves A x = g; the solution stays in `scratch` until the next one.
    pub(super) fn solve(&self, scratch: &mut Scratch, g: impl Iterator<Item = (u32, f64)>) {
        scratch.clear();
        for (cell, value) in g {
            scratch.add(cell, value);
        }
        let first = scratch.touched.clone();
        let steps = first.iter().map(|cell| self.next_step(scratch, *cell));
        let largest = steps.fold(0.0_f64, |largest, step| largest.max(step.abs()));
        for cell in first {
            scratch.queue(cell, self.next_step(scratch, cell), MET * largest);
        }
        while let Some(cell) = scratch.queue.pop_front() {
            let at = cell as usize;
            let step = self.next_step(scratch, cell);
            scratch.queued[at] = false;
            scratch.unmet[at] = 0.0;
            scratch.solution[at] += step;
            for mean in self.heard.of_cell(at) {
                self.pass_on(scratch, mean, step, MET * largest);
            }
        }
    }

    /// Tells the other radio cells of a terminal of a step at one of them.
    fn pass_on(&self, scratch: &mut Scratch, from: usize, step: f64, met: f64) {
        let terminal = self.heard.means[from].terminal as usize;
        let common = self.slope[terminal] * self.precision[from] * step;
        for to in self.heard.of_terminal(terminal).filter(|to| *to != from) {
            let cell = self.heard.means[to].radio_cell;
            scratch.add(cell, common * self.precision[to]);
            scratch.queue(cell, self.next_step(scratch, cell), met);
        }
    }

    fn next_step(&self, scratch: &Scratch, cell: u32) -> f64 {
        scratch.unmet[cell as usize] / self.diagonal[cell as usize]
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
