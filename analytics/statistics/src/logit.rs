//! Failure rates by crossed factors, each effect shrunk towards 0.
//!
//! `logit(rate of a row) = base + effect of its level in each factor`, where the effects of one factor
//! are normal around 0 with a variance estimated from the data (Breslow and Clayton 1993). Small cells
//! and rare models are then pulled to the base instead of to their own noise.
//!
//! Every factor in turn moves all its levels by a damped Newton step (the levels of one factor do not
//! touch each other), then is centred, then re-estimates its variance by the fixed point of Schall
//! (1991), which is restricted likelihood of the linearised model with the uncertainty of the other
//! factors left out. Sums run over rows in a fixed order, so threads change nothing.

mod sweep;

use sweep::State;
pub(crate) use sweep::{Grouped, expit};

/// One crossed factor: the level of every row.
#[derive(Clone, Copy, Debug)]
pub struct Factor<'a> {
    /// The level of each row, below `count`.
    pub level_of_row: &'a [u32],
    /// How many levels there are, rows or not.
    pub count: usize,
}

/// The rows to fit.
#[derive(Clone, Copy, Debug)]
pub struct LogitRows<'a> {
    /// Attempts of each row; 0 is missing and only gets a fitted rate.
    pub attempts: &'a [u64],
    /// Failures among them.
    pub failures: &'a [u64],
    /// What one attempt of the row counts, for overdispersed rows or rows to leave out (0); all 1
    /// when `None`.
    pub weights: Option<&'a [f64]>,
    /// The crossed factors.
    pub factors: &'a [Factor<'a>],
}

/// How the fit is made.
#[derive(Clone, Copy, Debug)]
pub struct LogitOptions<'a> {
    /// The variance of each factor's effects; estimated when `None`.
    pub variances: Option<&'a [f64]>,
    /// What is known of the variances before any row, where they are estimated.
    pub prior: Option<VariancePrior>,
    /// Fits from these effects on, for a fit much like an earlier one.
    pub start: Option<&'a LogitFit>,
    /// At most this many passes over all factors.
    pub max_sweeps: usize,
    /// Stops when no effect and no standard deviation moved more in a sweep (logits).
    pub tolerance: f64,
}

/// A variance, and how many levels with known effects it is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VariancePrior {
    /// The variance (logits squared).
    pub variance: f64,
    /// The levels.
    pub levels: f64,
}

impl Default for LogitOptions<'_> {
    fn default() -> Self {
        Self {
            variances: None,
            prior: None,
            start: None,
            max_sweeps: 200,
            tolerance: 1e-6,
        }
    }
}

/// The effects of one factor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FactorEffects {
    /// Log odds ratio of each level against the base.
    pub effects: Vec<f64>,
    /// Standard error of prediction of each effect, with the other factors taken as known; that of a
    /// level without rows is the factor's standard deviation.
    pub errors: Vec<f64>,
    /// Variance of the effects.
    pub variance: f64,
}

/// A fitted model.
#[derive(Clone, Debug, PartialEq)]
pub struct LogitFit {
    /// Logit of the rate where all effects are 0.
    pub base: f64,
    /// Standard error of `base`, the effects taken as known.
    pub base_error: f64,
    /// The effects, in the order of the factors.
    pub factors: Vec<FactorEffects>,
    /// Fitted rate of each row.
    pub rates: Vec<f64>,
    /// Passes over the factors that were made.
    pub sweeps: usize,
    /// Whether the last pass moved less than the tolerance.
    pub converged: bool,
}

/// Why a model cannot be fitted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LogitError {
    /// A column has another length than `attempts`.
    #[error("{column} has {got} rows where attempts has {expected}")]
    Length {
        /// The column.
        column: &'static str,
        /// Its length.
        got: usize,
        /// The length of `attempts`.
        expected: usize,
    },
    /// A row has more failures than attempts.
    #[error("row {row} has {failures} failures in {attempts} attempts")]
    FailuresAboveAttempts {
        /// Position of the row.
        row: usize,
        /// Its failures.
        failures: u64,
        /// Its attempts.
        attempts: u64,
    },
    /// A weight is negative or not finite.
    #[error("row {row} has weight {weight}")]
    Weight {
        /// Position of the row.
        row: usize,
        /// Its weight.
        weight: f64,
    },
    /// A row has a level that its factor does not have.
    #[error("row {row} has level {level} of {count} in factor {factor}")]
    Level {
        /// Position of the row.
        row: usize,
        /// Its level.
        level: u32,
        /// Position of the factor.
        factor: usize,
        /// How many levels the factor has.
        count: usize,
    },
    /// A given variance is not positive, or there is not one for each factor.
    #[error("variances {0:?} are not one positive number for each factor")]
    Variances(Vec<f64>),
    /// The start has other factors or levels.
    #[error("the fit to start from has other factors or levels")]
    Start,
    /// There are no attempts, or no failures, or only failures: the base is infinite.
    #[error("no base rate: {failures} failures in {attempts} attempts of positive weight")]
    NoBase {
        /// Failures of positive weight.
        failures: u64,
        /// Attempts of positive weight.
        attempts: u64,
    },
}

