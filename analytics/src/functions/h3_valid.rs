//! `h3_is_valid_cell`: whether a number or text is a cell at all.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;

use super::cells::cells;
use super::{Arg, FunctionDoc, Returns, SqlFunction};

pub(super) fn function() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_is_valid_cell",
        usage: "h3_is_valid_cell(cell)",
        doc: "whether it is a cell; null for null",
    };
    SqlFunction::new(
        doc,
        [vec![Arg::Cell]],
        Returns::Is(DataType::Boolean),
        kernel,
    )
}

fn kernel(args: &[ArrayRef]) -> Result<ArrayRef> {
    let known = cells(&args[0]).enumerate();
    let valid = known.map(|(row, cell)| args[0].is_valid(row).then_some(cell.is_some()));
    Ok(Arc::new(valid.collect::<BooleanArray>()))
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;

    use super::super::cells::test_columns::ints;
    use super::*;

    #[test]
    fn a_number_that_is_no_cell_is_told_from_null() {
        let valid = kernel(&[ints([Some(0x0892_8308_280f_ffff), Some(1), Some(-1), None])]);
        let valid = valid.expect("no error");
        let valid: Vec<_> = valid.as_boolean().iter().collect();
        assert_eq!(valid, [Some(true), Some(false), Some(false), None]);
    }
}
