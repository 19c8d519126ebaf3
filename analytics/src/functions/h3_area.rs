//! `h3_cell_area`: how large a cell is.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_datafusion_err};
use h3o::CellIndex;

use super::cells::cells;
use super::{Arg, FunctionDoc, Returns, SqlFunction};

pub(super) fn function() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_cell_area",
        usage: "h3_cell_area(cell[, unit])",
        doc: "area in a unit of 'km^2' (the default), 'm^2' or 'rads^2'",
    };
    SqlFunction::new(
        doc,
        [vec![Arg::Cell], vec![Arg::Cell, Arg::Text]],
        Returns::Is(DataType::Float64),
        kernel,
    )
}

fn area(cell: CellIndex, unit: &str) -> Result<f64> {
    match unit {
        "km^2" => Ok(cell.area_km2()),
        "m^2" => Ok(cell.area_m2()),
        "rads^2" => Ok(cell.area_rads2()),
        _ => Err(exec_datafusion_err!(
            "h3_cell_area knows no unit {unit:?}, only 'km^2', 'm^2' and 'rads^2'"
        )),
    }
}

fn kernel(args: &[ArrayRef]) -> Result<ArrayRef> {
    let units = args.get(1).map(|units| units.as_string::<i32>());
    let unit_of = |row| match units {
        None => Some("km^2"),
        Some(units) => units.is_valid(row).then(|| units.value(row)),
    };
    let areas = cells(&args[0])
        .enumerate()
        .map(|(row, cell)| match (cell, unit_of(row)) {
            (Some(cell), Some(unit)) => area(cell, unit).map(Some),
            _ => Ok(None),
        });
    Ok(Arc::new(areas.collect::<Result<Float64Array>>()?))
}

#[cfg(test)]
mod tests {
    use super::super::cells::parse_cell;
    use super::super::cells::test_columns::SAN_FRANCISCO;
    use super::*;

    #[test]
    fn a_cell_of_resolution_9_is_about_a_tenth_of_a_square_kilometre() {
        let cell = parse_cell(SAN_FRANCISCO).expect("a cell");
        let km2 = area(cell, "km^2").expect("a unit");
        assert!((0.08..0.13).contains(&km2), "{km2}");
        assert!((area(cell, "m^2").expect("a unit") / km2 - 1e6).abs() < 1.0);
        assert!(area(cell, "acre").is_err());
    }
}
