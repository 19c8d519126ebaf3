//! `to_char`: times as text, by PostgreSQL's patterns or strftime's.

use std::str::FromStr;
use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, NaiveDateTime, Offset, TimeZone};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::FunctionDoc;
use super::time_pattern::{Pattern, Zone, is_one};

pub(super) const DOC: FunctionDoc = FunctionDoc {
    name: "to_char",
    usage: "to_char(time, pattern)",
    doc: "the time as text, by a pattern of PostgreSQL ('YYYY-MM-DD HH24:MI') or of strftime ('%Y-%m-%d %H:%M')",
};

/// Ours for times and days; durations and times of day are left to the engine.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ToChar {
    engine: Arc<ScalarUDF>,
    signature: Signature,
}

impl ToChar {
    pub(super) fn over(engine: Arc<ScalarUDF>) -> Self {
        Self {
            engine,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

fn is_ours(kind: &DataType) -> bool {
    matches!(kind, DataType::Timestamp(..))
}

impl ScalarUDFImpl for ToChar {
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn aliases(&self) -> &[String] {
        self.engine.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [time, pattern] = given else {
            return plan_err!("to_char is called as {}", DOC.usage);
        };
        if !(pattern.is_string() || pattern.is_null()) {
            return plan_err!("a pattern of to_char is a text, not {pattern}");
        }
        let time = match time {
            DataType::Date32 | DataType::Date64 | DataType::Null => {
                DataType::Timestamp(TimeUnit::Microsecond, None)
            }
            DataType::Timestamp(..)
            | DataType::Time32(_)
            | DataType::Time64(_)
            | DataType::Duration(_)
            | DataType::Interval(_) => time.clone(),
            other if other.is_numeric() => {
                return plan_err!(
                    "to_char writes times; for the number use round(x, 2) or cast(x as varchar)"
                );
            }
            other => {
                return plan_err!("to_char takes a time, not {other}: write cast(x as timestamp)");
            }
        };
        Ok(vec![time, DataType::Utf8])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if !is_ours(&args.args[0].data_type()) {
            return self.engine.invoke_with_args(args);
        }
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let texts = written(&arrays[0], &arrays[1])?;
        match args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)))
        {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &texts, 0,
            )?)),
            false => Ok(ColumnarValue::Array(texts)),
        }
    }
}

/// A pattern of either kind.
enum Form<'a> {
    Postgres(Pattern),
    Strftime(Vec<Item<'a>>),
}

impl<'a> Form<'a> {
    fn read(pattern: &'a str) -> Result<Self> {
        if is_one(pattern) {
            let pattern = Pattern::read(pattern);
            return Ok(Self::Postgres(
                pattern.map_err(|fault| exec_datafusion_err!("to_char: {fault}"))?,
            ));
        }
        let items: Vec<Item<'_>> = StrftimeItems::new(pattern).collect();
        if items.contains(&Item::Error) {
            return Err(exec_datafusion_err!(
                "to_char cannot use the pattern {pattern:?}, strftime's are such as '%Y-%m-%d'"
            ));
        }
        Ok(Self::Strftime(items))
    }
}

fn written(times: &ArrayRef, patterns: &ArrayRef) -> Result<ArrayRef> {
    let DataType::Timestamp(_, zone) = times.data_type() else {
        return plan_err!("to_char is called as {}", DOC.usage);
    };
    let tz = zone.as_deref().map(Tz::from_str).transpose()?;
    let micros = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
    let counts = cast(&cast(times, &micros)?, &DataType::Int64)?;
    let counts = counts.as_primitive::<Int64Type>();
    let mut known: Option<(&str, Form<'_>)> = None;
    let mut texts = Vec::with_capacity(counts.len());
    for (pattern, count) in patterns.as_string::<i32>().iter().zip(counts) {
        let (Some(pattern), Some(time)) =
            (pattern, count.and_then(DateTime::from_timestamp_micros))
        else {
            texts.push(None);
            continue;
        };
        if known.as_ref().is_none_or(|(last, _)| *last != pattern) {
            known = Some((pattern, Form::read(pattern)?));
        }
        let form = known.as_ref().map(|(_, form)| form);
        let name = zone.as_deref().unwrap_or("");
        texts.push(form.map(|form| write(form, time.naive_utc(), tz, name)));
    }
    Ok(Arc::new(StringArray::from(texts)))
}

fn write(form: &Form<'_>, utc: NaiveDateTime, tz: Option<Tz>, name: &str) -> String {
    let offset = tz.map(|tz| tz.offset_from_utc_datetime(&utc).fix());
    let local = offset.map_or(utc, |offset| utc + offset);
    match (form, offset) {
        (Form::Postgres(pattern), _) => {
            let is_utc = matches!(name, "UTC" | "Z" | "+00:00");
            let zone = Zone {
                name: if is_utc { "UTC" } else { name }.into(),
                offset_s: offset.map(|offset| offset.local_minus_utc()),
            };
            pattern.write(local, &zone)
        }
        (Form::Strftime(items), Some(offset)) => {
            let time = offset.from_utc_datetime(&utc);
            time.format_with_items(items.iter()).to_string()
        }
        // A time without a zone is written as if it were UTC.
        (Form::Strftime(items), None) => utc.and_utc().format_with_items(items.iter()).to_string(),
    }
}
