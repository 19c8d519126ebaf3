//! `width_bucket`: the bar of a histogram a number falls in.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};

use super::cells::{float64s, int64s};
use super::{Arg, FunctionDoc, Returns, SqlFunction};

pub(super) fn function() -> SqlFunction {
    let doc = FunctionDoc {
        name: "width_bucket",
        usage: "width_bucket(number, low, high, count)",
        doc: "1 to count for a number of as many equal parts from low up to high, 0 below and count + 1 from high on",
    };
    let takes = [vec![Arg::Float, Arg::Float, Arg::Float, Arg::Int]];
    SqlFunction::new(doc, takes, Returns::Is(DataType::Int64), kernel)
}

fn bucket(number: f64, low: f64, high: f64, count: i64) -> Result<Option<i64>> {
    if count <= 0 {
        return exec_err!("width_bucket needs a count above 0, not {count}");
    }
    if low == high || !low.is_finite() || !high.is_finite() {
        return exec_err!("width_bucket needs two different bounds, not {low} and {high}");
    }
    if number.is_nan() {
        return Ok(None);
    }
    let share = (number - low) / (high - low);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "between 0 and the count, a float's cast saturates"
    )]
    let whole = (share * count as f64).floor() as i64;
    Ok(Some(match share {
        share if share < 0.0 => 0,
        share if share >= 1.0 => count.saturating_add(1),
        _ => whole.min(count - 1) + 1,
    }))
}

fn kernel(args: &[ArrayRef]) -> Result<ArrayRef> {
    let columns: Vec<Vec<Option<f64>>> = args[..3]
        .iter()
        .map(|column| float64s(column).collect())
        .collect();
    let counts: Vec<Option<i64>> = int64s(&args[3]).collect();
    let buckets = (0..args[0].len()).map(|row| {
        match (
            columns[0][row],
            columns[1][row],
            columns[2][row],
            counts[row],
        ) {
            (Some(number), Some(low), Some(high), Some(count)) => bucket(number, low, high, count),
            _ => Ok(None),
        }
    });
    Ok(Arc::new(buckets.collect::<Result<Int64Array>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_falls_in_the_bar_that_begins_at_or_below_it() {
        for (number, expected) in [
            (-0.1, 0),
            (0.0, 1),
            (1.99, 1),
            (2.0, 2),
            (9.99, 5),
            (10.0, 6),
            (f64::INFINITY, 6),
        ] {
            assert_eq!(
                bucket(number, 0.0, 10.0, 5).expect("bounds"),
                Some(expected)
            );
        }
        // From high to low: bars are counted downwards.
        assert_eq!(bucket(9.5, 10.0, 0.0, 5).expect("bounds"), Some(1));
        assert!(bucket(1.0, 0.0, 10.0, 0).is_err());
        assert!(bucket(1.0, 3.0, 3.0, 5).is_err());
    }
}
