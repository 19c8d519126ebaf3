//! A beta prior of rates, by moments (Kleinman 1973) and then by likelihood.

use std::fmt::Display;

use rayon::prelude::*;

use super::{Counts, Options, Pooled, RateRow, RatesError, Shrunk, check_level, estimate, merged};
use crate::special::{beta_quantile, digamma, ln_beta, trigamma};

/// Sums over rows are made of chunks of this size, whatever the number of threads.
const CHUNK: usize = 4096;
/// A prior worth more attempts than this has no spread left to estimate.
const MAX_STRENGTH: f64 = 1e8;
/// Largest correlation within a row: at 1 the prior would be worth no attempt at all.
const MAX_RHO: f64 = 1.0 - 1e-6;
/// Below this many terms a difference of polygammas is summed term by term.
const SHORT_SUM: u64 = 24;

/// Beta distribution of the true rates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BetaPrior {
    /// Mean rate, from 0 to 1.
    pub mean: f64,
    /// Attempts that the prior is worth, a + b; `None` when it has no spread.
    pub strength: Option<f64>,
}

/// Estimates rates with a beta prior for all rows, fitted by [`beta_prior`].
///
/// The interval is that of the posterior beta distribution; where the prior has no variance, the module
/// says which takes its place. Rows of one id are added; the result is
/// sorted by id. With fewer than two rows with attempts there is no prior.
///
/// # Errors
/// When failures exceed attempts, or the level is no probability.
pub fn beta_binomial<Id: Ord + Clone + Display + Send + Sync>(
    rows: &[Counts<Id>],
    options: &Options,
) -> Result<Vec<RateRow<Id>>, RatesError> {
    check_level(options)?;
    let rows = merged(rows)?;
    let prior = fit(&rows);
    let pooled = Pooled::of(rows.iter());
    Ok(estimate(&rows, |_, row| {
        Some(prior?.shrink(row, pooled, options.level))
    }))
}

/// Fits the beta prior of rates: by maximum likelihood, or by the moments of Kleinman (1973) when
/// the likelihood has no maximum. `None` for fewer than two rows with attempts.
///
/// # Errors
/// When failures exceed attempts.
pub fn beta_prior<Id: Ord + Clone + Display + Sync>(
    rows: &[Counts<Id>],
) -> Result<Option<BetaPrior>, RatesError> {
    Ok(fit(&merged(rows)?))
}

/// A prior together with the rows it was fitted to: what counts of the same kind, such as those of some
/// of the rows together, say of their rate.
#[derive(Debug, Clone, Copy)]
pub struct FittedPrior {
    prior: BetaPrior,
    pooled: Pooled,
}

impl FittedPrior {
    /// Fits the prior of [`beta_prior`]; `None` for fewer than two rows with attempts.
    ///
    /// # Errors
    /// When failures exceed attempts.
    pub fn of<Id: Ord + Clone + Display + Sync>(
        rows: &[Counts<Id>],
    ) -> Result<Option<Self>, RatesError> {
        let rows = merged(rows)?;
        let pooled = Pooled::of(rows.iter());
        Ok(fit(&rows).map(|prior| Self { prior, pooled }))
    }

    /// Returns the shrunken rate of some counts, and the ends of its interval, as [`beta_binomial`]
    /// does for a row; `level` is inside (0, 1).
    ///
    /// # Errors
    /// When failures exceed attempts, or the level is no probability.
    pub fn estimate<Id: Clone + Display>(
        &self,
        row: &Counts<Id>,
        level: f64,
    ) -> Result<(f64, Option<(f64, f64)>), RatesError> {
        check_level(&Options {
            level,
            ..Options::default()
        })?;
        if row.failures > row.attempts {
            return Err(RatesError::FailuresExceedAttempts {
                id: row.id.to_string(),
                failures: row.failures,
                attempts: row.attempts,
            });
        }
        let shrunk = self.prior.shrink(row, self.pooled, level);
        Ok((shrunk.eb_rate, shrunk.ends))
    }
}

