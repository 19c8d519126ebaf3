//! A pattern of time texts, such as `%Y-%m-%d %H:%M:%S`: no part of it is skipped when a text is read.

use std::fmt::Write as _;

use chrono::format::{Fixed, Item, Numeric, Parsed, StrftimeItems, parse};
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::{Cell, Misread, in_calendar, local_instant, rfc3339};

/// A checked pattern, with the zone its times are in where the texts do not say it.
#[derive(Debug, Clone)]
pub struct Pattern {
    items: Vec<Item<'static>>,
    /// `None` where the texts have an offset, or count seconds.
    zone: Option<Tz>,
}

impl Pattern {
    /// Checks a pattern in the letters of `strftime`.
    ///
    /// # Errors
    /// When a letter is unknown or would be skipped, when no date with a time of day comes out, or
    /// when both or neither of an offset in the pattern and a zone say which instant is meant.
    pub fn new(pattern: &str, zone: Option<Tz>) -> Result<Self, String> {
        // Elsewhere %f is a fraction of any length; here it would count nanoseconds.
        let pattern = pattern.replace(".%f", "%.f");
        let items = StrftimeItems::new(&pattern)
            .parse_to_owned()
            .map_err(|_| format!("time.format {pattern:?} has a part that does not exist"))?;
        let counts_nanos = |item: &Item<'_>| matches!(item, Item::Numeric(Numeric::Nanosecond, _));
        if items.iter().any(counts_nanos) {
            return Err(format!(
                "time.format {pattern:?}: %f counts nanoseconds; a fraction of a second is %.f, or %3f without a point"
            ));
        }
        if items.contains(&Item::Fixed(Fixed::TimezoneName)) || pattern.contains("%#z") {
            return Err(format!(
                "time.format {pattern:?}: names of zones (%Z) and parts of offsets (%#z) are not read; an offset is %z, or leave it out and declare time.zone"
            ));
        }
        let own = items.iter().find(|item| says_instant(item));
        match (own.is_some(), zone) {
            (true, Some(zone)) => Err(format!(
                "time.format {pattern:?} and time.zone {:?} contradict each other: the texts say which instant they mean, leave the zone out",
                zone.name()
            )),
            (false, None) => Err("time.zone is missing: the format is local time".to_owned()),
            _ => Self { items, zone }.checked(&pattern),
        }
    }

    /// Writes a time and reads it back: a pattern that cannot do that leaves something out.
    fn checked(self, pattern: &str) -> Result<Self, String> {
        let probe = NaiveDate::from_ymd_opt(2026, 11, 3).and_then(|day| day.and_hms_opt(22, 20, 0));
        let probe = probe.map(|local| local.and_utc());
        let mut text = String::new();
        let written =
            probe.map(|time| write!(text, "{}", time.format_with_items(self.items.iter())));
        let back = match written {
            Some(Ok(())) => self.parsed(&text).ok(),
            _ => None,
        };
        let same = match (back, probe, self.zone) {
            (Some(back), Some(probe), Some(zone)) => {
                local_instant(zone, probe.naive_utc()) == Ok(back)
            }
            (back, probe, _) => back.is_some() && back == probe,
        };
        match same {
            true => Ok(self),
            false => Err(format!(
                "time.format {pattern:?} gives no date with a time of day to the minute"
            )),
        }
    }

    /// Reads a text as milliseconds since 1970; a cell that is an instant by its type is that instant.
    ///
    /// # Errors
    /// When the text has another form, or its time lies before 1970 or after 9999.
    pub fn read_ms(&self, cell: Cell<'_>) -> Result<i64, Misread> {
        if cell.is_instant() {
            return in_calendar(rfc3339(cell)?.timestamp_millis());
        }
        in_calendar(self.parsed(cell.text())?.timestamp_millis())
    }

    fn parsed(&self, text: &str) -> Result<DateTime<Utc>, Misread> {
        let mut parsed = Parsed::new();
        parse(&mut parsed, text, self.items.iter()).map_err(|_| Misread::NotTime)?;
        match self.zone {
            Some(zone) => {
                let local = parsed.to_naive_datetime_with_offset(0);
                local_instant(zone, local.map_err(|_| Misread::NotTime)?)
            }
            None => {
                let time = parsed.to_datetime().map_err(|_| Misread::NotTime)?;
                Ok(time.to_utc())
            }
        }
    }
}

