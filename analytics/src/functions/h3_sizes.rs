//! What a resolution is like: `h3_get_hexagon_area_avg`, `h3_get_hexagon_edge_length_avg` and
//! `h3_get_num_cells`.

use std::iter::zip;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_datafusion_err};
use h3o::Resolution;

use super::cells::{int64s, resolution};
use super::{Arg, FunctionDoc, Returns, SqlFunction};

pub(super) fn area() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_get_hexagon_area_avg",
        usage: "h3_get_hexagon_area_avg(resolution, unit)",
        doc: "mean area of a hexagon of a resolution in 'km^2' or 'm^2'",
    };
    measured(doc, |args| {
        column(args, |resolution, unit| match unit {
            "km^2" => Ok(resolution.area_km2()),
            "m^2" => Ok(resolution.area_m2()),
            _ => Err(exec_datafusion_err!(
                "h3_get_hexagon_area_avg knows no unit {unit:?}, only 'km^2' and 'm^2'"
            )),
        })
    })
}

pub(super) fn edge_length() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_get_hexagon_edge_length_avg",
        usage: "h3_get_hexagon_edge_length_avg(resolution, unit)",
        doc: "mean length of a hexagon's edge of a resolution in 'km' or 'm'",
    };
    measured(doc, |args| {
        column(args, |resolution, unit| match unit {
            "km" => Ok(resolution.edge_length_km()),
            "m" => Ok(resolution.edge_length_m()),
            _ => Err(exec_datafusion_err!(
                "h3_get_hexagon_edge_length_avg knows no unit {unit:?}, only 'km' and 'm'"
            )),
        })
    })
}

pub(super) fn count() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_get_num_cells",
        usage: "h3_get_num_cells(resolution)",
        doc: "number of cells of a resolution on earth",
    };
    let number = Returns::Is(DataType::Int64);
    SqlFunction::new(doc, [vec![Arg::Int]], number, |args| {
        let counts =
            int64s(&args[0]).map(|number| i64::try_from(resolution(number?)?.cell_count()).ok());
        Ok(Arc::new(counts.collect::<Int64Array>()))
    })
}

fn measured(doc: FunctionDoc, kernel: fn(&[ArrayRef]) -> Result<ArrayRef>) -> SqlFunction {
    let number = Returns::Is(DataType::Float64);
    SqlFunction::new(doc, [vec![Arg::Int, Arg::Text]], number, kernel)
}

fn column(args: &[ArrayRef], of: fn(Resolution, &str) -> Result<f64>) -> Result<ArrayRef> {
    let rows = zip(int64s(&args[0]), args[1].as_string::<i32>());
    let numbers = rows.map(|(number, unit)| match (number.and_then(resolution), unit) {
        (Some(resolution), Some(unit)) => of(resolution, unit).map(Some),
        _ => Ok(None),
    });
    Ok(Arc::new(numbers.collect::<Result<Float64Array>>()?))
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Float64Type, Int64Type};

    use super::super::cells::test_columns::{ints, texts};
    use super::*;

    #[test]
    fn a_resolution_is_as_large_as_documented() {
        let of = |function: SqlFunction, unit| {
            let args = [ints([Some(8), Some(16)]), texts([Some(unit); 2])];
            let column = function.call(&args).expect("a unit");
            column
                .as_primitive::<Float64Type>()
                .iter()
                .collect::<Vec<_>>()
        };
        // The table of resolutions in H3's documentation.
        let km2 = of(area(), "km^2");
        assert!((km2[0].expect("a number") - 0.737_327_598).abs() < 1e-6);
        assert_eq!(km2[1], None);
        let km = of(edge_length(), "km")[0].expect("a number");
        assert!((km - 0.531_414_010).abs() < 1e-6);
        let counts = count().call(&[ints([Some(0), Some(1)])]).expect("no error");
        let counts: Vec<_> = counts.as_primitive::<Int64Type>().iter().collect();
        assert_eq!(counts, [Some(122), Some(842)]);
    }
}
