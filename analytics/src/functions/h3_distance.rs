//! `h3_grid_distance`: how many steps from cell to cell.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use h3o::CellIndex;

use super::cells::cells;
use super::{Arg, FunctionDoc, Returns, SqlFunction};

pub(super) fn function() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_grid_distance",
        usage: "h3_grid_distance(cell, cell)",
        doc: "steps between two cells of one resolution; null when too far apart to be counted",
    };
    SqlFunction::new(
        doc,
        [vec![Arg::Cell; 2]],
        Returns::Is(DataType::Int64),
        kernel,
    )
}

fn distance(from: CellIndex, to: CellIndex) -> Option<i64> {
    from.grid_distance(to).ok().map(i64::from)
}

fn kernel(args: &[ArrayRef]) -> Result<ArrayRef> {
    let rows = cells(&args[0]).zip(cells(&args[1]));
    Ok(Arc::new(
        rows.map(|(from, to)| distance(from?, to?))
            .collect::<Int64Array>(),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::cells::parse_cell;
    use super::super::cells::test_columns::SAN_FRANCISCO;
    use super::*;

    #[test]
    fn ring_three_is_three_steps_away() {
        let cell = parse_cell(SAN_FRANCISCO).expect("a cell");
        let ring: Vec<(CellIndex, u32)> = cell.grid_disk_distances(3);
        for (other, steps) in ring {
            assert_eq!(distance(cell, other), Some(i64::from(steps)));
        }
    }

    #[test]
    fn cells_of_two_resolutions_have_no_distance() {
        let cell = parse_cell(SAN_FRANCISCO).expect("a cell");
        let parent = cell.parent(h3o::Resolution::Eight).expect("coarser");
        assert_eq!(distance(cell, parent), None);
    }
}
