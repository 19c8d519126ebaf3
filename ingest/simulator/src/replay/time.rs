//! When a row happened: recorded in many forms, as a month only, or not at all.

use chrono::{DateTime, NaiveDate};
use chrono_tz::Tz;
use serde::Deserialize;
use tabular::{Cell, EpochUnit, Misread, Pattern, epoch_ms, in_calendar, local_instant, rfc3339};

use super::convert::{Fault, fault};
use super::files::Values;
use super::plan::{Columns, UnknownColumn};

/// Either a column with its format (and zone, where it is local time), or a start and a step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimeSpec {
    column: Option<String>,
    /// `epoch_s`, `epoch_ms`, `epoch_us`, `epoch_ns`, `rfc3339`, `month` (2018-04) or a pattern such as
    /// `%Y-%m-%d %H:%M:%S`. A Parquet timestamp with a zone is its instant in each but `month`.
    format: Option<String>,
    /// IANA name of the zone local times are in; only for texts that do not say their offset.
    zone: Option<String>,
    /// Time of the first row, where nothing was recorded.
    start: Option<String>,
    /// From one row to the next.
    step_ms: Option<i64>,
}

#[derive(Debug)]
enum Form {
    Epoch(EpochUnit),
    Rfc3339,
    /// Spread over the month by a hash of the row: the same in every replay, at any hour.
    Month(Tz),
    Pattern(Pattern),
}

/// A time specification with its column found in a file.
#[derive(Debug)]
pub(super) struct TimePlan(Kind);

#[derive(Debug)]
enum Kind {
    Recorded {
        column: usize,
        name: String,
        form: Form,
    },
    Spaced {
        start_ms: i64,
        step_ms: i64,
    },
}

impl TimeSpec {
    pub(super) fn faults(&self) -> Vec<String> {
        match (&self.column, &self.start) {
            (Some(_), None) => self.form().err().into_iter().collect(),
            (None, Some(_)) => self.spacing().err().into_iter().collect(),
            _ => vec!["time needs either column and format, or start and step_ms".into()],
        }
    }

    fn form(&self) -> Result<Form, String> {
        let format = self.format.as_deref().ok_or("time.format is missing")?;
        let instant = match format {
            "epoch_s" => Form::Epoch(EpochUnit::Seconds),
            "epoch_ms" => Form::Epoch(EpochUnit::Millis),
            "epoch_us" => Form::Epoch(EpochUnit::Micros),
            "epoch_ns" => Form::Epoch(EpochUnit::Nanos),
            "rfc3339" => Form::Rfc3339,
            "month" => {
                let zone = self.zone()?;
                return zone
                    .map(Form::Month)
                    .ok_or_else(|| "time.zone is missing: a month begins by a local clock".into());
            }
            pattern if pattern.contains('%') => {
                return Pattern::new(pattern, self.zone()?).map(Form::Pattern);
            }
            other => {
                return Err(format!(
                    "time.format {other:?} is none of epoch_s, epoch_ms, epoch_us, epoch_ns, rfc3339, month or a % pattern"
                ));
            }
        };
        match &self.zone {
            None => Ok(instant),
            Some(zone) => Err(format!(
                "time.zone {zone:?} contradicts time.format {format:?}, whose times are instants: leave the zone out"
            )),
        }
    }

    fn zone(&self) -> Result<Option<Tz>, String> {
        let read = |name: &String| {
            name.parse()
                .map_err(|_| format!("time.zone {name:?} is not an IANA time zone"))
        };
        self.zone.as_ref().map(read).transpose()
    }

    fn spacing(&self) -> Result<Kind, String> {
        let start = self.start.as_deref().unwrap_or_default();
        let start = DateTime::parse_from_rfc3339(start)
            .map_err(|error| format!("time.start {start:?}: {error}"))?;
        let step_ms = self.step_ms.ok_or("time.step_ms is missing")?;
        Ok(Kind::Spaced {
            start_ms: start.timestamp_millis(),
            step_ms,
        })
    }

    pub(super) fn resolve(&self, columns: &Columns<'_>) -> Result<TimePlan, UnknownColumn> {
        let checked = "the mapping was checked when it was read";
        let Some(name) = &self.column else {
            return Ok(TimePlan(self.spacing().expect(checked)));
        };
        let column = columns.find(name)?;
        let form = self.form().expect(checked);
        Ok(TimePlan(Kind::Recorded {
            column,
            name: name.clone(),
            form,
        }))
    }
}

