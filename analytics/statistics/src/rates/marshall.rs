//! Marshall's (1991) estimator, over the whole area or over each neighbourhood.

use std::fmt::Display;

use h3o::CellIndex;

use super::{Counts, Options, Pooled, RateRow, RatesError, Shrunk, check_level, estimate, merged};
use crate::cells::CellSet;
use crate::special::gamma_quantile;

/// Estimates rates with one prior for all rows, by the moments of Marshall (1991).
///
/// The variance of the prior is kept from falling below 0. The interval is that of the gamma
/// distribution with the mean `m + w (r - m)` and the variance `w m / n` of the estimate, cut at 1;
/// where the prior has no variance, the module says which takes its place.
/// Rows of one id are added; the result is sorted by id. With fewer than two rows with attempts
/// there is no prior.
///
/// # Errors
/// When failures exceed attempts, or the level is no probability.
pub fn marshall<Id: Ord + Clone + Display + Send + Sync>(
    rows: &[Counts<Id>],
    options: &Options,
) -> Result<Vec<RateRow<Id>>, RatesError> {
    check_level(options)?;
    let rows = merged(rows)?;
    let prior = Prior::of(rows.iter(), 2);
    Ok(estimate(&rows, |_, row| {
        Some(prior?.shrink(row, options.level))
    }))
}

/// Estimates the rate of each cell with a prior from itself and its neighbours (Marshall 1991).
///
/// Neighbourhoods with fewer attempts than the options ask for use the prior of [`marshall`]. A
/// cell without neighbours, but with enough attempts, keeps its raw rate, as in other tools.
///
/// # Errors
/// When failures exceed attempts, resolutions differ, or the level is no probability.
pub fn marshall_local(
    rows: &[Counts<CellIndex>],
    options: &Options,
) -> Result<Vec<RateRow<CellIndex>>, RatesError> {
    check_level(options)?;
    let rows = merged(rows)?;
    check_resolutions(&rows)?;
    let (cells, present): (Vec<_>, Vec<_>) = rows
        .iter()
        .filter(|row| row.attempts > 0)
        .map(|row| (row.id, row))
        .unzip();
    let set = CellSet::new(&cells);
    let global = Prior::of(rows.iter(), 2);
    Ok(estimate(&rows, |_, row| {
        let mut near = Vec::new();
        set.within(row.id, options.rings, &mut near);
        let near = || near.iter().map(|place| present[*place as usize]);
        let attempts: u64 = near().map(|row| row.attempts).sum();
        let local = Prior::of(near(), 1).filter(|_| attempts >= options.min_local_attempts);
        Some(local.or(global)?.shrink(row, options.level))
    }))
}

fn check_resolutions(sorted: &[Counts<CellIndex>]) -> Result<(), RatesError> {
    let Some(expected) = sorted.first().map(|row| row.id.resolution()) else {
        return Ok(());
    };
    match sorted
        .iter()
        .map(|row| row.id)
        .find(|cell| cell.resolution() != expected)
    {
        None => Ok(()),
        Some(cell) => Err(RatesError::MixedResolutions {
            cell,
            found: cell.resolution(),
            expected,
        }),
    }
}

/// Mean and variance of the true rates.
#[derive(Debug, Clone, Copy)]
struct Prior {
    mean: f64,
    variance: f64,
    pooled: Pooled,
}

impl Prior {
    /// `None` for fewer rows with attempts than `fewest`.
    fn of<'a, Id: 'a>(
        rows: impl Iterator<Item = &'a Counts<Id>> + Clone,
        fewest: u64,
    ) -> Option<Self> {
        let present = rows.filter(|row| row.attempts > 0);
        let pooled = Pooled::of(present.clone());
        let (mut count, mut attempts, mut failures) = (0_u64, 0_u64, 0_u64);
        for row in present.clone() {
            count += 1;
            attempts += row.attempts;
            failures += row.failures;
        }
        if count < fewest {
            return None;
        }
        let total = attempts as f64;
        let mean = failures as f64 / total;
        let squares: f64 = present
            .map(|row| row.attempts as f64 * (row.rate() - mean) * (row.rate() - mean))
            .sum();
        let variance = (squares / total - mean / (total / count as f64)).max(0.0);
        Some(Self {
            mean,
            variance,
            pooled,
        })
    }

    fn shrink<Id>(self, row: &Counts<Id>, level: f64) -> Shrunk {
        if row.attempts == 0 {
            return Shrunk {
                eb_rate: self.mean,
                weight: 0.0,
                ends: None,
            };
        }
        if self.variance <= 0.0 {
            return Shrunk {
                eb_rate: self.mean,
                weight: 0.0,
                ends: Some(self.without_spread(row.attempts, level)),
            };
        }
        let noise = self.mean / row.attempts as f64;
        let weight = self.variance / (self.variance + noise);
        let eb_rate = self.mean + weight * (row.rate() - self.mean);
        let ends = gamma_interval(eb_rate, weight * noise, level);
        Shrunk {
            eb_rate,
            weight,
            ends: Some(ends),
        }
    }
}

impl Prior {
    fn without_spread(self, attempts: u64, level: f64) -> (f64, f64) {
        let worth = self.pooled.worth(attempts);
        match self.mean > 0.0 {
            true => gamma_interval(self.mean, self.mean / worth, level),
            // Without a failure only the upper end is uncertain: the exact one of a Poisson count of 0.
            false => (
                0.0,
                (gamma_quantile(0.5 * (1.0 + level), 1.0) / worth).min(1.0),
            ),
        }
    }
}

fn gamma_interval(mean: f64, variance: f64, level: f64) -> (f64, f64) {
    if variance <= 0.0 {
        return (mean, mean);
    }
    let (shape, scale) = (mean * mean / variance, variance / mean);
    let end = |p: f64| (gamma_quantile(p, shape) * scale).min(1.0);
    (end(0.5 * (1.0 - level)), end(0.5 * (1.0 + level)))
}
