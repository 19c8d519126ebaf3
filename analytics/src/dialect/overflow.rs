//! Sums, differences and products of whole numbers: owns that one which does not fit is an error.
//!
//! The engine's operators go on from the other end of the numbers, and no setting changes that. So
//! they are replaced, once types agree, by functions of the same kernels that look.

use std::sync::Arc;

use arrow::array::{ArrayRef, Datum, Scalar};
use arrow::compute::kernels::numeric::{add, mul, sub};
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::error::ArrowError;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue, exec_err};
use datafusion::logical_expr::expr::BinaryExpr;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use super::schema_of;

/// The rule.
#[derive(Debug)]
pub(super) struct CheckedArithmetic;

impl AnalyzerRule for CheckedArithmetic {
    fn name(&self) -> &'static str {
        "checked_arithmetic"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|plan| {
            let schema = schema_of(&plan)?;
            let names = NamePreserver::new(&plan);
            plan.map_expressions(|expr| {
                let name = names.save(&expr);
                let checked = expr.transform_up(|expr| checked(expr, &schema))?;
                Ok(checked.update_data(|expr| name.restore(expr)))
            })
        })?;
        Ok(rewritten.data)
    }
}

fn checked(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr else {
        return Ok(Transformed::no(expr));
    };
    let kind = match op {
        Operator::Plus | Operator::Minus | Operator::Multiply => left.get_type(schema)?,
        _ => DataType::Null,
    };
    if !kind.is_integer() || right.get_type(schema)? != kind {
        let same = Expr::BinaryExpr(BinaryExpr { left, op, right });
        return Ok(Transformed::no(same));
    }
    let function = ScalarUDF::from(Checked::new(op));
    Ok(Transformed::yes(function.call(vec![*left, *right])))
}

/// One of the three operators.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    op: Operator,
    signature: Signature,
}

impl Checked {
    fn new(op: Operator) -> Self {
        Self {
            op,
            signature: Signature::any(2, Volatility::Immutable),
        }
    }

    fn apply(&self, left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef> {
        let done = match self.op {
            Operator::Plus => add(left, right),
            Operator::Minus => sub(left, right),
            _ => mul(left, right),
        };
        match done {
            Err(ArrowError::ArithmeticOverflow(what)) => {
                let kind = left.get().0.data_type();
                exec_err!(
                    "{what}: too large for {kind}; write cast(x as decimal(38, 0)), or cast(x as \
                     double) where digits may be lost"
                )
            }
            done => Ok(done?),
        }
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.op {
            Operator::Plus => "checked_add",
            Operator::Minus => "checked_subtract",
            _ => "checked_multiply",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        Ok(given[0].clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let is_nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        let kind = args.arg_fields[0].data_type().clone();
        Ok(Arc::new(Field::new(self.name(), kind, is_nullable)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        use ColumnarValue::{Array, Scalar as One};
        let one = |value: &ScalarValue| {
            Ok::<_, datafusion::error::DataFusionError>(Scalar::new(value.to_array()?))
        };
        let answer = match (&args.args[0], &args.args[1]) {
            (Array(left), Array(right)) => self.apply(left, right)?,
            (Array(left), One(right)) => self.apply(left, &one(right)?)?,
            (One(left), Array(right)) => self.apply(&one(left)?, right)?,
            (One(left), One(right)) => {
                let answer = self.apply(&one(left)?, &one(right)?)?;
                return Ok(One(ScalarValue::try_from_array(&answer, 0)?));
            }
        };
        Ok(Array(answer))
    }
}
