//! A cell read as a period: a number, or a date with the year first and whatever of it is there.
//! Texts that look like dates are never compared as texts: each is parsed whole, or refused.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Utc, Weekday};

use crate::date::has_year_last;
use crate::{Cell, Misread};

/// A period as a cell has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Moment {
    /// A number, such as a week of an experiment.
    Number(f64),
    /// The beginning of a day, week, month or quarter, or a time, by a clock nobody named.
    Local {
        /// When it begins.
        begin: NaiveDateTime,
        /// How long it is.
        grain: Grain,
    },
    /// A time with its offset.
    Instant(DateTime<Utc>),
}

/// How exact a date is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// A time of day.
    Time,
    /// A day.
    Day,
    /// A week of ISO 8601, from Monday.
    Week,
    /// A month.
    Month,
    /// A quarter of a year.
    Quarter,
}

impl Moment {
    /// Reads `7`, `2026-11-04`, `2026/11/4`, `2026-Nov-04`, `2026-11`, `2026-W45`, `2026-Q4`, each day
    /// also with a time: `15:00`, `03:00 PM`, `15:00:00.5+08:00`, `15:00Z`.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn read(cell: Cell<'_>) -> Result<Self, Misread> {
        let text = cell.text();
        if text.is_empty() {
            return Err(Misread::Missing);
        }
        if let Ok(number) = text.parse::<f64>() {
            // Adding zero makes -0 the same period as 0.
            let number = number.is_finite().then_some(Self::Number(number + 0.0));
            return number.ok_or(Misread::NotTime);
        }
        dated(text).ok_or(match has_year_last(text) {
            true => Misread::YearLast,
            false => Misread::NotTime,
        })
    }
}

fn dated(text: &str) -> Option<Moment> {
    let (day, clock) = split_clock(text);
    let (date, grain) = calendar(day)?;
    let Some(clock) = clock else {
        let begin = date.and_time(NaiveTime::MIN);
        return Some(Moment::Local { begin, grain });
    };
    if grain != Grain::Day {
        return None;
    }
    let (clock, offset) = split_offset(clock)?;
    let local = date.and_time(time_of_day(clock)?);
    match offset {
        Some(offset) => {
            let time = local.and_local_timezone(offset).single()?;
            Some(Moment::Instant(time.to_utc()))
        }
        None => Some(Moment::Local {
            begin: local,
            grain: Grain::Time,
        }),
    }
}

/// Splits at the blank or the T between a day and its time.
fn split_clock(text: &str) -> (&str, Option<&str>) {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let is_gap = |at: &usize| match bytes[*at] {
        b' ' => true,
        b'T' | b't' => *at > 0 && digit(at - 1) && digit(at + 1),
        _ => false,
    };
    match (0..bytes.len()).find(is_gap) {
        Some(at) => (&text[..at], Some(text[at + 1..].trim())),
        None => (text, None),
    }
}

fn calendar(day: &str) -> Option<(NaiveDate, Grain)> {
    let (year, rest) = day.split_at_checked(4)?;
    let year: i32 = number(year)?.try_into().ok()?;
    let first = |month| NaiveDate::from_ymd_opt(year, month, 1);
    let separator = rest.chars().next()?;
    let rest = rest.strip_prefix(['-', '/', '.']).unwrap_or(rest);
    if let Some(week) = rest.strip_prefix(['W', 'w']) {
        let monday = NaiveDate::from_isoywd_opt(year, number(week)?, Weekday::Mon)?;
        return Some((monday, Grain::Week));
    }
    if let Some(quarter) = rest.strip_prefix(['Q', 'q']) {
        let quarter = number(quarter).filter(|quarter| (1..=4).contains(quarter))?;
        return Some((first(quarter * 3 - 2)?, Grain::Quarter));
    }
    if !matches!(separator, '-' | '/' | '.') {
        return None;
    }
    match rest.split_once(separator) {
        None => Some((first(month(rest)?)?, Grain::Month)),
        Some((name, day)) => {
            let date = NaiveDate::from_ymd_opt(year, month(name)?, number(day)?)?;
            Some((date, Grain::Day))
        }
    }
}

