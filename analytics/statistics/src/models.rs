//! Device models compared within strata (Mantel and Haenszel 1959).
//!
//! A stratum is what must not be compared across: a cell, or cell × carrier × week. Fine strata are
//! right: the estimator stays consistent with many thin ones. For one stratum and one model, `a` are
//! the model's failures, `b` its successes, `c` and `d` those of the comparison, `n1 = a + b`,
//! `n0 = c + d`, `m1 = a + c`, `n = n1 + n0`.
//!
//! Attempts count as independent in [`compare_models`]. One broken terminal can condemn its model:
//! leave flagged terminals out of the counts first, or give the terminals to
//! [`compare_models_by_terminal`], whose interval takes them as the units.

mod jackknife;
mod table;

use crate::fdr;
use crate::levels::Levels;
use crate::special::{chi2_upper, chi2_upper_1df, normal_quantile};
use rayon::prelude::*;
use std::collections::BTreeMap;
use table::{Sums, Table, crude_odds_ratio};

pub use jackknife::{ByTerminal, TerminalCounts, compare_models_by_terminal};

/// The attempts and failures of one model in one stratum; repeated rows are added up.
#[derive(Clone, Copy, Debug)]
pub struct ModelCounts<'a> {
    /// What the comparison stays within.
    pub stratum: &'a str,
    /// The device model.
    pub model: &'a str,
    /// Attempts of the model in the stratum; 0 is missing.
    pub attempts: u64,
    /// Failures among them.
    pub failures: u64,
}

/// What each model is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison<'a> {
    /// All other models together. They contain the other bad ones, so a healthy model can come out
    /// better than "others", and a bad one less bad.
    Others,
    /// One named model, which then gets no row itself.
    Reference(&'a str),
}

/// The correction of the Cochran–Mantel–Haenszel statistic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuity {
    /// None (statistic as is).
    None,
    /// The difference is brought ½ nearer to 0, never past it.
    Half,
}

/// How the models are compared.
#[derive(Clone, Copy, Debug)]
pub struct ModelsOptions<'a> {
    /// What each model is compared with.
    pub comparison: Comparison<'a>,
    /// The correction of `chi2`.
    pub continuity: Continuity,
    /// Coverage of the interval of the odds ratio, inside (0, 1).
    pub confidence: f64,
}

impl Default for ModelsOptions<'_> {
    fn default() -> Self {
        Self {
            comparison: Comparison::Others,
            continuity: Continuity::None,
            confidence: 0.95,
        }
    }
}

/// One model against its comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelRow {
    /// The model.
    pub model: String,
    /// What it is compared with: a model, or `others`.
    pub reference: String,
    /// Attempts of the model in all strata.
    pub attempts: u64,
    /// Failures among them.
    pub failures: u64,
    /// Informative strata: both sides present, with failures and with successes.
    pub strata: usize,
    /// Odds ratio of the sums over all strata, without stratification.
    pub crude_or: Option<f64>,
    /// Mantel–Haenszel odds ratio; `None` where it would be infinite.
    pub or: Option<f64>,
    /// Lower limit of `or` by the variance of Robins, Breslow and Greenland (1986), or of
    /// `by_terminal` where terminals are given.
    pub low: Option<f64>,
    /// Upper limit of `or`.
    pub high: Option<f64>,
    /// Cochran–Mantel–Haenszel statistic, one degree of freedom.
    pub chi2: Option<f64>,
    /// Two-sided p-value of `chi2`.
    pub p: Option<f64>,
    /// Benjamini–Hochberg q-value over the compared models.
    pub q: Option<f64>,
    /// p-value of equal odds ratios in all strata (Breslow and Day, corrected by Tarone 1985).
    pub breslow_day_p: Option<f64>,
    /// Mantel–Haenszel difference of failure rates, over the strata where both sides have attempts.
    pub risk_difference: Option<f64>,
    /// Standard error of `risk_difference` (Sato 1989).
    pub risk_difference_se: Option<f64>,
    /// Failures that would not happen at the comparison's rates: `risk_difference` × attempts of the
    /// model in the strata where both sides have attempts, 0 when the model is the better one.
    pub avoidable: Option<f64>,
    /// What the terminals say of `or`; `None` where they are not given.
    pub by_terminal: Option<ByTerminal>,
}

