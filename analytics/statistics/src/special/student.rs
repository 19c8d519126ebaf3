//! Student's t distribution, by the incomplete beta function.

use super::beta::{beta_tails, ln_beta};
use super::normal::normal_quantile;
use super::solve::increasing_root;

/// Returns the probability that a t variable of `df` degrees of freedom is at most `t`.
pub fn t_cdf(t: f64, df: f64) -> f64 {
    let (outside, inside) = shares(t, df);
    if t < 0.0 {
        0.5 * outside
    } else {
        0.5 + 0.5 * inside
    }
}

/// Returns the probability that a t variable of `df` degrees of freedom is farther from zero than
/// `t`.
pub fn t_two_sided(t: f64, df: f64) -> f64 {
    shares(t, df).0
}

/// Returns the value that a t variable of `df` degrees of freedom stays below with probability
/// `p`; infinite at 0 and 1.
pub fn t_quantile(p: f64, df: f64) -> f64 {
    if !((0.0..=1.0).contains(&p) && df > 0.0 && df.is_finite()) {
        return f64::NAN;
    }
    let inside = (2.0 * p - 1.0).abs();
    if inside == 0.0 {
        return 0.0;
    }
    let outside = 2.0 * p.min(1.0 - p);
    if outside == 0.0 {
        return f64::INFINITY.copysign(p - 0.5);
    }
    let start = normal_quantile(1.0 - 0.5 * outside)
        .clamp(1e-300, 50.0)
        .ln();
    let ln_t = increasing_root(start, (-700.0, 700.0), |ln_t| {
        let t = ln_t.exp();
        let (out, within) = shares(t, df);
        let slope = 2.0 * t * density(t, df);
        if outside <= 0.5 {
            (-(out / outside).ln(), slope / out)
        } else {
            ((within / inside).ln(), slope / within)
        }
    });
    ln_t.exp().copysign(p - 0.5)
}

/// Probabilities outside and inside of ±t.
fn shares(t: f64, df: f64) -> (f64, f64) {
    if t.is_infinite() {
        return (0.0, 1.0);
    }
    // As ratios to df, so that neither the square nor the sum overflows or rounds to df.
    let ratio = t / df.sqrt();
    let square = ratio * ratio;
    if square == f64::INFINITY {
        return (0.0, 1.0);
    }
    beta_tails(1.0 / (1.0 + square), square / (1.0 + square), 0.5 * df, 0.5)
}

fn density(t: f64, df: f64) -> f64 {
    let ratio = t / df.sqrt();
    let ln_norm = -ln_beta(0.5 * df, 0.5) - 0.5 * df.ln();
    (ln_norm - 0.5 * (df + 1.0) * (ratio * ratio).ln_1p()).exp()
}
