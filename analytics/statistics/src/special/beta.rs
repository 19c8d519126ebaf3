//! The beta function, the beta distribution and binomial coefficients.

use std::f64::consts::PI;

use super::gamma::{
    LARGE, LN_SQRT_2PI, away_from_zero, deviance, ln_gamma, log_distance, rounds, stirling_rest,
};
use super::normal::normal_quantile;
use super::solve::increasing_root;

/// Returns the logarithm of the beta function at positive `a` and `b`.
///
/// Large arguments go through Stirling's series, so that the differences of `ln_gamma` do not
/// cancel.
pub fn ln_beta(a: f64, b: f64) -> f64 {
    let (a, b) = if a <= b { (a, b) } else { (b, a) };
    if b < LARGE {
        return ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
    }
    let sum = a + b;
    if a < LARGE {
        let rest = stirling_rest(b) - stirling_rest(sum);
        return ln_gamma(a) + rest - (b - 0.5) * (a / b).ln_1p() + a * (1.0 - sum.ln());
    }
    let rest = stirling_rest(a) + stirling_rest(b) - stirling_rest(sum);
    LN_SQRT_2PI + rest - 0.5 * b.ln() - (a - 0.5) * (b / a).ln_1p() - b * (a / b).ln_1p()
}

/// Returns the logarithm of the number of ways to choose `k` of `n`; minus infinity for `k` > `n`.
pub fn ln_choose(n: u64, k: u64) -> f64 {
    if k > n {
        return f64::NEG_INFINITY;
    }
    let k = k.min(n - k);
    match k {
        0 => 0.0,
        1 => (n as f64).ln(),
        _ => -ln_beta((n - k) as f64 + 1.0, k as f64 + 1.0) - (n as f64).ln_1p(),
    }
}

/// Returns the probability that a Beta(`a`, `b`) variable is at most `x`.
pub fn beta_cdf(x: f64, a: f64, b: f64) -> f64 {
    beta_tails(x, 1.0 - x, a, b).0
}

/// Returns the probability that a Beta(`a`, `b`) variable exceeds `x`.
pub fn beta_upper(x: f64, a: f64, b: f64) -> f64 {
    beta_tails(x, 1.0 - x, a, b).1
}

/// Returns the value that a Beta(`a`, `b`) variable stays below with probability `p`.
pub fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) || !valid(a, b) {
        return f64::NAN;
    }
    if p == 0.0 || p == 1.0 {
        return p;
    }
    // So near to 0 that the power law of the tail is exact, and the logit of no use.
    let ln_x = (p.ln() + a.ln() + ln_beta(a, b)) / a;
    if ln_x < -600.0 {
        return ln_x.exp();
    }
    let spread = (1.0 / a + 1.0 / b).sqrt();
    let start = (a / b).ln() + (normal_quantile(p) * spread).clamp(-30.0, 30.0);
    let logit = increasing_root(start, (-700.0, 700.0), |logit| {
        let (x, y) = (1.0 / (1.0 + (-logit).exp()), 1.0 / (1.0 + logit.exp()));
        let (lower, upper) = beta_tails(x, y, a, b);
        log_distance(p, lower, upper, kernel(x, y, a, b))
    });
    1.0 / (1.0 + (-logit).exp())
}

/// Lower and upper tail at `x`, where `y` is 1 - `x` in as many digits as the caller has.
pub(super) fn beta_tails(x: f64, y: f64, a: f64, b: f64) -> (f64, f64) {
    if x.is_nan() || !valid(a, b) {
        return (f64::NAN, f64::NAN);
    }
    if x <= 0.0 {
        return (0.0, 1.0);
    }
    if y <= 0.0 {
        return (1.0, 0.0);
    }
    if x <= (a + 1.0) / (a + b + 2.0) {
        let lower = (kernel(x, y, a, b) * fraction(x, y, a, b)).min(1.0);
        (lower, 1.0 - lower)
    } else {
        let upper = (kernel(x, y, a, b) * fraction(y, x, b, a)).min(1.0);
        (1.0 - upper, upper)
    }
}

fn valid(a: f64, b: f64) -> bool {
    a > 0.0 && b > 0.0 && a.is_finite() && b.is_finite()
}

/// `x^a y^b / B(a, b)`, the density times x y.
pub(super) fn kernel(x: f64, y: f64, a: f64, b: f64) -> f64 {
    ln_kernel((x, y), (a, b), below_mean(x, y, a, b)).exp()
}

/// The logarithm of `x^a y^b / B(a, b)`, where `off` is how far the mean lies above `x`, times a + b.
pub(crate) fn ln_kernel((x, y): (f64, f64), (a, b): (f64, f64), off: f64) -> f64 {
    if a < LARGE || b < LARGE {
        let (ln_x, ln_y) = if x <= y {
            (x.ln(), (-x).ln_1p())
        } else {
            ((-y).ln_1p(), y.ln())
        };
        return a * ln_x + b * ln_y - ln_beta(a, b);
    }
    // Loader's (2000) form: the distance from the mean enters by itself, not as a difference of
    // large logarithms.
    let sum = a + b;
    let rest = stirling_rest(a) + stirling_rest(b) - stirling_rest(sum);
    let deviance = a * deviance(x / a * sum, -off / a) + b * deviance(y / b * sum, off / b);
    0.5 * (a / sum * b / (2.0 * PI)).ln() - deviance - rest
}

/// The continued fraction of the incomplete beta function of Didonato and Morris (1992), by
/// Lentz's method; its terms take `y` and the distance from the mean as they are, so that an `x`
/// near 1 costs no digits.
fn fraction(x: f64, y: f64, a: f64, b: f64) -> f64 {
    let off = below_mean(x, y, a, b);
    let mut c = f64::INFINITY;
    let mut d = 1.0 / away_from_zero(a * (off + 1.0) / (a + 1.0));
    let mut value = d;
    for m in 1..rounds(a.max(b)) {
        let m = f64::from(m);
        let at = a + 2.0 * m - 1.0;
        let pull = m * (b - m) * x / at;
        let top = (a + m - 1.0) * (a + b + m - 1.0) * pull * x / at;
        let bottom = m + pull + (a + m) * (off + 1.0 + m * (1.0 + y)) / (at + 2.0);
        d = 1.0 / away_from_zero(bottom + top * d);
        c = away_from_zero(bottom + top / c);
        value *= c * d;
        if (c * d - 1.0).abs() < 2e-16 {
            break;
        }
    }
    value
}

/// How far the mean lies above `x`, times a + b.
fn below_mean(x: f64, y: f64, a: f64, b: f64) -> f64 {
    if x <= y {
        a - (a + b) * x
    } else {
        (a + b) * y - b
    }
}
