//! When a merchant is open, in seconds of a UTC day.

use chrono::{Days, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

/// Seconds of a day.
pub(super) const DAY_S: u32 = 86_400;

/// Returns the begin of a UTC day, in µs since the epoch.
pub(in crate::analyze) fn midnight_us(day: NaiveDate) -> i64 {
    day.and_time(NaiveTime::MIN).and_utc().timestamp_micros()
}

/// Parts of a UTC day, in order and apart: `from` inclusive, `to` exclusive, in s since midnight.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct OpenHours(Vec<(u32, u32)>);

impl OpenHours {
    /// Returns the parts of `day` at which it is open by its own clock; `None` when that cannot be told.
    ///
    /// Closing at or before opening means past midnight; equal times mean always open.
    pub(super) fn of(day: NaiveDate, zone: &str, opens: &str, closes: &str) -> Option<Self> {
        let zone: Tz = zone.parse().ok()?;
        let [opens, closes] =
            [opens, closes].map(|text| NaiveTime::parse_from_str(text, "%H:%M").ok());
        let (opens, closes) = (opens?, closes?);
        let midnight = day.and_time(NaiveTime::MIN).and_utc();
        let mut parts: Vec<(u32, u32)> = Vec::new();
        for local in [day.pred_opt()?, day, day.succ_opt()?] {
            let last = match closes <= opens {
                true => local.checked_add_days(Days::new(1))?,
                false => local,
            };
            let second = |date: NaiveDate, time: NaiveTime| {
                // In the hour a clock is set forward there is no such time: the day's begin will do.
                let moment = zone.from_local_datetime(&date.and_time(time)).earliest();
                let moment =
                    moment.map_or(date.and_time(time).and_utc(), |m| m.with_timezone(&Utc));
                let seconds = (moment - midnight).num_seconds();
                u32::try_from(seconds.clamp(0, i64::from(DAY_S))).expect("clamped to a day")
            };
            let (from, to) = (second(local, opens), second(last, closes));
            match parts.last_mut() {
                Some(before) if from <= before.1 => before.1 = before.1.max(to),
                _ if from < to => parts.push((from, to)),
                _ => {}
            }
        }
        Some(Self(parts))
    }

    /// Returns the seconds between `from` and `to` at which it is open.
    pub(super) fn open_s(&self, from: u32, to: u32) -> u32 {
        let within = self.0.iter().map(|(opens, closes)| {
            let (from, to) = (from.max(*opens), to.min(*closes));
            to.saturating_sub(from)
        });
        within.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(zone: &str, opens: &str, closes: &str) -> OpenHours {
        let day = NaiveDate::from_ymd_opt(2026, 9, 7).expect("a date");
        OpenHours::of(day, zone, opens, closes).expect("hours")
    }

    #[test]
    fn hours_of_the_east_begin_before_the_utc_day_does() {
        // Nine to seven in Shanghai is one to eleven in UTC.
        let hours = open("Asia/Shanghai", "09:00", "19:00");
        assert_eq!(hours.0, [(3600, 11 * 3600)]);
        assert_eq!(hours.open_s(0, DAY_S), 10 * 3600);
        assert_eq!(hours.open_s(2 * 3600, 3 * 3600), 3600);
        assert_eq!(hours.open_s(11 * 3600, 12 * 3600), 0);
    }

    #[test]
    fn closing_past_midnight_gives_two_parts() {
        let hours = open("Europe/Paris", "18:00", "03:00");
        assert_eq!(hours.0, [(0, 3600), (16 * 3600, DAY_S)]);
    }

    #[test]
    fn equal_times_are_a_whole_day_and_unknown_zones_are_none() {
        assert_eq!(open("UTC", "00:00", "00:00").0, [(0, DAY_S)]);
        let day = NaiveDate::from_ymd_opt(2026, 9, 7).expect("a date");
        assert_eq!(OpenHours::of(day, "Mars/Base", "09:00", "19:00"), None);
        assert_eq!(OpenHours::of(day, "UTC", "nine", "19:00"), None);
    }
}
