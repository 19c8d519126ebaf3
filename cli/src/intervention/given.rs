//! An intervention as people give it: words, not yet checked against the lake.

use chrono::{DateTime, NaiveTime, Utc};
use schemas::ids::trimmed;
use schemas::interventions::{InterventionKind, TargetKind};
use tabular::{Cell, Misread, Spelling, rfc3339};

use super::AddArgs;

/// An intervention as given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    /// Where it was given, for errors; empty on the command line.
    pub(super) origin: String,
    pub(super) kind: InterventionKind,
    pub(super) target: TargetKind,
    pub(super) target_ids: Vec<String>,
    pub(super) on: String,
    pub(super) until: Option<String>,
    pub(super) note: Option<String>,
    pub(super) by: Option<String>,
}

impl AddArgs {
    /// Returns what the arguments other than a file say.
    pub(super) fn one(&self) -> Given {
        let zone: Vec<String> = self.zone.iter().cloned().collect();
        let targets = [
            (TargetKind::Terminal, &self.terminal),
            (TargetKind::Merchant, &self.merchant),
            (TargetKind::Zone, &zone),
            (TargetKind::Cell, &self.cell),
        ];
        let named = targets.into_iter().find(|(_, ids)| !ids.is_empty());
        let (target, target_ids) = named.expect("clap asks for one kind of target");
        Given {
            origin: String::new(),
            kind: self.kind.expect("clap asks for a kind"),
            target,
            target_ids: target_ids.clone(),
            on: self.on.clone().expect("clap asks for a time"),
            until: self.until.clone(),
            note: self.note.clone(),
            by: self.by.clone(),
        }
    }
}

/// Reads a moment; a day stands for its beginning in UTC, and midnight without a zone for its day, as
/// tools write it that know no days.
pub(super) fn read_time(text: &str) -> Result<DateTime<Utc>, String> {
    let cell = Cell::new(trimmed(text), Spelling::Text);
    let day = cell.date();
    if let Ok(day) = day {
        return Ok(day.and_time(NaiveTime::MIN).and_utc());
    }
    rfc3339(cell).map_err(|why| {
        let hint = match (day, why) {
            (Err(why @ Misread::YearLast), _) | (_, why @ Misread::NoZone) => format!(": {why}"),
            _ => String::new(),
        };
        format!("{text:?} is neither a day such as 2026-11-10 nor a time with its zone{hint}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_its_beginning_and_a_time_says_its_zone() {
        let begins = "2026-11-10T00:00:00Z".parse().expect("a time");
        for text in [
            "2026-11-10",
            "2026-11-10 00:00:00",
            "\u{a0}2026-11-10T08:00:00+08:00",
        ] {
            assert_eq!(read_time(text), Ok(begins), "{text}");
        }
        for (text, told) in [
            ("10.11.2026", "write YYYY-MM-DD"),
            ("2026-11-10T08:30:00", "time has no zone"),
            ("2026-11-10T08:30", "nor a time with its zone"),
            ("soon", "neither a day such as 2026-11-10"),
        ] {
            let error = read_time(text).expect_err("no time");
            assert!(error.contains(told), "{error}");
        }
    }
}
