//! `h3_cell_to_parent`: the coarser cell around a cell, and what it tells a scan.
//!
//! A parent is one range of the cells stored in the lake, so a question by parent cell is answered
//! as a range of `cell_r9`: statistics of files, row groups and pages then prune by place.

use arrow::array::ArrayRef;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::ExprSimplifyResult;
use h3o::CellIndex;
use schemas::lake::{cell_from_i64, stored_cell_range};

use super::cells::{Form, cell_column, cells, int64s, resolution};
use super::{Arg, FunctionDoc, Returns, SqlFunction};

const NAME: &str = "h3_cell_to_parent";
/// The one column whose cells are known to be of the stored resolution.
const STORED_COLUMN: &str = "cell_r9";

pub(super) fn function() -> SqlFunction {
    let doc = FunctionDoc {
        name: NAME,
        usage: "h3_cell_to_parent(cell[, resolution])",
        doc: "cell around it at a coarser resolution, the next when not given; null when the resolution is finer",
    };
    let takes = [vec![Arg::Cell], vec![Arg::Cell, Arg::Int]];
    SqlFunction::new(doc, takes, Returns::Cell, kernel)
        .with_preimage(preimage)
        .with_simplify(simplify)
}

fn parent(cell: CellIndex, resolution_no: i64) -> Option<CellIndex> {
    cell.parent(resolution(resolution_no)?)
}

fn kernel(args: &[ArrayRef]) -> Result<ArrayRef> {
    let form = Form::of(&args[0]);
    let Some(resolutions) = args.get(1) else {
        let parents = cells(&args[0]).map(|cell| cell?.parent(cell?.resolution().pred()?));
        return Ok(cell_column(form, parents));
    };
    let rows = cells(&args[0]).zip(int64s(resolutions));
    let parents = rows.map(|(cell, resolution)| parent(cell?, resolution?));
    Ok(cell_column(form, parents))
}

/// `h3_cell_to_parent(cell_r9, r) = cell` is a range of `cell_r9`.
fn preimage(args: &[Expr], value: &Expr) -> Result<PreimageResult> {
    let ([cell, level], Some(value)) = (args, int_literal(value)) else {
        return Ok(PreimageResult::None);
    };
    let asked = cell_from_i64(value).filter(|asked| {
        is_stored_column(cell) && int_literal(level) == Some(u8::from(asked.resolution()).into())
    });
    let Some((first, last)) = asked.and_then(stored_cell_range) else {
        return Ok(PreimageResult::None);
    };
    let interval = Interval::try_new((first).into(), (last + 1).into())?;
    Ok(PreimageResult::Range {
        expr: cell.clone(),
        interval: Box::new(interval),
    })
}

/// The parent of a parent is the parent, so that views with a `cell_r8` still give a range.
fn simplify(args: Vec<Expr>) -> ExprSimplifyResult {
    match &args[..] {
        [
            Expr::ScalarFunction(ScalarFunction { func, args: inner }),
            level,
        ] if func.name() == NAME
            && inner.len() == 2
            && is_stored_column(&inner[0])
            && int_literal(level) <= int_literal(&inner[1])
            && int_literal(level).is_some() =>
        {
            let args = vec![inner[0].clone(), level.clone()];
            ExprSimplifyResult::Simplified(func.call(args))
        }
        _ => ExprSimplifyResult::Original(args),
    }
}

fn is_stored_column(expr: &Expr) -> bool {
    matches!(expr, Expr::Column(column) if column.name == STORED_COLUMN)
}

fn int_literal(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(ScalarValue::Int64(value), _) => *value,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{col, lit};
    use schemas::lake::cell_to_i64;

    use super::super::cells::parse_cell;
    use super::super::cells::test_columns::{SAN_FRANCISCO, ints, texts};
    use super::*;

    #[test]
    fn the_parent_of_the_documented_cell_is_the_documented_one() {
        let parents = kernel(&[
            texts([Some(SAN_FRANCISCO); 3]),
            ints([Some(8), Some(10), Some(99)]),
        ]);
        let parents = parents.expect("no error");
        let parents: Vec<_> = cells(&parents)
            .map(|cell| cell.map(|c| c.to_string()))
            .collect();
        assert_eq!(parents, [Some("8828308281fffff".to_owned()), None, None]);
    }

    #[test]
    fn asking_for_a_parent_is_asking_for_a_range_of_stored_cells() {
        let asked = parse_cell("8528308bfffffff").expect("a cell");
        let answer = preimage(&[col("cell_r9"), lit(5_i64)], &lit(cell_to_i64(asked)));
        let PreimageResult::Range { expr, interval } = answer.expect("no error") else {
            panic!("a parent of stored cells is a range");
        };
        let (first, last) = stored_cell_range(asked).expect("coarser than stored");
        assert_eq!(expr, col("cell_r9"));
        assert_eq!(interval.lower(), &ScalarValue::from(first));
        assert_eq!(interval.upper(), &ScalarValue::from(last + 1));
    }

    #[test]
    fn a_cell_of_another_resolution_or_column_gives_no_range() {
        let asked = lit(cell_to_i64(parse_cell("8528308bfffffff").expect("a cell")));
        for args in [[col("cell_r9"), lit(6_i64)], [col("cell_r8"), lit(5_i64)]] {
            let answer = preimage(&args, &asked).expect("no error");
            assert!(matches!(answer, PreimageResult::None));
        }
    }
}
