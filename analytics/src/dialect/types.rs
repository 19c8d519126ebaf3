//! What an expression means by the types in it: texts beside numbers, fractions cast to whole
//! numbers, times without seconds. Runs before the engine makes types agree.

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::functions::math::round;
use datafusion::logical_expr::expr::{BinaryExpr, Cast, InSubquery, TryCast};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Operator, lit};
use datafusion::optimizer::AnalyzerRule;

use super::{Refusal, schema_of};
use crate::functions::cell_number;

/// The rule.
#[derive(Debug)]
pub(super) struct TypedAsMeant;

impl AnalyzerRule for TypedAsMeant {
    fn name(&self) -> &'static str {
        "typed_as_meant"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|plan| {
            let schema = schema_of(&plan)?;
            if let LogicalPlan::Join(join) = &plan {
                for (left, right) in &join.on {
                    check_join(left, right, &schema)?;
                }
            }
            let names = NamePreserver::new(&plan);
            plan.map_expressions(|expr| {
                let name = names.save(&expr);
                let meant = expr.transform_up(|expr| meant(expr, &schema))?;
                Ok(meant.update_data(|expr| name.restore(expr)))
            })
        })?;
        Ok(rewritten.data)
    }
}

fn check_join(left: &Expr, right: &Expr, schema: &DFSchema) -> Result<()> {
    let types = (left.get_type(schema)?, right.get_type(schema)?);
    match (is_text(&types.0), is_text(&types.1)) {
        (true, false) if types.1.is_numeric() => Err(mixed(left, Operator::Eq, right)),
        (false, true) if types.0.is_numeric() => Err(mixed(right, Operator::Eq, left)),
        _ => Ok(()),
    }
}

fn meant(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::Cast(Cast { expr, field }) => {
            let (expr, is_changed) = cast_to(*expr, field.data_type(), schema)?;
            let cast = Expr::Cast(Cast {
                expr: Box::new(expr),
                field,
            });
            Ok(transformed(cast, is_changed))
        }
        Expr::TryCast(TryCast { expr, field }) => {
            let (expr, is_changed) = cast_to(*expr, field.data_type(), schema)?;
            let cast = Expr::TryCast(TryCast {
                expr: Box::new(expr),
                field,
            });
            Ok(transformed(cast, is_changed))
        }
        Expr::BinaryExpr(BinaryExpr {
            mut left,
            op,
            mut right,
        }) if compares(op) => {
            let is_changed = compared(&mut left, op, &mut right, schema)?;
            let expr = Expr::BinaryExpr(BinaryExpr { left, op, right });
            Ok(transformed(expr, is_changed))
        }
        Expr::Between(mut between) => {
            let mut is_changed = false;
            for (bound, op) in [
                (&mut between.low, Operator::GtEq),
                (&mut between.high, Operator::LtEq),
            ] {
                is_changed |= compared(&mut between.expr, op, bound, schema)?;
            }
            Ok(transformed(Expr::Between(between), is_changed))
        }
        Expr::InList(mut within) => {
            let mut is_changed = false;
            for value in &mut within.list {
                is_changed |= compared(&mut within.expr, Operator::Eq, value, schema)?;
            }
            Ok(transformed(Expr::InList(within), is_changed))
        }
        Expr::InSubquery(within) => {
            check_subquery(&within, schema)?;
            Ok(Transformed::no(Expr::InSubquery(within)))
        }
        Expr::Case(mut case) => {
            let mut is_changed = false;
            if let Some(base) = &mut case.expr {
                for (when, _) in &mut case.when_then_expr {
                    is_changed |= compared(base, Operator::Eq, when, schema)?;
                }
            }
            Ok(transformed(Expr::Case(case), is_changed))
        }
        other => Ok(Transformed::no(other)),
    }
}

fn transformed(expr: Expr, is_changed: bool) -> Transformed<Expr> {
    match is_changed {
        true => Transformed::yes(expr),
        false => Transformed::no(expr),
    }
}

/// A cast of a fraction rounds half away from zero, as PostgreSQL's of numeric does; a literal with
/// a fraction is numeric there, so this is what is typed. A time may leave its seconds out.
fn cast_to(expr: Expr, to: &DataType, schema: &DFSchema) -> Result<(Expr, bool)> {
    match to {
        DataType::Timestamp(..) => match with_seconds(&expr) {
            Some(literal) => Ok((literal, true)),
            None => Ok((expr, false)),
        },
        _ if to.is_integer() => {
            let from = expr.get_type(schema)?;
            match has_fraction(&from) {
                true => Ok((round().call(vec![expr]), true)),
                false => Ok((expr, false)),
            }
        }
        _ => Ok((expr, false)),
    }
}

fn has_fraction(kind: &DataType) -> bool {
    match kind {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => *scale > 0,
        kind => kind.is_floating(),
    }
}

const fn compares(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, values) => is_text(values),
        kind => kind.is_string(),
    }
}

fn literal_text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

