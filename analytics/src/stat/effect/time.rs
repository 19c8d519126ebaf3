//! Periods in order: numbers, or dates with the year first. A day stands for its beginning, in UTC
//! where it is beside times with an offset.

use chrono::{DateTime, Utc};
use schemas::ids::trimmed;
use tabular::{Cell, Grain, Misread, Moment, Spelling};

use crate::stat::StatError;
use crate::stat::input::Table;

const EXPECTED: &str = "a number, or a date with the year first";

/// The period of each row, on a scale of whole numbers that keeps the order, and the first after.
pub(super) struct Time {
    pub(super) periods: Vec<i64>,
    pub(super) start: i64,
}

impl Time {
    pub(super) fn of(table: &Table, start: Option<&str>) -> Result<Self, StatError> {
        match start {
            Some(start) if table.has("period") => Self::by_period(table, start),
            Some(_) if table.has("post") => Err(StatError::Option(
                "--start is for a column period, the file has post".to_owned(),
            )),
            None if table.has("post") => Ok(Self {
                periods: table.flags("post")?.into_iter().map(i64::from).collect(),
                start: 1,
            }),
            None if table.has("period") => Err(StatError::Option(
                "--start is needed with a column period: its first value after the intervention"
                    .to_owned(),
            )),
            _ => Err(table.lacks("post or period")),
        }
    }

    fn by_period(table: &Table, start: &str) -> Result<Self, StatError> {
        let moments = table.values("period", EXPECTED, Moment::read)?;
        let given = Cell::new(trimmed(start), Spelling::Text);
        let start = Moment::read(given).map_err(|why| {
            let hint = match why {
                Misread::YearLast => format!(": {why}"),
                _ => String::new(),
            };
            StatError::Option(format!("--start {start:?} is not {EXPECTED}{hint}"))
        })?;
        comparable(moments.iter().chain([&start]))?;
        let mut distinct: Vec<Key> = moments.iter().map(Key::of).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let rank = |moment: &Moment| {
            let key = Key::of(moment);
            distinct.partition_point(|known| *known < key) as i64
        };
        Ok(Self {
            periods: moments.iter().map(rank).collect(),
            start: rank(&start),
        })
    }
}

/// Where a period lies among others of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key(i128);

impl Key {
    fn of(moment: &Moment) -> Self {
        let nanos = |time: DateTime<Utc>| {
            i128::from(time.timestamp()) * 1_000_000_000 + i128::from(time.timestamp_subsec_nanos())
        };
        Self(match moment {
            Moment::Number(number) => {
                // The order of `total_cmp`, as it is defined.
                let bits = number.to_bits().cast_signed();
                i128::from(bits ^ (((bits >> 63).cast_unsigned()) >> 1).cast_signed())
            }
            Moment::Local { begin, .. } => nanos(begin.and_utc()),
            Moment::Instant(time) => nanos(*time),
        })
    }
}

/// Checks that periods have an order among each other: what has none would be put in one by chance.
fn comparable<'m>(moments: impl Iterator<Item = &'m Moment> + Clone) -> Result<(), StatError> {
    let any = |is: fn(&Moment) -> bool| moments.clone().any(is);
    let numbers = any(|moment| matches!(moment, Moment::Number(_)));
    let instants = any(|moment| matches!(moment, Moment::Instant(_)));
    let local_times = any(|moment| matches!(grain(moment), Some(Grain::Time)));
    let days = any(|moment| matches!(grain(moment), Some(Grain::Day)));
    let weeks = any(|moment| matches!(grain(moment), Some(Grain::Week)));
    let months = any(|moment| matches!(grain(moment), Some(Grain::Month)));
    let quarters = any(|moment| matches!(grain(moment), Some(Grain::Quarter)));
    let dates = instants || local_times || days || weeks || months || quarters;
    let wrong = |what: &str| Err(StatError::Option(what.to_owned()));
    if numbers && dates {
        return wrong("--start and the column period are not all numbers or all dates");
    }
    if instants && local_times {
        return wrong(
            "of --start and the column period some times have an offset and some have none: which comes first is unknown",
        );
    }
    let grains = [instants || local_times || days, weeks, months, quarters];
    if grains.into_iter().filter(|there| *there).count() > 1 {
        return wrong(
            "--start and the column period are not all days and times, all weeks, all months or all quarters",
        );
    }
    Ok(())
}

const fn grain(moment: &Moment) -> Option<Grain> {
    match moment {
        Moment::Local { grain, .. } => Some(*grain),
        Moment::Number(_) | Moment::Instant(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Moment {
        Moment::read(Cell::new(text, Spelling::Text)).expect(text)
    }

    #[test]
    fn periods_are_ordered_as_time_goes() {
        for (earlier, later) in [
            ("9", "10"),
            ("-1", "0.5"),
            ("-2", "-1"),
            ("2026-11-01", "2026-11-02"),
            ("2026-W9", "2026-W10"),
            ("2026-Sep-15", "2026-Oct-02"),
            ("2026-11-01 09:00", "2026-11-01 10:00"),
            ("2026-11-01 10:00 AM", "2026-11-01 01:00 PM"),
            ("2026-11-02T00:30:00+08:00", "2026-11-01T17:00:00Z"),
            ("2026-11-01", "2026-11-01T00:00:01Z"),
        ] {
            let (earlier, later) = (read(earlier), read(later));
            assert!(Key::of(&earlier) < Key::of(&later), "{earlier:?} {later:?}");
        }
        assert_eq!(Key::of(&read("-0")), Key::of(&read("0")));
    }

    #[test]
    fn what_has_no_order_among_each_other_is_refused() {
        let check = |texts: &[&str]| {
            let moments: Vec<Moment> = texts.iter().map(|text| read(text)).collect();
            comparable(moments.iter()).map_err(|error| error.to_string())
        };
        for texts in [
            &["1", "2.5"][..],
            &[
                "2026-11-01",
                "2026-11-01T08:00:00Z",
                "2026-11-02T08:00:00+08:00",
            ],
            &["2026-11-01", "2026-11-01 08:00"],
            &["2026-W45", "2026-W46"],
        ] {
            assert_eq!(check(texts), Ok(()), "{texts:?}");
        }
        for (texts, told) in [
            (&["1", "2026-11-01"][..], "not all numbers or all dates"),
            (
                &["2026-11-01 08:00", "2026-11-01T08:00:00Z"],
                "some have none",
            ),
            (&["2026-W45", "2026-11-04"], "all weeks"),
            (&["2026-11", "2026-Q4"], "all quarters"),
        ] {
            let error = check(texts).expect_err("no order");
            assert!(error.contains(told), "{error}");
        }
    }
}
