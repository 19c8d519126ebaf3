//! `is_weak_signal`: whether a signal reading is weak by its RAT's thresholds.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use schemas::radio::{Strength, is_weak};

use super::cells::float64s;
use super::{Arg, FunctionDoc, Returns, SqlFunction};

pub(super) fn function() -> SqlFunction {
    let doc = FunctionDoc {
        name: "is_weak_signal",
        usage: "is_weak_signal(rat, strength_dbm[, rsrq_db, sinr_db])",
        doc: "whether RSSI (gsm), RSCP (umts) or RSRP (the others) is too faint, or RSRQ or SINR too low",
    };
    let takes = [1, 3].map(|measured| [vec![Arg::Text], vec![Arg::Float; measured]].concat());
    SqlFunction::new(doc, takes, Returns::Is(DataType::Boolean), kernel)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "columns of dBm and dB are 32-bit to begin with"
)]
fn measured(column: Option<&ArrayRef>, rows: usize) -> Vec<Option<f32>> {
    match column {
        Some(column) => float64s(column)
            .map(|value| value.map(|value| value as f32))
            .collect(),
        None => vec![None; rows],
    }
}

fn kernel(args: &[ArrayRef]) -> Result<ArrayRef> {
    let rats = args[0].as_string::<i32>();
    let column = |index| measured(args.get(index), args[0].len());
    let (strength_dbm, rsrq_db, sinr_db) = (column(1), column(2), column(3));
    let weak = rats.iter().enumerate().map(|(row, rat)| {
        let reading = Strength {
            strength_dbm: strength_dbm[row],
            rsrq_db: rsrq_db[row],
            sinr_db: sinr_db[row],
        };
        is_weak(rat?.parse().ok()?, reading)
    });
    Ok(Arc::new(weak.collect::<BooleanArray>()))
}

#[cfg(test)]
mod tests {
    use super::super::cells::test_columns::{floats, texts};
    use super::*;

    fn verdicts(args: &[ArrayRef]) -> Vec<Option<bool>> {
        kernel(args)
            .expect("no error")
            .as_boolean()
            .iter()
            .collect()
    }

    #[test]
    fn a_strength_is_judged_by_its_rat() {
        let rats = texts(["lte", "lte", "gsm", "umts", "wimax"].map(Some));
        let dbm = floats([-110.5, -110.0, -105.0, -105.0, -105.0].map(Some));
        let expected = [Some(true), Some(false), Some(true), Some(false), None];
        assert_eq!(verdicts(&[rats, dbm]), expected);
    }

    #[test]
    fn a_strong_but_drowned_signal_is_weak_and_an_unmeasured_one_unknown() {
        let rats = texts([Some("lte"), Some("lte"), None]);
        let dbm = floats([Some(-90.0), None, Some(-120.0)]);
        let rsrq = floats([Some(-16.0), None, None]);
        let sinr = floats([None, None, None]);
        assert_eq!(verdicts(&[rats, dbm, rsrq, sinr]), [Some(true), None, None]);
    }
}
