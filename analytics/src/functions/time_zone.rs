//! `timezone`, which is what `at time zone` is: local time as on a clock there, and back.
//!
//! As in PostgreSQL and DuckDB an instant becomes a time without a zone, so each row may have a zone
//! of its own and nothing that is written calls it UTC; a time without a zone becomes an instant.

use std::str::FromStr;
use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{
    ArrayRef, AsArray, Int64Array, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, TimestampSecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use chrono::{DateTime, LocalResult, Offset, TimeDelta, TimeZone};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, plan_err};
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::FunctionDoc;
use super::date_part::per_second;

pub(super) const DOC: FunctionDoc = FunctionDoc {
    name: "timezone",
    usage: "timezone(zone, time) or time AT TIME ZONE zone",
    doc: "time on a clock in the zone, without a zone; the other way round for a time without a zone. The zone may be a column",
};
/// The zone of instants made here, as the session's.
const UTC: &str = "+00:00";

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct TimeZoneFunction {
    signature: Signature,
}

impl TimeZoneFunction {
    pub(super) fn new() -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for TimeZoneFunction {
    fn name(&self) -> &str {
        DOC.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [zone, time] = given else {
            return plan_err!("timezone is called as {}", DOC.usage);
        };
        if !(zone.is_string() || zone.is_null()) {
            return plan_err!("a time zone is a name such as 'Europe/Paris', not {zone}");
        }
        let time = match time {
            DataType::Timestamp(..) => time.clone(),
            DataType::Date32 | DataType::Null => DataType::Timestamp(TimeUnit::Microsecond, None),
            other => {
                return plan_err!(
                    "at time zone takes a time, not {other}: write timestamp '2026-11-21 12:00' \
                     for a time without a zone and timestamptz '2026-11-21 12:00Z' for an instant"
                );
            }
        };
        Ok(vec![DataType::Utf8, time])
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        match given {
            [_, DataType::Timestamp(unit, None)] => {
                Ok(DataType::Timestamp(*unit, Some(UTC.into())))
            }
            [_, DataType::Timestamp(unit, Some(_))] => Ok(DataType::Timestamp(*unit, None)),
            _ => plan_err!("timezone is called as {}", DOC.usage),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let moved = moved(&arrays[0], &arrays[1])?;
        match args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)))
        {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &moved, 0,
            )?)),
            false => Ok(ColumnarValue::Array(moved)),
        }
    }

    /// What is asked of local time is asked of the instant, which files have the bounds of.
    fn preimage(
        &self,
        args: &[Expr],
        value: &Expr,
        info: &SimplifyContext,
    ) -> Result<PreimageResult> {
        let [Expr::Literal(ScalarValue::Utf8(Some(zone)), _), instant] = args else {
            return Ok(PreimageResult::None);
        };
        let DataType::Timestamp(unit, Some(stored)) = info.get_data_type(instant)? else {
            return Ok(PreimageResult::None);
        };
        let Some(local) = count_of(value, unit) else {
            return Ok(PreimageResult::None);
        };
        let Some(at) = read_zone(zone)?.only_instant(local, unit) else {
            return Ok(PreimageResult::None);
        };
        let bound = |count| timestamp(count, unit, &stored);
        let interval = Interval::try_new(bound(at), bound(at.saturating_add(1)))?;
        Ok(PreimageResult::Range {
            expr: instant.clone(),
            interval: Box::new(interval),
        })
    }
}

fn timestamp(count: i64, unit: TimeUnit, zone: &Arc<str>) -> ScalarValue {
    let (count, zone) = (Some(count), Some(Arc::clone(zone)));
    match unit {
        TimeUnit::Second => ScalarValue::TimestampSecond(count, zone),
        TimeUnit::Millisecond => ScalarValue::TimestampMillisecond(count, zone),
        TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(count, zone),
        TimeUnit::Nanosecond => ScalarValue::TimestampNanosecond(count, zone),
    }
}

/// The literal of a time without a zone, in its unit.
fn count_of(value: &Expr, unit: TimeUnit) -> Option<i64> {
    match (value, unit) {
        (Expr::Literal(ScalarValue::TimestampSecond(count, None), _), TimeUnit::Second)
        | (
            Expr::Literal(ScalarValue::TimestampMillisecond(count, None), _),
            TimeUnit::Millisecond,
        )
        | (
            Expr::Literal(ScalarValue::TimestampMicrosecond(count, None), _),
            TimeUnit::Microsecond,
        )
        | (Expr::Literal(ScalarValue::TimestampNanosecond(count, None), _), TimeUnit::Nanosecond) => {
            *count
        }
        _ => None,
    }
}

struct Zone(Tz);

fn read_zone(name: &str) -> Result<Zone> {
    let zone = Tz::from_str(name.trim());
    zone.map(Zone).map_err(|_| {
        exec_datafusion_err!(
            "there is no time zone {name:?}, names are such as 'Europe/Paris' or '+02:00'"
        )
    })
}

