//! What the peers of a terminal fail: the fitted logit without the terminal's own counts.

use super::TerminalCounts;
use super::spread::Spread;
use crate::levels::Levels;
use crate::logit::{Factor, Grouped, LogitFit, LogitOptions, LogitRows, VariancePrior, fit};
use rayon::prelude::*;
use std::ops::Range;

/// Attempts and failures of one terminal.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) attempts: u64,
    pub(super) failures: u64,
}

/// The rate expected of a terminal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// Mean failure rate of its peers.
    pub(super) rate: f64,
    /// Variance of the rate's logit: what is not known about the peers.
    pub(super) logit_variance: f64,
    /// The same as intra-class correlation: variance of the rate / (rate × (1 − rate)).
    pub(super) rho: f64,
}

/// An effect whose terminal weighs more than this in it is fitted again without it.
const OWN_SHARE: f64 = 0.1;
/// So is one that would move further than this (logits).
const FAR: f64 = 0.1;
/// And every effect where the base itself moved further than this (logits): a terminal that is much of
/// a small fleet would else be among its own peers.
const BASE_FAR: f64 = 0.01;
/// Places and models differ before any was seen: with eight of them nothing rules out that one is bad.
const EFFECTS: VariancePrior = VariancePrior {
    variance: 0.16,
    levels: 8.0,
};
/// Passes of one round: what they leave to do, the next round does with better weights.
const SWEEPS: usize = 30;
/// Newton steps of such a fit, none longer than one logit.
const STEPS: usize = 4;
/// Nodes and weights of the Gauss–Hermite rule with five points for the standard normal.
const HERMITE: [(f64, f64); 5] = [
    (-2.856_970_013_872_806, 0.011_257_411_327_720_69),
    (-1.355_626_179_974_266, 0.222_075_922_005_612_6),
    (0.0, 0.533_333_333_333_333_3),
    (1.355_626_179_974_266, 0.222_075_922_005_612_6),
    (2.856_970_013_872_806, 0.011_257_411_327_720_69),
];

/// The rows of all terminals, sorted by terminal, cell and model.
pub(super) struct Peers {
    pub(super) terminals: Vec<Counts>,
    /// The rows of each terminal.
    ranges: Vec<Range<usize>>,
    terminal_of_row: Vec<u32>,
    attempts: Vec<u64>,
    failures: Vec<u64>,
    /// Cell, model and, where they differ, classes of signal.
    factors: Vec<RowLevels>,
}

/// Level of each row in a factor, and the rows of each level.
struct RowLevels {
    of_row: Vec<u32>,
    count: usize,
    grouped: Grouped,
}

impl RowLevels {
    fn of(of_row: Vec<u32>, count: usize) -> Self {
        let factor = Factor {
            level_of_row: &of_row,
            count,
        };
        Self {
            grouped: Grouped::of(&factor),
            of_row,
            count,
        }
    }

    fn factor(&self) -> Factor<'_> {
        Factor {
            level_of_row: &self.of_row,
            count: self.count,
        }
    }
}

