//! Roll-ups of a day in one pass over its events: owns what `terminal_days`, `radio_cell_days`,
//! `failure_slots` and `activity_hours` count.
//!
//! A query would do the same (`tests/rollup.rs` holds both against each other), but spell out every
//! text and sort a day by terminal. Here a task reads whole partitions, takes texts as the
//! dictionaries the files hold, and keeps some hundreds of bytes a terminal; a terminal that two
//! tasks met is put together at the end.
//!
//! Carrier and RAT are those a terminal used most that day, so that attempts and failures, which
//! know them from different messages, fall into one row. Failures in outages and over fixed lines
//! are counted apart: what is left is `radio_failures`. Dayparts are of six hours UTC.

mod activity;
mod events;
mod facts;
mod failing;
mod fold;
mod heard;
mod hours;
mod names;
mod output;
mod radio_cell_days;
mod registered;
mod silence;
mod slots;
mod terminal;
mod windows;

use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::NaiveDate;
use tokio::task::JoinSet;

use super::{AnalyzeError, METHOD_VERSION};
use crate::session::LakeSession;
use activity::Activity;
pub(super) use failing::Failing;
use fold::{Fold, Shared};
pub(super) use hours::midnight_us;
pub(super) use names::{Name, Names};
use output::Origin;
pub(super) use output::TerminalDays;
pub(super) use registered::Registry;
pub(super) use windows::OutageWindow;

/// Counts the terminals of every hour of a day; rows of `activity_hours`.
pub(super) async fn activity(
    lake: &LakeSession,
    registry: &Arc<Registry>,
    day: NaiveDate,
    source_rows: u64,
) -> Result<RecordBatch, AnalyzeError> {
    let names = Arc::new(Names::default());
    let midnight_us = midnight_us(day);
    let store = lake.store()?;
    let mut tasks = JoinSet::new();
    for parts in facts::deal(lake, day, lake.tasks()).await? {
        let (store, names, registry) = (store.clone(), names.clone(), registry.clone());
        tasks.spawn(async move {
            let mut activity = Activity::default();
            for part in &parts {
                activity
                    .take(&store, part, &names, &registry, midnight_us)
                    .await?;
            }
            Ok::<_, AnalyzeError>(activity)
        });
    }
    let mut all = Activity::default();
    while let Some(one) = tasks.join_next().await {
        all.merge(one.expect("a task that counts does not panic")?);
    }
    Ok(all.rows(&names, origin(day, source_rows))?)
}

/// Counts the terminals without an answer, by slots of five minutes of a day.
pub(super) async fn failing(
    lake: &LakeSession,
    registry: &Arc<Registry>,
    day: NaiveDate,
    names: &Arc<Names>,
) -> Result<Failing, AnalyzeError> {
    let store = lake.store()?;
    let counts = facts::deal(lake, day, lake.tasks())
        .await?
        .into_iter()
        .map(|parts| {
            let (store, names, registry) = (store.clone(), names.clone(), registry.clone());
            tokio::spawn(async move {
                let mut failing = Failing::default();
                for part in &parts {
                    failing.take(&store, part, &names, &registry).await?;
                }
                Ok::<_, AnalyzeError>(failing)
            })
        });
    let mut all = Failing::default();
    for one in counts.collect::<Vec<_>>() {
        all.merge(one.await.expect("a task that counts does not panic")?);
    }
    Ok(all)
}

/// Counts a day; rows of `failure_slots`, and those of `terminal_days` and `radio_cell_days` to be
/// asked for.
pub(super) async fn day(
    lake: &LakeSession,
    registry: &Arc<Registry>,
    day: NaiveDate,
    source_rows: u64,
    names: Names,
    outages: Vec<OutageWindow>,
) -> Result<(RecordBatch, TerminalDays), AnalyzeError> {
    let shared = Arc::new(Shared::new(names, registry.clone(), outages, day));
    let store = lake.store()?;
    let mut tasks = JoinSet::new();
    for parts in facts::deal(lake, day, lake.tasks()).await? {
        let store = store.clone();
        let mut fold = Fold::new(shared.clone());
        tasks.spawn(async move {
            for part in &parts {
                fold.take(&store, part).await?;
            }
            Ok::<_, AnalyzeError>(fold)
        });
    }
    let mut all: Option<Fold> = None;
    while let Some(one) = tasks.join_next().await {
        let one = one.expect("a task that counts does not panic")?;
        match &mut all {
            Some(all) => all.merge(one),
            None => all = Some(one),
        }
    }
    let mut all = all.unwrap_or_else(|| Fold::new(shared.clone()));
    let origin = origin(day, source_rows);
    let slots = output::failure_slots(std::mem::take(&mut all.slots), &shared, origin)?;
    Ok((slots, TerminalDays::of(all, shared, origin)))
}

const fn origin(day: NaiveDate, source_rows: u64) -> Origin {
    Origin {
        day,
        method_version: METHOD_VERSION,
        source_rows,
    }
}
