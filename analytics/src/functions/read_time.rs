//! `to_timestamp` and `to_date` by PostgreSQL's patterns; all else they do is the engine's.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Date32Array, TimestampNanosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, FieldRef};
use chrono::NaiveDateTime;
use datafusion::common::{Result, ScalarValue, exec_datafusion_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use super::FunctionDoc;
use super::time_pattern::{Pattern, is_one};

pub(super) const DOCS: [FunctionDoc; 2] = [
    FunctionDoc {
        name: "to_timestamp",
        usage: "to_timestamp(text[, pattern])",
        doc: "time of a text, in UTC, by a pattern of PostgreSQL ('YYYY-MM-DD HH24:MI:SS') or of strftime",
    },
    FunctionDoc {
        name: "to_date",
        usage: "to_date(text[, pattern])",
        doc: "day of a text, by a pattern of PostgreSQL ('DD.MM.YYYY') or of strftime",
    },
];

/// One of the engine's two functions, which know strftime's patterns alone.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ReadTime {
    engine: Arc<ScalarUDF>,
}

impl ReadTime {
    pub(super) fn over(engine: Arc<ScalarUDF>) -> Self {
        Self { engine }
    }

    fn read(&self, texts: &ArrayRef, pattern: &str, kind: &DataType) -> Result<ArrayRef> {
        let told = |fault| exec_datafusion_err!("{}: {fault}", self.engine.name());
        let pattern = Pattern::read(pattern).map_err(told)?;
        let texts = cast(texts, &DataType::Utf8)?;
        let times = texts.as_string::<i32>().iter().map(|text| {
            let time = text.map(|text| pattern.parse(text).map_err(told));
            time.transpose()
        });
        let times: Vec<Option<NaiveDateTime>> = times.collect::<Result<_>>()?;
        if *kind == DataType::Date32 {
            let days = times
                .into_iter()
                .map(|time| time.map(|time| Date32Type::from_naive_date(time.date())));
            return Ok(Arc::new(days.collect::<Date32Array>()));
        }
        let nanos = times.into_iter().map(|time| {
            let Some(time) = time else { return Ok(None) };
            let nanos = time.and_utc().timestamp_nanos_opt();
            nanos
                .map(Some)
                .ok_or_else(|| told(format!("{time} is outside the years 1678 to 2261")))
        });
        let nanos: TimestampNanosecondArray = nanos.collect::<Result<_>>()?;
        Ok(cast(&nanos.with_timezone("+00:00"), kind)?)
    }
}

/// The pattern of a call, when it is one of PostgreSQL's.
fn pattern(args: &[ColumnarValue]) -> Option<&str> {
    let [text, ColumnarValue::Scalar(pattern)] = args else {
        return None;
    };
    let is_text = text.data_type().is_string();
    let pattern = pattern.try_as_str().flatten()?;
    (is_text && is_one(pattern)).then_some(pattern)
}

impl ScalarUDFImpl for ReadTime {
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn aliases(&self) -> &[String] {
        self.engine.aliases()
    }

    fn signature(&self) -> &Signature {
        self.engine.signature()
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        self.engine.return_type(given)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.engine.return_field_from_args(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(pattern) = pattern(&args.args) else {
            return self.engine.invoke_with_args(args);
        };
        let kind = args.return_field.data_type();
        match &args.args[0] {
            ColumnarValue::Array(texts) => {
                Ok(ColumnarValue::Array(self.read(texts, pattern, kind)?))
            }
            ColumnarValue::Scalar(text) => {
                let one = self.read(&text.to_array()?, pattern, kind)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&one, 0)?))
            }
        }
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.engine.simplify(args, info)
    }
}
