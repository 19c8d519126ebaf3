//! What a replay did: counts that a reader can check against the recording.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemas::EventKind;
use serde::Serialize;

use crate::publish::PublishSummary;

/// Counts of one replay; every row read is used, without events, or refused.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ReplaySummary {
    /// Name of the mapping.
    pub mapping: String,
    /// Files read, by base name.
    pub files: Vec<String>,
    /// Data rows read, bad ones included.
    pub rows_read: u64,
    /// Rows that gave at least one event.
    pub rows_used: u64,
    /// Good rows the mapping takes nothing from.
    pub rows_without_events: u64,
    /// Rows refused, by reason.
    pub rows_refused: BTreeMap<String, u64>,
    /// The first refused rows, as many as asked for.
    pub first_refused: Vec<RefusedRow>,
    /// Values that were not in a value map and became null, by event field.
    pub values_unmapped: BTreeMap<String, u64>,
    /// Values their event field cannot hold and that became null, by event field: network codes that are none,
    /// and texts longer than any field.
    pub values_invalid: BTreeMap<String, u64>,
    /// Events sent, by kind in the order of [`EventKind::ALL`].
    pub events: [u64; 3],
    /// Attempts the heartbeats sent count.
    pub attempts: u64,
    /// Attempts without an answer among them, one decline each.
    pub failures: u64,
    /// Time of the earliest event as sent.
    pub first_event: Option<DateTime<Utc>>,
    /// Time of the latest event as sent.
    pub last_event: Option<DateTime<Utc>>,
    /// How far times were moved, in ms.
    pub shifted_by_ms: i64,
    /// Whether the observer stopped the replay before its end.
    pub stopped_early: bool,
    /// What the sink delivered.
    pub published: PublishSummary,
}

impl ReplaySummary {
    /// Returns the number of rows refused for any reason.
    pub fn refused(&self) -> u64 {
        self.rows_refused.values().sum()
    }

    /// Returns the number of events of one kind sent.
    pub fn events_of(&self, kind: EventKind) -> u64 {
        self.events[kind as usize]
    }
}

/// A row that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedRow {
    /// Base name of the file.
    pub file: String,
    /// Line where the row begins, or in a Parquet file its number; from 1.
    pub line: u64,
    /// Why, in words that are the same for every such row.
    pub reason: String,
    /// Column and value at fault.
    pub detail: String,
}

impl std::fmt::Display for RefusedRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            file,
            line,
            reason,
            detail,
        } = self;
        write!(f, "{file}:{line}: {reason}: {detail}")
    }
}
