//! The shape all our functions share, so that a file holds what is its own: name, types, kernel.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::FunctionDoc;

type Kernel = fn(&[ArrayRef]) -> Result<ArrayRef>;
type Preimage = fn(&[Expr], &Expr) -> Result<PreimageResult>;
type Simplify = fn(Vec<Expr>) -> ExprSimplifyResult;

/// What an argument may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arg {
    /// A cell (or an edge between cells): a whole number of any kind, or hexadecimal text.
    Cell,
    /// A list of cells.
    Cells,
    /// A whole number.
    Int,
    /// Any number.
    Float,
    /// Text.
    Text,
}

/// What a function returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Returns {
    /// Always the same type.
    Is(DataType),
    /// A cell, in the form of the first argument's cells: text for text, else a number.
    Cell,
    /// A list of cells in the form of the first argument's.
    Cells,
    /// A list of lists of cells in the form of the first argument's.
    Rings,
}

/// An immutable function over columns.
#[derive(Debug)]
pub(super) struct SqlFunction {
    doc: FunctionDoc,
    signature: Signature,
    forms: Vec<Vec<Arg>>,
    returns: Returns,
    kernel: Kernel,
    preimage: Option<Preimage>,
    simplify: Option<Simplify>,
}

impl SqlFunction {
    /// `forms` lists the arguments of every form, each with another number of them.
    pub(super) fn new(
        doc: FunctionDoc,
        forms: impl IntoIterator<Item = Vec<Arg>>,
        returns: Returns,
        kernel: Kernel,
    ) -> Self {
        Self {
            doc,
            signature: Signature::user_defined(Volatility::Immutable),
            forms: forms.into_iter().collect(),
            returns,
            kernel,
            preimage: None,
            simplify: None,
        }
    }

    /// States for which range of its argument the function has a given value.
    pub(super) fn with_preimage(mut self, preimage: Preimage) -> Self {
        self.preimage = Some(preimage);
        self
    }

    /// Rewrites a call as a simpler expression.
    pub(super) fn with_simplify(mut self, simplify: Simplify) -> Self {
        self.simplify = Some(simplify);
        self
    }

    pub(super) fn describe(&self) -> FunctionDoc {
        self.doc
    }

    #[cfg(test)]
    pub(super) fn call(&self, args: &[ArrayRef]) -> Result<ArrayRef> {
        (self.kernel)(args)
    }
}

/// Returns the type an argument is turned into; `None` when it may not be of the type given.
fn taken(arg: Arg, given: &DataType) -> Option<DataType> {
    use DataType::{
        Dictionary, FixedSizeList, Float64, Int64, LargeList, LargeUtf8, List, ListView, Null,
        Utf8, Utf8View,
    };
    let given = match given {
        Dictionary(_, values) => values,
        given => given,
    };
    let is_text = matches!(given, Utf8 | LargeUtf8 | Utf8View);
    match arg {
        Arg::Cell if is_text => Some(Utf8),
        // Larger than a cell can be: such a value is no cell, and no error.
        Arg::Cell if matches!(given, DataType::UInt64 | DataType::Decimal128(_, 0)) => {
            Some(given.clone())
        }
        Arg::Cell if given.is_integer() || *given == Null => Some(Int64),
        Arg::Cells => match given {
            List(item) | LargeList(item) | FixedSizeList(item, _) | ListView(item) => {
                let item = taken(Arg::Cell, item.data_type())?;
                Some(List(Arc::new(Field::new_list_field(item, true))))
            }
            Null => Some(List(Arc::new(Field::new_list_field(Int64, true)))),
            _ => None,
        },
        Arg::Int if given.is_integer() || *given == Null => Some(Int64),
        Arg::Float if given.is_numeric() || *given == Null => Some(Float64),
        Arg::Text if is_text || *given == Null => Some(Utf8),
        _ => None,
    }
}

const fn wanted(arg: Arg) -> &'static str {
    match arg {
        Arg::Cell => "a cell, as a whole number or as hexadecimal text",
        Arg::Cells => "a list of cells, whole numbers or hexadecimal texts",
        Arg::Int => "a whole number",
        Arg::Float => "a number",
        Arg::Text => "a text",
    }
}

/// Whether cells are given as text.
pub(super) fn is_text(given: &DataType) -> bool {
    match given {
        DataType::List(item) => is_text(item.data_type()),
        given => *given == DataType::Utf8,
    }
}

impl PartialEq for SqlFunction {
    fn eq(&self, other: &Self) -> bool {
        self.doc.name == other.doc.name
    }
}

impl Eq for SqlFunction {}

impl Hash for SqlFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.doc.name.hash(state);
    }
}

impl ScalarUDFImpl for SqlFunction {
    fn name(&self) -> &str {
        self.doc.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let Some(form) = self.forms.iter().find(|form| form.len() == given.len()) else {
            return plan_err!("{} is called as {}", self.doc.name, self.doc.usage);
        };
        let mut types = Vec::with_capacity(form.len());
        for (at, (arg, given)) in form.iter().zip(given).enumerate() {
            let Some(kind) = taken(*arg, given) else {
                let (name, usage) = (self.doc.name, self.doc.usage);
                return plan_err!(
                    "argument {} of {name} is {}, not {given}: {usage}",
                    at + 1,
                    wanted(*arg)
                );
            };
            types.push(kind);
        }
        Ok(types)
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        let cell = match args.first().is_some_and(is_text) {
            true => DataType::Utf8,
            false => DataType::Int64,
        };
        let list = |kind| DataType::List(Arc::new(Field::new_list_field(kind, true)));
        Ok(match &self.returns {
            Returns::Is(kind) => kind.clone(),
            Returns::Cell => cell,
            Returns::Cells => list(cell),
            Returns::Rings => list(list(cell)),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let arrays = args
            .args
            .iter()
            .map(|arg| arg.to_array(rows))
            .collect::<Result<Vec<_>>>()?;
        let answer = (self.kernel)(&arrays)?;
        if is_constant {
            let value = ScalarValue::try_from_array(&answer, 0)?;
            return Ok(ColumnarValue::Scalar(value));
        }
        Ok(ColumnarValue::Array(answer))
    }

    fn simplify(&self, args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        Ok(match self.simplify {
            Some(simplify) => simplify(args),
            None => ExprSimplifyResult::Original(args),
        })
    }

    fn preimage(&self, args: &[Expr], value: &Expr, _: &SimplifyContext) -> Result<PreimageResult> {
        match self.preimage {
            Some(preimage) => preimage(args, value),
            None => Ok(PreimageResult::None),
        }
    }
}
