//! Patterns of times as PostgreSQL writes them (`YYYY-MM-DD HH24:MI:SS`): owns what they mean, for
//! writing and for reading. A pattern with a `%` is strftime's and none of these.

use std::borrow::Cow;
use std::fmt::Write;

use chrono::format::{Parsed, StrftimeItems, parse};
use chrono::{Datelike, NaiveDateTime, NaiveTime, Timelike};

/// A place in a pattern where a part of a time stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Year(u32),
    IsoYear,
    Month,
    MonthName,
    MonthShort,
    Day,
    DayOfYear,
    DayOfWeek,
    IsoDayOfWeek,
    DayName,
    DayShort,
    Hour24,
    Hour12,
    Minute,
    Second,
    SecondOfDay,
    Fraction(u32),
    Meridiem,
    MeridiemDots,
    Zone,
    Offset,
    OffsetHour,
    OffsetMinute,
    Week,
    WeekOfMonth,
    IsoWeek,
    Quarter,
}

/// Longer names first, where one begins another. Letters may be of either case.
const FIELDS: [(&str, Field); 41] = [
    ("YYYY", Field::Year(4)),
    ("YYY", Field::Year(3)),
    ("YY", Field::Year(2)),
    ("Y", Field::Year(1)),
    ("IYYY", Field::IsoYear),
    ("IW", Field::IsoWeek),
    ("ID", Field::IsoDayOfWeek),
    ("MONTH", Field::MonthName),
    ("MON", Field::MonthShort),
    ("MM", Field::Month),
    ("MI", Field::Minute),
    ("MS", Field::Fraction(3)),
    ("DDD", Field::DayOfYear),
    ("DD", Field::Day),
    ("DAY", Field::DayName),
    ("DY", Field::DayShort),
    ("D", Field::DayOfWeek),
    ("HH24", Field::Hour24),
    ("HH12", Field::Hour12),
    ("HH", Field::Hour12),
    ("SSSSS", Field::SecondOfDay),
    ("SSSS", Field::SecondOfDay),
    ("SS", Field::Second),
    ("US", Field::Fraction(6)),
    ("FF1", Field::Fraction(1)),
    ("FF2", Field::Fraction(2)),
    ("FF3", Field::Fraction(3)),
    ("FF4", Field::Fraction(4)),
    ("FF5", Field::Fraction(5)),
    ("FF6", Field::Fraction(6)),
    ("AM", Field::Meridiem),
    ("PM", Field::Meridiem),
    ("A.M.", Field::MeridiemDots),
    ("P.M.", Field::MeridiemDots),
    ("TZH", Field::OffsetHour),
    ("TZM", Field::OffsetMinute),
    ("TZ", Field::Zone),
    ("OF", Field::Offset),
    ("WW", Field::Week),
    ("W", Field::WeekOfMonth),
    ("Q", Field::Quarter),
];

/// How the letters of a name are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Upper,
    Title,
    Lower,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Part {
        field: Field,
        case: Case,
        /// Neither zeros nor spaces fill it up (`FM`).
        is_bare: bool,
    },
}

/// A pattern that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Piece>);

