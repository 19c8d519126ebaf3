//! `h3_cell_to_lat`, `h3_cell_to_lng` and both in one: the centre of a cell.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, ListArray};
use arrow::datatypes::{DataType, Field, Float64Type};
use datafusion::common::Result;
use h3o::LatLng;

use super::cells::cells;
use super::{Arg, FunctionDoc, Returns, SqlFunction};

pub(super) fn latitude() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_cell_to_lat",
        usage: "h3_cell_to_lat(cell)",
        doc: "latitude of the cell's centre in degrees, WGS-84",
    };
    function(doc, |args| centre(args, LatLng::lat))
}

pub(super) fn longitude() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_cell_to_lng",
        usage: "h3_cell_to_lng(cell)",
        doc: "longitude of the cell's centre in degrees, WGS-84",
    };
    function(doc, |args| centre(args, LatLng::lng))
}

pub(super) fn both() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_cell_to_latlng",
        usage: "h3_cell_to_latlng(cell)",
        doc: "list of latitude and longitude of the cell's centre in degrees, WGS-84",
    };
    let item = Field::new_list_field(DataType::Float64, true);
    let list = Returns::Is(DataType::List(Arc::new(item)));
    SqlFunction::new(doc, [vec![Arg::Cell]], list, |args| {
        let centres = cells(&args[0]).map(|cell| cell.map(LatLng::from));
        let pairs = centres.map(|at| at.map(|at| [Some(at.lat()), Some(at.lng())]));
        Ok(Arc::new(
            ListArray::from_iter_primitive::<Float64Type, _, _>(pairs),
        ))
    })
}

fn function(doc: FunctionDoc, kernel: fn(&[ArrayRef]) -> Result<ArrayRef>) -> SqlFunction {
    SqlFunction::new(
        doc,
        [vec![Arg::Cell]],
        Returns::Is(DataType::Float64),
        kernel,
    )
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