impl TimePlan {
    /// Returns the row's time in ms since 1970; `fraction`, of 0 to 1, places it within its month.
    pub(super) fn read(&self, row: Values<'_>, number: u64, fraction: f64) -> Result<i64, Fault> {
        match &self.0 {
            Kind::Spaced { start_ms, step_ms } => {
                let steps = i64::try_from(number - 1).unwrap_or(i64::MAX);
                let time_ms = steps.saturating_mul(*step_ms).saturating_add(*start_ms);
                in_calendar(time_ms).map_err(|why| Fault {
                    reason: why.reason(),
                    detail: format!("row {number} of time.start and time.step_ms"),
                })
            }
            Kind::Recorded { column, name, form } => {
                let cell = row.cell(*column);
                form.read(cell, fraction)
                    .map_err(|why| fault(why.reason(), name, cell.text()))
            }
        }
    }
}

impl Form {
    fn read(&self, cell: Cell<'_>, fraction: f64) -> Result<i64, Misread> {
        match self {
            Self::Epoch(unit) => epoch_ms(cell, *unit),
            Self::Rfc3339 => in_calendar(rfc3339(cell)?.timestamp_millis()),
            Self::Pattern(pattern) => pattern.read_ms(cell),
            Self::Month(zone) => month(cell.text(), *zone, fraction),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a month has 2.7e9 ms")]
#[expect(
    clippy::cast_possible_truncation,
    reason = "a fraction of a month fits"
)]
fn month(text: &str, zone: Tz, fraction: f64) -> Result<i64, Misread> {
    let first = NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d")
        .map_err(|_| Misread::NotTime)?;
    let next = first
        .checked_add_months(chrono::Months::new(1))
        .ok_or(Misread::NotTime)?;
    let midnight = |day: NaiveDate| {
        let begin = local_instant(zone, day.and_time(chrono::NaiveTime::MIN))?;
        Ok::<_, Misread>(begin.timestamp_millis())
    };
    let (start_ms, end_ms) = (midnight(first)?, midnight(next)?);
    in_calendar(start_ms + (((end_ms - start_ms) as f64) * fraction) as i64)
}

#[cfg(test)]
mod tests {
    use tabular::Spelling;

    use super::*;

    fn spec(format: &str, zone: Option<&str>) -> TimeSpec {
        TimeSpec {
            column: Some("t".into()),
            format: Some(format.into()),
            zone: zone.map(str::to_owned),
            start: None,
            step_ms: None,
        }
    }

    fn read(form: &Form, text: &str, fraction: f64) -> Result<i64, Misread> {
        form.read(Cell::new(text, Spelling::Text), fraction)
    }

    #[test]
    fn a_month_holds_all_its_fractions_and_no_more() {
        let india = spec("month", Some("Asia/Kolkata")).form().expect("known");
        let start = 1_522_521_000_000; // 2018-04-01T00:00+05:30
        assert_eq!(read(&india, "2018-04", 0.0), Ok(start));
        let last = read(&india, "2018-04", 0.999_999_999_9).expect("the month is a month");
        assert!((start..start + 30 * 86_400_000).contains(&last));
        assert!(read(&india, "2018-13", 0.5).is_err());
        assert_eq!(read(&india, "1926-04", 0.5), Err(Misread::OutOfTime));
    }

    #[test]
    fn a_zone_is_for_local_times_and_for_nothing_else() {
        for (format, zone, told) in [
            ("%F %T", None, "time.zone is missing"),
            ("month", None, "time.zone is missing"),
            ("%F %T %z", Some("UTC"), "contradict each other"),
            ("epoch_s", Some("Asia/Shanghai"), "contradicts time.format"),
            ("rfc3339", Some("UTC"), "contradicts time.format"),
            ("epoch", None, "is none of epoch_s, epoch_ms"),
        ] {
            let fault = spec(format, zone)
                .form()
                .expect_err("it contradicts itself");
            assert!(fault.contains(told), "{format}: {fault}");
        }
    }

    #[test]
    fn an_instant_of_a_column_of_instants_is_taken_whatever_the_format() {
        let cell = Cell::new("2026-11-03T10:00:00Z", Spelling::Instant);
        for format in ["epoch_s", "epoch_ns", "rfc3339", "%F %T %z"] {
            let form = spec(format, None).form().expect("known");
            assert_eq!(form.read(cell, 0.0), Ok(1_793_700_000_000), "{format}");
        }
    }
}
