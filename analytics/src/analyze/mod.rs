//! `notspot analyze`: from facts to outages, roll-ups by day, and what a window of days shows.
//!
//! Incremental and idempotent: a day is computed anew when its facts have other rows than it was
//! made from, or by another version of the method; a window when a table it reads has changed.
//! Each replaces its rows in one commit, so a crash leaves the previous answer. A day's roll-up is
//! its last commit, and so the mark that the day is done.

mod columns;
mod days;
mod emptied;
mod interned;
mod outages;
mod publish;
mod rollup;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::error::ArrowError;
use chrono::{DateTime, Days, NaiveDate, Utc};
use lake::TableError;
use parquet::errors::ParquetError;
use schemas::Table;

use rollup::Registry;

use crate::session::{LakeSession, SessionError};

/// Version of the method; raised with every change of what a number means.
pub const METHOD_VERSION: i32 = 5;

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
#[derive(Debug, Clone, Copy)]
pub struct AnalyzeOptions {
    /// First day whose roll-up is brought up to date; the window's first when `None`.
    pub from: Option<NaiveDate>,
    /// Last day of the window; the last with events when `None`.
    pub to: Option<NaiveDate>,
    /// Days in the window.
    pub window_days: u32,
    /// The present, for commits.
    pub now: DateTime<Utc>,
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
}

/// Brings the derived tables up to date; `progress` hears what is being done.
///
/// A lake opened as of a moment, [`AsOf::Facts`](crate::AsOf::Facts), gives the answer of that moment:
/// what was committed later is not read, and days that had no events then lose their roll-up. An
/// analysis of the newest lake afterwards restates what differs.
///
/// # Errors
/// When the lake has no events in the days asked for, cannot be read or not be written.
pub async fn analyze(
    lake: &mut LakeSession,
    options: &AnalyzeOptions,
    progress: &mut (dyn FnMut(&str) + Send),
) -> Result<Analysis, AnalyzeError> {
    let facts = lake.fact_rows_by_day().clone();
    let (from, to) = window(&facts, options)?;
    let roll_up_from = options.from.unwrap_or(from);
    let mut wanted = emptied::days(lake, roll_up_from, to).await?;
    wanted.extend(facts.range(roll_up_from..=to));
    let wanted: Vec<(NaiveDate, u64)> = wanted.into_iter().collect();
    let changed = days::changed(lake, Table::TerminalDays, &wanted).await?;
    let registry = match changed.is_empty() {
        true => Arc::default(),
        false => Arc::new(Registry::read(lake).await?),
    };
    for block in blocks(&changed) {
        progress(&format!("outages of {}", days::name(block)));
        let around = outages::days_around(block);
        days::publish_activity(lake, &registry, around, options.now).await?;
        lake.refresh_derived().await?;
        outages::publish(lake, &registry, block, options.now).await?;
        lake.refresh_derived().await?;
        for day in block {
            progress(&format!("{}", day.0));
            days::publish(lake, &registry, *day, options.now).await?;
        }
    }
    if !changed.is_empty() {
        lake.refresh_derived().await?;
    }
    progress(&format!("window {from} to {to}"));
    let window_computed = window::publish(lake, from, to, options.now).await?;
    if window_computed {
        lake.refresh_derived().await?;
    }
    Ok(Analysis {
        window_from: from,
        window_to: to,
        days_computed: changed.len(),
        days_unchanged: wanted.len() - changed.len(),
        window_computed,
    })
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

/// Splits days into runs of at most a week, which bounds what a search for outages holds.
fn blocks(days: &[(NaiveDate, u64)]) -> impl Iterator<Item = &[(NaiveDate, u64)]> {
    let follows =
        |one: &(NaiveDate, u64), next: &(NaiveDate, u64)| one.0.succ_opt() == Some(next.0);
    days.chunk_by(follows).flat_map(|run| run.chunks(7))
}
