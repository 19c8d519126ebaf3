//! `h3_latlng_to_cell` and the same as text: the cell a position falls in.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use h3o::{CellIndex, LatLng};

use super::cells::{Form, cell_column, float64s, int64s, resolution};
use super::{Arg, FunctionDoc, Returns, SqlFunction};

pub(super) fn function() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_latlng_to_cell",
        usage: "h3_latlng_to_cell(latitude_deg, longitude_deg, resolution)",
        doc: "cell of a WGS-84 position; null for a position off the globe or no resolution",
    };
    let number = Returns::Is(DataType::Int64);
    SqlFunction::new(doc, TAKES.map(Vec::from), number, |args| {
        Ok(kernel(Form::Number, args))
    })
}

pub(super) fn as_text() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_latlng_to_cell_string",
        usage: "h3_latlng_to_cell_string(latitude_deg, longitude_deg, resolution)",
        doc: "the same cell as hexadecimal text",
    };
    let text = Returns::Is(DataType::Utf8);
    SqlFunction::new(doc, TAKES.map(Vec::from), text, |args| {
        Ok(kernel(Form::Text, args))
    })
}

const TAKES: [[Arg; 3]; 1] = [[Arg::Float, Arg::Float, Arg::Int]];

fn cell_of(latitude_deg: f64, longitude_deg: f64, resolution_no: i64) -> Option<CellIndex> {
    if !(-90.0..=90.0).contains(&latitude_deg) || !(-180.0..=180.0).contains(&longitude_deg) {
        return None;
    }
    let position = LatLng::new(latitude_deg, longitude_deg).ok()?;
    Some(position.to_cell(resolution(resolution_no)?))
}

fn kernel(form: Form, args: &[ArrayRef]) -> ArrayRef {
    let rows = float64s(&args[0])
        .zip(float64s(&args[1]))
        .zip(int64s(&args[2]));
    let cells = rows.map(|((lat, lon), resolution)| cell_of(lat?, lon?, resolution?));
    cell_column(form, cells)
}

#[cfg(test)]
mod tests {
    use super::super::cells::test_columns::{SAN_FRANCISCO, floats, ints};
    use super::*;

    #[test]
    fn the_documented_example_falls_in_the_documented_cell() {
        let cell = cell_of(37.775_938_728_915_946, -122.417_953_336_593_42, 9);
        assert_eq!(
            cell.map(|cell| cell.to_string()).as_deref(),
            Some(SAN_FRANCISCO)
        );
    }

    #[test]
    fn a_position_off_the_globe_has_no_cell() {
        let columns = [
            floats([Some(91.0), Some(f64::NAN), Some(1.0), None]),
            floats([Some(0.0), Some(0.0), Some(181.0), Some(1.0)]),
            ints([Some(9); 4]),
        ];
        for form in [Form::Number, Form::Text] {
            assert_eq!(kernel(form, &columns).null_count(), 4);
        }
        assert_eq!(cell_of(1.0, 1.0, 16), None);
    }
}
