//! Periods in order: numbers, or dates with the year first.

use std::cmp::Ordering;

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
        let start = Moment::read(start)
            .ok_or_else(|| StatError::Option(format!("--start {start:?} is not {EXPECTED}")))?;
        if moments
            .iter()
            .any(|moment| moment.is_date() != start.is_date())
        {
            return Err(StatError::Option(
                "--start and the column period are not all numbers or all dates".to_owned(),
            ));
        }
        let mut distinct: Vec<&Moment> = moments.iter().collect();
        distinct.sort_by(|a, b| a.order(b));
        distinct.dedup_by(|a, b| a.order(b).is_eq());
        let rank =
            |moment: &Moment| distinct.partition_point(|known| known.order(moment).is_lt()) as i64;
        Ok(Self {
            periods: moments.iter().map(rank).collect(),
            start: rank(&start),
        })
    }
}

/// A period.
#[derive(Debug, Clone, PartialEq)]
enum Moment {
    Number(f64),
    /// The digits of a date as numbers, so that week 9 comes before week 10, and a day before its
    /// hours.
    Date(Vec<u64>),
}

impl Moment {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(number) = text.parse::<f64>() {
            // Adding zero makes -0 the same period as 0.
            return number.is_finite().then_some(Self::Number(number + 0.0));
        }
        let groups = text.split(|letter: char| !letter.is_ascii_digit());
        let groups: Vec<&str> = groups.filter(|digits| !digits.is_empty()).collect();
        let year = groups.first()?;
        if year.len() != 4 || !text.starts_with(year) {
            return None;
        }
        let numbers = groups.iter().map(|digits| digits.parse().ok());
        numbers.collect::<Option<_>>().map(Self::Date)
    }

    fn is_date(&self) -> bool {
        matches!(self, Self::Date(_))
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Date(a), Self::Date(b)) => a.cmp(b),
            (Self::Number(_), Self::Date(_)) => Ordering::Less,
            (Self::Date(_), Self::Number(_)) => Ordering::Greater,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_ordered_as_time_goes() {
        for (earlier, later) in [
            ("9", "10"),
            ("-1", "0.5"),
            ("2026-11-01", "2026-11-02"),
            ("2026-W9", "2026-W10"),
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01 09:00", "2026-11-01 10:00"),
        ] {
            let moments = [earlier, later].map(|text| Moment::read(text).expect(text));
            assert!(moments[0].order(&moments[1]).is_lt(), "{earlier} {later}");
        }
    }

    #[test]
    fn what_has_no_order_is_no_period() {
        for text in ["01/11/2026", "before", "NaN", "", "W5", "26-11-01"] {
            assert_eq!(Moment::read(text), None, "{text}");
        }
    }
}
