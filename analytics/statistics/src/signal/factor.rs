//! The system that is left when the radio cells are eliminated: which terminals it joins, what solving
//! it costs, and its Cholesky factor.
//!
//! With d the sum of precisions on a radio cell, p those of a terminal's means and σ² the variance of
//! what is a terminal's own, K = diag(1/σ² + Σ p) − P' diag(1/d) P has a row and column for each
//! terminal. Its off-diagonal entries are negative and each row's sum is 1/σ², so it is positive
//! definite however dense it is, and no pivoting is needed. Terminals that share no radio cell, not
//! even through others, are systems of their own. In the order that a walk from the rim of a system
//! meets them (Cuthill and McKee 1969) the entries lie near the diagonal, and the factor within the
//! same envelope (George and Liu 1981, chapter 4): a few phones that heard thousands of radio cells
//! make a full matrix of a few rows, terminals spread over a country a long narrow one.

use rayon::prelude::*;

use super::rows::Heard;

/// Steps (a multiplication and an addition) that a system may cost for each of its means.
const STEPS_PER_MEAN: f64 = 32_768.0;
/// Entries that the factor of a system may have for each of its means, beside [`FREE_ENTRIES`].
const ENTRIES_PER_MEAN: usize = 64;
/// Entries that any system may have: 8 MiB.
const FREE_ENTRIES: usize = 1 << 20;

/// Terminals that radio cells join, in the order of their rows.
pub(super) struct System {
    pub(super) terminals: Vec<u32>,
    /// First column of each row's envelope.
    first: Vec<u32>,
}

/// Finds the systems, each with at least one mean.
pub(super) fn systems(heard: &Heard) -> Vec<System> {
    let mut walk = Walk::new(heard);
    let mut systems = Vec::new();
    for terminal in 0..heard.terminals() {
        if heard.of_terminal(terminal).is_empty() || walk.is_done[terminal] {
            continue;
        }
        // The last one met is at the rim: an order from there has a narrower envelope.
        let rim = walk.from(heard, terminal);
        let rim = *rim.last().expect("a walk meets where it begins") as usize;
        let terminals = walk.from(heard, rim);
        for terminal in &terminals {
            walk.is_done[*terminal as usize] = true;
        }
        systems.push(walk.system(heard, terminals));
    }
    systems
}

/// A walk from terminal to terminal by the radio cells they share.
struct Walk {
    is_done: Vec<bool>,
    /// Number of the walk that met each terminal and radio cell last.
    terminal_met: Vec<u32>,
    cell_met: Vec<u32>,
    walks: u32,
    place: Vec<u32>,
}

impl Walk {
    fn new(heard: &Heard) -> Self {
        Self {
            is_done: vec![false; heard.terminals()],
            terminal_met: vec![0; heard.terminals()],
            cell_met: vec![0; heard.cells()],
            walks: 0,
            place: vec![0; heard.terminals()],
        }
    }

    fn from(&mut self, heard: &Heard, terminal: usize) -> Vec<u32> {
        self.walks += 1;
        self.terminal_met[terminal] = self.walks;
        let mut met = vec![u32::try_from(terminal).expect("terminals are numbered by u32")];
        let mut next = 0;
        while let Some(terminal) = met.get(next) {
            next += 1;
            for mean in &heard.means[heard.of_terminal(*terminal as usize)] {
                let cell = mean.radio_cell as usize;
                if std::mem::replace(&mut self.cell_met[cell], self.walks) == self.walks {
                    continue;
                }
                for at in heard.of_cell(cell) {
                    let other = heard.means[at].terminal;
                    let known = &mut self.terminal_met[other as usize];
                    if std::mem::replace(known, self.walks) != self.walks {
                        met.push(other);
                    }
                }
            }
        }
        met
    }

    fn system(&mut self, heard: &Heard, terminals: Vec<u32>) -> System {
        for (place, terminal) in (0..).zip(&terminals) {
            self.place[*terminal as usize] = place;
        }
        let place = |at: usize| self.place[heard.means[at].terminal as usize];
        let first_of = |terminal: &u32| {
            let means = &heard.means[heard.of_terminal(*terminal as usize)];
            let cells = means.iter().map(|mean| mean.radio_cell as usize);
            let firsts = cells.filter_map(|cell| heard.of_cell(cell).map(place).min());
            firsts.min().expect("a terminal of a system has means")
        };
        let first = terminals.iter().map(first_of).collect();
        System { terminals, first }
    }
}

impl System {
    /// Whether solving for every terminal, for `comparisons` models as well, is within what its means
    /// pay for.
    pub(super) fn is_within_bounds(&self, heard: &Heard, comparisons: usize) -> bool {
        let own = |terminal: &u32| heard.of_terminal(*terminal as usize);
        let means: usize = self
            .terminals
            .iter()
            .map(|terminal| own(terminal).len())
            .sum();
        let entries = self.entries();
        let widths = self.widths();
        let factor: f64 = widths.map(|width| (width * width) as f64 / 2.0).sum();
        let pairs = self.terminals.iter().flat_map(own);
        let pairs = pairs.map(|at| heard.listeners(heard.means[at].radio_cell as usize) as f64);
        let solutions = self.terminals.len() as f64 * (comparisons + 1) as f64;
        let steps = factor + pairs.sum::<f64>() + solutions * entries as f64;
        entries <= FREE_ENTRIES.max(ENTRIES_PER_MEAN * means)
            && steps <= STEPS_PER_MEAN * means as f64
    }

