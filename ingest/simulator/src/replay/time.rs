//! When a row happened: recorded in many forms, as a month only, or not at all.

use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, TimeZone};
use chrono_tz::Tz;
use serde::Deserialize;

use super::field::{Fault, fault};
use super::files::Values;
use super::plan::{Columns, UnknownColumn};

/// Either a column with its format (and zone, where it is local time), or a start and a step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimeSpec {
    column: Option<String>,
    /// `epoch_s`, `epoch_ms`, `rfc3339`, `month` (2018-04) or a pattern such as `%Y-%m-%d %H:%M:%S`.
    format: Option<String>,
    /// IANA name of the zone local times are in.
    zone: Option<String>,
    /// Time of the first row, where nothing was recorded.
    start: Option<String>,
    /// From one row to the next.
    step_ms: Option<i64>,
}

#[derive(Debug)]
enum Form {
    EpochSeconds,
    EpochMillis,
    Rfc3339,
    /// Spread over the month by a hash of the row: the same in every replay, at any hour.
    Month(Tz),
    Local(String, Tz),
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

/// Latest time taken, the end of the year 9999: beyond it times have no common text form.
const LATEST_MS: i64 = 253_402_300_799_999;

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
        match format {
            "epoch_s" => Ok(Form::EpochSeconds),
            "epoch_ms" => Ok(Form::EpochMillis),
            "rfc3339" => Ok(Form::Rfc3339),
            "month" => Ok(Form::Month(self.tz()?)),
            pattern if pattern.contains('%') => Ok(Form::Local(pattern.to_owned(), self.tz()?)),
            other => Err(format!(
                "time.format {other:?} is none of epoch_s, epoch_ms, rfc3339, month or a % pattern"
            )),
        }
    }

    fn tz(&self) -> Result<Tz, String> {
        let name = self
            .zone
            .as_deref()
            .ok_or("time.zone is missing: the format is local time")?;
        name.parse()
            .map_err(|_| format!("time.zone {name:?} is not an IANA time zone"))
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

    pub(super) fn resolve(&self, columns: &Columns) -> Result<TimePlan, UnknownColumn> {
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
    pub(super) fn read(&self, row: &Values, number: u64, fraction: f64) -> Result<i64, Fault> {
        match &self.0 {
            Kind::Spaced { start_ms, step_ms } => {
                let steps = i64::try_from(number - 1).expect("a file has fewer than 2^63 rows");
                Ok(start_ms + steps * step_ms)
            }
            Kind::Recorded { column, name, form } => {
                let text = row.get(*column);
                let refuse = |reason| fault(reason, name, text);
                let time_ms = form.read(text, fraction).map_err(refuse)?;
                match (0..=LATEST_MS).contains(&time_ms) {
                    true => Ok(time_ms),
                    false => Err(refuse("time is before 1970 or after 9999")),
                }
            }
        }
    }
}

const NO_TIME: &str = "time is not in the format";

impl Form {
    fn read(&self, text: &str, fraction: f64) -> Result<i64, &'static str> {
        match self {
            Self::EpochSeconds => epoch(text, 1000.0),
            Self::EpochMillis => epoch(text, 1.0),
            Self::Rfc3339 => DateTime::parse_from_rfc3339(text)
                .map(|time| time.timestamp_millis())
                .map_err(|_| NO_TIME),
            Self::Local(pattern, zone) => {
                let local = NaiveDateTime::parse_from_str(text, pattern).map_err(|_| NO_TIME)?;
                instant(*zone, local)
            }
            Self::Month(zone) => month(text, *zone, fraction),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked before"
)]
fn epoch(text: &str, scale: f64) -> Result<i64, &'static str> {
    let time_ms = text.parse::<f64>().map_err(|_| NO_TIME)? * scale;
    match time_ms.abs() <= 1e15 {
        true => Ok(time_ms.round() as i64),
        false => Err("time is before 1970 or after 9999"),
    }
}

/// Of the two instants of an hour that clocks show twice, the earlier.
fn instant(zone: Tz, local: NaiveDateTime) -> Result<i64, &'static str> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => Ok(time.timestamp_millis()),
        LocalResult::None => Err("local time does not exist in the zone"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a month has 2.7e9 ms")]
#[expect(
    clippy::cast_possible_truncation,
    reason = "a fraction of a month fits"
)]
fn month(text: &str, zone: Tz, fraction: f64) -> Result<i64, &'static str> {
    let first =
        NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").map_err(|_| NO_TIME)?;
    let next = first
        .checked_add_months(chrono::Months::new(1))
        .ok_or(NO_TIME)?;
    let midnight = |day: NaiveDate| instant(zone, day.and_time(chrono::NaiveTime::MIN));
    let (start_ms, end_ms) = (midnight(first)?, midnight(next)?);
    Ok(start_ms + (((end_ms - start_ms) as f64) * fraction) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(format: &str, zone: &str) -> Form {
        let spec = TimeSpec {
            column: Some("t".into()),
            format: Some(format.into()),
            zone: Some(zone.into()),
            start: None,
            step_ms: None,
        };
        spec.form().expect("the format is known")
    }

    #[test]
    fn local_times_are_read_in_their_zone() {
        let dakar = form("%Y.%m.%d_%H.%M.%S", "Africa/Dakar");
        assert_eq!(
            dakar.read("2025.07.18_22.11.08", 0.0),
            Ok(1_752_876_668_000)
        );
        let tehran = form("%Y.%m.%d_%H.%M.%S", "Asia/Tehran");
        assert_eq!(
            tehran.read("2025.07.18_22.11.08", 0.0),
            Ok(1_752_876_668_000 - 12_600_000)
        );
        assert_eq!(dakar.read("2025-07-18", 0.0), Err(NO_TIME));
    }

    #[test]
    fn an_hour_that_clocks_skip_is_refused_and_one_shown_twice_is_the_earlier() {
        let berlin = form("%Y-%m-%d %H:%M", "Europe/Berlin");
        assert!(berlin.read("2024-03-31 02:30", 0.0).is_err());
        assert_eq!(berlin.read("2024-10-27 02:30", 0.0), Ok(1_729_989_000_000));
    }

    #[test]
    fn a_month_holds_all_its_fractions_and_no_more() {
        let india = form("month", "Asia/Kolkata");
        let start = 1_522_521_000_000; // 2018-04-01T00:00+05:30
        assert_eq!(india.read("2018-04", 0.0), Ok(start));
        let last = india
            .read("2018-04", 0.999_999_999_9)
            .expect("the month is a month");
        assert!((start..start + 30 * 86_400_000).contains(&last));
        assert!(india.read("2018-13", 0.5).is_err());
    }

    #[test]
    fn epochs_keep_their_milliseconds() {
        assert_eq!(
            form("epoch_s", "UTC").read("1659662197.25", 0.0),
            Ok(1_659_662_197_250)
        );
        assert_eq!(
            form("epoch_ms", "UTC").read("1749227331837", 0.0),
            Ok(1_749_227_331_837)
        );
        assert!(form("epoch_ms", "UTC").read("NaN", 0.0).is_err());
    }
}
