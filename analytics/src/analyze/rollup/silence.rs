//! Heartbeats that should have come: owns what counts as silence.
//!
//! Where a merchant's hours are known, a gap counts for the part of it in which the merchant was
//! open, the ends of the data included; a day without any heartbeat has no row and is the reports'.
//! Where they are not known, a gap of more than [`SWITCHED_OFF_S`] counts as switched off.

use super::hours::{DAY_S, OpenHours};

/// Longest gap taken for silence where opening hours are not known, in s.
pub(super) const SWITCHED_OFF_S: u32 = 6 * 3600;

/// What is missing between two heartbeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Missing {
    /// Heartbeats that should have come between.
    pub(super) heartbeats: u32,
    /// Seconds without one, beyond the interval at which they come.
    pub(super) silent_s: u32,
}

/// Returns what is missing between heartbeats at `from` and `to`, in s of the day.
pub(super) fn between(from: u32, to: u32, interval_s: u32, hours: Option<&OpenHours>) -> Missing {
    let gap = to.saturating_sub(from);
    let counted = match hours {
        Some(hours) => hours.open_s(from, to),
        None if gap <= SWITCHED_OFF_S => gap,
        None => 0,
    };
    // Jitter makes a beat come early or late: the gap is rounded to whole intervals.
    let intervals = (counted + interval_s / 2) / interval_s.max(1);
    missing(intervals.saturating_sub(1), interval_s, counted)
}

/// Returns what is missing at an end of the data: from its begin to the first heartbeat of the day,
/// or from the last one to its end.
///
/// Less than an interval lacks nothing: the other end of that gap is on another day.
pub(super) fn at_an_end(from: u32, to: u32, interval_s: u32, hours: Option<&OpenHours>) -> Missing {
    let open_s = hours.map_or(0, |hours| hours.open_s(from, to));
    missing(open_s / interval_s.max(1), interval_s, open_s)
}

/// Returns from when to when a day's data reaches, in s: all but one in a thousand of its heartbeats.
///
/// The day that is not over yet ends where its data does, and what terminals with wrong clocks say
/// of a day without data is not held against the others.
pub(super) fn reach(beats_s: impl Iterator<Item = u32>) -> (u32, u32) {
    let mut minutes = [0_u64; (DAY_S / 60) as usize];
    for beat_s in beats_s {
        minutes[(beat_s / 60) as usize] += 1;
    }
    let spared = minutes.iter().sum::<u64>() / 1000;
    let edge = |counts: &mut dyn Iterator<Item = u64>| {
        let mut sum = 0;
        let reached = counts.take_while(|count| {
            sum += count;
            sum <= spared
        });
        reached.count() as u32
    };
    let from = edge(&mut minutes.iter().copied()) * 60;
    let to = DAY_S.saturating_sub(edge(&mut minutes.iter().rev().copied()) * 60);
    (from.min(to), to)
}

fn missing(heartbeats: u32, interval_s: u32, counted: u32) -> Missing {
    let silent_s = match heartbeats {
        0 => 0,
        _ => counted.saturating_sub(interval_s),
    };
    Missing {
        heartbeats,
        silent_s,
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    const HOUR: u32 = 3600;

    #[test]
    fn a_gap_of_three_intervals_lacks_two_heartbeats() {
        let gap = between(10 * HOUR, 13 * HOUR + 90, HOUR, None);
        assert_eq!((gap.heartbeats, gap.silent_s), (2, 2 * HOUR + 90));
        assert_eq!(
            between(10 * HOUR, 11 * HOUR + 90, HOUR, None),
            Missing::default()
        );
    }

    #[test]
    fn a_night_without_known_hours_is_switched_off() {
        assert_eq!(between(0, 7 * HOUR, HOUR, None), Missing::default());
    }

    #[test]
    fn closed_hours_are_no_silence_and_open_ones_are() {
        let day = NaiveDate::from_ymd_opt(2026, 9, 7).expect("a date");
        let hours = OpenHours::of(day, "UTC", "08:00", "20:00").expect("hours");
        let hours = Some(&hours);
        assert_eq!(between(0, 9 * HOUR, HOUR, hours).heartbeats, 0);
        // Ten hours in the middle of the day, which would pass for switched off.
        assert_eq!(between(9 * HOUR, 19 * HOUR, HOUR, hours).heartbeats, 9);
        let at_an_end = |from, to| at_an_end(from, to, HOUR, hours).heartbeats;
        assert_eq!(at_an_end(0, 8 * HOUR + 60), 0);
        assert_eq!(at_an_end(0, 11 * HOUR + 60), 3);
        assert_eq!(at_an_end(19 * HOUR + 60, DAY_S), 0);
        assert_eq!(at_an_end(15 * HOUR, DAY_S), 5);
        assert_eq!(
            super::at_an_end(15 * HOUR, DAY_S, HOUR, None),
            Missing::default()
        );
    }

    #[test]
    fn data_reaches_as_far_as_all_but_few_heartbeats() {
        let morning = (0..5_000).map(|beat| 8 * HOUR + beat);
        let wrong_clocks = [60, 23 * HOUR, 23 * HOUR + 60];
        let (from, to) = reach(morning.chain(wrong_clocks));
        assert_eq!((from, to), (8 * HOUR, 8 * HOUR + 5_040));
        assert_eq!(reach(std::iter::empty()), (0, 0));
    }
}
