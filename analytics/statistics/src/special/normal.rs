//! The normal distribution, by the complementary error function.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, PI};

/// What is missing from `FRAC_1_SQRT_2` to one over the root of two.
const FRAC_1_SQRT_2_REST: f64 = -4.833_646_656_726_457e-17;

/// Returns the probability that a standard normal variable exceeds `z`.
pub fn normal_upper(z: f64) -> f64 {
    0.5 * erfc_of_root_half(z)
}

/// Returns the probability that a standard normal variable is farther from zero than `z`.
pub fn normal_two_sided(z: f64) -> f64 {
    erfc_of_root_half(z.abs())
}

/// Returns the probability that a chi-square variable of one degree of freedom exceeds `x`.
pub fn chi2_upper_1df(x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    erfc_of_root_half(x.sqrt())
}

/// Returns the `z` below which a standard normal variable lies with probability `p`.
///
/// Infinite at 0 and 1, NaN outside.
pub fn normal_quantile(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if (p - 0.5).abs() <= 0.25 {
        return central_quantile(2.0 * p - 1.0);
    }
    if p < 0.5 {
        -upper_quantile(p)
    } else {
        upper_quantile(1.0 - p)
    }
}

/// `erfc(z / sqrt 2)`.
///
/// The rounding of the argument alone would cost z² ulp; its remainder is put back to first order.
fn erfc_of_root_half(z: f64) -> f64 {
    let x = z * FRAC_1_SQRT_2;
    let tail = libm::erfc(x);
    if x.is_nan() || x.abs() >= 30.0 {
        return tail;
    }
    let rest = z.mul_add(FRAC_1_SQRT_2, -x) + z * FRAC_1_SQRT_2_REST;
    tail - FRAC_2_SQRT_PI * (-x * x).exp() * rest
}

/// Solves `erf(z / sqrt 2) = share`; Newton climbs to the root because erf is concave beyond 0.
fn central_quantile(share: f64) -> f64 {
    let target = share.abs();
    let mut z = target * (PI / 2.0).sqrt();
    for _ in 0..50 {
        let slope = (2.0 / PI).sqrt() * (-0.5 * z * z).exp();
        let step = (target - libm::erf(z * FRAC_1_SQRT_2)) / slope;
        z += step;
        if step.abs() <= 1e-16 * z {
            break;
        }
    }
    z.copysign(share)
}

/// Solves `normal_upper(z) = q` for q < 1/4; Newton on the logarithm, which is concave.
fn upper_quantile(q: f64) -> f64 {
    if q == 0.0 {
        return f64::INFINITY;
    }
    let target = q.ln();
    let mut z = (-2.0 * target).sqrt();
    for _ in 0..50 {
        let tail = normal_upper(z);
        if tail == 0.0 {
            z *= 0.99;
            continue;
        }
        let density = (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
        let step = (tail.ln() - target) * tail / density;
        z += step;
        if step.abs() <= 4e-16 * z {
            break;
        }
    }
    z
}
