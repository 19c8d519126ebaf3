//! What an intervention did: difference in differences over units (cells or terminals).
//!
//! The change of treated units from before to after, less the change of comparison units. The counts
//! of each unit are added up to one rate before and one after: many periods with their own errors
//! would make the interval far too narrow (Bertrand, Duflo and Mullainathan 2004). Standard errors are
//! robust to clusters, one cluster a unit, by CR1 of `rate ~ treated × post` (4 coefficients), and the
//! interval is that of Student's t with one degree of freedom less than units.
//!
//! Units are often treated *because* they were bad, and bad luck passes by itself. When treated units
//! began at another level, a warning says so, and the same estimate is made against comparison units
//! that were as bad. Leave out neighbours that an intervention spills over to before calling this.

mod alike;
mod estimate;
mod luck;
mod matching;
mod units;

pub use alike::most_alike;
pub use luck::{BeforeAfter, beyond_luck};

use crate::special::t_two_sided;
use estimate::{Group, changes, level_difference};
use std::fmt;
use units::{UnitCounts, Units};

/// Counts of one unit in one period; repeated rows are added up.
#[derive(Clone, Copy, Debug)]
pub struct EffectCounts<'a> {
    /// The unit: a cell or a terminal.
    pub unit: &'a str,
    /// Whether the unit belongs to those that get treated, in all its periods.
    pub treated: bool,
    /// The period, on any scale that grows with time.
    pub period: i64,
    /// Attempts; 0 is missing.
    pub attempts: u64,
    /// Failures among them.
    pub failures: u64,
}

/// What counts as one observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weighting {
    /// Every unit the same: the effect on a typical unit.
    Units,
    /// Every attempt the same: the effect on a typical attempt, equal to the difference of the pooled
    /// rates. The clusters stay the units.
    Attempts,
}

/// How the effect is estimated.
#[derive(Clone, Copy, Debug)]
pub struct EffectOptions {
    /// The first period after the intervention.
    pub start: i64,
    /// What counts as one observation.
    pub weighting: Weighting,
    /// Coverage of the interval, inside (0, 1).
    pub confidence: f64,
}

impl EffectOptions {
    /// Options with the units weighted equally and an interval of 95 %.
    pub fn starting(start: i64) -> Self {
        Self {
            start,
            weighting: Weighting::Units,
            confidence: 0.95,
        }
    }
}

/// A difference in differences of failure rates, as a fraction: −0.02 is two points fewer.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Change of the treated less change of the comparison.
    pub estimate: f64,
    /// Standard error, clustered by unit; `None` with one unit in a group or without any spread.
    pub se: Option<f64>,
    /// Lower limit of the interval.
    pub low: Option<f64>,
    /// Upper limit of the interval.
    pub high: Option<f64>,
    /// Two-sided p-value of no effect.
    pub p: Option<f64>,
    /// Treated units with attempts before and after.
    pub treated_units: usize,
    /// Comparison units with attempts before and after.
    pub comparison_units: usize,
}

/// The effect of an intervention and what speaks against it.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectRow {
    /// The estimate over all units that have both sides.
    pub effect: Estimate,
    /// p-value of an effect between the earlier and the later half of the periods before the
    /// intervention, where there was none; `None` with one such period.
    pub placebo_p: Option<f64>,
    /// The estimate with each treated unit against the comparison unit that was most alike before;
    /// `None` unless the two groups began at different levels.
    pub matched: Option<Estimate>,
    /// What a reader has to know.
    pub warnings: Vec<EffectWarning>,
}

/// What a reader of an effect has to know; its text is fit for an output column.
#[derive(Clone, Debug, PartialEq)]
pub enum EffectWarning {
    /// Units without attempts before or after were left out.
    UnitsDropped {
        /// How many.
        dropped: usize,
        /// Of how many.
        units: usize,
    },
    /// A group has so few units that the interval is rough.
    FewUnits {
        /// Treated units.
        treated: usize,
        /// Comparison units.
        comparison: usize,
    },
    /// A group has one unit: there is no interval.
    NoInterval,
    /// Treated and comparison units began at different levels, so that part of the change may be
    /// regression to the mean.
    DifferentStart {
        /// Rate of the treated before.
        treated: f64,
        /// Rate of the comparison before.
        comparison: f64,
    },
    /// Trends differed before the intervention.
    TrendsDiffer {
        /// p-value of the placebo.
        placebo_p: f64,
    },
    /// One period before: parallel trends cannot be checked.
    NoPlacebo,
}

impl fmt::Display for EffectWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnitsDropped { dropped, units } => {
                write!(
                    f,
                    "{dropped} of {units} units lack attempts before or after"
                )
            }
            Self::FewUnits {
                treated,
                comparison,
            } => {
                write!(f, "few units: {treated} treated, {comparison} comparison")
            }
            Self::NoInterval => write!(f, "no interval with one unit in a group"),
            Self::DifferentStart {
                treated,
                comparison,
            } => write!(
                f,
                "regression to the mean: treated units began at {treated:.4}, comparison at {comparison:.4}"
            ),
            Self::TrendsDiffer { placebo_p } => {
                write!(
                    f,
                    "trends differed before the start: placebo p {placebo_p:.4}"
                )
            }
            Self::NoPlacebo => write!(f, "one period before the start: trends not checked"),
        }
    }
}

