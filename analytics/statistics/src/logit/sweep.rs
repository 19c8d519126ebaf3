//! The passes over the factors: one damped Newton step for each level at a time.
//!
//! Time is the memory's, so rows are read in the order they lie: those of the factor with most levels
//! level after level, which then needs no second pass, and every other factor sums its levels while
//! the factor before it moves the rows.

use super::{Factor, FactorEffects, LogitFit, LogitOptions, LogitRows, VariancePrior};
use rayon::prelude::*;

/// A level moves at most this far in one step (logits), so that a sparse one cannot run away.
const LONGEST_STEP: f64 = 1.0;
/// The variance of a factor before it is estimated.
const FIRST_VARIANCE: f64 = 0.25;
/// A variance of 0 would freeze its factor for good.
const SMALLEST_VARIANCE: f64 = 1e-8;
/// A standard deviation of 10 logits is separation, not variation.
const LARGEST_VARIANCE: f64 = 100.0;
/// Rows taken by one task, at least: fixed, so that sums do not depend on the number of threads.
const CHUNK: usize = 8192;

/// The rows of each level, in ascending order, level after level.
pub(crate) struct Grouped {
    rows: Vec<u32>,
    starts: Vec<usize>,
}

impl Grouped {
    pub(crate) fn of(factor: &Factor<'_>) -> Self {
        let mut starts = vec![0; factor.count + 1];
        for &level in factor.level_of_row {
            starts[level as usize + 1] += 1;
        }
        for level in 0..factor.count {
            starts[level + 1] += starts[level];
        }
        let mut next = starts.clone();
        let mut rows = vec![0; factor.level_of_row.len()];
        for (row, &level) in factor.level_of_row.iter().enumerate() {
            rows[next[level as usize]] = u32::try_from(row).expect("fewer than 2^32 rows");
            next[level as usize] += 1;
        }
        Self { rows, starts }
    }

    pub(crate) fn rows(&self, level: usize) -> &[u32] {
        &self.rows[self.starts[level]..self.starts[level + 1]]
    }
}

/// First and (negative) second derivative of the log-likelihood by one effect.
#[derive(Clone, Copy, Default)]
struct Slope {
    score: f64,
    information: f64,
}

impl Slope {
    fn add(&mut self, other: Self) {
        self.score += other.score;
        self.information += other.information;
    }

    /// The step of an effect normal around 0; one without rows goes back to 0.
    fn step(&self, effect: f64, variance: f64) -> f64 {
        let penalty = variance.recip();
        match self.information > 0.0 {
            true => damped((self.score - penalty * effect) / (self.information + penalty)),
            false => -effect,
        }
    }
}

/// A row with its weighted counts and the odds fitted so far.
#[derive(Clone, Copy)]
struct Row {
    attempts: f64,
    failures: f64,
    odds: f64,
}

impl Row {
    fn rate(&self) -> f64 {
        self.odds / (1.0 + self.odds)
    }

    fn slope(&self) -> Slope {
        let rate = self.rate();
        let fitted = self.attempts * rate;
        Slope {
            score: self.failures - fitted,
            information: fitted * (1.0 - rate),
        }
    }
}

/// The level of each row, in the order the rows lie.
struct Levels {
    of_row: Vec<u32>,
    count: usize,
}

pub(super) struct State {
    /// Where each row came from, by the level of the factor `nested`.
    order: Grouped,
    rows: Vec<Row>,
    /// The factor with most levels.
    nested: usize,
    factors: Vec<Levels>,
    /// Slope of all rows by the base.
    of_base: Slope,
    base: f64,
    base_error: f64,
    fitted: Vec<FactorEffects>,
    estimated: bool,
    prior: Option<VariancePrior>,
}

