//! The tail of a beta-binomial of so many attempts that its terms cannot be walked one by one.
//!
//! The probability of a count is a product of three beta kernels at the mean of the posterior, where
//! Stirling's parts cancel by themselves; it is as good at a count that is not whole. A sum of terms is
//! then an integral with the corrections of Euler and Maclaurin at its ends, but for the first and last
//! [`ENDS`] terms, which may change quickly and are added as they are. In the logit of count / attempts
//! the integrand is log-concave, so that Gauss and Legendre's rule over where it is not negligible costs the same
//! for 10^5 attempts and for 10^12.

use super::BetaBinomial;
use crate::special::{deviance, ln_kernel, stirling_rest};
use std::f64::consts::PI;

/// Terms at either end that are added one by one.
pub(super) const ENDS: u64 = 2048;
/// What is smaller than e to minus this of the largest is left out.
const NEGLIGIBLE_NATS: f64 = 42.0;
/// Panels of the quadrature.
const PANELS: u32 = 40;
/// Positive nodes and weights of the rule of Gauss and Legendre with 16 points on [-1, 1].
const LEGENDRE: [(f64, f64); 8] = [
    (0.095_012_509_837_637_44, 0.189_450_610_455_068_5),
    (0.281_603_550_779_258_9, 0.182_603_415_044_923_6),
    (0.458_016_777_657_227_4, 0.169_156_519_395_002_5),
    (0.617_876_244_402_643_7, 0.149_595_988_816_576_7),
    (0.755_404_408_355_003, 0.124_628_971_255_533_9),
    (0.865_631_202_387_831_7, 0.095_158_511_682_492_8),
    (0.944_575_023_073_232_6, 0.062_253_523_938_647_9),
    (0.989_400_934_991_649_9, 0.027_152_459_411_754_1),
];
/// A correlation below this over the attempts is none: it moves no p-value by more than its digits.
const NO_CORRELATION: f64 = 1e-14;

/// The law with its number of attempts as a number.
pub(super) struct Large {
    attempts: f64,
    rate: f64,
    /// The shapes of the beta distribution; `None` where it is binomial.
    shapes: Option<(f64, f64)>,
    law: BetaBinomial,
}

impl Large {
    pub(super) fn new(attempts: u64, rate: f64, rho: f64) -> Self {
        let count = attempts as f64;
        let size = rho.recip() - 1.0;
        Self {
            attempts: count,
            rate,
            shapes: (rho * count > NO_CORRELATION).then_some((rate * size, (1.0 - rate) * size)),
            law: BetaBinomial::new(attempts, rate, rho),
        }
    }

    /// The same seen from the successes.
    fn turned(&self, rho: f64) -> Self {
        let mut turned = Self::new(self.law.attempts, 1.0 - self.rate, rho);
        turned.shapes = self.shapes.map(|(a, b)| (b, a));
        turned.law.fail = self.law.succeed;
        turned.law.succeed = self.law.fail;
        turned
    }

    /// P(X >= failures).
    pub(super) fn at_least(&self, failures: u64, rho: f64) -> f64 {
        if failures == 0 {
            return 1.0;
        }
        // From the side that is not near 1.
        if failures as f64 > self.attempts * self.rate {
            return self.sum_from(failures).min(1.0);
        }
        let turned = self.turned(rho);
        (1.0 - turned.sum_from(self.law.attempts - failures + 1)).clamp(0.0, 1.0)
    }

    /// P(X = failures), which need not be whole.
    pub(super) fn probability(&self, failures: f64) -> f64 {
        self.ln_probability(failures).exp()
    }

    fn ln_probability(&self, failures: f64) -> f64 {
        let (n, k) = (self.attempts, failures);
        let Some((a, b)) = self.shapes else {
            let off = k - n * self.rate;
            return ln_binomial(k, n - k, (self.rate, 1.0 - self.rate), off);
        };
        let total = n + a + b;
        let at = ((k + a) / total, (n - k + b) / total);
        // How far the count lies above its mean, as the posterior has it.
        let off = (a + b) / total * (k - n * self.rate);
        // The posterior at its own mean: no distance at all.
        ln_binomial(k, n - k, at, off) + ln_kernel(at, (a, b), -off)
            - ln_kernel(at, (k + a, n - k + b), 0.0)
    }

    /// The sum of the probabilities from a count above the mean on.
    fn sum_from(&self, from: u64) -> f64 {
        let attempts = self.law.attempts;
        let last = attempts.saturating_sub(ENDS);
        let until = (from + ENDS).min(attempts + 1);
        let (mut sum, mut term) = (0.0, self.probability(from as f64));
        for count in from..until {
            sum += term;
            if count < attempts {
                term *= self.law.ratio(count);
            }
        }
        if until > last {
            return sum + self.sum_ends(until);
        }
        self.between(until, last) + self.sum_ends(last + 1) + sum
    }

