//! The passes over the factors: one damped Newton step for each level at a time.

use super::{Factor, FactorEffects, LogitFit, LogitOptions, LogitRows};
use rayon::prelude::*;

/// A level moves at most this far in one step (logits), so that a sparse one cannot run away.
const LONGEST_STEP: f64 = 1.0;
/// The variance of a factor before it is estimated.
const FIRST_VARIANCE: f64 = 0.25;
/// A variance of 0 would freeze its factor for good.
const SMALLEST_VARIANCE: f64 = 1e-8;
/// A standard deviation of 10 logits is separation, not variation.
const LARGEST_VARIANCE: f64 = 100.0;
/// Rows summed by one task: fixed, so that sums do not depend on the number of threads.
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
    fn plus(self, other: Self) -> Self {
        Self {
            score: self.score + other.score,
            information: self.information + other.information,
        }
    }
}

pub(super) struct State<'a> {
    factors: &'a [Factor<'a>],
    grouped: Vec<Grouped>,
    /// Weighted attempts and failures of each row.
    attempts: Vec<f64>,
    failures: Vec<f64>,
    odds: Vec<f64>,
    rates: Vec<f64>,
    base: f64,
    base_error: f64,
    fitted: Vec<FactorEffects>,
    estimated: bool,
}

pub(crate) fn expit(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

impl<'a> State<'a> {
    pub(super) fn new(rows: &LogitRows<'a>, options: &LogitOptions<'_>) -> Self {
        let attempts = weighted(rows.attempts, rows.weights);
        let failures = weighted(rows.failures, rows.weights);
        let share = failures.iter().sum::<f64>() / attempts.iter().sum::<f64>();
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
        let base = options
            .start
            .map_or_else(|| (share / (1.0 - share)).ln(), |start| start.base);
        let odds: Vec<f64> = (0..attempts.len())
            .into_par_iter()
            .map(|row| {
                let effect = |(factor, fitted): (&Factor<'_>, &FactorEffects)| {
                    fitted.effects[factor.level_of_row[row] as usize]
                };
                (base + rows.factors.iter().zip(&fitted).map(effect).sum::<f64>()).exp()
            })
            .collect();
        Self {
            factors: rows.factors,
            grouped: rows.factors.iter().map(Grouped::of).collect(),
            rates: odds.par_iter().map(|odds| odds / (1.0 + odds)).collect(),
            attempts,
            failures,
            odds,
            base,
            base_error: 0.0,
            fitted,
            estimated: options.variances.is_none(),
        }
    }

    /// Moves the base and every factor once; the longest move is returned.
    pub(super) fn sweep(&mut self) -> f64 {
        let mut longest = self.move_base();
        for factor in 0..self.factors.len() {
            longest = longest.max(self.move_factor(factor));
        }
        longest
    }

    fn move_base(&mut self) -> f64 {
        let parts: Vec<Slope> = (0..self.odds.len().div_ceil(CHUNK))
            .into_par_iter()
            .map(|chunk| {
                let end = self.odds.len().min((chunk + 1) * CHUNK);
                (chunk * CHUNK..end).fold(Slope::default(), |sum, row| sum.plus(self.slope(row)))
            })
            .collect();
        let slope = parts.into_iter().fold(Slope::default(), Slope::plus);
        let step = damped(slope.score / slope.information);
        self.base += step;
        self.base_error = slope.information.sqrt().recip();
        let times = step.exp();
        self.multiply_odds(|_| times);
        step.abs()
    }

    fn move_factor(&mut self, factor: usize) -> f64 {
        let penalty = self.fitted[factor].variance.recip();
        let slopes = self.slopes(factor);
        let effects = &mut self.fitted[factor].effects;
        let steps: Vec<f64> = slopes
            .iter()
            .zip(effects.iter_mut())
            .map(|(slope, effect)| {
                let step = match slope.information > 0.0 {
                    true => {
                        damped((slope.score - penalty * *effect) / (slope.information + penalty))
                    }
                    false => -*effect,
                };
                *effect += step;
                step
            })
            .collect();
        let level_of_row = self.factors[factor].level_of_row;
        let times: Vec<f64> = steps.par_iter().map(|step| step.exp()).collect();
        self.multiply_odds(|row| times[level_of_row[row] as usize]);
        self.centre(factor, &slopes);
        let moved = if self.estimated {
            self.estimate_variance(factor, &slopes)
        } else {
            0.0
        };
        let seen = steps
            .iter()
            .zip(&slopes)
            .filter(|(_, slope)| slope.information > 0.0);
        seen.fold(moved, |longest, (step, _)| longest.max(step.abs()))
    }

    fn slopes(&self, factor: usize) -> Vec<Slope> {
        let grouped = &self.grouped[factor];
        (0..self.factors[factor].count)
            .into_par_iter()
            .with_min_len(64)
            .map(|level| {
                let rows = grouped.rows(level).iter();
                rows.fold(Slope::default(), |sum, &row| {
                    sum.plus(self.slope(row as usize))
                })
            })
            .collect()
    }

    fn slope(&self, row: usize) -> Slope {
        let (attempts, rate) = (self.attempts[row], self.rates[row]);
        Slope {
            score: self.failures[row] - attempts * rate,
            information: attempts * rate * (1.0 - rate),
        }
    }

    fn multiply_odds(&mut self, times: impl Fn(usize) -> f64 + Sync) {
        let rows = self.odds.par_iter_mut().zip(self.rates.par_iter_mut());
        let rows = rows.enumerate().with_min_len(CHUNK);
        rows.for_each(|(row, (odds, rate))| {
            *odds *= times(row);
            *rate = *odds / (1.0 + *odds);
        });
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
        if used > 1e-6 {
            *variance = (squares / used).clamp(SMALLEST_VARIANCE, LARGEST_VARIANCE);
        }
        (variance.sqrt() - before).abs()
    }

    fn set_errors(&mut self, factor: usize) {
        let penalty = self.fitted[factor].variance.recip();
        let slopes = self.slopes(factor);
        let errors = slopes
            .iter()
            .map(|slope| (slope.information + penalty).sqrt().recip());
        self.fitted[factor].errors = errors.collect();
    }

    pub(super) fn finish(mut self, sweeps: usize, converged: bool) -> LogitFit {
        for factor in 0..self.factors.len() {
            self.set_errors(factor);
        }
        LogitFit {
            base: self.base,
            base_error: self.base_error,
            factors: self.fitted,
            rates: self.rates,
            sweeps,
            converged,
        }
    }
}

fn damped(step: f64) -> f64 {
    step.clamp(-LONGEST_STEP, LONGEST_STEP)
}

fn weighted(counts: &[u64], weights: Option<&[f64]>) -> Vec<f64> {
    match weights {
        None => counts.iter().map(|&count| count as f64).collect(),
        Some(weights) => counts
            .iter()
            .zip(weights)
            .map(|(&count, &weight)| count as f64 * weight)
            .collect(),
    }
}
