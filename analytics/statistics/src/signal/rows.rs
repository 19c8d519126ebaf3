//! From rows to means by terminal and shared radio cell.

use std::collections::HashSet;
use std::ops::Range;

use rayon::prelude::*;

use super::factor::{System, systems};
use super::{SignalError, SignalRow};
use crate::levels::Levels;

/// The terminals and models by name, and what they hear.
pub(super) struct Fleet<'a> {
    pub(super) terminals: Vec<&'a str>,
    pub(super) models: Vec<&'a str>,
    pub(super) model_of: Vec<u32>,
    /// Readings of each terminal on all its radio cells.
    pub(super) readings: Vec<u64>,
    pub(super) heard: Heard,
}

/// The mean of the readings of one terminal on one radio cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mean {
    pub(super) terminal: u32,
    pub(super) radio_cell: u32,
    pub(super) readings: f64,
    /// In dB above the mean of the fleet: sums of small numbers keep their digits.
    pub(super) db: f64,
    pub(super) sum_squares: f64,
}

/// The means on radio cells that more than one terminal hears, by terminal and radio cell.
pub(super) struct Heard {
    pub(super) means: Vec<Mean>,
    /// Where each terminal's means begin, and the end.
    terminal_starts: Vec<usize>,
    /// The means of each radio cell, by terminal.
    by_cell: Vec<u32>,
    cell_starts: Vec<usize>,
    /// Squares and degrees of freedom of readings round their means, of all radio cells.
    pub(super) within: (f64, f64),
}

impl Heard {
    pub(super) fn of_terminal(&self, terminal: usize) -> Range<usize> {
        self.terminal_starts[terminal]..self.terminal_starts[terminal + 1]
    }

    pub(super) fn of_cell(&self, cell: usize) -> impl Iterator<Item = usize> + '_ {
        let places = &self.by_cell[self.cell_starts[cell]..self.cell_starts[cell + 1]];
        places.iter().map(|place| *place as usize)
    }

    /// How many terminals hear a radio cell.
    pub(super) fn listeners(&self, cell: usize) -> usize {
        self.cell_starts[cell + 1] - self.cell_starts[cell]
    }

    pub(super) fn terminals(&self) -> usize {
        self.terminal_starts.len() - 1
    }

    pub(super) fn cells(&self) -> usize {
        self.cell_starts.len() - 1
    }
}

impl<'a> Fleet<'a> {
    /// Checks, pools and sorts the rows.
    pub(super) fn of(rows: &[SignalRow<'a>]) -> Result<Self, SignalError> {
        if let Some(row) = rows.iter().find(|row| !is_a_reading(row)) {
            return Err(SignalError::Reading {
                terminal: row.terminal.to_owned(),
                radio_cell: row.radio_cell.to_owned(),
                mean_dbm: row.mean_dbm,
                sum_squares: row.sum_squares,
            });
        }
        let terminals = Levels::of(rows.iter().map(|row| row.terminal));
        let models = Levels::of(rows.iter().map(|row| row.model));
        let cells = Levels::of(rows.iter().map(|row| row.radio_cell));
        let model_of = models_of(&terminals, &models)?;
        let mut readings = vec![0; terminals.names.len()];
        for (row, terminal) in rows.iter().zip(&terminals.of_row) {
            readings[*terminal as usize] += row.readings;
        }
        let means: Vec<Mean> = rows
            .iter()
            .zip(terminals.of_row.iter().zip(&cells.of_row))
            .filter(|(row, _)| row.readings > 0)
            .map(|(row, (terminal, cell))| Mean {
                terminal: *terminal,
                radio_cell: *cell,
                readings: row.readings as f64,
                db: row.mean_dbm,
                sum_squares: row.sum_squares,
            })
            .collect();
        Ok(Self {
            heard: heard(pooled(means), terminals.names.len(), cells.names.len()),
            terminals: terminals.names,
            models: models.names,
            model_of,
            readings,
        })
    }
}

impl Fleet<'_> {
    /// Takes out the terminals whose comparison would cost more than their means pay for, and counts
    /// them: thousands that move and meet each other on hundreds of radio cells.
    pub(super) fn without_beyond_bounds(mut self) -> (Self, usize) {
        let is_beyond = |system: &System| !system.is_within_bounds(&self.heard, self.models.len());
        let beyond = systems(&self.heard).into_iter().filter(is_beyond);
        let beyond: HashSet<u32> = beyond.flat_map(|system| system.terminals).collect();
        if !beyond.is_empty() {
            let heard = &mut self.heard;
            let (terminals, cells, within) = (heard.terminals(), heard.cells(), heard.within);
            let mut means = std::mem::take(&mut heard.means);
            means.retain(|mean| !beyond.contains(&mean.terminal));
            *heard = Heard::of(means, terminals, cells, within);
        }
        (self, beyond.len())
    }
}