    /// The sum of the terms from `from` to the last, fewer than [`ENDS`].
    fn sum_ends(&self, from: u64) -> f64 {
        let attempts = self.law.attempts;
        if from > attempts {
            return 0.0;
        }
        let (mut sum, mut term) = (0.0, self.probability(attempts as f64));
        for count in (from..=attempts).rev() {
            sum += term;
            if count > from {
                term /= self.law.ratio(count - 1);
            }
        }
        sum
    }

    /// The sum of the terms from `first` to `last`, both far from where terms change quickly.
    fn between(&self, first: u64, last: u64) -> f64 {
        let (first, last) = (first as f64, last as f64);
        let ends = (self.probability(first) + self.probability(last)) / 2.0;
        let slopes = self.correction(last) - self.correction(first);
        (self.integral(first, last) + ends + slopes).max(0.0)
    }

    /// The terms of Euler and Maclaurin at one end: g' / 12 − g''' / 720.
    fn correction(&self, at: f64) -> f64 {
        let value = |step: f64| self.probability(at + step);
        let (one, two) = (value(1.0) - value(-1.0), value(2.0) - value(-2.0));
        let first = (8.0 * one - two) / 12.0;
        let third = (two - 2.0 * one) / 2.0;
        first / 12.0 - third / 720.0
    }

    /// The integral of the probability over counts that need not be whole.
    fn integral(&self, first: f64, last: f64) -> f64 {
        let logit = |count: f64| (count / (self.attempts - count)).ln();
        let ln_value = |at: f64| {
            let (count, rest) = self.split(at);
            self.ln_probability(count) + (count / self.attempts).ln() + rest.ln()
        };
        let (low, high) = (logit(first), logit(last));
        // The mode, by thirds: the logarithm is concave.
        let (mut left, mut right) = (low, high);
        for _ in 0..100 {
            let third = (right - left) / 3.0;
            let (one, two) = (left + third, right - third);
            if ln_value(one) < ln_value(two) {
                left = one;
            } else {
                right = two;
            }
        }
        let mode = 0.5 * (left + right);
        let top = ln_value(mode);
        if top == f64::NEG_INFINITY {
            return 0.0;
        }
        let edge = |end: f64| {
            let (mut inside, mut outside) = (mode, end);
            if ln_value(end) >= top - NEGLIGIBLE_NATS {
                return end;
            }
            for _ in 0..60 {
                let middle = 0.5 * (inside + outside);
                if ln_value(middle) < top - NEGLIGIBLE_NATS {
                    outside = middle;
                } else {
                    inside = middle;
                }
            }
            outside
        };
        let (low, high) = (edge(low), edge(high));
        // The mode is an end of a panel: the sides may be of very different widths.
        let half = |from: f64, to: f64| {
            let width = (to - from) / f64::from(PANELS);
            let panel = |panel: u32| {
                let middle = from + (f64::from(panel) + 0.5) * width;
                let points = LEGENDRE.iter().map(|(node, weight)| {
                    let away = 0.5 * width * node;
                    weight * (ln_value(middle + away).exp() + ln_value(middle - away).exp())
                });
                0.5 * width * points.sum::<f64>()
            };
            (0..PANELS).map(panel).sum::<f64>()
        };
        half(low, mode) + half(mode, high)
    }

    /// Count and rest of the attempts at a logit.
    fn split(&self, logit: f64) -> (f64, f64) {
        let (count, rest) = (
            self.attempts / (1.0 + (-logit).exp()),
            self.attempts / (1.0 + logit.exp()),
        );
        (count, rest)
    }
}

/// Logarithm of the binomial probability of some failures and successes (Loader 2000) at a rate whose
/// expected failures lie `off` below the count.
fn ln_binomial(failures: f64, successes: f64, rate: (f64, f64), off: f64) -> f64 {
    let attempts = failures + successes;
    if failures <= 0.0 {
        return attempts * ln_complement(rate.1, rate.0);
    }
    if successes <= 0.0 {
        return attempts * ln_complement(rate.0, rate.1);
    }
    let distance = failures * deviance(attempts * rate.0 / failures, -off / failures)
        + successes * deviance(attempts * rate.1 / successes, off / successes);
    let rest = stirling_rest(attempts) - stirling_rest(failures) - stirling_rest(successes);
    0.5 * (attempts / (2.0 * PI * failures * successes)).ln() + rest - distance
}

/// Logarithm of `part`, which is 1 − `other`.
fn ln_complement(part: f64, other: f64) -> f64 {
    if other < 0.5 {
        (-other).ln_1p()
    } else {
        part.ln()
    }
}
