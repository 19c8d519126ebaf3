//! `h3_is_pentagon` and `h3_are_neighbor_cells`: what kind of cell it is, and whether two touch.

use std::iter::zip;
use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::datatypes::DataType;

use super::cells::cells;
use super::{Arg, FunctionDoc, Returns, SqlFunction};

pub(super) fn is_pentagon() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_is_pentagon",
        usage: "h3_is_pentagon(cell)",
        doc: "whether the cell is one of the twelve pentagons of its resolution",
    };
    let answer = Returns::Is(DataType::Boolean);
    SqlFunction::new(doc, [vec![Arg::Cell]], answer, |args| {
        let answers = cells(&args[0]).map(|cell| Some(cell?.is_pentagon()));
        Ok(Arc::new(answers.collect::<BooleanArray>()))
    })
}

pub(super) fn are_neighbors() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_are_neighbor_cells",
        usage: "h3_are_neighbor_cells(cell, cell)",
        doc: "whether two cells of one resolution share an edge; null for cells of two",
    };
    let answer = Returns::Is(DataType::Boolean);
    SqlFunction::new(doc, [vec![Arg::Cell; 2]], answer, |args| {
        let pairs = zip(cells(&args[0]), cells(&args[1]));
        let answers = pairs.map(|(one, other)| one?.is_neighbor_with(other?).ok());
        Ok(Arc::new(answers.collect::<BooleanArray>()))
    })
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;

    use super::super::cells::test_columns::texts;
    use super::*;

    #[test]
    fn a_cell_is_no_neighbour_of_itself_nor_of_its_parent() {
        let cell = texts([Some("8928308280fffff"); 4]);
        let others = [
            Some("8928308280bffff"),
            Some("8928308280fffff"),
            Some("8828308281fffff"),
            None,
        ];
        let answers = are_neighbors()
            .call(&[cell, texts(others)])
            .expect("no error");
        let answers: Vec<_> = answers.as_boolean().iter().collect();
        assert_eq!(answers, [Some(true), Some(false), None, None]);
    }
}