/// Whether a pattern is one of these.
pub(super) fn is_one(pattern: &str) -> bool {
    !pattern.contains('%')
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// With the letters that are no part of a time: text goes in double quotes.
    pub(super) fn read(pattern: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = pattern;
        while let Some(first) = rest.chars().next() {
            if first == '"' {
                let end = rest[1..].find('"');
                let end =
                    end.ok_or_else(|| format!("the pattern {pattern:?} has an open quote"))?;
                text(&mut pieces, &rest[1..=end]);
                rest = &rest[end + 2..];
                continue;
            }
            let is_bare = rest
                .get(..2)
                .is_some_and(|two| two.eq_ignore_ascii_case("FM"));
            let from = if is_bare { &rest[2..] } else { rest };
            if let Some((name, field)) = field_at(from) {
                let case = case_of(&from[..name.len()]);
                pieces.push(Piece::Part {
                    field,
                    case,
                    is_bare,
                });
                rest = &from[name.len()..];
            } else if first.is_ascii_alphabetic() && !"TZ".contains(first) {
                let word: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
                return Err(format!(
                    "the pattern {pattern:?} has {word:?}, which is no part of a time: \
                     patterns are such as 'YYYY-MM-DD HH24:MI:SS', text in them goes in double \
                     quotes, and strftime's are such as '%Y-%m-%d'"
                ));
            } else {
                // T and Z are what ISO 8601 has between day and time, and behind a time in UTC.
                text(&mut pieces, &rest[..first.len_utf8()]);
                rest = &rest[first.len_utf8()..];
            }
        }
        Ok(Self(pieces))
    }

    /// Writes a local time of a zone.
    pub(super) fn write(&self, local: NaiveDateTime, zone: &Zone<'_>) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Part {
                    field,
                    case,
                    is_bare,
                } => out.push_str(&part(*field, *case, *is_bare, local, zone)),
            }
        }
        out
    }

    /// Reads a time; what the pattern leaves out is the first of its kind, the zone UTC.
    ///
    /// # Errors
    /// When the text is not as the pattern says.
    pub(super) fn parse(&self, text: &str) -> Result<NaiveDateTime, String> {
        let format = self.strftime()?;
        let mut parsed = Parsed::new();
        let fault = |error| format!("{text:?} is not as its pattern says: {error}");
        parse(&mut parsed, text, StrftimeItems::new(&format)).map_err(fault)?;
        if !(self.has(&[Field::Day, Field::DayOfYear])) {
            parsed.set_day(1).map_err(fault)?;
            if !self.has(&[Field::Month, Field::MonthName, Field::MonthShort]) {
                parsed.set_month(1).map_err(fault)?;
            }
        }
        let date = parsed.to_naive_date().map_err(fault)?;
        let time = if self.has(&[Field::Hour24, Field::Hour12]) {
            if !self.has(&[Field::Minute]) {
                parsed.set_minute(0).map_err(fault)?;
            }
            parsed.to_naive_time().map_err(fault)?
        } else {
            NaiveTime::MIN
        };
        let offset = parsed
            .to_fixed_offset()
            .map_or(0, |offset| offset.local_minus_utc());
        Ok(date.and_time(time) - chrono::TimeDelta::seconds(offset.into()))
    }

    fn has(&self, fields: &[Field]) -> bool {
        self.0
            .iter()
            .any(|piece| matches!(piece, Piece::Part { field, .. } if fields.contains(field)))
    }

    /// Writes the pattern as strftime has it, for reading.
    fn strftime(&self) -> Result<String, String> {
        let mut format = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => format.push_str(&text.replace('%', "%%")),
                Piece::Part {
                    field: Field::Fraction(digits),
                    ..
                } => {
                    // Behind a point however many digits there are.
                    if format.ends_with('.') {
                        format.pop();
                        format.push_str("%.f");
                    } else if matches!(digits, 3 | 6) {
                        write!(format, "%{digits}f").expect("writing to a string succeeds");
                    } else {
                        return Err("a fraction is read behind a point".into());
                    }
                }
                Piece::Part { field, .. } => format.push_str(read_as(*field)?),
            }
        }
        Ok(format)
    }
}

fn text(pieces: &mut Vec<Piece>, more: &str) {
    match pieces.last_mut() {
        Some(Piece::Text(text)) => text.push_str(more),
        _ => pieces.push(Piece::Text(more.to_owned())),
    }
}

fn field_at(rest: &str) -> Option<(&'static str, Field)> {
    let begins = |name: &str| {
        rest.get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name))
    };
    FIELDS.into_iter().find(|(name, _)| begins(name))
}

fn case_of(written: &str) -> Case {
    let mut letters = written.chars().filter(char::is_ascii_alphabetic);
    match (letters.next(), letters.next()) {
        (Some(first), _) if first.is_ascii_lowercase() => Case::Lower,
        (_, Some(second)) if second.is_ascii_lowercase() => Case::Title,
        _ => Case::Upper,
    }
}

fn read_as(field: Field) -> Result<&'static str, String> {
    Ok(match field {
        Field::Year(4) => "%Y",
        Field::Year(2) => "%y",
        Field::Month => "%m",
        Field::MonthName | Field::MonthShort => "%B",
        Field::Day => "%d",
        Field::DayOfYear => "%j",
        Field::DayName | Field::DayShort => "%A",
        Field::Hour24 => "%H",
        Field::Hour12 => "%I",
        Field::Minute => "%M",
        Field::Second => "%S",
        Field::Meridiem => "%p",
        Field::Offset | Field::OffsetHour => "%#z",
        other => return Err(format!("no time can be read by {other:?} of a pattern")),
    })
}

/// What a written time says of its zone.
#[derive(Debug, Clone)]
pub(super) struct Zone<'a> {
    /// Its name.
    pub(super) name: Cow<'a, str>,
    /// Seconds ahead of UTC; none for a time without a zone.
    pub(super) offset_s: Option<i32>,
}

