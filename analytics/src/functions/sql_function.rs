//! The shape all our functions share, so that a file holds what is its own: name, types, kernel.

use std::hash::{Hash, Hasher};

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};

use super::FunctionDoc;

type Kernel = fn(&[ArrayRef]) -> Result<ArrayRef>;
type Preimage = fn(&[Expr], &Expr) -> Result<PreimageResult>;
type Simplify = fn(Vec<Expr>) -> ExprSimplifyResult;

/// An immutable function over columns.
#[derive(Debug)]
pub(super) struct SqlFunction {
    doc: FunctionDoc,
    signature: Signature,
    returns: DataType,
    kernel: Kernel,
    preimage: Option<Preimage>,
    simplify: Option<Simplify>,
}

impl SqlFunction {
    /// `takes` lists the argument types of every form.
    pub(super) fn new(
        doc: FunctionDoc,
        takes: impl IntoIterator<Item = Vec<DataType>>,
        returns: DataType,
        kernel: Kernel,
    ) -> Self {
        let forms = takes.into_iter().map(TypeSignature::Exact).collect();
        let signature = Signature::one_of(forms, Volatility::Immutable);
        Self {
            doc,
            signature,
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

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = args
            .args
            .iter()
            .map(|arg| arg.to_array(args.number_rows))
            .collect::<Result<Vec<_>>>()?;
        Ok(ColumnarValue::Array((self.kernel)(&arrays)?))
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
