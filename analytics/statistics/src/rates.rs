//! Empirical Bayes rates: each raw rate drawn towards what its surroundings make credible.
//!
//! For ranking and drawing, not for testing: the tests use raw counts. Three priors: the moments
//! of Marshall (1991) over all rows, the same over each cell and its neighbours, and a beta prior
//! fitted by likelihood. Intervals treat the prior as known, unless its variance is estimated as 0:
//! small counts cannot tell no spread from some, so every estimate is the pooled rate and the interval
//! allows for a variance of one standard error of that estimate (`Pooled`).

mod beta_binomial;
mod marshall;
#[cfg(test)]
mod tests;

use std::fmt::Display;

use h3o::{CellIndex, Resolution};
use rayon::prelude::*;

pub use beta_binomial::{BetaPrior, FittedPrior, beta_binomial, beta_prior};
pub use marshall::{marshall, marshall_local};

/// Attempts and failures of one place or thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts<Id> {
    /// Name of the place.
    pub id: Id,
    /// Number of attempts; without any the row has no rate.
    pub attempts: u64,
    /// Number of attempts that failed.
    pub failures: u64,
}

/// Choices of the estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Probability that an interval covers, between 0 and 1.
    pub level: f64,
    /// Rings of cells that are neighbours, for the local prior.
    pub rings: u32,
    /// Attempts in a neighbourhood below which the global prior is used instead of the local one.
    pub min_local_attempts: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            level: 0.95,
            rings: 1,
            min_local_attempts: 30,
        }
    }
}

/// Estimated rate of one row.
#[derive(Debug, Clone, PartialEq)]
pub struct RateRow<Id> {
    /// Name of the place.
    pub id: Id,
    /// Number of attempts.
    pub attempts: u64,
    /// Number of failures.
    pub failures: u64,
    /// Failures / attempts; `None` without attempts.
    pub rate: Option<f64>,
    /// Shrunken rate; the mean of the prior without attempts, `None` when there is no prior.
    pub eb_rate: Option<f64>,
    /// Lower end of the interval of the rate; `None` without attempts or prior.
    pub low: Option<f64>,
    /// Upper end of the interval of the rate.
    pub high: Option<f64>,
    /// Share of the raw rate in `eb_rate`, from 0 (all prior) to 1.
    pub weight: Option<f64>,
}

/// Input that has no rates.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RatesError {
    /// Counts that are no share.
    #[error("{id} has {failures} failures in {attempts} attempts")]
    FailuresExceedAttempts {
        /// Which row.
        id: String,
        /// Number of failures there.
        failures: u64,
        /// Number of attempts there.
        attempts: u64,
    },
    /// Counts that do not fit into 64 bits.
    #[error("the attempts up to {id} add up to more than 64 bits hold")]
    TooManyAttempts {
        /// Row that was one too many.
        id: String,
    },
    /// Cells of different sizes in one input.
    #[error("cell {cell} has resolution {found}, the cells before it {expected}")]
    MixedResolutions {
        /// First cell, in order of ids, that differs.
        cell: CellIndex,
        /// Its resolution.
        found: Resolution,
        /// Resolution of the others.
        expected: Resolution,
    },
    /// A covering probability that is none.
    #[error("level {0} is not between 0 and 1")]
    Level(f64),
}

/// All rows with attempts, taken together.
#[derive(Debug, Clone, Copy)]
struct Pooled {
    rows: f64,
    attempts: f64,
}

impl Pooled {
    fn of<'a, Id: 'a>(rows: impl Iterator<Item = &'a Counts<Id>>) -> Self {
        let zero = Self {
            rows: 0.0,
            attempts: 0.0,
        };
        rows.filter(|row| row.attempts > 0)
            .fold(zero, |all, row| Self {
                rows: all.rows + 1.0,
                attempts: all.attempts + row.attempts as f64,
            })
    }

    /// Returns how many attempts say as much of the rate of a row as the row and the others do, where
    /// the variance between rates is estimated as 0.
    ///
    /// That estimate has the standard error `sqrt(2 / (k - 1)) v / (N / k)` for k alike rows of N
    /// attempts, v the variance of one attempt: their heterogeneity is chi-square with k - 1 degrees
    /// of freedom, which has twice as much variance. A prior of this variance gives the row the weight
    /// `w = 1 / (1 + v / (n A))`, and its estimate the variance `w v / n + (1 - w)² v / N`: a share
    /// of its own noise, and the uncertainty of the pooled rate.
    fn worth(self, attempts: u64) -> f64 {
        let (n, own) = (attempts as f64, self.attempts / self.rows);
        let weight = match self.rows > 1.0 {
            true => {
                let spread = (2.0 / (self.rows - 1.0)).sqrt() * n / own;
                spread / (1.0 + spread)
            }
            // Nothing is known of the variance between rates.
            false => 1.0,
        };
        1.0 / (weight / n + (1.0 - weight).powi(2) / self.attempts)
    }
}

/// What a prior makes of one row: estimate, weight and the ends of its interval.
struct Shrunk {
    eb_rate: f64,
    weight: f64,
    ends: Option<(f64, f64)>,
}

/// Checks rows, adds those of one id and sorts them by id.
fn merged<Id: Ord + Clone + Display>(rows: &[Counts<Id>]) -> Result<Vec<Counts<Id>>, RatesError> {
    let mut sorted: Vec<&Counts<Id>> = rows.iter().collect();
    sorted.sort_unstable_by(|a, b| {
        (&a.id, a.attempts, a.failures).cmp(&(&b.id, b.attempts, b.failures))
    });
    let mut merged: Vec<Counts<Id>> = Vec::with_capacity(rows.len());
    let mut total = 0_u64;
    for row in sorted {
        let id = || row.id.to_string();
        let &Counts {
            attempts, failures, ..
        } = row;
        if failures > attempts {
            return Err(RatesError::FailuresExceedAttempts {
                id: id(),
                failures,
                attempts,
            });
        }
        total = total
            .checked_add(attempts)
            .ok_or_else(|| RatesError::TooManyAttempts { id: id() })?;
        match merged.last_mut() {
            Some(last) if last.id == row.id => {
                last.attempts += attempts;
                last.failures += failures;
            }
            _ => merged.push(row.clone()),
        }
    }
    Ok(merged)
}

fn check_level(options: &Options) -> Result<(), RatesError> {
    if options.level > 0.0 && options.level < 1.0 {
        return Ok(());
    }
    Err(RatesError::Level(options.level))
}

/// Applies `shrink` to every row, on all threads.
fn estimate<Id: Clone + Send + Sync>(
    rows: &[Counts<Id>],
    shrink: impl Fn(usize, &Counts<Id>) -> Option<Shrunk> + Sync,
) -> Vec<RateRow<Id>> {
    rows.par_iter()
        .enumerate()
        .map(|(place, row)| {
            let shrunk = shrink(place, row);
            let ends = shrunk.as_ref().and_then(|shrunk| shrunk.ends);
            RateRow {
                id: row.id.clone(),
                attempts: row.attempts,
                failures: row.failures,
                rate: (row.attempts > 0).then(|| row.rate()),
                eb_rate: shrunk.as_ref().map(|shrunk| shrunk.eb_rate),
                low: ends.map(|ends| ends.0),
                high: ends.map(|ends| ends.1),
                weight: shrunk.map(|shrunk| shrunk.weight),
            }
        })
        .collect()
}

impl<Id> Counts<Id> {
    fn rate(&self) -> f64 {
        self.failures as f64 / self.attempts as f64
    }
}
