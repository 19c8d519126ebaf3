//! Writes derived tables: owns how a partition of one is replaced in a single commit.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::error::ArrowError;
use chrono::{DateTime, NaiveDate, Utc};
use deltalake_core::kernel::{Remove, Transaction};
use lake::{Commit, CommitKind, LakeTable};
use rayon::prelude::*;
use schemas::Table;
use url::Url;

use super::AnalyzeError;

/// A derived table that can be written.
#[derive(Debug)]
pub(super) struct DerivedTable(LakeTable);

impl DerivedTable {
    /// Opens the table, or creates it empty.
    pub(super) async fn open(lake: &Url, table: Table) -> Result<Self, AnalyzeError> {
        Ok(Self(LakeTable::open_derived(lake.as_str(), table).await?))
    }

    /// Returns the version of the inputs a partition was last made from.
    pub(super) async fn made_from(&self, app_id: &str) -> Result<Option<i64>, AnalyzeError> {
        Ok(self.0.position(app_id).await?)
    }

    /// Replaces the rows of some days by these, a file a part and day, in one commit that also keeps
    /// what they were `made_from`.
    ///
    /// A crash before the commit leaves the rows of before; files written for nothing are vacuum's.
    pub(super) async fn replace(
        &mut self,
        days: &[NaiveDate],
        parts: impl IntoIterator<Item = Result<RecordBatch, ArrowError>>,
        made_from: impl IntoIterator<Item = (String, i64)>,
        now_ms: i64,
    ) -> Result<(), AnalyzeError> {
        // Another analysis may have replaced the same days since the table was opened.
        self.0.refresh().await?;
        let made_from = made_from.into_iter().map(|(app_id, version)| {
            Transaction::new_with_last_update(&app_id, version, Some(now_ms))
        });
        let mut commit = Commit {
            removes: self.removals(days, now_ms).await?,
            transactions: made_from.collect(),
            ..Commit::default()
        };
        for part in parts {
            let sorted = lake::sort(self.0.table, &part?)?;
            commit.adds.extend(lake::write(&self.0, &sorted).await?);
        }
        self.0.commit(commit, CommitKind::Replace).await?;
        Ok(())
    }

    async fn removals(&self, days: &[NaiveDate], now_ms: i64) -> Result<Vec<Remove>, AnalyzeError> {
        let column = self.0.table.partition_columns()[0];
        let days: Vec<String> = days.iter().map(NaiveDate::to_string).collect();
        let mut files = self.0.files().await?;
        files.retain(|file| {
            let day = file.partition.get(column).cloned().flatten();
            day.is_some_and(|day| days.contains(&day))
        });
        let removals = files.into_iter().map(|file| Remove {
            deletion_timestamp: Some(now_ms),
            ..file.removal
        });
        Ok(removals.collect())
    }
}

/// The derived tables of days, each opened once: opening one reads its log.
#[derive(Debug)]
pub(super) struct DerivedTables {
    lake: Url,
    now_ms: i64,
    opened: BTreeMap<Table, DerivedTable>,
}

impl DerivedTables {
    pub(super) fn new(lake: &Url, now: DateTime<Utc>) -> Self {
        Self {
            lake: lake.clone(),
            now_ms: now.timestamp_millis(),
            opened: BTreeMap::new(),
        }
    }

    /// Replaces the rows of some days, which are made from so many fact rows each, in one commit.
    pub(super) async fn replace(
        &mut self,
        table: Table,
        days: &[(NaiveDate, u64)],
        parts: impl IntoIterator<Item = Result<RecordBatch, ArrowError>>,
    ) -> Result<(), AnalyzeError> {
        let opened = match self.opened.entry(table) {
            Entry::Occupied(opened) => opened.into_mut(),
            Entry::Vacant(new) => new.insert(DerivedTable::open(&self.lake, table).await?),
        };
        let made_from = days.iter().map(|(day, rows)| {
            let rows = i64::try_from(*rows).unwrap_or(i64::MAX);
            (format!("analyze/{day}"), rows)
        });
        let of_days: Vec<NaiveDate> = days.iter().map(|(day, _)| *day).collect();
        opened
            .replace(&of_days, parts, made_from, self.now_ms)
            .await
    }
}

/// Turns rows that serialise to the columns of a table into a batch.
fn rows_to_batch<T: serde::Serialize>(
    table: Table,
    rows: &[T],
) -> Result<RecordBatch, AnalyzeError> {
    let schema = table.schema();
    let mut decoder = arrow::json::ReaderBuilder::new(schema.clone()).build_decoder()?;
    decoder.serialize(rows)?;
    Ok(decoder
        .flush()?
        .unwrap_or_else(|| RecordBatch::new_empty(schema)))
}

/// Rows that become columns at a time: as text between the two they take many times their size.
const ROWS_AT_ONCE: usize = 16 * 1024;
/// Parts that are made at the same time.
const PARTS_AT_ONCE: usize = 4;
/// Rows of one file.
const FILE_ROWS: usize = 512 * 1024;

/// Turns rows that serialise to the columns of a table into batches, one a file.
pub(super) fn rows_to_batches<T: serde::Serialize + Sync>(
    table: Table,
    rows: impl Iterator<Item = T>,
) -> Result<Vec<RecordBatch>, AnalyzeError> {
    let mut rows = rows.fuse();
    let mut files = Vec::new();
    loop {
        let mut parts = Vec::new();
        while parts.len() < FILE_ROWS / ROWS_AT_ONCE {
            let some: Vec<T> = rows.by_ref().take(ROWS_AT_ONCE * PARTS_AT_ONCE).collect();
            if some.is_empty() {
                break;
            }
            let batches = some
                .par_chunks(ROWS_AT_ONCE)
                .map(|rows| rows_to_batch(table, rows))
                .collect::<Result<Vec<_>, _>>()?;
            parts.extend(batches);
        }
        if parts.is_empty() {
            return Ok(files);
        }
        files.push(concat_batches(&table.schema(), &parts)?);
    }
}