/// Fits the additive logit; time and memory grow with rows × factors.
///
/// # Errors
/// Columns that do not fit together, invalid counts, weights or variances, or no base rate.
///
/// # Examples
/// ```
/// use statistics::logit::{Factor, LogitOptions, LogitRows, fit};
/// let cells = Factor { level_of_row: &[0, 0, 1, 1], count: 2 };
/// let models = Factor { level_of_row: &[0, 1, 0, 1], count: 2 };
/// let fitted = fit(
///     &LogitRows {
///         attempts: &[1000, 1000, 1000, 1000],
///         failures: &[20, 60, 40, 120],
///         weights: None,
///         factors: &[cells, models],
///     },
///     &LogitOptions::default(),
/// )?;
/// assert!(fitted.factors[1].effects[0] < fitted.factors[1].effects[1]);
/// # Ok::<(), statistics::logit::LogitError>(())
/// ```
pub fn fit(rows: &LogitRows<'_>, options: &LogitOptions<'_>) -> Result<LogitFit, LogitError> {
    check(rows)?;
    check_options(rows, options)?;
    let mut state = State::new(rows, options);
    let mut sweeps = 0;
    let mut converged = false;
    while sweeps < options.max_sweeps && !converged {
        converged = state.sweep() <= options.tolerance;
        sweeps += 1;
    }
    Ok(state.finish(sweeps, converged))
}

fn check(rows: &LogitRows<'_>) -> Result<(), LogitError> {
    let expected = rows.attempts.len();
    let length = |column, got| {
        if got == expected {
            Ok(())
        } else {
            Err(LogitError::Length {
                column,
                got,
                expected,
            })
        }
    };
    length("failures", rows.failures.len())?;
    length("weights", rows.weights.map_or(expected, <[f64]>::len))?;
    for factor in rows.factors {
        length("factor", factor.level_of_row.len())?;
    }
    for (row, (&attempts, &failures)) in rows.attempts.iter().zip(rows.failures).enumerate() {
        if failures > attempts {
            return Err(LogitError::FailuresAboveAttempts {
                row,
                failures,
                attempts,
            });
        }
    }
    for (row, &weight) in rows.weights.into_iter().flatten().enumerate() {
        if !(weight >= 0.0 && weight.is_finite()) {
            return Err(LogitError::Weight { row, weight });
        }
    }
    for (
        factor,
        &Factor {
            level_of_row,
            count,
        },
    ) in rows.factors.iter().enumerate()
    {
        let outside = level_of_row
            .iter()
            .position(|&level| level as usize >= count);
        if let Some(row) = outside {
            return Err(LogitError::Level {
                row,
                level: level_of_row[row],
                factor,
                count,
            });
        }
    }
    check_base(rows)
}

fn check_base(rows: &LogitRows<'_>) -> Result<(), LogitError> {
    let weighted = |row: usize| rows.weights.is_none_or(|weights| weights[row] > 0.0);
    let sum = |counts: &[u64]| {
        counts
            .iter()
            .enumerate()
            .filter(|&(row, _)| weighted(row))
            .map(|(_, &count)| count)
            .sum()
    };
    let (failures, attempts): (u64, u64) = (sum(rows.failures), sum(rows.attempts));
    if failures == 0 || failures == attempts {
        return Err(LogitError::NoBase { failures, attempts });
    }
    Ok(())
}

fn check_options(rows: &LogitRows<'_>, options: &LogitOptions<'_>) -> Result<(), LogitError> {
    if let Some(variances) = options.variances {
        let positive = variances
            .iter()
            .all(|&variance| variance > 0.0 && variance.is_finite());
        if variances.len() != rows.factors.len() || !positive {
            return Err(LogitError::Variances(variances.to_vec()));
        }
    }
    let fits = |start: &LogitFit| {
        let counts = start.factors.iter().map(|factor| factor.effects.len());
        counts.eq(rows.factors.iter().map(|factor| factor.count))
    };
    if options.start.is_some_and(|start| !fits(start)) {
        return Err(LogitError::Start);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
