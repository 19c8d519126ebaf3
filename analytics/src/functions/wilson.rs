//! `wilson_low` and `wilson_high`: the 95 % interval of a rate, by its counts.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::DataType;
use datafusion::common::Result;

use super::cells::int64s;
use super::{Arg, FunctionDoc, Returns, SqlFunction};

/// Quantile of the normal distribution that leaves 2.5 % on either side.
const Z: f64 = 1.959_963_984_540_054;

pub(super) fn low() -> SqlFunction {
    let doc = FunctionDoc {
        name: "wilson_low",
        usage: "wilson_low(failures, attempts)",
        doc: "lower end of the 95 % Wilson interval of failures / attempts; null without attempts",
    };
    function(doc, |args| kernel(args, |(low, _)| low))
}

pub(super) fn high() -> SqlFunction {
    let doc = FunctionDoc {
        name: "wilson_high",
        usage: "wilson_high(failures, attempts)",
        doc: "upper end of the 95 % Wilson interval of failures / attempts; null without attempts",
    };
    function(doc, |args| kernel(args, |(_, high)| high))
}

fn function(doc: FunctionDoc, kernel: fn(&[ArrayRef]) -> Result<ArrayRef>) -> SqlFunction {
    SqlFunction::new(
        doc,
        [vec![Arg::Int; 2]],
        Returns::Is(DataType::Float64),
        kernel,
    )
}

/// The interval of Wilson (1927); `None` for counts that are no share.
fn interval(failures: i64, attempts: i64) -> Option<(f64, f64)> {
    if attempts <= 0 || !(0..=attempts).contains(&failures) {
        return None;
    }
    let (x, n) = (failures as f64, attempts as f64);
    let rate = x / n;
    let spread = Z * (rate * (1.0 - rate) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    let middle = rate + Z * Z / (2.0 * n);
    // The ends at no and at only failures are 0 and 1 by algebra; rounding must not blur that.
    let low = if failures == 0 {
        0.0
    } else {
        (middle - spread) / scale
    };
    let high = if failures == attempts {
        1.0
    } else {
        (middle + spread) / scale
    };
    Some((low, high))
}

fn kernel(args: &[ArrayRef], end: fn((f64, f64)) -> f64) -> Result<ArrayRef> {
    let rows = int64s(&args[0]).zip(int64s(&args[1]));
    let ends = rows.map(|(failures, attempts)| interval(failures?, attempts?).map(end));
    Ok(Arc::new(ends.collect::<Float64Array>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_interval(counts: (i64, i64), expected: (f64, f64)) {
        let (low, high) = interval(counts.0, counts.1).expect("a share");
        assert!((low - expected.0).abs() < 5e-4, "{counts:?}: {low}");
        assert!((high - expected.1).abs() < 5e-4, "{counts:?}: {high}");
    }

    #[test]
    fn the_interval_is_the_published_one() {
        // Newcombe (1998), table I, method 3.
        assert_interval((81, 263), (0.2553, 0.3662));
        assert_interval((15, 148), (0.0624, 0.1605));
        assert_interval((0, 20), (0.0, 0.1611));
        assert_interval((1, 29), (0.0061, 0.1718));
    }

    #[test]
    fn one_of_one_never_outranks_many_of_many() {
        let lone = interval(1, 1).expect("a share").0;
        let many = interval(900, 1000).expect("a share").0;
        assert!(lone < many);
    }

    #[test]
    fn counts_that_are_no_share_have_no_interval() {
        for (failures, attempts) in [(0, 0), (2, 1), (-1, 4), (1, -1)] {
            assert_eq!(interval(failures, attempts), None);
        }
    }
}