/// Reads one or two digits, or four of a year.
fn number(text: &str) -> Option<u32> {
    let fits = matches!(text.len(), 1 | 2 | 4) && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

/// Reads a month by number, or by its English name.
fn month(text: &str) -> Option<u32> {
    if text.len() <= 2 {
        return number(text);
    }
    text.parse::<chrono::Month>()
        .ok()
        .map(|month| month.number_from_month())
}

/// Splits off `Z`, `UTC`, `+08:00`, `+0800` or `+08`.
fn split_offset(clock: &str) -> Option<(&str, Option<FixedOffset>)> {
    let utc = FixedOffset::east_opt(0);
    for ending in ["Z", "z", "UTC", "GMT"] {
        if let Some(clock) = clock.strip_suffix(ending) {
            return Some((clock.trim_end(), utc));
        }
    }
    let Some(at) = clock.rfind(['+', '-']) else {
        return Some((clock, None));
    };
    let (clock, offset) = clock.split_at(at);
    let digits = offset[1..].replace(':', "");
    let (hours, minutes) = match digits.len() {
        2 => (number(&digits)?, 0),
        4 => (number(&digits[..2])?, number(&digits[2..])?),
        _ => return None,
    };
    let east = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    let east = if offset.starts_with('-') { -east } else { east };
    Some((clock.trim_end(), Some(FixedOffset::east_opt(east)?)))
}

/// Reads `15:00`, `15:00:00`, `15:00:00.25` and `03:00 PM`.
fn time_of_day(clock: &str) -> Option<NaiveTime> {
    let lower = clock.to_ascii_lowercase();
    let half = [("am", 0), ("pm", 12)]
        .into_iter()
        .find_map(|(word, hours)| Some((lower.strip_suffix(word)?.trim_end(), hours)));
    let (clock, from_noon) = match half {
        Some((clock, hours)) => (clock, Some(hours)),
        None => (lower.as_str(), None),
    };
    let mut parts = clock.splitn(3, ':');
    let (hour, minute) = (number(parts.next()?)?, number(parts.next()?)?);
    let hour = match from_noon {
        Some(hours) => (1..=12).contains(&hour).then_some(hour % 12 + hours)?,
        None => hour,
    };
    let (second, fraction) = parts
        .next()
        .map_or(("0", ""), |rest| rest.split_once('.').unwrap_or((rest, "")));
    if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos = format!("{fraction:0<9}").parse().ok()?;
    NaiveTime::from_hms_nano_opt(hour, minute, number(second)?, nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Spelling;

    fn read(text: &str) -> Result<Moment, Misread> {
        Moment::read(Cell::new(text, Spelling::Text))
    }

    fn local(text: &str, grain: Grain) -> Moment {
        let begin = format!("{text}:00").parse().expect("a local time");
        Moment::Local { begin, grain }
    }

    #[test]
    fn a_date_is_read_whole_however_people_write_it() {
        for (text, begin, grain) in [
            ("2026-11-04", "2026-11-04T00:00", Grain::Day),
            ("2026/11/4", "2026-11-04T00:00", Grain::Day),
            ("2026-Nov-04", "2026-11-04T00:00", Grain::Day),
            ("2026-OCT-4", "2026-10-04T00:00", Grain::Day),
            ("2026-September-30", "2026-09-30T00:00", Grain::Day),
            ("2026-11", "2026-11-01T00:00", Grain::Month),
            ("2026-W9", "2026-02-23T00:00", Grain::Week),
            ("2026W45", "2026-11-02T00:00", Grain::Week),
            ("2026-Q4", "2026-10-01T00:00", Grain::Quarter),
            ("2026-11-04 15:00", "2026-11-04T15:00", Grain::Time),
            ("2026-11-04T15:00:00", "2026-11-04T15:00", Grain::Time),
            ("2026-11-04 03:00 PM", "2026-11-04T15:00", Grain::Time),
            ("2026-11-04 12:30am", "2026-11-04T00:30", Grain::Time),
        ] {
            assert_eq!(read(text), Ok(local(begin, grain)), "{text}");
        }
    }

    #[test]
    fn an_offset_makes_an_instant() {
        let at = "2026-11-04T07:00:00Z".parse().expect("an instant");
        for text in [
            "2026-11-04T07:00:00Z",
            "2026-11-04 15:00+08:00",
            "2026-11-04T15:00:00.000+0800",
            "2026-11-04 02:00 AM -05",
            "2026-11-04 07:00 UTC",
        ] {
            assert_eq!(read(text), Ok(Moment::Instant(at)), "{text}");
        }
    }

    #[test]
    fn what_has_no_order_is_no_period() {
        assert_eq!(read("-0"), Ok(Moment::Number(0.0)));
        for text in [
            "before",
            "NaN",
            "W5",
            "2026-11-04 13:00 PM",
            "2026-11-04 later",
            "2026-Foo-04",
            "2026-13-01",
            "2026-11-31",
            "2026-W60",
            "2026-11 10:00",
            "2026-Q5",
            "2026_11_04",
            "2026-11-04 24:00",
            "2026-11/04",
        ] {
            assert_eq!(read(text), Err(Misread::NotTime), "{text}");
        }
        for text in ["01/11/2026", "26-11-01"] {
            assert_eq!(read(text), Err(Misread::YearLast), "{text}");
        }
        assert_eq!(read(""), Err(Misread::Missing));
    }
}
