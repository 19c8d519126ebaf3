//! `h3_compact_cells` and `h3_uncompact_cells`: a set of cells with few of them, and back.

use std::iter::zip;

use datafusion::common::Result;
use h3o::CellIndex;

use super::cells::{Form, cell_list_column, cell_lists, check_count, int64s, resolution};
use super::{Arg, FunctionDoc, Returns, SqlFunction};

const UNCOMPACT: &str = "h3_uncompact_cells";

pub(super) fn compact() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_compact_cells",
        usage: "h3_compact_cells(cells)",
        doc: "the same set with whole groups of children as their parents; repeats count once, null for cells of two resolutions",
    };
    SqlFunction::new(doc, [vec![Arg::Cells]], Returns::Cells, |args| {
        let sets = cell_lists(&args[0]).into_iter();
        let compacted = sets.map(|cells| Ok(cells.and_then(compacted)));
        cell_list_column(Form::of(&args[0]), compacted)
    })
}

pub(super) fn uncompact() -> SqlFunction {
    let doc = FunctionDoc {
        name: UNCOMPACT,
        usage: "h3_uncompact_cells(cells, resolution)",
        doc: "the cells inside them at a resolution; null where that is coarser than one of them",
    };
    let takes = [vec![Arg::Cells, Arg::Int]];
    SqlFunction::new(doc, takes, Returns::Cells, |args| {
        let rows = zip(cell_lists(&args[0]), int64s(&args[1]));
        let sets = rows.map(|(cells, finer)| uncompacted(cells, finer));
        cell_list_column(Form::of(&args[0]), sets)
    })
}

fn compacted(mut cells: Vec<CellIndex>) -> Option<Vec<CellIndex>> {
    cells.sort_unstable();
    cells.dedup();
    CellIndex::compact(&mut cells).ok()?;
    Some(cells)
}

fn uncompacted(
    cells: Option<Vec<CellIndex>>,
    resolution_no: Option<i64>,
) -> Result<Option<Vec<CellIndex>>> {
    let (Some(cells), Some(finer)) = (cells, resolution_no.and_then(resolution)) else {
        return Ok(None);
    };
    if cells.iter().any(|cell| cell.resolution() > finer) {
        return Ok(None);
    }
    let count = CellIndex::uncompact_size(cells.iter().copied(), finer);
    check_count(UNCOMPACT, count)?;
    Ok(Some(CellIndex::uncompact(cells, finer).collect()))
}

#[cfg(test)]
mod tests {
    use super::super::cells::parse_cell;
    use super::super::cells::test_columns::SAN_FRANCISCO;
    use super::*;

    #[test]
    fn children_become_their_parent_and_the_parent_its_children() {
        let cell = parse_cell(SAN_FRANCISCO).expect("a cell");
        let mut children: Vec<CellIndex> = cell.children(h3o::Resolution::Eleven).collect();
        let back = uncompacted(Some(vec![cell]), Some(11)).expect("few");
        assert_eq!(back, Some(children.clone()));
        children.push(children[0]);
        assert_eq!(compacted(children.clone()), Some(vec![cell]));
        children.pop();
        children.pop();
        // A sibling is missing: its neighbours stay, and the other groups are parents.
        assert_eq!(compacted(children).map(|cells| cells.len()), Some(12));
    }

    #[test]
    fn what_has_no_set_is_null_and_what_is_too_large_an_error() {
        let cell = parse_cell(SAN_FRANCISCO).expect("a cell");
        let parent = cell.parent(h3o::Resolution::Eight).expect("coarser");
        assert_eq!(compacted(vec![cell, parent]), None);
        assert_eq!(uncompacted(Some(vec![cell]), Some(8)).expect("none"), None);
        assert!(uncompacted(Some(vec![parent]), Some(15)).is_err());
    }
}
