//! `h3_grid_path_cells`: the cells on the way from one to another.

use std::iter::zip;

use arrow::array::ArrayRef;
use datafusion::common::Result;
use h3o::CellIndex;

use super::cells::{Form, cell_list_column, cells, check_count};
use super::{Arg, FunctionDoc, Returns, SqlFunction};

const NAME: &str = "h3_grid_path_cells";

pub(super) fn function() -> SqlFunction {
    let doc = FunctionDoc {
        name: NAME,
        usage: "h3_grid_path_cells(cell, cell)",
        doc: "list of the cells on a way from one to the other, both included; null when too far apart",
    };
    SqlFunction::new(doc, [vec![Arg::Cell; 2]], Returns::Cells, kernel)
}

fn path(from: CellIndex, to: CellIndex) -> Result<Option<Vec<CellIndex>>> {
    let Ok(size) = from.grid_path_cells_size(to) else {
        return Ok(None);
    };
    check_count(NAME, u64::from(size.unsigned_abs()))?;
    let Ok(cells) = from.grid_path_cells(to) else {
        return Ok(None);
    };
    Ok(cells.collect::<std::result::Result<Vec<_>, _>>().ok())
}

fn kernel(args: &[ArrayRef]) -> Result<ArrayRef> {
    let rows = zip(cells(&args[0]), cells(&args[1]));
    let paths = rows.map(|ends| match ends {
        (Some(from), Some(to)) => path(from, to),
        _ => Ok(None),
    });
    cell_list_column(Form::of(&args[0]), paths)
}

#[cfg(test)]
mod tests {
    use super::super::cells::parse_cell;
    use super::*;

    #[test]
    fn a_path_goes_from_neighbour_to_neighbour() {
        let [from, to] = ["86584e9afffffff", "8658412c7ffffff"].map(parse_cell);
        let (from, to) = (from.expect("a cell"), to.expect("a cell"));
        let cells = path(from, to).expect("few").expect("near");
        assert_eq!((cells[0], cells[cells.len() - 1]), (from, to));
        let steps = from.grid_distance(to).expect("near");
        assert_eq!(cells.len(), steps as usize + 1);
        for pair in cells.windows(2) {
            assert_eq!(pair[0].is_neighbor_with(pair[1]), Ok(true));
        }
    }
}
