//! The gamma function, the gamma and the chi-square distributions.

use std::f64::consts::PI;

use super::normal::normal_quantile;
use super::solve::increasing_root;

/// Logarithm of the square root of two pi.
pub(super) const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_8;
/// From here on Stirling's series is good to the last bit.
pub(super) const LARGE: f64 = 10.0;
const TINY: f64 = 1e-300;

/// Returns the logarithm of the gamma function at `x` > 0.
pub fn ln_gamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// Returns the probability that a chi-square variable of `df` degrees of freedom exceeds `x`.
pub fn chi2_upper(x: f64, df: f64) -> f64 {
    gamma_upper(0.5 * x, 0.5 * df)
}

/// Returns the probability that a gamma variable of `shape` and scale 1 is at most `x`.
pub fn gamma_cdf(x: f64, shape: f64) -> f64 {
    gamma_tails(x, shape).0
}

/// Returns the probability that a gamma variable of `shape` and scale 1 exceeds `x`.
pub fn gamma_upper(x: f64, shape: f64) -> f64 {
    gamma_tails(x, shape).1
}

/// Returns the value that a gamma variable of `shape` and scale 1 stays below with probability `p`.
pub fn gamma_quantile(p: f64, shape: f64) -> f64 {
    if !((0.0..=1.0).contains(&p) && shape > 0.0 && shape.is_finite()) {
        return f64::NAN;
    }
    if p == 0.0 || p == 1.0 {
        return if p == 0.0 { 0.0 } else { f64::INFINITY };
    }
    // So near to 0 that the power law of the tail is exact.
    let from_power_law = (p.ln() + ln_gamma(shape + 1.0)) / shape;
    if from_power_law < -600.0 {
        return from_power_law.exp();
    }
    let start = (shape.ln() + normal_quantile(p) / shape.sqrt()).max(from_power_law);
    let ln_x = increasing_root(start, (-700.0, 700.0), |ln_x| {
        let x = ln_x.exp();
        let (lower, upper) = gamma_tails(x, shape);
        log_distance(p, lower, upper, gamma_kernel(x, shape))
    });
    ln_x.exp()
}

/// Signed distance of a distribution from probability `p`, and its slope, on the log scale of
/// whichever tail is the shorter.
pub(super) fn log_distance(p: f64, lower: f64, upper: f64, density: f64) -> (f64, f64) {
    if p <= 0.5 {
        ((lower / p).ln(), density / lower)
    } else {
        (-(upper / (1.0 - p)).ln(), density / upper)
    }
}

/// What Stirling's formula leaves of `ln_gamma(x)`: about 1 / (12 x).
pub(crate) fn stirling_rest(x: f64) -> f64 {
    // Bernoulli numbers B(2j) / (2j (2j - 1)).
    const TERMS: [f64; 8] = [
        1.0 / 12.0,
        -1.0 / 360.0,
        1.0 / 1260.0,
        -1.0 / 1680.0,
        1.0 / 1188.0,
        -691.0 / 360_360.0,
        1.0 / 156.0,
        -3617.0 / 122_400.0,
    ];
    if x < LARGE {
        return ln_gamma(x) - ((x - 0.5) * x.ln() - x + LN_SQRT_2PI);
    }
    let square = 1.0 / (x * x);
    TERMS
        .iter()
        .rev()
        .fold(0.0, |sum, term| sum * square + term)
        / x
}

/// `t - ln(ratio)` for a `ratio` of 1 + `t`, each given in all its digits.
pub(crate) fn deviance(ratio: f64, t: f64) -> f64 {
    if !(-0.4..=0.6).contains(&t) {
        return t - ratio.ln();
    }
    let r = t / (2.0 + t);
    let square = r * r;
    let (mut sum, mut power, mut odd) = (0.0, square, 3.0);
    loop {
        let term = power / odd;
        sum += term;
        if term <= 1e-17 * sum || term == 0.0 {
            break;
        }
        power *= square;
        odd += 2.0;
    }
    r * (t - 2.0 * sum)
}

/// `x^a e^-x / gamma(a)`, the density times x.
fn gamma_kernel(x: f64, a: f64) -> f64 {
    if a < LARGE {
        return (a * x.ln() - x - ln_gamma(a)).exp();
    }
    (a / (2.0 * PI)).sqrt() * (-a * deviance(x / a, (x - a) / a) - stirling_rest(a)).exp()
}

/// Lower and upper tail; the one that is computed is the one that is not near 1.
fn gamma_tails(x: f64, a: f64) -> (f64, f64) {
    if x.is_nan() || !(a > 0.0 && a.is_finite()) {
        return (f64::NAN, f64::NAN);
    }
    if x <= 0.0 {
        return (0.0, 1.0);
    }
    if x == f64::INFINITY {
        return (1.0, 0.0);
    }
    if x < a + 1.0 {
        let lower = (gamma_kernel(x, a) * series(x, a)).min(1.0);
        (lower, 1.0 - lower)
    } else {
        let upper = (gamma_kernel(x, a) * fraction(x, a)).min(1.0);
        (1.0 - upper, upper)
    }
}

/// The sum of x^j / (a (a+1) … (a+j)).
fn series(x: f64, a: f64) -> f64 {
    let (mut term, mut sum, mut at) = (1.0 / a, 1.0 / a, a);
    for _ in 0..rounds(a) {
        at += 1.0;
        term *= x / at;
        sum += term;
        if term < sum * 1e-17 {
            break;
        }
    }
    sum
}

/// Legendre's continued fraction of the upper incomplete gamma function, by Lentz's method.
fn fraction(x: f64, a: f64) -> f64 {
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / b;
    let mut value = d;
    for j in 1..rounds(a) {
        let j = f64::from(j);
        let top = -j * (j - a);
        b += 2.0;
        d = 1.0 / away_from_zero(top * d + b);
        c = away_from_zero(b + top / c);
        let factor = c * d;
        value *= factor;
        if (factor - 1.0).abs() < 1e-16 {
            break;
        }
    }
    value
}

/// Rounds after which an expansion whose length grows with the root of its parameter must be done.
pub(super) fn rounds(parameter: f64) -> u32 {
    // Saturates, which is what is wanted of a limit.
    (1000.0 + 100.0 * parameter.sqrt()) as u32
}

pub(super) fn away_from_zero(x: f64) -> f64 {
    if x.abs() < TINY { TINY } else { x }
}