impl Peers {
    pub(super) fn of(rows: &[TerminalCounts<'_>], names: &Levels<'_>) -> Self {
        let cells = Levels::of(rows.iter().map(|row| row.cell));
        let models = Levels::of(rows.iter().map(|row| row.model));
        let mut classes: Vec<u32> = rows.iter().map(|row| row.signal).collect();
        classes.sort_unstable();
        classes.dedup();
        let class_of = |row: &TerminalCounts<'_>| {
            let class = classes.binary_search(&row.signal);
            u32::try_from(class.expect("every class is among them")).expect("fewer than 2^32")
        };
        let mut keyed: Vec<([u32; 4], Counts)> = rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.attempts > 0)
            .map(|(at, row)| {
                let names = [names.of_row[at], cells.of_row[at], models.of_row[at]];
                let counts = Counts {
                    attempts: row.attempts,
                    failures: row.failures,
                };
                ([names[0], names[1], names[2], class_of(row)], counts)
            })
            .collect();
        keyed.par_sort_unstable_by_key(|&(key, _)| key);
        let merged: Vec<([u32; 4], Counts)> = keyed
            .chunk_by(|one, next| one.0 == next.0)
            .map(|same| (same[0].0, sum(same.iter().map(|row| row.1))))
            .collect();
        drop(keyed);
        let column = |part: usize| merged.iter().map(|row| row.0[part]).collect::<Vec<u32>>();
        let mut factors = vec![
            RowLevels::of(column(1), cells.names.len()),
            RowLevels::of(column(2), models.names.len()),
        ];
        if classes.len() > 1 {
            factors.push(RowLevels::of(column(3), classes.len()));
        }
        let mut peers = Self {
            terminals: vec![Counts::default(); names.names.len()],
            ranges: vec![0..0; names.names.len()],
            terminal_of_row: column(0),
            attempts: merged.iter().map(|row| row.1.attempts).collect(),
            failures: merged.iter().map(|row| row.1.failures).collect(),
            factors,
        };
        let mut start = 0;
        for own in merged.chunk_by(|one, next| one.0[0] == next.0[0]) {
            let terminal = own[0].0[0] as usize;
            peers.terminals[terminal] = sum(own.iter().map(|row| row.1));
            peers.ranges[terminal] = start..start + own.len();
            start += own.len();
        }
        peers
    }

    fn total(&self) -> Counts {
        sum(self.terminals.iter().copied())
    }

    pub(super) fn mean_rate(&self) -> f64 {
        let total = self.total();
        total.failures as f64 / (total.attempts.max(1)) as f64
    }

    /// Nothing failed, or everything: no terminal can be told from another.
    pub(super) fn is_constant(&self) -> bool {
        let total = self.total();
        total.failures == 0 || total.failures == total.attempts
    }

    /// What an attempt of each row counts: less where attempts of one terminal go together, and
    /// nothing where the terminal is surely bad.
    fn weights(&self, healthy: &[f64], spread: &Spread) -> Vec<f64> {
        let rho = spread.at(self.mean_rate());
        self.terminal_of_row
            .iter()
            .map(|&terminal| {
                let attempts = as_f64(self.terminals[terminal as usize].attempts);
                healthy[terminal as usize] / spread.inflation(attempts, rho)
            })
            .collect()
    }

    pub(super) fn fit(
        &self,
        healthy: &[f64],
        spread: &Spread,
        last: Option<&LogitFit>,
    ) -> LogitFit {
        let weights = self.weights(healthy, spread);
        let factors: Vec<Factor<'_>> = self.factors.iter().map(RowLevels::factor).collect();
        let rows = LogitRows {
            attempts: &self.attempts,
            failures: &self.failures,
            weights: Some(&weights),
            factors: &factors,
        };
        let options = LogitOptions {
            start: last,
            prior: Some(EFFECTS),
            tolerance: 1e-4,
            max_sweeps: SWEEPS,
            ..LogitOptions::default()
        };
        fit(&rows, &options).expect("counts were checked and are not constant")
    }

    /// The rate expected of each terminal; `None` without attempts.
    pub(super) fn expect(
        &self,
        fitted: &LogitFit,
        healthy: &[f64],
        spread: &Spread,
    ) -> Vec<Option<Expected>> {
        let leave_out = LeaveOut::new(self, fitted, self.weights(healthy, spread));
        self.ranges
            .par_iter()
            .with_min_len(256)
            .map(|range| self.expect_one(range.clone(), &leave_out))
            .collect()
    }

    fn expect_one(&self, range: Range<usize>, leave_out: &LeaveOut<'_>) -> Option<Expected> {
        let (mut attempts, mut rates, mut variances) = (0.0, 0.0, 0.0);
        let mut logit_variance = 0.0;
        let base_moved = leave_out.base_without(&range);
        for row in range.clone() {
            let (odds, variance) = leave_out.odds(row, range.clone(), base_moved);
            let (mean, spread) = moments(odds, variance);
            let count = as_f64(self.attempts[row]);
            attempts += count;
            rates += count * mean;
            variances += count * spread;
            logit_variance += count * variance;
        }
        let rate = rates / attempts;
        (attempts > 0.0).then(|| Expected {
            rate,
            logit_variance: logit_variance / attempts,
            rho: variances / attempts / (rate * (1.0 - rate)),
        })
    }
}

/// Takes the rows of one terminal out of the effects that they helped to fit.
struct LeaveOut<'p> {
    peers: &'p Peers,
    fitted: &'p LogitFit,
    weights: Vec<f64>,
    /// Information of all rows in each level.
    information: Vec<Vec<f64>>,
    /// Information of all rows.
    base_information: f64,
    base_variance: f64,
}

impl<'p> LeaveOut<'p> {
    fn new(peers: &'p Peers, fitted: &'p LogitFit, weights: Vec<f64>) -> Self {
        let of_factor = |factor: &RowLevels| {
            (0..factor.count)
                .into_par_iter()
                .with_min_len(64)
                .map(|level| {
                    let rows = factor.grouped.rows(level).iter();
                    rows.map(|&row| {
                        let row = row as usize;
                        let rate = fitted.rates[row];
                        weights[row] * as_f64(peers.attempts[row]) * rate * (1.0 - rate)
                    })
                    .sum()
                })
                .collect()
        };
        let information: Vec<Vec<f64>> = peers.factors.iter().map(of_factor).collect();
        Self {
            peers,
            fitted,
            weights,
            // Every row has one cell.
            base_information: information[0].iter().sum(),
            information,
            base_variance: fitted.base_error.powi(2),
        }
    }

    /// Score and information of a row whose odds are multiplied.
    fn slope(&self, row: usize, times: f64) -> (f64, f64) {
        let attempts = self.weights[row] * as_f64(self.peers.attempts[row]);
        let failures = self.weights[row] * as_f64(self.peers.failures[row]);
        let rate = with_odds_times(self.fitted.rates[row], times);
        (failures - attempts * rate, attempts * rate * (1.0 - rate))
    }