impl Zone {
    /// The seconds local time is ahead of UTC at an instant.
    fn offset_at(&self, utc_s: i64) -> Option<i64> {
        let utc = DateTime::from_timestamp(utc_s, 0)?.naive_utc();
        let offset = self.0.offset_from_utc_datetime(&utc).fix();
        Some(offset.local_minus_utc().into())
    }

    fn local(&self, count: i64, unit: TimeUnit) -> Option<i64> {
        let offset = self.offset_at(count.div_euclid(per_second(unit)))?;
        count.checked_add(offset * per_second(unit))
    }

    fn offsets_of(&self, local_s: i64) -> Option<LocalResult<i64>> {
        let local = DateTime::from_timestamp(local_s, 0)?.naive_utc();
        let offsets = self.0.offset_from_local_datetime(&local);
        Some(offsets.map(|offset| offset.fix().local_minus_utc().into()))
    }

    /// The instant of a local time. One that a clock shows twice is the later, as in PostgreSQL; one
    /// that it leaves out is counted on from before.
    fn instant(&self, count: i64, unit: TimeUnit) -> Option<i64> {
        let local_s = count.div_euclid(per_second(unit));
        let offset = match self.offsets_of(local_s)? {
            LocalResult::Single(offset) => offset,
            LocalResult::Ambiguous(one, other) => one.min(other),
            LocalResult::None => self.offset_at(local_s - TimeDelta::days(1).num_seconds())?,
        };
        count.checked_sub(offset * per_second(unit))
    }

    /// The instant of a local time that a clock shows once: before it are all earlier local times.
    fn only_instant(&self, count: i64, unit: TimeUnit) -> Option<i64> {
        match self.offsets_of(count.div_euclid(per_second(unit)))? {
            LocalResult::Single(offset) => count.checked_sub(offset * per_second(unit)),
            _ => None,
        }
    }
}

fn moved(zones: &ArrayRef, times: &ArrayRef) -> Result<ArrayRef> {
    let DataType::Timestamp(unit, stored) = times.data_type().clone() else {
        return plan_err!("timezone is called as {}", DOC.usage);
    };
    let counts = cast(times, &DataType::Int64)?;
    let counts = counts.as_primitive::<arrow::datatypes::Int64Type>();
    let mut known: Option<(&str, Zone)> = None;
    let mut moved = Vec::with_capacity(counts.len());
    for (name, count) in zones.as_string::<i32>().iter().zip(counts) {
        let (Some(name), Some(count)) = (name, count) else {
            moved.push(None);
            continue;
        };
        if known.as_ref().is_none_or(|(last, _)| *last != name) {
            known = Some((name, read_zone(name)?));
        }
        let zone = known.as_ref().map(|(_, zone)| zone);
        moved.push(zone.and_then(|zone| match stored {
            Some(_) => zone.local(count, unit),
            None => zone.instant(count, unit),
        }));
    }
    let zone: Option<Arc<str>> = stored.is_none().then(|| UTC.into());
    let counts = Int64Array::from(moved);
    let (_, values, nulls) = counts.into_parts();
    Ok(match unit {
        TimeUnit::Second => {
            Arc::new(TimestampSecondArray::new(values, nulls).with_timezone_opt(zone))
        }
        TimeUnit::Millisecond => {
            Arc::new(TimestampMillisecondArray::new(values, nulls).with_timezone_opt(zone))
        }
        TimeUnit::Microsecond => {
            Arc::new(TimestampMicrosecondArray::new(values, nulls).with_timezone_opt(zone))
        }
        TimeUnit::Nanosecond => {
            Arc::new(TimestampNanosecondArray::new(values, nulls).with_timezone_opt(zone))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: TimeUnit = TimeUnit::Second;

    fn seconds(text: &str) -> i64 {
        let time: DateTime<chrono::Utc> = text.parse().expect("a time");
        time.timestamp()
    }

    #[test]
    fn a_clock_shows_the_time_of_its_zone_and_season() {
        let paris = read_zone("Europe/Paris").expect("a zone");
        for (utc, local) in [
            ("2026-01-15T12:00:00Z", "2026-01-15T13:00:00Z"),
            ("2026-07-15T12:00:00Z", "2026-07-15T14:00:00Z"),
        ] {
            assert_eq!(paris.local(seconds(utc), UNIT), Some(seconds(local)));
            assert_eq!(paris.instant(seconds(local), UNIT), Some(seconds(utc)));
        }
        assert!(read_zone("Europe/Pariss").is_err());
        assert!(read_zone("-05:30").is_ok());
    }

    #[test]
    fn an_hour_shown_twice_is_the_later_and_none_the_one_after() {
        let paris = read_zone("Europe/Paris").expect("a zone");
        let twice = seconds("2026-10-25T02:30:00Z");
        assert_eq!(
            paris.instant(twice, UNIT),
            Some(seconds("2026-10-25T01:30:00Z"))
        );
        assert_eq!(paris.only_instant(twice, UNIT), None);
        let never = seconds("2026-03-29T02:30:00Z");
        assert_eq!(
            paris.instant(never, UNIT),
            Some(seconds("2026-03-29T01:30:00Z"))
        );
        assert_eq!(paris.only_instant(never, UNIT), None);
    }
}
