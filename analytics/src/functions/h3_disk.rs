//! `h3_grid_disk`, the same ring by ring, and one ring alone: a cell and its neighbours.

use arrow::array::ArrayRef;
use datafusion::common::Result;
use h3o::CellIndex;

use super::cells::{Form, cell_list_column, cells, check_count, int64s, ring_column};
use super::{Arg, FunctionDoc, Returns, SqlFunction};

const NAME: &str = "h3_grid_disk";

pub(super) fn function() -> SqlFunction {
    let doc = FunctionDoc {
        name: NAME,
        usage: "h3_grid_disk(cell, rings)",
        doc: "list of the cells at most that many steps away, itself included",
    };
    SqlFunction::new(doc, TAKES.map(Vec::from), Returns::Cells, |args| {
        cell_list_column(
            Form::of(&args[0]),
            rows(args).map(|(cell, k)| disk(cell, k)),
        )
    })
}

pub(super) fn distances() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_grid_disk_distances",
        usage: "h3_grid_disk_distances(cell, rings)",
        doc: "list of rings, each a list of the cells as many steps away, from the cell itself on",
    };
    SqlFunction::new(doc, TAKES.map(Vec::from), Returns::Rings, |args| {
        ring_column(
            Form::of(&args[0]),
            rows(args).map(|(cell, k)| rings(cell, k)),
        )
    })
}

pub(super) fn ring() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_grid_ring",
        usage: "h3_grid_ring(cell, steps)",
        doc: "list of the cells exactly that many steps away",
    };
    SqlFunction::new(doc, TAKES.map(Vec::from), Returns::Cells, |args| {
        let last = |(cell, k)| Ok(rings(cell, k)?.and_then(|mut rings| rings.pop()));
        cell_list_column(Form::of(&args[0]), rows(args).map(last))
    })
}

const TAKES: [[Arg; 2]; 1] = [[Arg::Cell, Arg::Int]];

fn rows(args: &[ArrayRef]) -> impl Iterator<Item = (Option<CellIndex>, Option<i64>)> + '_ {
    cells(&args[0]).zip(int64s(&args[1]))
}

fn rings(cell: Option<CellIndex>, rings: Option<i64>) -> Result<Option<Vec<Vec<CellIndex>>>> {
    let (Some(cell), Some(rings)) = (cell, checked(rings)?) else {
        return Ok(None);
    };
    let mut sorted = vec![Vec::new(); rings as usize + 1];
    for (other, steps) in cell.grid_disk_distances::<Vec<_>>(rings) {
        sorted[steps as usize].push(other);
    }
    Ok(Some(sorted))
}

fn disk(cell: Option<CellIndex>, rings: Option<i64>) -> Result<Option<Vec<CellIndex>>> {
    let (Some(cell), Some(rings)) = (cell, checked(rings)?) else {
        return Ok(None);
    };
    Ok(Some(cell.grid_disk(rings)))
}

/// Reads a number of rings; an error when a disk of them has too many cells.
fn checked(rings: Option<i64>) -> Result<Option<u32>> {
    let Some(rings) = rings.and_then(|rings| u32::try_from(rings).ok()) else {
        return Ok(None);
    };
    let wide = u64::from(rings);
    check_count(
        NAME,
        3u64.saturating_mul(wide)
            .saturating_mul(wide + 1)
            .saturating_add(1),
    )?;
    Ok(Some(rings))
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