/// Why models cannot be compared.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ModelsError {
    /// A row has more failures than attempts.
    #[error("model {model} in stratum {stratum} has {failures} failures in {attempts} attempts")]
    FailuresAboveAttempts {
        /// The model of the row.
        model: String,
        /// Its stratum.
        stratum: String,
        /// Its failures.
        failures: u64,
        /// Its attempts.
        attempts: u64,
    },
    /// No row has the reference model.
    #[error("reference model {0} is not in the input")]
    UnknownReference(String),
    /// The coverage of the interval is not inside (0, 1).
    #[error("confidence {0} is not between 0 and 1")]
    Confidence(f64),
}

/// Compares every model with the others, or with a reference, within strata; rows by model name.
///
/// # Errors
/// More failures than attempts, an unknown reference, or a confidence outside (0, 1).
///
/// # Examples
/// ```
/// use statistics::models::{ModelCounts, ModelsOptions, compare_models};
/// let counts = |stratum, model, attempts, failures| ModelCounts { stratum, model, attempts, failures };
/// let rows = compare_models(
///     &[
///         counts("harbour", "A", 100, 20),
///         counts("harbour", "B", 100, 10),
///         counts("hill", "A", 50, 20),
///         counts("hill", "B", 50, 12),
///     ],
///     &ModelsOptions::default(),
/// )?;
/// assert_eq!(rows[0].strata, 2);
/// assert!(rows[0].or > Some(1.0));
/// # Ok::<(), statistics::models::ModelsError>(())
/// ```
pub fn compare_models(
    rows: &[ModelCounts<'_>],
    options: &ModelsOptions<'_>,
) -> Result<Vec<ModelRow>, ModelsError> {
    check(rows, options)?;
    let models = Levels::of(rows.iter().map(|row| row.model));
    let reference = match options.comparison {
        Comparison::Others => None,
        Comparison::Reference(name) => Some(
            models
                .find(name)
                .ok_or_else(|| ModelsError::UnknownReference(name.to_owned()))?,
        ),
    };
    let sides = pair(rows, &models, reference);
    let compared: Vec<usize> = (0..models.names.len())
        .filter(|&model| reference != u32::try_from(model).ok())
        .collect();
    let mut result: Vec<ModelRow> = compared
        .par_iter()
        .map(|&model| compare(models.names[model], &sides, model, options))
        .collect();
    let p: Vec<Option<f64>> = result.iter().map(|row| row.p).collect();
    for (row, q) in result.iter_mut().zip(fdr::bh(&p)) {
        row.q = q;
    }
    Ok(result)
}

fn check(rows: &[ModelCounts<'_>], options: &ModelsOptions<'_>) -> Result<(), ModelsError> {
    if !(options.confidence > 0.0 && options.confidence < 1.0) {
        return Err(ModelsError::Confidence(options.confidence));
    }
    match rows.iter().find(|row| row.failures > row.attempts) {
        None => Ok(()),
        Some(row) => Err(ModelsError::FailuresAboveAttempts {
            model: row.model.to_owned(),
            stratum: row.stratum.to_owned(),
            failures: row.failures,
            attempts: row.attempts,
        }),
    }
}

/// Attempts and failures.
#[derive(Clone, Copy, Default)]
struct Counts {
    attempts: u64,
    failures: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.attempts += other.attempts;
        self.failures += other.failures;
    }

    fn without(self, other: Self) -> Self {
        Self {
            attempts: self.attempts - other.attempts,
            failures: self.failures - other.failures,
        }
    }
}

/// Both sides of the comparison of each model, over all strata and within them.
struct Sides {
    own: Vec<Counts>,
    comparison: Vec<Counts>,
    tables: Vec<Vec<Table>>,
}

fn pair(rows: &[ModelCounts<'_>], models: &Levels<'_>, reference: Option<u32>) -> Sides {
    let strata = Levels::of(rows.iter().map(|row| row.stratum));
    let mut cells: Vec<(u32, u32, Counts)> = rows
        .iter()
        .zip(strata.of_row.iter().zip(&models.of_row))
        .filter(|(row, _)| row.attempts > 0)
        .map(|(row, (&stratum, &model))| {
            (
                stratum,
                model,
                Counts {
                    attempts: row.attempts,
                    failures: row.failures,
                },
            )
        })
        .collect();
    cells.par_sort_unstable_by_key(|&(stratum, model, _)| (stratum, model));
    let count = models.names.len();
    let mut sides = Sides {
        own: vec![Counts::default(); count],
        comparison: Vec::new(),
        tables: vec![Vec::new(); count],
    };
    for stratum in cells.chunk_by(|one, next| one.0 == next.0) {
        pair_stratum(&mut sides, stratum, reference);
    }
    let total = match reference {
        Some(model) => sides.own[model as usize],
        None => sides.own.iter().fold(Counts::default(), |mut sum, &own| {
            sum.add(own);
            sum
        }),
    };
    sides.comparison = sides
        .own
        .iter()
        .map(|&own| {
            if reference.is_some() {
                total
            } else {
                total.without(own)
            }
        })
        .collect();
    sides
}

fn pair_stratum(sides: &mut Sides, stratum: &[(u32, u32, Counts)], reference: Option<u32>) {
    let mut total = Counts::default();
    let mut by_model = BTreeMap::<u32, Counts>::new();
    for &(_, model, counts) in stratum {
        by_model.entry(model).or_default().add(counts);
        total.add(counts);
    }
    let fixed = reference.map(|model| by_model.get(&model).copied().unwrap_or_default());
    for (&model, &own) in &by_model {
        sides.own[model as usize].add(own);
        let other = fixed.unwrap_or_else(|| total.without(own));
        if other.attempts > 0 && reference != Some(model) {
            sides.tables[model as usize].push(Table::new(own, other));
        }
    }
}

fn compare(name: &str, sides: &Sides, model: usize, options: &ModelsOptions<'_>) -> ModelRow {
    let sums = Sums::of(&sides.tables[model]);
    let or = sums.odds_ratio();
    let margin = sums
        .ln_odds_ratio_variance()
        .map(|variance| (normal_quantile(0.5 + options.confidence / 2.0) * variance.sqrt()).exp());
    let half = match options.continuity {
        Continuity::None => 0.0,
        Continuity::Half => 0.5,
    };
    let chi2 = sums.chi2(half);
    let homogeneity = or.and_then(|or| table::breslow_day(&sides.tables[model], or));
    ModelRow {
        model: name.to_owned(),
        reference: match options.comparison {
            Comparison::Others => "others".to_owned(),
            Comparison::Reference(name) => name.to_owned(),
        },
        attempts: sides.own[model].attempts,
        failures: sides.own[model].failures,
        strata: sums.informative,
        crude_or: crude_odds_ratio(sides.own[model], sides.comparison[model]),
        or,
        low: or.zip(margin).map(|(or, margin)| or / margin),
        high: or.zip(margin).map(|(or, margin)| or * margin),
        chi2,
        p: chi2.map(chi2_upper_1df),
        q: None,
        breslow_day_p: homogeneity.map(|(statistic, df)| chi2_upper(statistic, df)),
        risk_difference: sums.risk_difference(),
        risk_difference_se: sums.risk_difference_variance().map(f64::sqrt),
        avoidable: sums
            .risk_difference()
            .map(|difference| difference.max(0.0) * sums.attempts),
        by_terminal: None,
    }
}

#[cfg(test)]
mod tests;