pub(crate) fn expit(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

impl State {
    pub(super) fn new(rows: &LogitRows<'_>, options: &LogitOptions<'_>) -> Self {
        let weight = |row: usize| rows.weights.map_or(1.0, |weights| weights[row]);
        let fresh = |factor: &Factor<'_>| FactorEffects {
            effects: vec![0.0; factor.count],
            errors: Vec::new(),
            variance: FIRST_VARIANCE,
        };
        let mut fitted: Vec<FactorEffects> = match options.start {
            Some(start) => start.factors.clone(),
            None => rows.factors.iter().map(fresh).collect(),
        };
        for (factor, &variance) in fitted
            .iter_mut()
            .zip(options.variances.into_iter().flatten())
        {
            factor.variance = variance;
        }
        let base = options.start.map_or_else(
            || {
                let weighted = |counts: &[u64]| -> f64 {
                    let counts = counts.iter().enumerate();
                    counts.map(|(row, &count)| count as f64 * weight(row)).sum()
                };
                let share = weighted(rows.failures) / weighted(rows.attempts);
                (share / (1.0 - share)).ln()
            },
            |start| start.base,
        );
        let counts = rows.factors.iter().map(|factor| factor.count);
        let nested = counts.enumerate().max_by_key(|(_, count)| *count);
        let nested = nested.map_or(0, |(factor, _)| factor);
        let one_level = vec![0; rows.attempts.len()];
        let order = Grouped::of(rows.factors.get(nested).unwrap_or(&Factor {
            level_of_row: &one_level,
            count: 1,
        }));
        let in_order = |factor: &Factor<'_>| {
            let from = order.rows.par_iter();
            Levels {
                of_row: from.map(|&row| factor.level_of_row[row as usize]).collect(),
                count: factor.count,
            }
        };
        let row = |row: usize| {
            let effect = |(factor, fitted): (&Factor<'_>, &FactorEffects)| {
                fitted.effects[factor.level_of_row[row] as usize]
            };
            let effects: f64 = rows.factors.iter().zip(&fitted).map(effect).sum();
            Row {
                attempts: rows.attempts[row] as f64 * weight(row),
                failures: rows.failures[row] as f64 * weight(row),
                odds: (base + effects).exp(),
            }
        };
        let mut state = Self {
            rows: order.rows.par_iter().map(|&at| row(at as usize)).collect(),
            factors: rows.factors.iter().map(in_order).collect(),
            order,
            nested,
            of_base: Slope::default(),
            base,
            base_error: 0.0,
            fitted,
            estimated: options.variances.is_none(),
            prior: options.prior,
        };
        state.of_base = state.pass(None, &[1.0], None)[0];
        state
    }

    /// Moves the base and every factor once; the longest move is returned.
    pub(super) fn sweep(&mut self) -> f64 {
        let step = damped(self.of_base.score / self.of_base.information);
        self.base += step;
        self.base_error = self.of_base.information.sqrt().recip();
        let mut longest = step.abs();
        // What moved last, and by what its levels multiply the odds of their rows.
        let (mut moved, mut times) = (None, vec![step.exp()]);
        if !self.factors.is_empty() {
            longest = longest.max(self.move_nested(times[0]));
            times = vec![1.0];
        }
        let nested = self.nested;
        for factor in (0..self.factors.len()).filter(|factor| *factor != nested) {
            let slopes = self.pass(moved, &times, Some(factor));
            let fitted = &self.fitted[factor];
            let steps: Vec<f64> = slopes
                .iter()
                .zip(&fitted.effects)
                .map(|(slope, effect)| slope.step(*effect, fitted.variance))
                .collect();
            longest = longest.max(self.settle(factor, &slopes, &steps));
            moved = Some(factor);
            times = steps.into_iter().map(f64::exp).collect();
        }
        self.of_base = self.pass(moved, &times, None)[0];
        longest
    }

    /// Multiplies the odds by the levels of one factor, and then sums the slopes by the levels of another;
    /// no factor is one level for all.
    fn pass(&mut self, moved: Option<usize>, times: &[f64], summed: Option<usize>) -> Vec<Slope> {
        let factors = &self.factors;
        let of = |factor: Option<usize>| factor.map(|factor| &factors[factor]);
        let (moved, summed) = (of(moved), of(summed));
        let level = |of: Option<&Levels>, row: usize| of.map_or(0, |of| of.of_row[row] as usize);
        let count = summed.map_or(1, |levels| levels.count);
        // With many levels few tasks keep sums of them.
        let chunk = CHUNK.max(4 * count);
        let parts: Vec<Vec<Slope>> = self
            .rows
            .par_chunks_mut(chunk)
            .enumerate()
            .map(|(at, rows)| {
                let mut sums = vec![Slope::default(); count];
                for (row, at) in rows.iter_mut().zip(at * chunk..) {
                    row.odds *= times[level(moved, at)];
                    sums[level(summed, at)].add(row.slope());
                }
                sums
            })
            .collect();
        let mut sums = vec![Slope::default(); count];
        for part in parts {
            for (sum, more) in sums.iter_mut().zip(part) {
                sum.add(more);
            }
        }
        sums
    }

    /// Multiplies all odds, and moves the factor by whose levels the rows lie.
    fn move_nested(&mut self, times: f64) -> f64 {
        let FactorEffects {
            effects, variance, ..
        } = &self.fitted[self.nested];
        let mut rest = self.rows.as_mut_slice();
        let levels: Vec<&mut [Row]> = (0..effects.len())
            .map(|level| rest.split_off_mut(..self.order.rows(level).len()))
            .map(|rows| rows.expect("every level's rows are among them"))
            .collect();
        let (slopes, steps): (Vec<Slope>, Vec<f64>) = levels
            .into_par_iter()
            .zip(effects)
            .with_min_len(256)
            .map(|(rows, effect)| {
                let mut slope = Slope::default();
                for row in rows.iter_mut() {
                    row.odds *= times;
                    slope.add(row.slope());
                }
                let step = slope.step(*effect, *variance);
                let times = step.exp();
                for row in rows {
                    row.odds *= times;
                }
                (slope, step)
            })
            .unzip();
        self.settle(self.nested, &slopes, &steps)
    }

    /// Takes the steps of a factor, whose rows have them already or get them next. Returns the longest
    /// move of an effect that has rows, or of the standard deviation.
    fn settle(&mut self, factor: usize, slopes: &[Slope], steps: &[f64]) -> f64 {
        for (effect, step) in self.fitted[factor].effects.iter_mut().zip(steps) {
            *effect += step;
        }
        self.centre(factor, slopes);
        let moved = match self.estimated {
            true => self.estimate_variance(factor, slopes),
            false => 0.0,
        };
        let seen = steps
            .iter()
            .zip(slopes)
            .filter(|(_, slope)| slope.information > 0.0);
        seen.fold(moved, |longest, (step, _)| longest.max(step.abs()))
    }

    /// Hands the common part of a factor's effects to the base: the fit stays, the penalty shrinks,
    /// and the slowest direction of the sweeps is gone.
    fn centre(&mut self, factor: usize, slopes: &[Slope]) {
        let effects = &mut self.fitted[factor].effects;
        let (mut sum, mut seen) = (0.0, 0usize);
        for (effect, _) in effects
            .iter()
            .zip(slopes)
            .filter(|(_, slope)| slope.information > 0.0)
        {
            sum += effect;
            seen += 1;
        }
        let mean = sum / seen.max(1) as f64;
        for effect in effects.iter_mut() {
            *effect -= mean;
        }
        self.base += mean;
    }

    /// Schall's fixed point: effects squared over the degrees of freedom that they use. The trace has
    /// the uncertainty of the base in it (Sherman and Morrison 1950). Returns how far the standard
    /// deviation moved.
    fn estimate_variance(&mut self, factor: usize, slopes: &[Slope]) -> f64 {
        let FactorEffects {
            effects, variance, ..
        } = &mut self.fitted[factor];
        let penalty = variance.recip();
        let (mut squares, mut seen, mut trace, mut shared, mut rest) = (0.0, 0usize, 0.0, 0.0, 0.0);
        for (effect, &Slope { information, .. }) in effects.iter().zip(slopes) {
            if information > 0.0 {
                let total = information + penalty;
                seen += 1;
                squares += effect * effect;
                trace += total.recip();
                shared += (information / total).powi(2);
                rest += information * penalty / total;
            }
        }
        if rest > 0.0 {
            trace += shared / rest;
        }
        let used = seen as f64 - penalty * trace;
        let before = variance.sqrt();
        // The prior is that many levels more.
        let (more, levels) = self.prior.map_or((0.0, 0.0), |prior| {
            (prior.variance * prior.levels, prior.levels)
        });
        let used = used + levels;
        if used > 1e-6 {
            *variance = ((squares + more) / used).clamp(SMALLEST_VARIANCE, LARGEST_VARIANCE);
        }
        (variance.sqrt() - before).abs()
    }

    fn set_errors(&mut self, factor: usize) {
        let slopes = self.pass(None, &[1.0], Some(factor));
        let penalty = self.fitted[factor].variance.recip();
        let errors = slopes
            .iter()
            .map(|slope| (slope.information + penalty).sqrt().recip());
        self.fitted[factor].errors = errors.collect();
    }

    pub(super) fn finish(mut self, sweeps: usize, converged: bool) -> LogitFit {
        for factor in 0..self.factors.len() {
            self.set_errors(factor);
        }
        let mut rates = vec![0.0; self.rows.len()];
        for (row, &from) in self.rows.iter().zip(&self.order.rows) {
            rates[from as usize] = row.rate();
        }
        LogitFit {
            base: self.base,
            base_error: self.base_error,
            factors: self.fitted,
            rates,
            sweeps,
            converged,
        }
    }
}

fn damped(step: f64) -> f64 {
    step.clamp(-LONGEST_STEP, LONGEST_STEP)
}
