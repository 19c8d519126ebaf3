//! A cell read as an instant: a number since 1970 in a declared unit, or a text with its offset.

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;

use crate::{Cell, Misread};

/// What a number of time counts since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpochUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

/// Latest time taken, the end of the year 9999: beyond it times have no common text form.
const LATEST_MS: i64 = 253_402_300_799_999;
/// Times of terminals lie between 2000 and 2100; what does not, in another unit often does.
const LIKELY_MS: std::ops::Range<i64> = 946_684_800_000..4_102_444_800_000;

impl EpochUnit {
    const ALL: [Self; 4] = [Self::Seconds, Self::Millis, Self::Micros, Self::Nanos];

    const fn nanos(self) -> i128 {
        match self {
            Self::Seconds => 1_000_000_000,
            Self::Millis => 1_000_000,
            Self::Micros => 1_000,
            Self::Nanos => 1,
        }
    }

    /// Says that times are in this unit although another one is declared.
    pub(crate) const fn mistaken(self) -> &'static str {
        match self {
            Self::Seconds => "time is in another unit: by its size it counts seconds (epoch_s)",
            Self::Millis => {
                "time is in another unit: by its size it counts milliseconds (epoch_ms)"
            }
            Self::Micros => {
                "time is in another unit: by its size it counts microseconds (epoch_us)"
            }
            Self::Nanos => "time is in another unit: by its size it counts nanoseconds (epoch_ns)",
        }
    }
}

/// Reads a number of `unit` since 1970 as milliseconds.
///
/// # Errors
/// When it is no number, lost digits, lies before 1970 or after 9999, or is likely of another unit.
pub fn epoch_ms(cell: Cell<'_>, unit: EpochUnit) -> Result<i64, Misread> {
    if cell.is_instant() {
        return in_calendar(rfc3339(cell)?.timestamp_millis());
    }
    let billionths = billionths(cell)?;
    let millis = |unit: EpochUnit| {
        // Half a millisecond counts as one; beyond any time it stays beyond.
        let nanos = billionths.saturating_mul(unit.nanos()) / 1_000_000_000;
        i64::try_from((nanos + 500_000).div_euclid(1_000_000)).unwrap_or(i64::MAX)
    };
    let time_ms = millis(unit);
    if LIKELY_MS.contains(&time_ms) {
        return Ok(time_ms);
    }
    let mut others = EpochUnit::ALL.into_iter().filter(|other| *other != unit);
    match others.find(|other| LIKELY_MS.contains(&millis(*other))) {
        Some(other) => Err(Misread::OtherUnit(other)),
        None => in_calendar(time_ms),
    }
}

/// Reads a decimal number as billionths, exactly.
fn billionths(cell: Cell<'_>) -> Result<i128, Misread> {
    const PLACES: usize = 9;
    let text = cell.text();
    let (unsigned, sign) = match text.strip_prefix('-') {
        Some(unsigned) => (unsigned, -1),
        None => (text.strip_prefix('+').unwrap_or(text), 1),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        // An exponent is the one thing that is a number and not these digits.
        return Err(match text.parse::<f64>().is_ok_and(f64::is_finite) {
            true => Misread::Shortened,
            false => Misread::NotTime,
        });
    }
    if whole.len() > 20 {
        return Err(Misread::OutOfTime);
    }
    let places: String = fraction.chars().take(PLACES).collect();
    let number = format!("{whole}{places:0<PLACES$}");
    let number: i128 = number.parse().map_err(|_| Misread::NotTime)?;
    Ok(sign * number)
}

/// Reads a text of RFC 3339, which says its offset.
///
/// # Errors
/// When it is none, or has no offset.
pub fn rfc3339(cell: Cell<'_>) -> Result<DateTime<Utc>, Misread> {
    let text = cell.text();
    match DateTime::parse_from_rfc3339(text) {
        Ok(time) => Ok(time.into()),
        Err(_) if DateTime::parse_from_rfc3339(&format!("{text}Z")).is_ok() => Err(Misread::NoZone),
        Err(_) => Err(Misread::NotTime),
    }
}

/// Takes a time, in milliseconds, of the years 1970 to 9999.
///
/// # Errors
/// When it lies before or after them.
pub fn in_calendar(time_ms: i64) -> Result<i64, Misread> {
    match (0..=LATEST_MS).contains(&time_ms) {
        true => Ok(time_ms),
        false => Err(Misread::OutOfTime),
    }
}

/// Returns the instant of a local time; of the two of an hour that clocks show twice, the earlier.
///
/// # Errors
/// When clocks of the zone never show it.
pub fn local_instant(zone: Tz, local: NaiveDateTime) -> Result<DateTime<Utc>, Misread> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => Ok(time.to_utc()),
        LocalResult::None => Err(Misread::Skipped),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Spelling;

    fn read(text: &str, unit: EpochUnit) -> Result<i64, Misread> {
        epoch_ms(Cell::new(text, Spelling::Text), unit)
    }

    #[test]
    fn epochs_keep_their_milliseconds_in_every_unit() {
        for (text, unit, time_ms) in [
            ("1659662197.25", EpochUnit::Seconds, 1_659_662_197_250),
            ("1659662197.2506", EpochUnit::Seconds, 1_659_662_197_251),
            ("1749227331837", EpochUnit::Millis, 1_749_227_331_837),
            ("1749227331837500", EpochUnit::Micros, 1_749_227_331_838),
            ("1749227331837499999", EpochUnit::Nanos, 1_749_227_331_837),
            ("1000", EpochUnit::Millis, 1000),
            ("0", EpochUnit::Seconds, 0),
        ] {
            assert_eq!(read(text, unit), Ok(time_ms), "{text}");
        }
    }

    #[test]
    fn a_time_in_another_unit_is_told_with_the_likely_one() {
        let of = |unit: EpochUnit| match unit {
            EpochUnit::Seconds => "1793700000",
            EpochUnit::Millis => "1793700000000",
            EpochUnit::Micros => "1793700000000000",
            EpochUnit::Nanos => "1793700000000000000",
        };
        for declared in EpochUnit::ALL {
            for real in EpochUnit::ALL.into_iter().filter(|real| *real != declared) {
                assert_eq!(read(of(real), declared), Err(Misread::OtherUnit(real)));
            }
        }
        let told = Misread::OtherUnit(EpochUnit::Seconds).to_string();
        assert!(told.contains("seconds (epoch_s)"), "{told}");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for (text, why) in [
            ("1.7937E+12", Misread::Shortened),
            ("NaN", Misread::NotTime),
            ("", Misread::NotTime),
            ("soon", Misread::NotTime),
            ("-1793700000", Misread::OutOfTime),
            ("999999999999999999999999", Misread::OutOfTime),
            ("99999999999999999999", Misread::OutOfTime),
        ] {
            assert_eq!(read(text, EpochUnit::Seconds), Err(why), "{text}");
        }
    }

    #[test]
    fn a_text_needs_its_offset() {
        let read = |text| rfc3339(Cell::new(text, Spelling::Text)).map(|t| t.timestamp());
        assert_eq!(
            read("2026-11-03T10:00:00+02:00"),
            read("2026-11-03T08:00:00Z")
        );
        assert_eq!(read("2026-11-03T10:00:00"), Err(Misread::NoZone));
        assert_eq!(read("2026-11-03"), Err(Misread::NotTime));
    }
}