    fn widths(&self) -> impl Iterator<Item = usize> + '_ {
        let rows = self.first.iter().enumerate();
        rows.map(|(row, first)| row + 1 - *first as usize)
    }

    fn entries(&self) -> usize {
        self.widths().sum()
    }
}

/// The factors of all systems.
pub(super) struct Factors {
    factors: Vec<Factor>,
    /// System and row of each terminal; `None` without a mean.
    place: Vec<Option<(u32, u32)>>,
}

/// The factor of one system, row by row within its envelope.
struct Factor {
    system: System,
    starts: Vec<usize>,
    entries: Vec<f64>,
}

impl Factors {
    /// Factors K: `precision` is p of each mean, `own` is 1/σ² + Σ p of each terminal, `d` the sum of p on each
    /// radio cell.
    pub(super) fn of(heard: &Heard, precision: &[f64], own: &[f64], d: &[f64]) -> Self {
        let systems = systems(heard);
        let mut place = vec![None; heard.terminals()];
        for (system, number) in systems.iter().zip(0..) {
            for (terminal, row) in system.terminals.iter().zip(0..) {
                place[*terminal as usize] = Some((number, row));
            }
        }
        let row_of = |terminal: u32| place[terminal as usize].expect("in a system").1 as usize;
        let factors = systems.into_par_iter().map(|system| {
            let mut factor = Factor::empty(system);
            for row in 0..factor.system.terminals.len() {
                let terminal = factor.system.terminals[row] as usize;
                *factor.at(row, row) += own[terminal];
                for at in heard.of_terminal(terminal) {
                    let cell = heard.means[at].radio_cell as usize;
                    for other in heard.of_cell(cell) {
                        let column = row_of(heard.means[other].terminal);
                        if column <= row {
                            *factor.at(row, column) -= precision[at] * precision[other] / d[cell];
                        }
                    }
                }
            }
            factor.decompose();
            factor
        });
        Self {
            factors: factors.collect(),
            place,
        }
    }

    /// Solves K x = b for all terminals, in place.
    pub(super) fn solve(&self, b: &mut [f64]) {
        for factor in &self.factors {
            let terminals = &factor.system.terminals;
            let mut own: Vec<f64> = terminals.iter().map(|at| b[*at as usize]).collect();
            factor.forward(&mut own, 0);
            factor.backward(&mut own);
            for (terminal, solution) in terminals.iter().zip(own) {
                b[*terminal as usize] = solution;
            }
        }
    }

    /// b' K⁻¹ b for a b of terminals of one system, given by terminal; repeated ones are added up.
    pub(super) fn square(&self, b: impl Iterator<Item = (u32, f64)>) -> f64 {
        let mut rows: Vec<(u32, u32, f64)> = Vec::new();
        for (terminal, value) in b {
            let (system, row) = self.place[terminal as usize].expect("it has means");
            rows.push((system, row, value));
        }
        let Some((system, from)) = rows.iter().map(|row| (row.0, row.1)).min() else {
            return 0.0;
        };
        let factor = &self.factors[system as usize];
        let mut own = vec![0.0; factor.system.terminals.len()];
        for (_, row, value) in rows {
            own[row as usize] += value;
        }
        factor.forward(&mut own, from as usize);
        own.iter().map(|value| value * value).sum()
    }
}

impl Factor {
    fn empty(system: System) -> Self {
        let mut starts = Vec::with_capacity(system.terminals.len() + 1);
        starts.push(0);
        for width in system.widths() {
            starts.push(starts[starts.len() - 1] + width);
        }
        Self {
            entries: vec![0.0; system.entries()],
            starts,
            system,
        }
    }

    fn first(&self, row: usize) -> usize {
        self.system.first[row] as usize
    }

    fn at(&mut self, row: usize, column: usize) -> &mut f64 {
        let place = self.starts[row] + column - self.first(row);
        &mut self.entries[place]
    }

    /// The entries of a row from a column on, up to before another one.
    fn part(&self, row: usize, from: usize, to: usize) -> &[f64] {
        let start = self.starts[row] + from - self.first(row);
        &self.entries[start..start + to - from]
    }

    fn diagonal(&self, row: usize) -> f64 {
        self.entries[self.starts[row + 1] - 1]
    }

    fn decompose(&mut self) {
        for row in 0..self.system.terminals.len() {
            for column in self.first(row)..row {
                let from = self.first(row).max(self.first(column));
                let known = dot(
                    self.part(row, from, column),
                    self.part(column, from, column),
                );
                let over = self.diagonal(column);
                let entry = self.at(row, column);
                *entry = (*entry - known) / over;
            }
            let first = self.first(row);
            let own = self.part(row, first, row);
            let known = dot(own, own);
            let entry = self.at(row, row);
            // Rounding alone can make it 0 where a system is nearly singular.
            *entry = (*entry - known).max(*entry * f64::EPSILON).sqrt();
        }
    }

    /// Solves L x = b in place, where b is 0 before a row.
    fn forward(&self, b: &mut [f64], from: usize) {
        for row in from..b.len() {
            let first = self.first(row).max(from);
            let known = dot(self.part(row, first, row), &b[first..row]);
            b[row] = (b[row] - known) / self.diagonal(row);
        }
    }

    /// Solves L' x = b in place.
    fn backward(&self, b: &mut [f64]) {
        for row in (0..b.len()).rev() {
            b[row] /= self.diagonal(row);
            let (solved, first) = (b[row], self.first(row));
            let entries = self.part(row, first, row);
            for (value, entry) in b[first..row].iter_mut().zip(entries) {
                *value -= entry * solved;
            }
        }
    }
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}