fn is_a_reading(row: &SignalRow<'_>) -> bool {
    row.readings == 0
        || (row.mean_dbm.is_finite() && row.sum_squares.is_finite() && row.sum_squares >= 0.0)
}

fn models_of(terminals: &Levels<'_>, models: &Levels<'_>) -> Result<Vec<u32>, SignalError> {
    let mut model_of = vec![None; terminals.names.len()];
    for (terminal, model) in terminals.of_row.iter().zip(&models.of_row) {
        let known = *model_of[*terminal as usize].get_or_insert(*model);
        if known != *model {
            let (first, second) = (known.min(*model), known.max(*model));
            return Err(SignalError::TwoModels {
                terminal: terminals.names[*terminal as usize].to_owned(),
                first: models.names[first as usize].to_owned(),
                second: models.names[second as usize].to_owned(),
            });
        }
    }
    Ok(model_of.into_iter().flatten().collect())
}

/// One mean for each terminal and radio cell, sorted; the order of the rows leaves no trace.
fn pooled(mut means: Vec<Mean>) -> Vec<Mean> {
    means.par_sort_unstable_by(|a, b| {
        let key = |mean: &Mean| (mean.terminal, mean.radio_cell);
        let by_key = key(a).cmp(&key(b)).then(a.readings.total_cmp(&b.readings));
        let by_mean = by_key.then(a.db.total_cmp(&b.db));
        by_mean.then(a.sum_squares.total_cmp(&b.sum_squares))
    });
    let mut pooled: Vec<Mean> = Vec::with_capacity(means.len());
    for mean in means {
        match pooled.last_mut() {
            Some(last) if (last.terminal, last.radio_cell) == (mean.terminal, mean.radio_cell) => {
                let readings = last.readings + mean.readings;
                let gap = mean.db - last.db;
                last.sum_squares +=
                    mean.sum_squares + gap * gap * last.readings * mean.readings / readings;
                last.db += gap * mean.readings / readings;
                last.readings = readings;
            }
            _ => pooled.push(mean),
        }
    }
    pooled
}

fn heard(mut means: Vec<Mean>, terminals: usize, cells: usize) -> Heard {
    let squares = means.iter().map(|mean| mean.sum_squares).sum();
    let freedom = means.iter().map(|mean| mean.readings - 1.0).sum();
    let mut listeners = vec![0; cells];
    for mean in &means {
        listeners[mean.radio_cell as usize] += 1;
    }
    means.retain(|mean| listeners[mean.radio_cell as usize] > 1);
    Heard::of(means, terminals, cells, (squares, freedom))
}

impl Heard {
    fn of(mut means: Vec<Mean>, terminals: usize, cells: usize, within: (f64, f64)) -> Self {
        let centre = means.iter().map(|mean| mean.db).sum::<f64>() / means.len().max(1) as f64;
        for mean in &mut means {
            mean.db -= centre;
        }
        let terminal_starts = starts(means.iter().map(|mean| mean.terminal), terminals);
        let mut by_cell: Vec<u32> = (0_u32..).zip(&means).map(|(place, _)| place).collect();
        by_cell.sort_by_key(|place| means[*place as usize].radio_cell);
        let of_cell = by_cell
            .iter()
            .map(|place| means[*place as usize].radio_cell);
        let cell_starts = starts(of_cell, cells);
        Self {
            terminal_starts,
            by_cell,
            cell_starts,
            within,
            means,
        }
    }
}

/// Where each of `count` groups begins in a sorted sequence, and the end.
fn starts(sorted: impl Iterator<Item = u32>, count: usize) -> Vec<usize> {
    let mut starts = vec![0; count + 1];
    for group in sorted {
        starts[group as usize + 1] += 1;
    }
    for group in 0..count {
        starts[group + 1] += starts[group];
    }
    starts
}
