//! `h3_great_circle_distance`: how far two positions are apart on a sphere.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_datafusion_err};
use h3o::LatLng;

use super::cells::float64s;
use super::{Arg, FunctionDoc, Returns, SqlFunction};

pub(super) fn function() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_great_circle_distance",
        usage: "h3_great_circle_distance(lat_1, lon_1, lat_2, lon_2, unit)",
        doc: "distance of two positions in 'km', 'm' or 'rads'; null for a position off the globe",
    };
    let takes = [[vec![Arg::Float; 4], vec![Arg::Text]].concat()];
    SqlFunction::new(doc, takes, Returns::Is(DataType::Float64), kernel)
}

fn distance(from: LatLng, to: LatLng, unit: &str) -> Result<f64> {
    match unit {
        "km" => Ok(from.distance_km(to)),
        "m" => Ok(from.distance_m(to)),
        "rads" => Ok(from.distance_rads(to)),
        _ => Err(exec_datafusion_err!(
            "h3_great_circle_distance knows no unit {unit:?}, only 'km', 'm' and 'rads'"
        )),
    }
}

fn position(lat: Option<f64>, lon: Option<f64>) -> Option<LatLng> {
    let (lat, lon) = (lat?, lon?);
    let is_on_globe = (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon);
    LatLng::new(lat, lon).ok().filter(|_| is_on_globe)
}

fn kernel(args: &[ArrayRef]) -> Result<ArrayRef> {
    let columns: Vec<Vec<Option<f64>>> = args[..4]
        .iter()
        .map(|column| float64s(column).collect())
        .collect();
    let units = args[4].as_string::<i32>();
    let distances = (0..args[4].len()).map(|row| {
        let at = |column: usize| columns[column][row];
        let places = position(at(0), at(1)).zip(position(at(2), at(3)));
        match places {
            Some((from, to)) if units.is_valid(row) => {
                distance(from, to, units.value(row)).map(Some)
            }
            _ => Ok(None),
        }
    });
    Ok(Arc::new(distances.collect::<Result<Float64Array>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_degree_of_latitude_is_111_km() {
        let at = |lat| position(Some(lat), Some(2.0)).expect("on the globe");
        let km = distance(at(48.0), at(49.0), "km").expect("a unit");
        assert!((km - 111.195).abs() < 0.01, "{km}");
        let m = distance(at(48.0), at(49.0), "m").expect("a unit");
        assert!((m / km - 1000.0).abs() < 1e-6);
        assert!(distance(at(48.0), at(49.0), "nm").is_err());
        assert_eq!(position(Some(91.0), Some(0.0)), None);
    }
}
