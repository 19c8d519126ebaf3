//! Hot and cold spots by the local statistic Gi* of Getis and Ord (1992; Ord and Getis 1995).
//!
//! Weights are binary: cells within a number of rings that are present in the data, the cell
//! itself included. The variance divides by n, the p-value is two-sided and analytic, the family of
//! the q-values is the cells whose z is defined. Cells without attempts are missing: they keep
//! their row, but nobody has them as neighbours.

use std::borrow::Cow;

use h3o::{CellIndex, Resolution};
use rayon::prelude::*;

use crate::cells::CellSet;
use crate::{fdr, special};

#[cfg(test)]
mod tests;

/// Fewest cells that one task handles.
const CHUNK: usize = 4096;
/// A spread smaller than this share of the largest value is rounding, not spread.
const NO_SPREAD: f64 = 1e-13;

/// Attempts and failures in one cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellCounts {
    /// The cell.
    pub cell: CellIndex,
    /// Number of attempts; without any the cell is missing.
    pub attempts: u64,
    /// Number of attempts that failed.
    pub failures: u64,
}

/// A value observed in one cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CellValue {
    /// The cell.
    pub cell: CellIndex,
    /// Value there, in any unit; `None` where nothing was observed.
    pub value: Option<f64>,
}

/// Choices of the test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Rings of cells that count as neighbours.
    pub rings: u32,
    /// Largest q-value of a hot or cold cell, between 0 and 1.
    pub alpha: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rings: 1,
            alpha: 0.05,
        }
    }
}

/// Verdict on one cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Credibly higher than the study area.
    Hot,
    /// Credibly lower than the study area.
    Cold,
    /// Neither.
    None,
    /// No verdict: nothing was observed in the cell, or z does not exist.
    Undefined,
}

impl Class {
    /// Returns the word of the class in tables: `hot`, `cold`, `none` or `undefined`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Cold => "cold",
            Self::None => "none",
            Self::Undefined => "undefined",
        }
    }
}

/// Result of one cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GiStarRow {
    /// The cell.
    pub cell: CellIndex,
    /// Number of other cells within the rings that have a value.
    pub neighbours: usize,
    /// Value or failure rate; `None` where nothing was observed.
    pub value: Option<f64>,
    /// Standardised sum over the cell and its neighbours.
    pub z: Option<f64>,
    /// Two-sided p-value of `z` under the normal distribution.
    pub p: Option<f64>,
    /// q-value by Benjamini and Hochberg over all cells with a `p`.
    pub q: Option<f64>,
    /// Verdict by `q` and the sign of `z`.
    pub class: Class,
}

/// Input that has no Gi*.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GiStarError {
    /// Counts that are no share.
    #[error("cell {cell} has {failures} failures in {attempts} attempts")]
    FailuresExceedAttempts {
        /// Where.
        cell: CellIndex,
        /// Number of failures there.
        failures: u64,
        /// Number of attempts there.
        attempts: u64,
    },
    /// Counts of one cell that do not fit into 64 bits.
    #[error("the counts of cell {cell} add up to more than 64 bits hold")]
    TooManyAttempts {
        /// Where.
        cell: CellIndex,
    },
    /// A value that is NaN or infinite.
    #[error("the value {value} of cell {cell} is not finite")]
    NotFinite {
        /// Where.
        cell: CellIndex,
        /// Value found.
        value: f64,
    },
    /// Two values for one cell.
    #[error("cell {cell} has two values")]
    DuplicateCell {
        /// Where.
        cell: CellIndex,
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
    /// A threshold that is no probability.
    #[error("alpha {0} is not between 0 and 1")]
    Alpha(f64),
}

/// Computes Gi* of the failure rates of cells; rows of one cell are added, the result is sorted by
/// cell.
///
/// # Errors
/// When failures exceed attempts, resolutions differ, or an option is out of range.
pub fn from_counts(rows: &[CellCounts], options: &Options) -> Result<Vec<GiStarRow>, GiStarError> {
    let sorted = sorted_by_key(rows, |row| (row.cell, row.attempts, row.failures));
    let mut values = Vec::with_capacity(sorted.len());
    for same in sorted.chunk_by(|a, b| a.cell == b.cell) {
        let CellCounts {
            cell,
            attempts,
            failures,
        } = added(same)?;
        let value = (attempts > 0).then(|| failures as f64 / attempts as f64);
        values.push(CellValue { cell, value });
    }
    test_sorted(&values, options)
}

/// Computes Gi* of a value in each cell; the result is sorted by cell.
///
/// Values may be negative: excess counts and residuals are.
///
/// # Errors
/// When a value is not finite, a cell occurs twice, resolutions differ, or an option is out of
/// range.
pub fn from_values(rows: &[CellValue], options: &Options) -> Result<Vec<GiStarRow>, GiStarError> {
    let sorted = sorted_by_key(rows, |row| row.cell);
    for pair in sorted.windows(2) {
        if pair[0].cell == pair[1].cell {
            return Err(GiStarError::DuplicateCell { cell: pair[0].cell });
        }
    }
    for row in sorted.iter() {
        if let Some(value) = row.value.filter(|value| !value.is_finite()) {
            return Err(GiStarError::NotFinite {
                cell: row.cell,
                value,
            });
        }
    }
    test_sorted(&sorted, options)
}

