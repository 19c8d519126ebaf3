//! How probable a number of failures is for a healthy terminal: what its p-value and its testability
//! are read from.
//!
//! Healthy terminals differ lastingly by decibels of antennas and shelves, which move the logit: their
//! rates are taken as normal on that scale, whose upper tail is longer than that of a beta distribution
//! of the same variance. Around its own rate a terminal's failures come in runs: a beta-binomial of
//! the variance that runs have. The spread is itself estimated, from few terminals badly: as with Student's t it is
//! taken as ν / χ²(ν) times its estimate, ν being what the terminals are worth that it comes from
//! (`spread`), and p-values are averaged over that.

use super::peers::Expected;
use super::spread::Spread;
use super::tail::{UpperTail, all_failing, upper_tail};
use crate::logit::expit;

/// From so many degrees of freedom on a spread counts as known.
const KNOWN: f64 = 1000.0;
/// Nodes on either side of the middle, and how far out in standard deviations, for the scale of the
/// spread and for the logit. The rule of equal steps is exact to many digits for such densities.
const SCALES: i32 = 8;
const SCALE_STEP: f64 = 0.6;
const LOGITS: i32 = 14;
const LOGIT_STEP: f64 = 0.5;
/// Steps of the search for the middle of the logits, whose mean rate is given.
const MIDDLE_STEPS: usize = 12;
/// Below this a correlation of lasting differences is none.
const NONE: f64 = 1e-12;

/// A beta-binomial with a weight.
#[derive(Clone, Copy)]
struct Part {
    weight: f64,
    rate: f64,
    rho: f64,
}

/// The law of a healthy terminal's failures.
pub(super) struct Law {
    attempts: u64,
    parts: Vec<Part>,
}

impl Law {
    pub(super) fn new(attempts: u64, expected: &Expected, spread: &Spread) -> Self {
        let mut parts = Vec::new();
        for (weight, scale) in scales(spread.freedom()) {
            let (lasting, runs) = spread.scaled(attempts, expected, scale);
            add_parts(&mut parts, weight, expected.rate, lasting, runs);
        }
        let total: f64 = parts.iter().map(|part| part.weight).sum();
        for part in &mut parts {
            part.weight /= total;
        }
        Self { attempts, parts }
    }

    /// P(X = failures) and P(X > failures).
    pub(super) fn upper_tail(&self, failures: u64) -> UpperTail {
        let mut sum = UpperTail::default();
        for part in &self.parts {
            let tail = upper_tail(failures, self.attempts, part.rate, part.rho);
            sum.at += part.weight * tail.at;
            sum.above += part.weight * tail.above;
        }
        sum
    }

    /// P(X = attempts): the smallest p-value there can be.
    pub(super) fn all_failing(&self) -> f64 {
        let parts = self.parts.iter();
        parts
            .map(|part| part.weight * all_failing(self.attempts, part.rate, part.rho))
            .sum()
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

/// Adds the rates of terminals whose lasting correlation is `lasting`, each with runs.
fn add_parts(parts: &mut Vec<Part>, weight: f64, rate: f64, lasting: f64, runs: f64) {
    if lasting <= NONE {
        parts.push(Part {
            weight,
            rate,
            rho: runs,
        });
        return;
    }
    let sd = (lasting / (rate * (1.0 - rate))).ln_1p().sqrt();
    let nodes = (-LOGITS..=LOGITS).map(|node| {
        let away = f64::from(node) * LOGIT_STEP;
        (away, (-0.5 * away * away).exp())
    });
    let nodes: Vec<(f64, f64)> = nodes.collect();
    let total: f64 = nodes.iter().map(|node| node.1).sum();
    let middle = middle(rate, sd, &nodes, total);
    parts.extend(nodes.iter().map(|(away, part)| Part {
        weight: weight * part / total,
        rate: expit(middle + sd * away).clamp(1e-12, 1.0 - 1e-12),
        rho: runs,
    }));
}

/// The middle logit of rates with the mean `rate`.
fn middle(rate: f64, sd: f64, nodes: &[(f64, f64)], total: f64) -> f64 {
    let mut middle = (rate / (1.0 - rate)).ln() - 0.5 * sd * sd * (1.0 - 2.0 * rate);
    for _ in 0..MIDDLE_STEPS {
        let (mut mean, mut slope) = (0.0, 0.0);
        for (away, weight) in nodes {
            let rate = expit(middle + sd * away);
            mean += weight / total * rate;
            slope += weight / total * rate * (1.0 - rate);
        }
        let step = ((rate - mean) / slope.max(1e-300)).clamp(-1.0, 1.0);
        middle += step;
        if step.abs() < 1e-9 {
            break;
        }
    }
    middle
}