    /// Odds of the rate of a row's peers, and the variance of their logarithm, without the terminal's
    /// rows.
    fn odds(&self, row: usize, own: Range<usize>, base_moved: f64) -> (f64, f64) {
        let (mut moved, mut variance) = (base_moved, self.base_variance);
        for factor in 0..self.peers.factors.len() {
            let (step, more) = self.without(factor, row, own.clone(), base_moved);
            moved += step;
            variance += more;
        }
        let rate = self.fitted.rates[row];
        (rate / (1.0 - rate) * moved.exp(), variance)
    }

    /// How far the base moves without the terminal's rows.
    fn base_without(&self, own: &Range<usize>) -> f64 {
        let (mut score, mut weight) = (0.0, 0.0);
        for row in own.clone() {
            let (slope, information) = self.slope(row, 1.0);
            score += slope;
            weight += information;
        }
        let left = self.base_information - weight;
        // Who has no peers is judged by the prior alone.
        if left <= 1e-9 * self.base_information {
            return 0.0;
        }
        let step = -score / left;
        if weight <= OWN_SHARE * self.base_information && step.abs() <= FAR {
            return step;
        }
        let others = || (0..self.weights.len()).filter(move |row| !own.contains(row));
        self.solve(others, 0.0, 0.0, 0.0).0
    }

    /// How far the effect of a row's level moves without the terminal's rows, and its variance then.
    fn without(&self, factor: usize, row: usize, own: Range<usize>, base_moved: f64) -> (f64, f64) {
        let level = self.peers.factors[factor].of_row[row];
        let penalty = self.fitted.factors[factor].variance.recip();
        let (mut score, mut weight) = (0.0, 0.0);
        for other in own
            .clone()
            .filter(|&other| self.peers.factors[factor].of_row[other] == level)
        {
            let (slope, information) = self.slope(other, 1.0);
            score += slope;
            weight += information;
        }
        let all = self.information[factor][level as usize] + penalty;
        let left = (all - weight).max(penalty);
        let step = -score / left;
        if weight <= OWN_SHARE * all && step.abs() <= FAR && base_moved.abs() <= BASE_FAR {
            return (step, left.recip());
        }
        let effect = self.fitted.factors[factor].effects[level as usize];
        let rows = self.peers.factors[factor].grouped.rows(level as usize);
        let rows = || rows.iter().map(|row| *row as usize);
        let others = || rows().filter(|row| !own.contains(row));
        self.solve(others, base_moved, effect, penalty)
    }

    /// How far an effect moves when it is fitted to these rows again, whose odds the base has moved, and
    /// its variance then.
    fn solve<R: Iterator<Item = usize>>(
        &self,
        rows: impl Fn() -> R,
        base_moved: f64,
        effect: f64,
        penalty: f64,
    ) -> (f64, f64) {
        let (mut moved, mut left) = (0.0, penalty);
        for _ in 0..STEPS {
            let (mut score, mut information) = (-penalty * (effect + moved), penalty);
            let times = (base_moved + moved).exp();
            for row in rows() {
                let slope = self.slope(row, times);
                score += slope.0;
                information += slope.1;
            }
            let step = (score / information).clamp(-1.0, 1.0);
            moved += step;
            left = information;
            if step.abs() < 1e-3 {
                break;
            }
        }
        (moved, left.recip())
    }
}

/// The rate whose odds are so many times those of another.
fn with_odds_times(rate: f64, times: f64) -> f64 {
    rate * times / (1.0 - rate + rate * times)
}

/// Mean and variance of a rate whose logit is normal around that of some odds.
fn moments(odds: f64, variance: f64) -> (f64, f64) {
    let sd = variance.sqrt();
    let mut rates = [(0.0, 0.0); 5];
    for (at, (node, weight)) in HERMITE.iter().enumerate().take(3) {
        // The nodes lie on both sides of the middle alike.
        let away = (sd * node).exp();
        for (at, odds) in [(at, odds * away), (4 - at, odds / away)] {
            rates[at] = (odds / (1.0 + odds), *weight);
        }
    }
    let mean: f64 = rates.iter().map(|(rate, weight)| rate * weight).sum();
    let spread = rates
        .iter()
        .map(|(rate, weight)| (rate - mean).powi(2) * weight)
        .sum();
    (mean, spread)
}

pub(super) fn logit(rate: f64) -> f64 {
    (rate / (1.0 - rate)).ln()
}

pub(super) fn as_f64(count: u64) -> f64 {
    count as f64
}

fn sum(counts: impl Iterator<Item = Counts>) -> Counts {
    counts.fold(Counts::default(), |sum, one| Counts {
        attempts: sum.attempts + one.attempts,
        failures: sum.failures + one.failures,
    })
}
