//! `h3_grid_disk`: a cell and its neighbours.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use h3o::CellIndex;

use super::cells::{cell_list, cell_list_column, cells, check_count, int64s, takes_cell};
use super::{FunctionDoc, SqlFunction};

const NAME: &str = "h3_grid_disk";

pub(super) fn function() -> SqlFunction {
    let doc = FunctionDoc {
        name: NAME,
        usage: "h3_grid_disk(cell, rings)",
        doc: "list of the cells at most that many steps away, itself included",
    };
    SqlFunction::new(doc, takes_cell(&[DataType::Int64]), cell_list(), kernel)
}

fn disk(cell: Option<CellIndex>, rings: Option<i64>) -> Result<Option<Vec<CellIndex>>> {
    let (Some(cell), Some(rings)) = (cell, rings.and_then(|rings| u32::try_from(rings).ok()))
    else {
        return Ok(None);
    };
    let wide = u64::from(rings);
    check_count(
        NAME,
        3u64.saturating_mul(wide)
            .saturating_mul(wide + 1)
            .saturating_add(1),
    )?;
    Ok(Some(cell.grid_disk(rings)))
}

fn kernel(args: &[ArrayRef]) -> Result<ArrayRef> {
    let rows = cells(&args[0]).zip(int64s(&args[1]));
    cell_list_column(rows.map(|(cell, rings)| disk(cell, rings)))
}

#[cfg(test)]
mod tests {
    use super::super::cells::parse_cell;
    use super::super::cells::test_columns::SAN_FRANCISCO;
    use super::*;

    #[test]
    fn a_disk_holds_the_cell_and_its_rings() {
        let cell = parse_cell(SAN_FRANCISCO);
        let two = disk(cell, Some(2)).expect("few").expect("a cell");
        assert_eq!(two.len(), 19);
        assert!(two.contains(&cell.expect("a cell")));
        assert_eq!(disk(cell, Some(-1)).expect("no error"), None);
    }

    #[test]
    fn a_pentagon_has_five_neighbours() {
        let pentagon = parse_cell("8009fffffffffff");
        assert_eq!(
            disk(pentagon, Some(1)).expect("few").expect("a cell").len(),
            6
        );
    }

    #[test]
    fn a_disk_over_half_the_world_is_refused() {
        assert!(disk(parse_cell(SAN_FRANCISCO), Some(1_000_000)).is_err());
    }
}
