//! The likelihood ratio of a window, and the fewest failures that reach a given one.

use rayon::prelude::*;

use super::Model;
use crate::special::deviance;

/// Most steps of the measure of a window in a table.
const MAX_BUCKETS: usize = 16_384;
/// An excess below this share is rounding.
const NO_EXCESS: f64 = 1e-12;
/// A window below a table's level by no more than this share is still looked at.
const SLACK: f64 = 1e-9;

/// Totals that every window is compared with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Law {
    pub(super) model: Model,
    /// All failures.
    pub(super) failures: f64,
    /// Total measure: attempts for Bernoulli, expected failures (so, all failures) for Poisson.
    pub(super) measure: f64,
}

impl Law {
    /// Expected failures in a window of this measure.
    pub(super) fn expected(&self, measure: f64) -> f64 {
        self.failures * (measure / self.measure)
    }

    /// Logarithm of the likelihood ratio (Kulldorff 1997); 0 when there is no excess.
    ///
    /// Written as a sum of deviances, none of which is negative, so that nothing cancels.
    pub(super) fn llr(&self, inside: f64, measure: f64) -> f64 {
        let expected = self.expected(measure);
        if inside <= expected * (1.0 + NO_EXCESS) {
            return 0.0;
        }
        let outside = self.failures - inside;
        let cases = part(inside, expected) + part(outside, self.failures - expected);
        if self.model == Model::Poisson {
            return cases;
        }
        let successes = self.measure - self.failures;
        let expected_inside = successes * (measure / self.measure);
        cases
            + part(measure - inside, expected_inside)
            + part(
                self.measure - measure - outside,
                successes - expected_inside,
            )
    }
}

/// `k ln(k / expected) - k + expected`.
fn part(k: f64, expected: f64) -> f64 {
    if k <= 0.0 {
        return expected.max(0.0);
    }
    if expected <= 0.0 {
        return f64::INFINITY;
    }
    k * deviance(expected / k, (expected - k) / k)
}

/// For a ladder of likelihood ratios, the fewest failures that reach each, by measure.
///
/// The ratio grows with the failures and falls with the measure, so a window with fewer than the
/// table says for the lower end of its bucket cannot reach the level: most windows cost one
/// comparison of integers.
pub(super) struct Tables {
    levels: Vec<f64>,
    fewest: Vec<Vec<i32>>,
    scale: f64,
}

impl Tables {
    /// Builds the tables for windows of at most `largest` measure and at least `min_cases`.
    pub(super) fn new(law: &Law, largest: f64, min_cases: u64, locations: usize) -> Self {
        let levels: Vec<f64> = (0..60)
            .map(|i| 0.25 * f64::from(i))
            .chain((0..24).map(|i| 15.0 * 1.25_f64.powi(i)))
            .collect();
        // Some steps for a location: finer tables would look at no fewer windows.
        let buckets = (16 * locations).clamp(1, MAX_BUCKETS);
        let scale = buckets as f64 / largest.max(1e-200);
        let steps = Steps { buckets, scale };
        let build = |level: &f64| table(law, *level, steps, min_cases);
        let fewest = levels.par_iter().map(build).collect();
        Self {
            levels,
            fewest,
            scale,
        }
    }

    /// The table of the highest level that is not above `llr`.
    pub(super) fn below(&self, llr: f64) -> Table<'_> {
        let level = self.levels.partition_point(|level| *level <= llr).max(1) - 1;
        Table {
            fewest: &self.fewest[level],
            scale: self.scale,
        }
    }
}

/// One level of [`Tables`].
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    fewest: &'a [i32],
    scale: f64,
}

impl Table<'_> {
    /// Fewest failures in a window of this measure that may reach the level.
    #[inline]
    pub(super) fn fewest(&self, measure: f64) -> i32 {
        // Saturates; the last bucket stands for everything above it.
        let bucket = (measure * self.scale * (1.0 - 1e-12)) as u32 as usize;
        self.fewest[bucket.min(self.fewest.len() - 1)]
    }
}

/// How a table divides the measure.
#[derive(Clone, Copy)]
struct Steps {
    buckets: usize,
    scale: f64,
}

fn table(law: &Law, level: f64, steps: Steps, min_cases: u64) -> Vec<i32> {
    let most = law.failures as u64;
    let mut fewest = min_cases.max(1);
    let reaches = |cases: u64, measure: f64| {
        // More failures than attempts are in no window; any answer that is not too high will do.
        let cases = cases as f64;
        if measure <= 0.0 || (law.model == Model::Bernoulli && cases > measure) {
            return true;
        }
        cases > law.expected(measure) && law.llr(cases, measure) >= level * (1.0 - SLACK)
    };
    let mut table = Vec::with_capacity(steps.buckets);
    for bucket in 0..steps.buckets {
        let measure = bucket as f64 / steps.scale;
        // Doubling strides from the last answer, then halving: the answers never fall.
        let (mut low, mut stride) = (fewest, 1);
        while low + stride <= most + 1 && !reaches(low + stride - 1, measure) {
            low += stride;
            stride *= 2;
        }
        let mut high = (low + stride - 1).min(most + 1).max(low);
        while low < high {
            let middle = low + (high - low) / 2;
            if reaches(middle, measure) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        fewest = low;
        table.push(i32::try_from(fewest).unwrap_or(i32::MAX));
    }
    table
}
