//! One root finder for every quantile.

/// Finds the root of an increasing function by Newton steps that a bracket keeps honest.
///
/// `value_and_slope` may return infinities; they only move the bracket.
pub(super) fn increasing_root(
    start: f64,
    limits: (f64, f64),
    value_and_slope: impl Fn(f64) -> (f64, f64),
) -> f64 {
    let (mut low, mut high) = limits;
    let mut at = start.clamp(low, high);
    let mut reach = 1.0;
    for _ in 0..400 {
        let (value, slope) = value_and_slope(at);
        if value == 0.0 {
            return at;
        }
        if value < 0.0 {
            low = at;
        } else {
            high = at;
        }
        let newton = at - value / slope;
        let next = if newton.is_finite()
            && (newton - at).abs() <= reach
            && newton > low
            && newton < high
        {
            newton
        } else if value < 0.0 {
            // No far jump on the word of one slope: double the stride, or halve the bracket.
            (at + reach).min(0.5 * (low + high))
        } else {
            (at - reach).max(0.5 * (low + high))
        };
        reach *= 2.0;
        if (next - at).abs() <= 2e-16 * (1.0 + at.abs()) {
            return next;
        }
        at = next;
    }
    at
}
