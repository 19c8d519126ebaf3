//! `date_part`, which is what `extract` is: the engine's own, but for durations.
//!
//! The engine takes a duration for at most 2.1 seconds of nanoseconds and gives whole seconds; the
//! minutes of an hour are 60 to it. Here a duration has the parts that PostgreSQL gives it.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, TimeUnit};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, plan_err};
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

/// The engine's function with durations taken out of it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct DatePart {
    engine: Arc<ScalarUDF>,
}

impl DatePart {
    pub(super) fn over(engine: Arc<ScalarUDF>) -> Self {
        Self { engine }
    }
}

/// The parts of a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Epoch,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
}

impl Part {
    fn named(name: &str) -> Result<Self> {
        Ok(
            match name.trim_matches(['\'', '"']).to_ascii_lowercase().as_str() {
                "epoch" => Self::Epoch,
                "day" | "days" => Self::Day,
                "hour" | "hours" => Self::Hour,
                "minute" | "minutes" => Self::Minute,
                "second" | "seconds" => Self::Second,
                "millisecond" | "milliseconds" => Self::Millisecond,
                "microsecond" | "microseconds" => Self::Microsecond,
                other => {
                    return plan_err!(
                        "a duration has no {other}, only epoch (all of it in seconds), day, hour, \
                     minute, second, millisecond and microsecond"
                    );
                }
            },
        )
    }

    /// Returns the part of so many microseconds; what is less is cut off towards zero.
    const fn of_micros(self, micros: i128) -> i128 {
        const SECOND: i128 = 1_000_000;
        match self {
            Self::Epoch => micros / SECOND,
            Self::Day => micros / (86_400 * SECOND),
            Self::Hour => micros / (3_600 * SECOND) % 24,
            Self::Minute => micros / (60 * SECOND) % 60,
            Self::Second => micros / SECOND % 60,
            Self::Millisecond => micros / 1_000 % 60_000,
            Self::Microsecond => micros % (60 * SECOND),
        }
    }
}

/// Returns how many of a unit a second has.
pub(super) const fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

fn part_of(part: Part, durations: &ArrayRef, unit: TimeUnit) -> Result<ArrayRef> {
    let counts = cast(durations, &DataType::Int64)?;
    let counts = counts.as_primitive::<Int64Type>().iter();
    let per_second = per_second(unit);
    if part == Part::Epoch {
        let seconds = counts.map(|count| {
            let count = count?;
            // Whole seconds apart, so that a fraction survives beside years.
            let whole = count.div_euclid(per_second) as f64;
            Some(whole + count.rem_euclid(per_second) as f64 / per_second as f64)
        });
        return Ok(Arc::new(seconds.collect::<Float64Array>()));
    }
    let parts = counts.map(|count| {
        let Some(count) = count else { return Ok(None) };
        let micros = i128::from(count) * 1_000_000 / i128::from(per_second);
        let part = i32::try_from(part.of_micros(micros));
        part.map(Some)
            .map_err(|_| exec_datafusion_err!("a duration of {micros} microseconds is too long"))
    });
    Ok(Arc::new(parts.collect::<Result<Int32Array>>()?))
}

fn text(value: Option<&ScalarValue>) -> Result<&str> {
    match value.and_then(ScalarValue::try_as_str) {
        Some(Some(text)) => Ok(text),
        _ => plan_err!("extract needs the name of a part, such as hour"),
    }
}

impl ScalarUDFImpl for DatePart {
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
        let [_, DataType::Duration(_)] = [0, 1].map(|at| args.arg_fields[at].data_type()) else {
            return self.engine.return_field_from_args(args);
        };
        let kind = match Part::named(text(args.scalar_arguments[0])?)? {
            Part::Epoch => DataType::Float64,
            _ => DataType::Int32,
        };
        Ok(Arc::new(Field::new(self.name(), kind, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let DataType::Duration(unit) = args.arg_fields[1].data_type().clone() else {
            return self.engine.invoke_with_args(args);
        };
        let ColumnarValue::Scalar(name) = &args.args[0] else {
            return plan_err!("extract needs the name of a part, such as hour");
        };
        let part = Part::named(text(Some(name))?)?;
        match &args.args[1] {
            ColumnarValue::Array(durations) => {
                Ok(ColumnarValue::Array(part_of(part, durations, unit)?))
            }
            ColumnarValue::Scalar(duration) => {
                let one = part_of(part, &duration.to_array()?, unit)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&one, 0)?))
            }
        }
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.engine.simplify(args, info)
    }

    fn preimage(
        &self,
        args: &[Expr],
        value: &Expr,
        info: &SimplifyContext,
    ) -> Result<PreimageResult> {
        match info.get_data_type(&args[1])? {
            DataType::Duration(_) => Ok(PreimageResult::None),
            _ => self.engine.preimage(args, value, info),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::DurationMicrosecondArray;
    use arrow::datatypes::{Float64Type, Int32Type};

    use super::*;

    #[test]
    fn a_long_duration_keeps_its_fraction_and_its_parts_are_those_of_a_clock() {
        // 1 day, 1 hour, 2 minutes, 3.25 seconds, and as much before.
        let micros = 90_123_250_000;
        let durations: ArrayRef = Arc::new(DurationMicrosecondArray::from(vec![
            Some(micros),
            Some(-micros),
            None,
        ]));
        let of = |part| part_of(part, &durations, TimeUnit::Microsecond).expect("in range");
        let epoch = of(Part::Epoch);
        let epoch: Vec<_> = epoch.as_primitive::<Float64Type>().iter().collect();
        assert_eq!(epoch, [Some(90_123.25), Some(-90_123.25), None]);
        for (part, expected) in [
            (Part::Day, 1),
            (Part::Hour, 1),
            (Part::Minute, 2),
            (Part::Second, 3),
            (Part::Millisecond, 3_250),
            (Part::Microsecond, 3_250_000),
        ] {
            let found = of(part);
            let found: Vec<_> = found.as_primitive::<Int32Type>().iter().collect();
            assert_eq!(found, [Some(expected), Some(-expected), None], "{part:?}");
        }
        assert!(Part::named("month").is_err());
    }
}
