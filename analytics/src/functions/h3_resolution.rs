//! `h3_get_resolution`: how fine a cell is.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::DataType;
use datafusion::common::Result;

use super::cells::cells;
use super::{Arg, FunctionDoc, Returns, SqlFunction};

pub(super) fn function() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_get_resolution",
        usage: "h3_get_resolution(cell)",
        doc: "resolution of the cell, 0 to 15",
    };
    SqlFunction::new(doc, [vec![Arg::Cell]], Returns::Is(DataType::Int64), kernel)
}

fn kernel(args: &[ArrayRef]) -> Result<ArrayRef> {
    let levels =
        cells(&args[0]).map(|cell| cell.map(|cell| i64::from(u8::from(cell.resolution()))));
    Ok(Arc::new(levels.collect::<Int64Array>()))
}

#[cfg(test)]
mod tests {
    use super::super::cells::int64s;
    use super::super::cells::test_columns::{SAN_FRANCISCO, texts};
    use super::*;

    #[test]
    fn the_resolution_is_in_the_cell() {
        let levels = kernel(&[texts([
            Some(SAN_FRANCISCO),
            Some("8009fffffffffff"),
            Some("zz"),
        ])]);
        let levels = levels.expect("no error");
        assert_eq!(
            int64s(&levels).collect::<Vec<_>>(),
            [Some(9), Some(0), None]
        );
    }
}
