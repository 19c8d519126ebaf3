//! First and second derivative of the logarithm of the gamma function.

/// From here on the asymptotic series are good to the last bits.
const LARGE: f64 = 12.0;

/// Returns the derivative of [`ln_gamma`](super::ln_gamma) at `x` > 0.
pub fn digamma(mut x: f64) -> f64 {
    let mut below = 0.0;
    while x < LARGE {
        below += 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    // Bernoulli numbers B(2j) / 2j.
    let terms = [
        1.0 / 12.0,
        -1.0 / 120.0,
        1.0 / 252.0,
        -1.0 / 240.0,
        1.0 / 132.0,
        -691.0 / 32_760.0,
        1.0 / 12.0,
    ];
    let series = terms
        .iter()
        .rev()
        .fold(0.0, |sum, term| (sum + term) * square);
    x.ln() - 0.5 / x - series - below
}

/// Returns the derivative of [`digamma`] at `x` > 0.
pub fn trigamma(mut x: f64) -> f64 {
    let mut below = 0.0;
    while x < LARGE {
        below += 1.0 / (x * x);
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    // Bernoulli numbers B(2j).
    let terms = [
        1.0 / 6.0,
        -1.0 / 30.0,
        1.0 / 42.0,
        -1.0 / 30.0,
        5.0 / 66.0,
        -691.0 / 2730.0,
        7.0 / 6.0,
    ];
    let series = terms
        .iter()
        .rev()
        .fold(0.0, |sum, term| (sum + term) * square);
    (1.0 + 0.5 / x + series) / x + below
}