/// Why there is no estimate.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EffectError {
    /// A row has more failures than attempts.
    #[error("unit {unit} in period {period} has {failures} failures in {attempts} attempts")]
    FailuresAboveAttempts {
        /// The unit of the row.
        unit: String,
        /// Its period.
        period: i64,
        /// Its failures.
        failures: u64,
        /// Its attempts.
        attempts: u64,
    },
    /// A unit is treated in one row and not in another.
    #[error("unit {0} is both treated and comparison")]
    MixedTreatment(String),
    /// A group has no unit with attempts before and after.
    #[error("no {group} unit has attempts both before and from period {start} on")]
    EmptyGroup {
        /// `treated` or `comparison`.
        group: &'static str,
        /// The first period after the intervention.
        start: i64,
    },
    /// The coverage of the interval is not inside (0, 1).
    #[error("confidence {0} is not between 0 and 1")]
    Confidence(f64),
}

/// A group with fewer units than this gets a warning.
const FEW_UNITS: usize = 10;
/// Differences before the intervention below this p-value get a warning.
const SUSPICIOUS: f64 = 0.05;

/// Estimates the effect of an intervention that all treated units got at `options.start`.
///
/// # Errors
/// More failures than attempts, a unit on both sides, a group without usable units, or a confidence
/// outside (0, 1).
///
/// # Examples
/// ```
/// use statistics::effect::{EffectCounts, EffectOptions, estimate_effect};
/// let counts = |unit, treated, period, failures| EffectCounts {
///     unit, treated, period, attempts: 100, failures,
/// };
/// let rows = [
///     counts("a", true, 0, 20), counts("a", true, 1, 11),
///     counts("b", true, 0, 18), counts("b", true, 1, 10),
///     counts("c", false, 0, 19), counts("c", false, 1, 18),
///     counts("d", false, 0, 21), counts("d", false, 1, 22),
/// ];
/// let row = estimate_effect(&rows, &EffectOptions::starting(1))?;
/// assert!((row.effect.estimate + 0.085).abs() < 1e-12);
/// # Ok::<(), statistics::effect::EffectError>(())
/// ```
pub fn estimate_effect(
    rows: &[EffectCounts<'_>],
    options: &EffectOptions,
) -> Result<EffectRow, EffectError> {
    let units = Units::of(rows, options)?;
    let both_sides = units.split(|period| period >= options.start);
    let (treated, comparison) = groups(&both_sides, options)?;
    let effect = changes(&treated, &comparison, options);
    let placebo_p = placebo(&units, options);
    let different = started_apart(&treated, &comparison);
    let matched = different.is_some().then(|| {
        let (treated, comparison) = matching::pairs(&treated, &comparison);
        changes(&treated, &comparison, options)
    });
    let mut warnings = Vec::new();
    let (usable, all) = (treated.units.len() + comparison.units.len(), units.len());
    if usable < all {
        warnings.push(EffectWarning::UnitsDropped {
            dropped: all - usable,
            units: all,
        });
    }
    warnings.extend(few_units(&effect));
    warnings.extend(different);
    warnings.push(match placebo_p {
        Some(placebo_p) => EffectWarning::TrendsDiffer { placebo_p },
        None => EffectWarning::NoPlacebo,
    });
    warnings.retain(|warning| {
        !matches!(warning, EffectWarning::TrendsDiffer { placebo_p } if *placebo_p >= SUSPICIOUS)
    });
    Ok(EffectRow {
        effect,
        placebo_p,
        matched,
        warnings,
    })
}

fn groups(
    both_sides: &[UnitCounts],
    options: &EffectOptions,
) -> Result<(Group, Group), EffectError> {
    let group = |treated, group| {
        let found = Group::of(both_sides, treated, options.weighting);
        if found.units.is_empty() {
            return Err(EffectError::EmptyGroup {
                group,
                start: options.start,
            });
        }
        Ok(found)
    };
    Ok((group(true, "treated")?, group(false, "comparison")?))
}

/// The earlier half of the periods before against the later half; the middle one is earlier.
fn placebo(units: &Units, options: &EffectOptions) -> Option<f64> {
    let before: Vec<i64> = units
        .periods()
        .into_iter()
        .filter(|&period| period < options.start)
        .collect();
    let middle = *before.get(before.len().div_ceil(2))?;
    let halves = units.before(options.start).split(|period| period >= middle);
    let (treated, comparison) = groups(&halves, options).ok()?;
    changes(&treated, &comparison, options).p
}

fn few_units(effect: &Estimate) -> Option<EffectWarning> {
    let (treated, comparison) = (effect.treated_units, effect.comparison_units);
    match treated.min(comparison) {
        0 | 1 => Some(EffectWarning::NoInterval),
        few if few < FEW_UNITS => Some(EffectWarning::FewUnits {
            treated,
            comparison,
        }),
        _ => None,
    }
}

/// Whether the rates before the intervention tell the two groups apart.
fn started_apart(treated: &Group, comparison: &Group) -> Option<EffectWarning> {
    let (difference, se, df) = level_difference(treated, comparison)?;
    let p = t_two_sided(difference / se, df);
    (p < SUSPICIOUS).then_some(EffectWarning::DifferentStart {
        treated: treated.before,
        comparison: comparison.before,
    })
}

#[cfg(test)]
mod tests;