fn part(field: Field, case: Case, is_bare: bool, at: NaiveDateTime, zone: &Zone<'_>) -> String {
    let number = |number: u32, width: usize| match is_bare {
        true => number.to_string(),
        false => format!("{number:0width$}"),
    };
    let name = |text: String, width: usize| {
        let text = match case {
            Case::Upper => text.to_uppercase(),
            Case::Title => text,
            Case::Lower => text.to_lowercase(),
        };
        match is_bare {
            true => text,
            false => format!("{text:width$}"),
        }
    };
    let offset_minutes = zone.offset_s.unwrap_or(0) / 60;
    match field {
        Field::Year(digits) => {
            let modulus = 10_i32.pow(digits);
            let year = if digits == 4 {
                at.year()
            } else {
                at.year().rem_euclid(modulus)
            };
            let width = digits as usize;
            if is_bare {
                year.to_string()
            } else {
                format!("{year:0width$}")
            }
        }
        Field::IsoYear => at.iso_week().year().to_string(),
        Field::Month => number(at.month(), 2),
        Field::MonthName => name(at.format("%B").to_string(), 9),
        Field::MonthShort => name(at.format("%b").to_string(), 3),
        Field::Day => number(at.day(), 2),
        Field::DayOfYear => number(at.ordinal(), 3),
        Field::DayOfWeek => number(at.weekday().number_from_sunday(), 1),
        Field::IsoDayOfWeek => number(at.weekday().number_from_monday(), 1),
        Field::DayName => name(at.format("%A").to_string(), 9),
        Field::DayShort => name(at.format("%a").to_string(), 3),
        Field::Hour24 => number(at.hour(), 2),
        Field::Hour12 => number(at.hour12().1, 2),
        Field::Minute => number(at.minute(), 2),
        Field::Second => number(at.second(), 2),
        Field::SecondOfDay => number(at.num_seconds_from_midnight(), 1),
        Field::Fraction(digits) => {
            let width = digits as usize;
            let fraction = at.nanosecond() % 1_000_000_000 / 10_u32.pow(9 - digits);
            format!("{fraction:0width$}")
        }
        Field::Meridiem => name(if at.hour() < 12 { "AM" } else { "PM" }.into(), 2),
        Field::MeridiemDots => name(if at.hour() < 12 { "A.M." } else { "P.M." }.into(), 4),
        Field::Zone => match case {
            Case::Lower => zone.name.to_lowercase(),
            _ => zone.name.clone().into_owned(),
        },
        Field::Offset => match offset_minutes % 60 {
            0 => format!("{:+03}", offset_minutes / 60),
            minutes => format!("{:+03}:{:02}", offset_minutes / 60, minutes.abs()),
        },
        Field::OffsetHour => format!("{:+03}", offset_minutes / 60),
        Field::OffsetMinute => format!("{:02}", (offset_minutes % 60).abs()),
        Field::Week => number(at.ordinal0() / 7 + 1, 2),
        Field::WeekOfMonth => number(at.day0() / 7 + 1, 1),
        Field::IsoWeek => number(at.iso_week().week(), 2),
        Field::Quarter => number(at.month0() / 3 + 1, 1),
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    fn written(pattern: &str) -> String {
        let date = NaiveDate::from_ymd_opt(2026, 3, 7).expect("a day");
        let time = date.and_hms_micro_opt(14, 5, 9, 123_456).expect("a time");
        let zone = Zone {
            name: "Europe/Paris".into(),
            offset_s: Some(3_600),
        };
        Pattern::read(pattern)
            .expect("a pattern")
            .write(time, &zone)
    }

    #[test]
    fn a_time_is_written_as_postgresql_does() {
        for (pattern, expected) in [
            ("YYYY-MM-DD HH24:MI:SS", "2026-03-07 14:05:09"),
            ("yyyy-mm-dd hh24:mi", "2026-03-07 14:05"),
            ("YYYY-MM-DDTHH24:MI:SS.MSOF", "2026-03-07T14:05:09.123+01"),
            ("FMDD.FMMM.YY", "7.3.26"),
            ("Dy DD Mon, HH12:MI am", "Sat 07 Mar, 02:05 pm"),
            ("Month|FMMonth|MON", "March    |March|MAR"),
            ("IYYY-\"W\"IW-ID", "2026-W10-6"),
            ("YYYY\" quarter \"Q", "2026 quarter 1"),
            ("DDD D US TZ", "066 7 123456 Europe/Paris"),
            ("TZH:TZM W WW", "+01:00 1 10"),
        ] {
            assert_eq!(written(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn letters_that_are_no_part_of_a_time_are_told() {
        for pattern in ["YYYY-MM-DD at HH24", "xyz", "YYYY \"open"] {
            assert!(Pattern::read(pattern).is_err(), "{pattern}");
        }
        assert!(is_one("YYYY") && !is_one("%Y"));
    }

    #[test]
    fn a_time_is_read_by_its_pattern_and_what_is_left_out_is_the_first() {
        for (pattern, text, expected) in [
            (
                "YYYY-MM-DD HH24:MI:SS.US",
                "2026-11-21 10:20:30.000500",
                "2026-11-21T10:20:30.000500",
            ),
            ("YYYY-MM-DD", "2026-11-21", "2026-11-21T00:00:00"),
            (
                "DD Mon YYYY HH12 PM",
                "21 Nov 2026 3 PM",
                "2026-11-21T15:00:00",
            ),
            ("YYYY-MM", "2026-11", "2026-11-01T00:00:00"),
            ("YYYY", "2026", "2026-01-01T00:00:00"),
            (
                "YYYY-MM-DD HH24:MIOF",
                "2026-11-21 10:20+02:00",
                "2026-11-21T08:20:00",
            ),
        ] {
            let time = Pattern::read(pattern).expect("a pattern").parse(text);
            let expected: NaiveDateTime = expected.parse().expect("a time");
            assert_eq!(time, Ok(expected), "{pattern}");
        }
        let day = Pattern::read("DD.MM.YYYY").expect("a pattern");
        assert!(day.parse("2026-11-21").is_err());
        assert!(day.parse("31.02.2026").is_err());
    }
}
