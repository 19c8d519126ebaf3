//! `is_elsewhere`: whether a terminal's own receiver puts it outside of its registered place.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use schemas::position::LatLon;

use super::cells::float64s;
use super::{Arg, FunctionDoc, Returns, SqlFunction};
use crate::place::{self, DEFAULT_RADIUS_M};

pub(super) fn function() -> SqlFunction {
    let doc = FunctionDoc {
        name: "is_elsewhere",
        usage: "is_elsewhere(position_source, lat, lon, home_lat, home_lon, radius_m)",
        doc: "whether the terminal's own receiver (gnss, wifi) puts it further from home than radius_m, 1000 when null",
    };
    let takes = [[vec![Arg::Text], vec![Arg::Float; 5]].concat()];
    SqlFunction::new(doc, takes, Returns::Is(DataType::Boolean), kernel)
}

fn kernel(args: &[ArrayRef]) -> Result<ArrayRef> {
    let position = |lat: Option<f64>, lon: Option<f64>| LatLon::new(lat?, lon?).ok();
    let at = float64s(&args[1]).zip(float64s(&args[2]));
    let home = float64s(&args[3]).zip(float64s(&args[4]));
    let sources = args[0].as_string::<i32>().iter();
    let rows = sources.zip(at).zip(home).zip(float64s(&args[5]));
    let verdicts = rows.map(|(((source, at), home), radius_m)| {
        let is_own = source.is_some_and(|source| place::OWN_RECEIVERS.contains(&source));
        let places = position(at.0, at.1).zip(position(home.0, home.1));
        let radius_m = radius_m.unwrap_or(DEFAULT_RADIUS_M);
        Some(is_own && places.is_some_and(|(at, home)| place::is_elsewhere(at, home, radius_m)))
    });
    Ok(Arc::new(verdicts.collect::<BooleanArray>()))
}

#[cfg(test)]
mod tests {
    use super::super::cells::test_columns::{floats, texts};
    use super::*;

    fn verdict(source: Option<&str>, lat: Option<f64>, radius_m: Option<f64>) -> bool {
        let home = [48.0, 2.0].map(|degrees| floats([Some(degrees)]));
        let [home_lat, home_lon] = home;
        let at = [floats([lat]), floats([Some(2.0)])];
        let [lat, lon] = at;
        let args = [
            texts([source]),
            lat,
            lon,
            home_lat,
            home_lon,
            floats([radius_m]),
        ];
        kernel(&args).expect("no error").as_boolean().value(0)
    }

    #[test]
    fn only_its_own_receiver_takes_a_terminal_away_from_home() {
        // A hundredth of a degree of latitude is 1.1 km.
        assert!(verdict(Some("gnss"), Some(48.01), None));
        assert!(verdict(Some("wifi"), Some(48.01), Some(500.0)));
        assert!(!verdict(Some("gnss"), Some(48.01), Some(2_000.0)));
        assert!(!verdict(Some("radio_cell"), Some(50.0), None));
        assert!(!verdict(None, Some(50.0), None));
        assert!(!verdict(Some("gnss"), None, None));
    }
}