fn says_instant(item: &Item<'_>) -> bool {
    match item {
        Item::Numeric(Numeric::Timestamp, _) => true,
        Item::Fixed(fixed) => !matches!(
            fixed,
            Fixed::ShortMonthName
                | Fixed::LongMonthName
                | Fixed::ShortWeekdayName
                | Fixed::LongWeekdayName
                | Fixed::LowerAmPm
                | Fixed::UpperAmPm
                | Fixed::Nanosecond
                | Fixed::Nanosecond3
                | Fixed::Nanosecond6
                | Fixed::Nanosecond9
                | Fixed::Internal(_)
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Spelling;

    fn read(pattern: &str, zone: Option<Tz>, text: &str) -> Result<i64, Misread> {
        let pattern = Pattern::new(pattern, zone).expect("the pattern is whole");
        pattern.read_ms(Cell::new(text, Spelling::Text))
    }

    #[test]
    fn local_times_are_read_in_their_zone() {
        let gnettrack = "%Y.%m.%d_%H.%M.%S";
        let text = "2025.07.18_22.11.08";
        let dakar = read(gnettrack, Some(Tz::Africa__Dakar), text);
        assert_eq!(dakar, Ok(1_752_876_668_000));
        let tehran = read(gnettrack, Some(Tz::Asia__Tehran), text);
        assert_eq!(tehran, Ok(1_752_876_668_000 - 12_600_000));
        assert_eq!(
            read(gnettrack, Some(Tz::UTC), "2025-07-18"),
            Err(Misread::NotTime)
        );
    }

    #[test]
    fn an_hour_that_clocks_skip_is_refused_and_one_shown_twice_is_the_earlier() {
        let berlin = |text| read("%Y-%m-%d %H:%M", Some(Tz::Europe__Berlin), text);
        assert_eq!(berlin("2024-03-31 02:30"), Err(Misread::Skipped));
        assert_eq!(berlin("2024-10-27 02:30"), Ok(1_729_989_000_000));
    }

    #[test]
    fn an_offset_is_the_instant() {
        let read = |pattern, text| read(pattern, None, text);
        let ten_in_utc = Ok(1_793_700_000_000);
        assert_eq!(
            read("%d/%m/%Y %H:%M %z", "03/11/2026 12:00 +0200"),
            ten_in_utc
        );
        assert_eq!(
            read("%Y-%m-%dT%H:%M:%S%:z", "2026-11-03T05:00:00-05:00"),
            ten_in_utc
        );
        assert_eq!(read("%s", "1793700000"), ten_in_utc);
    }

    #[test]
    fn a_fraction_is_one_however_it_is_asked_for() {
        for pattern in ["%F %T.%f", "%F %T%.f", "%F %T.%3f"] {
            let read = read(pattern, Some(Tz::UTC), "2026-11-03 10:00:00.250");
            assert_eq!(read, Ok(1_793_700_000_250), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_would_skip_something_is_refused() {
        let fault = |pattern, zone| {
            Pattern::new(pattern, zone)
                .expect_err("it skips")
                .to_string()
        };
        for (pattern, zone, told) in [
            ("%F %T %z", Some(Tz::UTC), "contradict each other"),
            ("%+", Some(Tz::UTC), "contradict each other"),
            ("%F %T %Z", Some(Tz::UTC), "names of zones"),
            ("%F %T", None, "time.zone is missing"),
            ("%F", Some(Tz::UTC), "no date with a time of day"),
            ("%m-%d %T", Some(Tz::UTC), "no date with a time of day"),
            ("%F %I:%M", Some(Tz::UTC), "no date with a time of day"),
            ("%H%M%S%f %F", Some(Tz::UTC), "%f counts nanoseconds"),
            ("%F %Q", Some(Tz::UTC), "does not exist"),
        ] {
            let fault = fault(pattern, zone);
            assert!(fault.contains(told), "{pattern}: {fault}");
        }
        let read = read("%F %I:%M %p", Some(Tz::UTC), "2026-11-03 10:00 PM");
        assert_eq!(read, Ok(1_793_700_000_000 + 43_200_000));
    }
}
