//! How probable a number of failures is for a healthy terminal: what its p-value and its testability
//! are read from.
//!
//! Healthy terminals differ lastingly by decibels of antennas and shelves, which move the logit: their
//! rates are taken as normal on that scale, whose upper tail is longer than that of a beta distribution
//! of the same variance. Around its own rate a terminal's failures come in runs: a beta-binomial of
//! the variance that runs have. The spread is itself estimated, from few terminals badly: as with Student's t it is
//! taken as ν / χ²(ν) times its estimate, ν being what the terminals are worth that it comes from
//! (`spread`), and p-values are averaged over that.

use super::peers::{Counts, Expected, as_f64};
use super::spread::Spread;
use super::tail::{UpperTail, all_failing, upper_tail};
use crate::logit::expit;
use crate::special::normal_upper;

/// From so many degrees of freedom on a spread counts as known.
const KNOWN: f64 = 1000.0;
/// Nodes on either side of the middle and their steps in standard deviations, for the scale of the spread, and
/// the longest step and the furthest node for the logit. The rule of equal steps is exact to many
/// digits for such densities.
const SCALES: i32 = 8;
const SCALE_STEP: f64 = 0.6;
const FURTHEST: f64 = 7.0;
const LOGIT_STEP: f64 = 0.5;
/// Steps of the search for the middle of the logits, whose mean rate is given.
const MIDDLE_STEPS: usize = 12;
/// Steps are no longer than so many widths of what the counts themselves leave open, and where those are below
/// this share of the lasting differences, the two are one normal of both variances.
const WIDTHS: f64 = 1.5;
const NARROW: f64 = 0.15;
/// Below this a correlation of lasting differences is none.
const NONE: f64 = 1e-12;

/// A share of all healthy terminals.
#[derive(Clone, Copy)]
struct Part {
    weight: f64,
    rates: Rates,
}

/// What rates a share of the terminals has.
#[derive(Clone, Copy)]
enum Rates {
    /// One, and failures in runs around it.
    One { rate: f64, rho: f64 },
    /// Any, of which so much lies above the rate that was observed.
    Above(f64),
}

/// The law of a healthy terminal's failures, as one that failed so often needs it.
pub(super) struct Law {
    counts: Counts,
    parts: Vec<Part>,
}

impl Law {
    pub(super) fn new(counts: Counts, expected: &Expected, spread: &Spread) -> Self {
        let mut law = Self {
            counts,
            parts: Vec::new(),
        };
        for (weight, scale) in scales(spread.freedom()) {
            let (lasting, runs) = spread.scaled(counts.attempts, expected, scale);
            law.add(weight, expected.rate, lasting, runs);
        }
        let total: f64 = law.parts.iter().map(|part| part.weight).sum();
        for part in &mut law.parts {
            part.weight /= total;
        }
        law
    }

    /// P(X = failures) and P(X > failures).
    pub(super) fn upper_tail(&self) -> UpperTail {
        let Counts { attempts, failures } = self.counts;
        let mut sum = UpperTail::default();
        for part in &self.parts {
            let tail = match part.rates {
                Rates::One { rate, rho } => upper_tail(failures, attempts, rate, rho),
                Rates::Above(above) => UpperTail { at: 0.0, above },
            };
            sum.at += part.weight * tail.at;
            sum.above += part.weight * tail.above;
        }
        sum
    }

    /// P(X = attempts): the smallest p-value there can be.
    pub(super) fn all_failing(&self) -> f64 {
        let parts = self.parts.iter().map(|part| match part.rates {
            Rates::One { rate, rho } => part.weight * all_failing(self.counts.attempts, rate, rho),
            // Far more attempts than would do.
            Rates::Above(_) => 0.0,
        });
        parts.sum()
    }

    /// Adds the rates of terminals whose lasting correlation is `lasting`, each with runs.
    fn add(&mut self, weight: f64, rate: f64, lasting: f64, runs: f64) {
        if lasting <= NONE {
            let rates = Rates::One { rate, rho: runs };
            self.parts.push(Part { weight, rates });
            return;
        }
        let sd = (lasting / (rate * (1.0 - rate))).ln_1p().sqrt();
        let width = self.width(runs);
        let step = LOGIT_STEP.min(WIDTHS * width / sd);
        let nodes = nodes(step.max(WIDTHS * NARROW));
        let middle = middle(rate, sd, &nodes);
        if width < NARROW * sd {
            let above = (self.observed() - middle) / sd.hypot(width);
            let rates = Rates::Above(normal_upper(above));
            self.parts.push(Part { weight, rates });
            return;
        }
        self.parts.extend(nodes.iter().map(|(away, part)| Part {
            weight: weight * part,
            rates: Rates::One {
                rate: expit(middle + sd * away).clamp(1e-12, 1.0 - 1e-12),
                rho: runs,
            },
        }));
    }