fn fit<Id: Sync>(rows: &[Counts<Id>]) -> Option<BetaPrior> {
    let counts: Vec<(u64, u64)> = rows
        .iter()
        .filter(|row| row.attempts > 0)
        .map(|row| (row.failures, row.attempts))
        .collect();
    let moments = by_moments(&counts)?;
    if moments.mean <= 0.0 || moments.mean >= 1.0 {
        return Some(moments);
    }
    Some(by_likelihood(&counts, moments).unwrap_or(moments))
}

impl BetaPrior {
    fn shrink<Id>(self, row: &Counts<Id>, pooled: Pooled, level: f64) -> Shrunk {
        let (failures, attempts) = (row.failures as f64, row.attempts as f64);
        let Some(strength) = self.strength else {
            let ends = (row.attempts > 0)
                .then(|| without_spread(self.mean, pooled.worth(row.attempts), level));
            return Shrunk {
                eb_rate: self.mean,
                weight: 0.0,
                ends,
            };
        };
        let (a, b) = (self.mean * strength, (1.0 - self.mean) * strength);
        let ends = (row.attempts > 0).then(|| {
            let end = |p| beta_quantile(p, failures + a, attempts - failures + b);
            (end(0.5 * (1.0 - level)), end(0.5 * (1.0 + level)))
        });
        let eb_rate = (failures + a) / (attempts + strength);
        Shrunk {
            eb_rate,
            weight: attempts / (attempts + strength),
            ends,
        }
    }
}

/// The interval of a mean that so many attempts tell; at 0 and 1 the exact end of a binomial count.
fn without_spread(mean: f64, worth: f64, level: f64) -> (f64, f64) {
    let left = (0.5 * (1.0 - level)).powf(1.0 / worth);
    let end = |p| beta_quantile(p, mean * worth, (1.0 - mean) * worth);
    if mean <= 0.0 {
        (0.0, 1.0 - left)
    } else if mean >= 1.0 {
        (left, 1.0)
    } else {
        (end(0.5 * (1.0 - level)), end(0.5 * (1.0 + level)))
    }
}

fn by_moments(counts: &[(u64, u64)]) -> Option<BetaPrior> {
    if counts.len() < 2 {
        return None;
    }
    let total: f64 = counts.iter().map(|(_, n)| *n as f64).sum();
    let mean = counts.iter().map(|(x, _)| *x as f64).sum::<f64>() / total;
    let squares: f64 = counts
        .iter()
        .map(|(x, n)| *n as f64 * (*x as f64 / *n as f64 - mean).powi(2))
        .sum();
    let sizes: f64 = counts.iter().map(|(_, n)| (*n as f64).powi(2)).sum();
    let (noise, free) = (mean * (1.0 - mean), counts.len() as f64 - 1.0);
    let scale = noise * (total - sizes / total - free);
    let rho = (squares - noise * free) / scale;
    let strength = (scale > 0.0 && rho > 0.0).then(|| 1.0 / rho.min(MAX_RHO) - 1.0);
    Some(BetaPrior { mean, strength })
}

/// Damped Newton steps over (logit of the mean, logarithm of the strength).
fn by_likelihood(counts: &[(u64, u64)], moments: BetaPrior) -> Option<BetaPrior> {
    let start = moments.strength.unwrap_or(1000.0).clamp(1e-3, 1e6);
    let mut at = ((moments.mean / (1.0 - moments.mean)).ln(), start.ln());
    let mut value = ln_likelihood(counts, at);
    for _ in 0..200 {
        let step = uphill(derivatives(counts, at));
        let mut share = 1.0;
        loop {
            let next = (at.0 + share * step.0, at.1 + share * step.1);
            let reached = ln_likelihood(counts, next);
            if reached >= value - 1e-13 * value.abs() {
                (at, value) = (next, reached);
                break;
            }
            share *= 0.5;
            if share < 1e-6 {
                break;
            }
        }
        if at.1 > MAX_STRENGTH.ln() || at.1 < -30.0 {
            return None;
        }
        if share < 1e-6 || step.0.abs().max(step.1.abs()) < 1e-11 {
            break;
        }
    }
    Some(BetaPrior {
        mean: 1.0 / (1.0 + (-at.0).exp()),
        strength: Some(at.1.exp()),
    })
}

