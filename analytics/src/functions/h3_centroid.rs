//! `h3_cell_to_lat` and `h3_cell_to_lng`: the centre of a cell.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use h3o::LatLng;

use super::cells::{cells, takes_cell};
use super::{FunctionDoc, SqlFunction};

pub(super) fn latitude() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_cell_to_lat",
        usage: "h3_cell_to_lat(cell)",
        doc: "latitude of the cell's centre in degrees, WGS-84",
    };
    SqlFunction::new(doc, takes_cell(&[]), DataType::Float64, |args| {
        centre(args, LatLng::lat)
    })
}

pub(super) fn longitude() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_cell_to_lng",
        usage: "h3_cell_to_lng(cell)",
        doc: "longitude of the cell's centre in degrees, WGS-84",
    };
    SqlFunction::new(doc, takes_cell(&[]), DataType::Float64, |args| {
        centre(args, LatLng::lng)
    })
}

fn centre(args: &[ArrayRef], part: fn(LatLng) -> f64) -> Result<ArrayRef> {
    let parts = cells(&args[0]).map(|cell| cell.map(|cell| part(LatLng::from(cell))));
    Ok(Arc::new(parts.collect::<Float64Array>()))
}

#[cfg(test)]
mod tests {
    use super::super::cells::float64s;
    use super::super::cells::test_columns::{SAN_FRANCISCO, texts};
    use super::*;

    #[test]
    fn the_centre_of_the_documented_cell_is_the_documented_one() {
        let cell = texts([Some(SAN_FRANCISCO), Some("no cell"), None]);
        let part = |function: SqlFunction| {
            let column = function
                .call(std::slice::from_ref(&cell))
                .expect("no error");
            float64s(&column).collect::<Vec<_>>()
        };
        let (lat, lon) = (part(latitude()), part(longitude()));
        assert!(
            (lat[0].expect("a cell") - 37.776_702_349).abs() < 1e-6,
            "{lat:?}"
        );
        assert!(
            (lon[0].expect("a cell") - -122.418_459_318).abs() < 1e-6,
            "{lon:?}"
        );
        assert_eq!((lat[1], lat[2]), (None, None));
    }
}