/// Makes two compared values of one kind; tells whether it changed one.
fn compared(left: &mut Expr, op: Operator, right: &mut Expr, schema: &DFSchema) -> Result<bool> {
    let (left_type, right_type) = (left.get_type(schema)?, right.get_type(schema)?);
    match (is_text(&left_type), is_text(&right_type)) {
        (true, false) => beside(left, op, right, &right_type),
        (false, true) => beside(right, op, left, &left_type),
        _ => Ok(false),
    }
}

/// Looks at a text beside a value that is none.
fn beside(text: &mut Expr, op: Operator, other: &Expr, kind: &DataType) -> Result<bool> {
    match literal_text(text) {
        Some(_) if matches!(kind, DataType::Timestamp(..)) => match with_seconds(text) {
            Some(literal) => {
                *text = literal;
                Ok(true)
            }
            None => Ok(false),
        },
        Some(written) if kind.is_integer() => match number(written, other)? {
            Some(cell) => {
                *text = lit(cell);
                Ok(true)
            }
            None => Ok(false),
        },
        // A literal number in quotes is one, as in PostgreSQL; so is one that is no number a fault.
        Some(written) if kind.is_numeric() && written.trim().parse::<f64>().is_err() => {
            Err(no_number(written, other))
        }
        None if kind.is_numeric() => Err(mixed(text, op, other)),
        _ => Ok(false),
    }
}

/// Reads what is compared with a whole number: the number of a cell that is written in hexadecimal;
/// `None` for a number that the engine reads itself.
fn number(written: &str, other: &Expr) -> Result<Option<i64>> {
    if let Some(cell) = cell_number(written) {
        return Ok(Some(cell));
    }
    match written.trim().parse::<i128>() {
        Ok(_) => Ok(None),
        Err(_) => Err(no_number(written, other)),
    }
}

fn no_number(written: &str, other: &Expr) -> datafusion::error::DataFusionError {
    let other = plain(other);
    let cell = match other.contains("cell") {
        true => " nor an H3 cell",
        false => "",
    };
    Refusal(format!(
        "{other} is a number, and '{written}' is none{cell}: compare it with a number"
    ))
    .into()
}

fn mixed(text: &Expr, op: Operator, number: &Expr) -> datafusion::error::DataFusionError {
    let (text, number_text) = (plain(text), plain(number));
    let as_text = match number {
        Expr::Literal(..) => format!("'{number_text}'"),
        _ => format!("cast({number_text} as varchar)"),
    };
    Refusal(format!(
        "{text} is text and {number_text} a number: write {text} {op} {as_text} to compare texts, \
         or try_cast({text} as bigint) {op} {number_text} to compare numbers"
    ))
    .into()
}

fn check_subquery(within: &InSubquery, schema: &DFSchema) -> Result<()> {
    let inner = within.subquery.subquery.schema();
    let Some(found) = inner.fields().first() else {
        return Ok(());
    };
    let asked = within.expr.get_type(schema)?;
    let (is_text, is_found_text) = (is_text(&asked), is_text(found.data_type()));
    let is_mixed =
        (is_text && found.data_type().is_numeric()) || (is_found_text && asked.is_numeric());
    if !is_mixed {
        return Ok(());
    }
    let (asked, found) = (plain(&within.expr), found.name());
    let (text, number) = if is_text {
        (asked, found.clone())
    } else {
        (found.clone(), asked)
    };
    Err(Refusal(format!(
        "{text} is text and {number} a number: cast one of them, as in cast({number} as varchar)"
    ))
    .into())
}

/// An expression as a person would type it.
fn plain(expr: &Expr) -> String {
    match expr {
        Expr::Column(column) => column.name.clone(),
        Expr::Literal(value, _) => value.to_string(),
        other => other.human_display().to_string(),
    }
}

/// Returns a literal time that leaves out its seconds with them: `2026-11-21 12:00`.
fn with_seconds(expr: &Expr) -> Option<Expr> {
    let text = literal_text(expr)?.trim();
    let bytes = text.as_bytes();
    let shape = b"0000-00-00 00:00";
    if bytes.len() < shape.len() {
        return None;
    }
    let fits = shape.iter().zip(bytes).all(|(shape, byte)| match shape {
        b'0' => byte.is_ascii_digit(),
        b' ' => matches!(byte, b' ' | b'T' | b't'),
        other => byte == other,
    });
    let (minutes, rest) = text.split_at_checked(shape.len())?;
    (fits && !rest.starts_with(':')).then(|| {
        let text = format!("{minutes}:00{rest}");
        Expr::Literal(ScalarValue::Utf8(Some(text)), None)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_ends_with_its_minutes_gets_seconds() {
        for (typed, meant) in [
            ("2026-11-21 12:00", Some("2026-11-21 12:00:00")),
            ("2026-11-21T12:00Z", Some("2026-11-21T12:00:00Z")),
            ("2026-11-21 12:00+02:00", Some("2026-11-21 12:00:00+02:00")),
            ("2026-11-21 12:00:30", None),
            ("2026-11-21", None),
            ("yesterday at noon", None),
        ] {
            let found = with_seconds(&lit(typed));
            assert_eq!(found, meant.map(lit), "{typed}");
        }
    }
}
