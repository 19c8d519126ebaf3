//! The estimate and its clustered standard error, in closed form.
//!
//! `rate ~ treated × post` is saturated: its coefficients are differences of four (weighted) means,
//! and what a unit adds to the sandwich is its own deviation after less its own deviation before.

use super::units::{Side, UnitCounts};
use super::{EffectOptions, Estimate, Weighting};
use crate::special::{t_quantile, t_two_sided};

/// Coefficients of the regression.
const COEFFICIENTS: f64 = 4.0;
/// A standard error below this part of the rates is rounding noise.
const NOISE: f64 = 1e-12;

/// Rate and weight of a unit on both sides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    pub(super) before: f64,
    after: f64,
    weight_before: f64,
    weight_after: f64,
}

/// The units of one group and their mean rates.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) units: Vec<Unit>,
    pub(super) before: f64,
    after: f64,
    weight_before: f64,
    weight_after: f64,
}

impl Group {
    pub(super) fn of(counts: &[UnitCounts], treated: bool, weighting: Weighting) -> Self {
        let units = counts.iter().filter(|unit| unit.treated == treated);
        Self::of_units(units.map(|unit| Unit::of(unit, weighting)).collect())
    }

    pub(super) fn of_units(units: Vec<Unit>) -> Self {
        let weight_before: f64 = units.iter().map(|unit| unit.weight_before).sum();
        let weight_after: f64 = units.iter().map(|unit| unit.weight_after).sum();
        let before: f64 = units
            .iter()
            .map(|unit| unit.weight_before * unit.before)
            .sum();
        let after: f64 = units
            .iter()
            .map(|unit| unit.weight_after * unit.after)
            .sum();
        Self {
            units,
            before: before / weight_before,
            after: after / weight_after,
            weight_before,
            weight_after,
        }
    }

    /// Sum of squares of what the units add to the change of the group.
    fn spread(&self) -> f64 {
        let own = |unit: &Unit| {
            unit.weight_after * (unit.after - self.after) / self.weight_after
                - unit.weight_before * (unit.before - self.before) / self.weight_before
        };
        self.units.iter().map(|unit| own(unit).powi(2)).sum()
    }

    /// The same for the level before.
    fn spread_before(&self) -> f64 {
        let own =
            |unit: &Unit| unit.weight_before * (unit.before - self.before) / self.weight_before;
        self.units.iter().map(|unit| own(unit).powi(2)).sum()
    }
}

impl Unit {
    fn of(counts: &UnitCounts, weighting: Weighting) -> Self {
        let rate = |side: Side| side.failures as f64 / side.attempts as f64;
        let weight = |side: Side| match weighting {
            Weighting::Units => 1.0,
            Weighting::Attempts => side.attempts as f64,
        };
        Self {
            before: rate(counts.before),
            after: rate(counts.after),
            weight_before: weight(counts.before),
            weight_after: weight(counts.after),
        }
    }
}

/// The difference in differences of two groups.
pub(super) fn changes(treated: &Group, comparison: &Group, options: &EffectOptions) -> Estimate {
    let estimate = (treated.after - treated.before) - (comparison.after - comparison.before);
    let units = (treated.units.len() + comparison.units.len()) as f64;
    let rows = 2.0 * units;
    let se = has_spread(treated, comparison).then(|| {
        let correction = units / (units - 1.0) * (rows - 1.0) / (rows - COEFFICIENTS);
        (correction * (treated.spread() + comparison.spread())).sqrt()
    });
    let se = se.filter(|&se| se > NOISE * (treated.before + comparison.before + estimate.abs()));
    let margin = se.map(|se| se * t_quantile(0.5 + options.confidence / 2.0, units - 1.0));
    Estimate {
        estimate,
        se,
        low: margin.map(|margin| estimate - margin),
        high: margin.map(|margin| estimate + margin),
        p: se.map(|se| t_two_sided(estimate / se, units - 1.0)),
        treated_units: treated.units.len(),
        comparison_units: comparison.units.len(),
    }
}

/// Difference of the levels before, its standard error and degrees of freedom; `None` without spread.
pub(super) fn level_difference(treated: &Group, comparison: &Group) -> Option<(f64, f64, f64)> {
    let units = (treated.units.len() + comparison.units.len()) as f64;
    let difference = treated.before - comparison.before;
    let se = has_spread(treated, comparison).then(|| {
        let correction = units / (units - 2.0);
        (correction * (treated.spread_before() + comparison.spread_before())).sqrt()
    })?;
    (se > NOISE * (treated.before + comparison.before)).then_some((difference, se, units - 1.0))
}

fn has_spread(treated: &Group, comparison: &Group) -> bool {
    treated.units.len() > 1 && comparison.units.len() > 1
}