fn shapes((logit, ln_strength): (f64, f64)) -> (f64, f64) {
    let strength = ln_strength.exp();
    (
        strength / (1.0 + (-logit).exp()),
        strength / (1.0 + logit.exp()),
    )
}

fn ln_likelihood(counts: &[(u64, u64)], at: (f64, f64)) -> f64 {
    let (a, b) = shapes(at);
    let prior = ln_beta(a, b);
    let parts: Vec<f64> = counts
        .par_chunks(CHUNK)
        .map(|chunk| {
            let one = |(x, n): &(u64, u64)| ln_beta(*x as f64 + a, (n - x) as f64 + b) - prior;
            chunk.iter().map(one).sum::<f64>()
        })
        .collect();
    parts.iter().sum()
}

/// Gradient, and second derivatives (11, 12, 22), in the scale of the steps.
struct Derivatives {
    gradient: (f64, f64),
    second: (f64, f64, f64),
}

fn derivatives(counts: &[(u64, u64)], at: (f64, f64)) -> Derivatives {
    let (a, b) = shapes(at);
    let parts: Vec<[f64; 6]> = counts
        .par_chunks(CHUNK)
        .map(|chunk| {
            let mut sums = [0.0; 6];
            for &(x, n) in chunk {
                for (i, (from, terms)) in [(a, x), (b, n - x), (a + b, n)].into_iter().enumerate() {
                    let (first, second) = rise(from, terms);
                    sums[2 * i] += first;
                    sums[2 * i + 1] += second;
                }
            }
            sums
        })
        .collect();
    let sum = |i: usize| parts.iter().map(|part| part[i]).sum::<f64>();
    let (by_a, by_b) = (sum(0) - sum(4), sum(2) - sum(4));
    let (aa, ab, bb) = (sum(1) - sum(5), -sum(5), sum(3) - sum(5));
    // The chain rule: both shapes grow with the strength, and trade places with the logit.
    let trade = a * b / (a + b);
    let bend = trade * (b - a) / (a + b);
    Derivatives {
        gradient: (trade * (by_a - by_b), a * by_a + b * by_b),
        second: (
            trade * trade * (aa - 2.0 * ab + bb) + bend * (by_a - by_b),
            trade * (a * aa + (b - a) * ab - b * bb) + trade * (by_a - by_b),
            a * a * aa + 2.0 * a * b * ab + b * b * bb + a * by_a + b * by_b,
        ),
    }
}

/// Newton's step where the surface is a hill, else along the gradient; never longer than 1.
fn uphill(
    Derivatives {
        gradient: (g1, g2),
        second: (h11, h12, h22),
    }: Derivatives,
) -> (f64, f64) {
    let determinant = h11 * h22 - h12 * h12;
    let (d1, d2) = if h11 < 0.0 && determinant > 0.0 {
        (
            (h12 * g2 - h22 * g1) / determinant,
            (h12 * g1 - h11 * g2) / determinant,
        )
    } else {
        (g1 / h11.abs().max(1e-9), g2 / h22.abs().max(1e-9))
    };
    let scale = 1.0_f64.max(d1.abs()).max(d2.abs());
    (d1 / scale, d2 / scale)
}

/// Differences of digamma and of trigamma between `from` and `from + terms`.
fn rise(from: f64, terms: u64) -> (f64, f64) {
    if terms > SHORT_SUM {
        let to = from + terms as f64;
        return (digamma(to) - digamma(from), trigamma(to) - trigamma(from));
    }
    let (mut first, mut second) = (0.0, 0.0);
    for j in 0..terms {
        let inverse = 1.0 / (from + j as f64);
        first += inverse;
        second -= inverse * inverse;
    }
    (first, second)
}
