//! `notspot analyze`: from facts to outages, roll-ups by day, and what a window of days shows.
//!
//! Incremental and idempotent: a day is computed anew when its facts have other rows than it was
//! made from, or by another version of the method; a window when a table it reads has changed.
//! Each replaces its rows in one commit, so a crash leaves the previous answer. A day's roll-up is
//! its last commit, and so the mark that the day is done.

pub(crate) mod columns;
mod days;
mod emptied;
mod interned;
mod outages;
mod publish;
mod rollup;
mod steps;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::error::ArrowError;
use chrono::{DateTime, Days, NaiveDate, Utc};
use lake::TableError;
use parquet::errors::ParquetError;
use schemas::Table;

use publish::DerivedTables;
use rollup::Registry;
pub use statistics::stop::{Stop, Stopped};
pub use steps::Doing;
use steps::Steps;

use crate::session::{LakeSession, SessionError};

/// Version of the method; raised with every change of what a number means.
pub const METHOD_VERSION: i32 = 7;

/// Why an analysis stopped; what was published before stays.
#[derive(Debug, thiserror::Error)]
pub enum AnalyzeError {
    /// A question to the lake failed.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// Rows could not be built.
    #[error("the rows of an analysis cannot be built: {0}")]
    Rows(#[from] ArrowError),
    /// A file of the lake cannot be read.
    #[error("file {file} cannot be read: {source}")]
    Read {
        /// Path of the file in its store.
        file: String,
        /// What the Parquet reader said.
        source: ParquetError,
    },
    /// A derived table cannot be written.
    #[error("what was derived cannot be written: {0}")]
    Publish(#[from] TableError),
    /// A method refused its input.
    #[error("{method} refused its input: {reason}")]
    Method {
        /// The method.
        method: &'static str,
        /// Why.
        reason: String,
    },
    /// Somebody asked for a stop; what was published before stays, the rest is as it was.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The days asked for end before they begin.
    #[error("the first day {from} is after the last day {to}")]
    FromAfterTo {
        /// First day asked for.
        from: NaiveDate,
        /// Last day.
        to: NaiveDate,
    },
    /// The lake has no events in the days asked for.
    #[error("no events between {from} and {to}: the lake has {have}")]
    NoEvents {
        /// First day asked for.
        from: NaiveDate,
        /// Last day asked for.
        to: NaiveDate,
        /// The days there are.
        have: String,
    },
}

/// Which days are looked at.
#[derive(Debug, Clone)]
pub struct AnalyzeOptions {
    /// First day whose roll-up is brought up to date; the window's first when `None`.
    pub from: Option<NaiveDate>,
    /// Last day of the window; the last with events when `None`.
    pub to: Option<NaiveDate>,
    /// Days in the window.
    pub window_days: u32,
    /// The present, for commits.
    pub now: DateTime<Utc>,
    /// Looked at before every step, and inside the long ones.
    pub stop: Stop,
}

/// What an analysis did and found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Analysis {
    /// First day of the window.
    pub window_from: NaiveDate,
    /// Last day of the window.
    pub window_to: NaiveDate,
    /// Days computed anew.
    pub days_computed: usize,
    /// Days that had not changed.
    pub days_unchanged: usize,
    /// Whether the window was computed anew.
    pub window_computed: bool,
    /// What was cut short by a bound of the method.
    pub notes: Vec<String>,
}

/// Brings the derived tables up to date; `progress` hears what is being done.
///
/// A lake opened as of a moment, [`AsOf::Facts`](crate::AsOf::Facts), gives the answer of that moment:
/// what was committed later is not read, and days that had no events then lose their roll-up. An
/// analysis of the newest lake afterwards restates what differs.
///
/// # Errors
/// When the lake has no events in the days asked for, cannot be read or not be written, or a stop was
/// asked for.
pub async fn analyze(
    lake: &mut LakeSession,
    options: &AnalyzeOptions,
    progress: &mut (dyn FnMut(&Doing) + Send),
) -> Result<Analysis, AnalyzeError> {
    let facts = lake.fact_rows_by_day().await?;
    let (from, to) = window(&facts, options)?;
    let roll_up_from = options.from.unwrap_or(from);
    if roll_up_from > to {
        let from = roll_up_from;
        return Err(AnalyzeError::FromAfterTo { from, to });
    }
    let mut wanted = emptied::days(lake, roll_up_from, to).await?;
    wanted.extend(facts.range(roll_up_from..=to));
    let wanted: Vec<(NaiveDate, u64)> = wanted.into_iter().collect();
    let changed = days::changed(lake, Table::TerminalDays, &wanted).await?;
    let registry = match changed.is_empty() {
        true => Arc::default(),
        false => Arc::new(Registry::read(lake).await?),
    };
    let mut steps = Steps::new(changed.len() + window::STEPS, &options.stop, progress);
    let mut tables = DerivedTables::new(lake.location(), options.now);
    let mut notes = Vec::new();
    for part in parts(&changed) {
        notes.extend(roll_up(lake, &registry, &mut tables, &part, &mut steps).await?);
    }
    if !changed.is_empty() {
        lake.refresh_derived().await?;
    }
    let published = window::publish(lake, (from, to), options.now, &mut steps).await?;
    let window_computed = published.is_some();
    if let Some(of_window) = published {
        notes.extend(of_window);
        lake.refresh_derived().await?;
    }
    Ok(Analysis {
        window_from: from,
        window_to: to,
        days_computed: changed.len(),
        days_unchanged: wanted.len() - changed.len(),
        window_computed,
        notes,
    })
}

/// Brings the tables of some days up to date; returns what was cut short.
async fn roll_up(
    lake: &mut LakeSession,
    registry: &Arc<Registry>,
    tables: &mut DerivedTables,
    blocks: &[&[(NaiveDate, u64)]],
    steps: &mut Steps<'_>,
) -> Result<Vec<String>, AnalyzeError> {
    let around = blocks.iter().map(|block| outages::days_around(block));
    steps.say("activity around the days")?;
    days::publish_activity(lake, registry, tables, around, steps).await?;
    lake.refresh_tables(&[Table::ActivityHours]).await?;
    let notes = outages::publish(lake, registry, tables, blocks, steps).await?;
    lake.refresh_tables(&[Table::Outages]).await?;
    days::publish(lake, registry, tables, &blocks.concat(), steps).await?;
    Ok(notes)
}

fn window(
    facts: &BTreeMap<NaiveDate, u64>,
    options: &AnalyzeOptions,
) -> Result<(NaiveDate, NaiveDate), AnalyzeError> {
    let last = facts.last_key_value().map(|(day, _)| *day);
    let to = options.to.or(last).unwrap_or(options.now.date_naive());
    let days = Days::new(u64::from(options.window_days.max(1) - 1));
    let from = to.checked_sub_days(days).unwrap_or(NaiveDate::MIN);
    if facts.range(from..=to).next().is_none() {
        let have = match (facts.first_key_value(), last) {
            (Some((first, _)), Some(last)) => format!("{first} to {last}"),
            _ => "none".into(),
        };
        return Err(AnalyzeError::NoEvents { from, to, have });
    }
    Ok((from, to))
}

/// Fact rows of days whose rows are kept until one commit makes them all visible: a day of few costs
/// little more than reading it, and a day of many is alone.
const ROWS_AT_ONCE: u64 = 250_000;

/// Gathers blocks of days, as many as [`ROWS_AT_ONCE`] allows or one.
fn parts(days: &[(NaiveDate, u64)]) -> Vec<Vec<&[(NaiveDate, u64)]>> {
    let mut parts: Vec<Vec<&[(NaiveDate, u64)]>> = Vec::new();
    let mut held = 0;
    for block in blocks(days) {
        let rows: u64 = block.iter().map(|(_, rows)| rows).sum();
        held += rows;
        match parts.last_mut() {
            Some(part) if held <= ROWS_AT_ONCE => part.push(block),
            _ => {
                held = rows;
                parts.push(vec![block]);
            }
        }
    }
    parts
}

/// Splits days into runs of at most a week, which bounds what a search for outages holds.
fn blocks(days: &[(NaiveDate, u64)]) -> impl Iterator<Item = &[(NaiveDate, u64)]> {
    let follows =
        |one: &(NaiveDate, u64), next: &(NaiveDate, u64)| one.0.succ_opt() == Some(next.0);
    days.chunk_by(follows).flat_map(|run| run.chunks(7))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(rows: &[u64]) -> Vec<(NaiveDate, u64)> {
        let first = NaiveDate::from_ymd_opt(2026, 9, 1).expect("a date");
        first.iter_days().zip(rows.iter().copied()).collect()
    }

    #[test]
    fn sparse_weeks_are_published_together_and_full_ones_alone() {
        let sparse = days(&[1_000; 28]);
        let lengths = |days: &[(NaiveDate, u64)]| -> Vec<Vec<usize>> {
            let parts = parts(days);
            let lengths = parts.iter().map(|part| part.iter().map(|run| run.len()));
            lengths.map(Iterator::collect).collect()
        };
        assert_eq!(lengths(&sparse), [[7, 7, 7, 7]]);
        let full = days(&[50_000; 21]);
        assert_eq!(lengths(&full), [[7], [7], [7]]);
        let mut gap = days(&[1_000; 10]);
        gap.remove(4);
        assert_eq!(lengths(&gap), [[4, 5]]);
    }
}