    /// Failures and successes, neither quite 0.
    fn sides(&self) -> (f64, f64) {
        let Counts { attempts, failures } = self.counts;
        (
            as_f64(failures).max(0.5),
            as_f64(attempts - failures).max(0.5),
        )
    }

    /// Logit of the observed rate.
    fn observed(&self) -> f64 {
        let (failures, successes) = self.sides();
        (failures / successes).ln()
    }

    /// How far the logit of the observed rate may be from the terminal's own (standard deviation).
    fn width(&self, runs: f64) -> f64 {
        let (failures, successes) = self.sides();
        let together = 1.0 + (as_f64(self.counts.attempts) - 1.0) * runs;
        (together * (failures.recip() + successes.recip())).sqrt()
    }
}

/// The scales of a spread with so many degrees of freedom, with weights: ν / χ²(ν).
fn scales(freedom: f64) -> Vec<(f64, f64)> {
    if freedom >= KNOWN {
        return vec![(1.0, 1.0)];
    }
    let sd = (2.0 / freedom).sqrt();
    (-SCALES..=SCALES)
        .map(|node| {
            let ln = f64::from(node) * SCALE_STEP * sd;
            // The density of ln(χ² / ν), without its constant.
            let weight = (0.5 * freedom * (ln - ln.exp_m1())).exp();
            (weight, (-ln).exp())
        })
        .collect()
}

/// Standard normal deviates in equal steps, and their weights.
fn nodes(step: f64) -> Vec<(f64, f64)> {
    let ends = (FURTHEST / step).ceil() as i32;
    let nodes = (-ends..=ends).map(|node| {
        let away = f64::from(node) * step;
        (away, (-0.5 * away * away).exp())
    });
    let mut nodes: Vec<(f64, f64)> = nodes.collect();
    let total: f64 = nodes.iter().map(|node| node.1).sum();
    nodes.iter_mut().for_each(|node| node.1 /= total);
    nodes
}

/// The middle logit of rates with the mean `rate`.
fn middle(rate: f64, sd: f64, nodes: &[(f64, f64)]) -> f64 {
    let mut middle = (rate / (1.0 - rate)).ln() - 0.5 * sd * sd * (1.0 - 2.0 * rate);
    for _ in 0..MIDDLE_STEPS {
        let (mut mean, mut slope) = (0.0, 0.0);
        for (away, weight) in nodes {
            let rate = expit(middle + sd * away);
            mean += weight * rate;
            slope += weight * rate * (1.0 - rate);
        }
        let step = ((rate - mean) / slope.max(1e-300)).clamp(-1.0, 1.0);
        middle += step;
        if step.abs() < 1e-9 {
            break;
        }
    }
    middle
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tail with 20 times as many nodes and no normal in it.
    fn in_small_steps(counts: Counts, rate: f64, lasting: f64, runs: f64) -> f64 {
        let sd = (lasting / (rate * (1.0 - rate))).ln_1p().sqrt();
        let nodes = nodes(0.01);
        let middle = middle(rate, sd, &nodes);
        let tails = nodes.iter().map(|(away, weight)| {
            let own = expit(middle + sd * away).clamp(1e-12, 1.0 - 1e-12);
            let tail = upper_tail(counts.failures, counts.attempts, own, runs);
            weight * (tail.above + 0.5 * tail.at)
        });
        tails.sum()
    }

    #[test]
    fn few_nodes_and_the_normal_agree_with_many_nodes() {
        for (attempts, rate, lasting, times) in [
            (60, 0.02, 0.004, 5.0),
            (600, 0.01, 0.002, 3.0),
            (5_000, 0.01, 0.002, 2.5),
            (20_000, 0.05, 0.004, 2.0),
            (20_000, 0.2, 0.03, 2.5),
        ] {
            let failures = (times * rate * attempts as f64) as u64;
            let counts = Counts { attempts, failures };
            let runs = 0.6 / (attempts - 1) as f64;
            let mut law = Law {
                counts,
                parts: Vec::new(),
            };
            law.add(1.0, rate, lasting, runs);
            let tail = law.upper_tail();
            let (few, many) = (
                tail.above + 0.5 * tail.at,
                in_small_steps(counts, rate, lasting, runs),
            );
            assert!((few / many - 1.0).abs() < 0.1, "{attempts}: {few} {many}");
        }
    }

    #[test]
    fn a_spread_of_few_is_wide_and_one_of_many_is_known() {
        let mean = |freedom: f64| {
            let scales = scales(freedom);
            let total: f64 = scales.iter().map(|scale| scale.0).sum();
            scales
                .iter()
                .map(|(weight, scale)| weight * scale)
                .sum::<f64>()
                / total
        };
        // E[ν / χ²(ν)] = ν / (ν − 2).
        for freedom in [8.0, 20.0, 300.0] {
            let expected = freedom / (freedom - 2.0);
            assert!((mean(freedom) / expected - 1.0).abs() < 0.02, "{freedom}");
        }
        assert_eq!(scales(2000.0), [(1.0, 1.0)]);
    }
}
