//! An intervention as people give it: words, not yet checked against the lake.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use schemas::interventions::{InterventionKind, TargetKind};

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

/// Reads a moment; a day stands for its beginning in UTC.
pub(super) fn read_time(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(day.and_time(NaiveTime::MIN).and_utc());
    }
    let time = DateTime::parse_from_rfc3339(text);
    time.map(Into::into).map_err(|_| {
        format!("{text:?} is neither a day such as 2026-11-10 nor a time with its zone")
    })
}
