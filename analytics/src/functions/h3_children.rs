//! `h3_cell_to_children`: the finer cells inside a cell.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use h3o::CellIndex;

use super::cells::{
    cell_list, cell_list_column, cells, check_count, int64s, resolution, takes_cell,
};
use super::{FunctionDoc, SqlFunction};

const NAME: &str = "h3_cell_to_children";

pub(super) fn function() -> SqlFunction {
    let doc = FunctionDoc {
        name: NAME,
        usage: "h3_cell_to_children(cell, resolution)",
        doc: "list of the cells inside it at a finer resolution; null when that is coarser",
    };
    SqlFunction::new(doc, takes_cell(&[DataType::Int64]), cell_list(), kernel)
}

fn children(
    cell: Option<CellIndex>,
    resolution_no: Option<i64>,
) -> Result<Option<impl Iterator<Item = CellIndex>>> {
    let (Some(cell), Some(resolution)) = (cell, resolution_no.and_then(resolution)) else {
        return Ok(None);
    };
    if resolution < cell.resolution() {
        return Ok(None);
    }
    check_count(NAME, cell.children_count(resolution))?;
    Ok(Some(cell.children(resolution)))
}

fn kernel(args: &[ArrayRef]) -> Result<ArrayRef> {
    let rows = cells(&args[0]).zip(int64s(&args[1]));
    cell_list_column(rows.map(|(cell, resolution)| children(cell, resolution)))
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
