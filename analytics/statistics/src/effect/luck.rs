//! How far rates come back to the mean by themselves, and what of a change lies beyond that.
//!
//! Treated units that were worse than every unit left to compare with cannot be matched. How much of
//! such a distance is luck shows in the others: the slope of their rate after on their rate before.

use crate::special::t_quantile;

/// Fewest untouched units a slope is taken from.
const FEWEST_UNTOUCHED: usize = 20;

/// Counts of one unit on both sides of an intervention, attempts above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeforeAfter {
    /// Attempts before.
    pub attempts_before: u64,
    /// Failures among them.
    pub failures_before: u64,
    /// Attempts after.
    pub attempts_after: u64,
    /// Failures among them.
    pub failures_after: u64,
}

impl BeforeAfter {
    fn before(&self) -> f64 {
        self.failures_before as f64 / self.attempts_before as f64
    }

    fn after(&self) -> f64 {
        self.failures_after as f64 / self.attempts_after as f64
    }
}

/// Returns the 95 % interval of the treated units' mean rate after, less what untouched units of the
/// same rate before come to; an attempt is one observation, a unit one cluster.
///
/// `None` with one treated unit, few untouched ones, or no spread among either.
pub fn beyond_luck(treated: &[BeforeAfter], untouched: &[BeforeAfter]) -> Option<(f64, f64)> {
    if treated.len() < 2 || untouched.len() < FEWEST_UNTOUCHED {
        return None;
    }
    let (before, after, slope) = line(untouched)?;
    let surprise = |unit: &BeforeAfter| {
        let expected = after + slope * (unit.before() - before);
        (unit.attempts_after as f64, unit.after() - expected)
    };
    let surprises: Vec<(f64, f64)> = treated.iter().map(surprise).collect();
    let weight: f64 = surprises.iter().map(|(weight, _)| weight).sum();
    let mean = surprises
        .iter()
        .map(|(weight, own)| weight * own)
        .sum::<f64>()
        / weight;
    let spread: f64 = surprises
        .iter()
        .map(|(weight, own)| (weight * (own - mean)).powi(2))
        .sum();
    let units = treated.len() as f64;
    let se = (spread * units / (units - 1.0)).sqrt() / weight;
    let margin = se * t_quantile(0.975, units - 1.0);
    (se > 0.0).then_some((mean - margin, mean + margin))
}

/// Mean before, mean after, and the slope between them, from 0 (all luck) to 1 (none).
fn line(units: &[BeforeAfter]) -> Option<(f64, f64, f64)> {
    let weight = |unit: &BeforeAfter| unit.attempts_before as f64;
    let total: f64 = units.iter().map(weight).sum();
    let mean = |rate: &dyn Fn(&BeforeAfter) -> f64| {
        units
            .iter()
            .map(|unit| weight(unit) * rate(unit))
            .sum::<f64>()
            / total
    };
    let (before, after) = (mean(&BeforeAfter::before), mean(&BeforeAfter::after));
    let spread = mean(&|unit| (unit.before() - before).powi(2));
    let joint = mean(&|unit| (unit.before() - before) * (unit.after() - after));
    (spread > 0.0).then(|| (before, after, (joint / spread).clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(failures_before: u64, failures_after: u64) -> BeforeAfter {
        BeforeAfter {
            attempts_before: 1000,
            failures_before,
            attempts_after: 1000,
            failures_after,
        }
    }

    /// Half of what a unit is above the others passes by itself.
    fn untouched() -> Vec<BeforeAfter> {
        (0..40).map(|no| unit(10 + no, 20 + no / 2)).collect()
    }

    #[test]
    fn what_bad_luck_gives_back_is_no_effect_and_what_goes_further_is() {
        let lucky = [unit(100, 64), unit(110, 70), unit(120, 75), unit(90, 60)];
        let (low, high) = beyond_luck(&lucky, &untouched()).expect("an interval");
        assert!(low < 0.0 && high > 0.0, "{low} to {high}");
        let mended = [unit(100, 12), unit(110, 14), unit(120, 10), unit(90, 13)];
        let (_, high) = beyond_luck(&mended, &untouched()).expect("an interval");
        assert!(high < -0.03, "{high}");
    }

    #[test]
    fn nothing_is_said_from_one_unit_or_few_to_learn_from() {
        let mended = [unit(100, 12), unit(110, 14)];
        assert_eq!(beyond_luck(&mended[..1], &untouched()), None);
        assert_eq!(beyond_luck(&mended, &untouched()[..10]), None);
        assert_eq!(beyond_luck(&mended, &[unit(10, 10); 40]), None);
    }
}
