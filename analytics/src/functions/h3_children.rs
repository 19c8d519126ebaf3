//! `h3_cell_to_children`, how many they are and which is in the middle: the finer cells inside a cell.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use h3o::{CellIndex, Resolution};

use super::cells::{Form, cell_column, cell_list_column, cells, check_count, int64s, resolution};
use super::{Arg, FunctionDoc, Returns, SqlFunction};

const NAME: &str = "h3_cell_to_children";

pub(super) fn function() -> SqlFunction {
    let doc = FunctionDoc {
        name: NAME,
        usage: "h3_cell_to_children(cell[, resolution])",
        doc: "list of the cells inside it at a finer resolution, the next when not given; null when that is coarser",
    };
    SqlFunction::new(doc, takes(), Returns::Cells, kernel)
}

pub(super) fn centre() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_cell_to_center_child",
        usage: "h3_cell_to_center_child(cell[, resolution])",
        doc: "cell in its middle at a finer resolution, the next when not given; null when that is coarser",
    };
    SqlFunction::new(doc, takes(), Returns::Cell, |args| {
        let centres = rows(args).map(|(cell, resolution)| cell?.center_child(resolution?));
        Ok(cell_column(Form::of(&args[0]), centres))
    })
}

pub(super) fn size() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_cell_to_children_size",
        usage: "h3_cell_to_children_size(cell[, resolution])",
        doc: "number of the cells inside it at a finer resolution, the next when not given; null when that is coarser",
    };
    let number = Returns::Is(DataType::Int64);
    SqlFunction::new(doc, takes(), number, |args| {
        let sizes = rows(args).map(|(cell, resolution)| {
            let (cell, resolution) = (cell?, resolution?);
            let is_finer = resolution >= cell.resolution();
            let size = i64::try_from(cell.children_count(resolution)).ok();
            size.filter(|_| is_finer)
        });
        Ok(Arc::new(sizes.collect::<Int64Array>()))
    })
}

fn takes() -> [Vec<Arg>; 2] {
    [vec![Arg::Cell], vec![Arg::Cell, Arg::Int]]
}

/// Cells and the finer resolutions asked for.
fn rows(args: &[ArrayRef]) -> impl Iterator<Item = (Option<CellIndex>, Option<Resolution>)> {
    let cells = cells(&args[0]).collect::<Vec<_>>();
    let finer: Vec<Option<Resolution>> = match args.get(1) {
        Some(numbers) => int64s(numbers).map(|number| resolution(number?)).collect(),
        None => cells
            .iter()
            .map(|cell| cell.and_then(|cell| cell.resolution().succ()))
            .collect(),
    };
    cells.into_iter().zip(finer)
}

fn children(
    cell: Option<CellIndex>,
    resolution: Option<Resolution>,
) -> Result<Option<impl Iterator<Item = CellIndex>>> {
    let (Some(cell), Some(resolution)) = (cell, resolution) else {
        return Ok(None);
    };
    if resolution < cell.resolution() {
        return Ok(None);
    }
    check_count(NAME, cell.children_count(resolution))?;
    Ok(Some(cell.children(resolution)))
}

fn kernel(args: &[ArrayRef]) -> Result<ArrayRef> {
    let lists = rows(args).map(|(cell, resolution)| children(cell, resolution));
    cell_list_column(Form::of(&args[0]), lists)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};

    use super::super::cells::test_columns::{SAN_FRANCISCO, ints, texts};
    use super::*;

    #[test]
    fn a_hexagon_has_seven_children_and_a_pentagon_six() {
        let column = kernel(&[
            texts([
                Some(SAN_FRANCISCO),
                Some("8009fffffffffff"),
                Some(SAN_FRANCISCO),
            ]),
            ints([Some(10), Some(1), Some(8)]),
        ]);
        let column = column.expect("no error");
        let lists = column.as_list::<i32>();
        assert_eq!((lists.value_length(0), lists.value_length(1)), (7, 6));
        assert!(lists.is_null(2));
    }

    #[test]
    fn a_call_for_millions_of_cells_is_refused() {
        let refused = kernel(&[texts([Some("8828308281fffff")]), ints([Some(15)])]);
        let message = refused.expect_err("seven to the seventh").to_string();
        assert!(
            message.contains("h3_cell_to_children would return 823543 cells"),
            "{message}"
        );
    }
}