/// The rows in order; a query mostly gives them so, and then they are not copied.
fn sorted_by_key<Row: Copy + Send + Sync, Key: Ord>(
    rows: &[Row],
    key: impl Fn(&Row) -> Key + Sync,
) -> Cow<'_, [Row]> {
    if rows.is_sorted_by_key(&key) {
        return Cow::Borrowed(rows);
    }
    let mut sorted = rows.to_vec();
    sorted.par_sort_unstable_by_key(key);
    Cow::Owned(sorted)
}

/// The sum of the rows of one cell.
fn added(same: &[CellCounts]) -> Result<CellCounts, GiStarError> {
    let mut sum = CellCounts {
        attempts: 0,
        failures: 0,
        ..same[0]
    };
    for &CellCounts {
        cell,
        attempts,
        failures,
    } in same
    {
        if failures > attempts {
            return Err(GiStarError::FailuresExceedAttempts {
                cell,
                failures,
                attempts,
            });
        }
        sum.attempts = sum
            .attempts
            .checked_add(attempts)
            .ok_or(GiStarError::TooManyAttempts { cell })?;
        sum.failures += failures;
    }
    Ok(sum)
}

fn test_sorted(rows: &[CellValue], options: &Options) -> Result<Vec<GiStarRow>, GiStarError> {
    if !(0.0..=1.0).contains(&options.alpha) {
        return Err(GiStarError::Alpha(options.alpha));
    }
    check_resolutions(rows)?;
    let (cells, values): (Vec<_>, Vec<_>) = rows
        .iter()
        .filter_map(|row| Some((row.cell, row.value?)))
        .unzip();
    let area = StudyArea {
        set: CellSet::new(&cells),
        moments: Moments::of(&values),
        values,
    };
    // Of known length, so that rows are written once, where they stay.
    let mut results: Vec<GiStarRow> = rows
        .par_iter()
        .with_min_len(CHUNK)
        .map_init(Vec::new, |found, row| area.test(row, options.rings, found))
        .collect();
    let p_values: Vec<_> = results.par_iter().map(|row| row.p).collect();
    let q_values = fdr::bh(&p_values);
    results
        .par_iter_mut()
        .with_min_len(CHUNK)
        .zip(q_values)
        .for_each(|(row, q)| {
            row.q = q;
            row.class = classify(row.z, q, options.alpha);
        });
    Ok(results)
}

fn check_resolutions(sorted: &[CellValue]) -> Result<(), GiStarError> {
    let Some(expected) = sorted.first().map(|row| row.cell.resolution()) else {
        return Ok(());
    };
    match sorted.iter().find(|row| row.cell.resolution() != expected) {
        None => Ok(()),
        Some(row) => Err(GiStarError::MixedResolutions {
            cell: row.cell,
            found: row.cell.resolution(),
            expected,
        }),
    }
}

fn classify(z: Option<f64>, q: Option<f64>, alpha: f64) -> Class {
    match (z, q) {
        (Some(z), Some(q)) if q <= alpha && z > 0.0 => Class::Hot,
        (Some(z), Some(q)) if q <= alpha && z < 0.0 => Class::Cold,
        (Some(_), Some(_)) => Class::None,
        _ => Class::Undefined,
    }
}

/// The cells that have a value, sorted, and what all of them have in common.
struct StudyArea {
    set: CellSet,
    values: Vec<f64>,
    moments: Option<Moments>,
}

impl StudyArea {
    fn test(&self, row: &CellValue, rings: u32, found: &mut Vec<u32>) -> GiStarRow {
        self.set.within(row.cell, rings, found);
        let sum: f64 = found.iter().map(|place| self.values[*place as usize]).sum();
        let z = row
            .value
            .and(self.moments)
            .and_then(|moments| moments.z(sum, found.len()));
        GiStarRow {
            cell: row.cell,
            neighbours: found.len() - usize::from(row.value.is_some()),
            value: row.value,
            z,
            p: z.map(special::normal_two_sided),
            q: None,
            class: Class::Undefined,
        }
    }
}

/// Mean and standard deviation (dividing by n) of the values of the study area.
#[derive(Debug, Clone, Copy)]
struct Moments {
    n: f64,
    mean: f64,
    sd: f64,
}

impl Moments {
    /// `None` when the values do not spread, or there are fewer than two.
    fn of(values: &[f64]) -> Option<Self> {
        if values.len() < 2 {
            return None;
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let sd = (values.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>() / n).sqrt();
        let largest = values
            .iter()
            .fold(0.0_f64, |largest, y| largest.max(y.abs()));
        (sd.is_finite() && sd > NO_SPREAD * largest).then_some(Self { n, mean, sd })
    }

    /// `None` when every cell of the area is a neighbour: the sum is then no surprise.
    fn z(self, sum: f64, weights: usize) -> Option<f64> {
        let weights = weights as f64;
        // n S1 - W² is exact here, since the weights are 0 or 1.
        let spread = weights * (self.n - weights);
        (spread > 0.0)
            .then(|| (sum - weights * self.mean) / (self.sd * (spread / (self.n - 1.0)).sqrt()))
    }
}
