//! Registry rows in the lake: replaced or merged in one commit.

use std::collections::BTreeSet;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use lake::{Commit, CommitKind, LakeTable, TableError};
use schemas::Table;

use super::{Ids, LoadMode, RegistryTable};

/// Returns the ids of the lake's merchants; `None` where it has none, so that nothing can be missing.
pub(super) async fn merchant_ids(lake: &str) -> Result<Option<Ids>, TableError> {
    let merchants = Existing::open(lake, Table::Merchants).await?;
    let ids = merchants.ids(RegistryTable::Merchants.id_column());
    Ok((!ids.is_empty()).then_some(ids))
}

/// Writes the rows and returns how many the table then has.
pub(super) async fn write(
    lake: &str,
    table: RegistryTable,
    rows: RecordBatch,
    mode: LoadMode,
) -> Result<u64, TableError> {
    let existing = Existing::open(lake, table.table()).await?;
    let rows = match mode {
        LoadMode::Replace => rows,
        LoadMode::Merge => existing.merged(&rows, table.id_column())?,
    };
    let metadata = (
        "notspotLoad".to_owned(),
        format!("{mode:?}").to_lowercase().into(),
    );
    existing.replace(&rows, metadata).await
}

/// A table without partitions as it is, with its rows.
pub(crate) struct Existing {
    table: LakeTable,
    pub(crate) rows: Vec<RecordBatch>,
}

impl Existing {
    pub(crate) async fn open(lake: &str, table: Table) -> Result<Self, TableError> {
        let table = LakeTable::open_or_create(lake, table, None).await?;
        let mut rows = Vec::new();
        for file in table.files().await? {
            rows.extend(table.read(&file.path).await?);
        }
        Ok(Self { table, rows })
    }

    /// Puts these rows in the place of all there are, in one commit that conflicts with any other
    /// that does the same, and returns how many there are.
    pub(crate) async fn replace(
        mut self,
        rows: &RecordBatch,
        metadata: (String, serde_json::Value),
    ) -> Result<u64, TableError> {
        let kind = self.table.table;
        let sorted =
            lake::sort(kind, rows).map_err(|error| TableError::unencodable(kind, error))?;
        let files = self.table.files().await?.into_iter();
        let commit = Commit {
            adds: lake::write(&self.table, &sorted).await?,
            removes: files.map(|file| file.removal).collect(),
            metadata: vec![metadata],
            ..Commit::default()
        };
        self.table.commit(commit, CommitKind::Replace).await?;
        Ok(sorted.num_rows() as u64)
    }

    pub(crate) fn ids(&self, id_column: &str) -> Ids {
        let columns = self.rows.iter().map(|batch| &batch[id_column]);
        columns
            .flat_map(|ids| ids.as_string::<i32>().iter().flatten())
            .map(str::to_owned)
            .collect()
    }

    /// Returns the table's rows whose id is not among the new ones, and the new ones.
    pub(crate) fn merged(
        &self,
        new: &RecordBatch,
        id_column: &str,
    ) -> Result<RecordBatch, TableError> {
        let replaced: BTreeSet<&str> = new[id_column].as_string::<i32>().iter().flatten().collect();
        let mut batches = self.without(id_column, &replaced)?;
        batches.push(new.clone());
        let table = self.table.table;
        concat_batches(&table.schema(), &batches)
            .map_err(|error| TableError::unencodable(table, error))
    }

    /// Returns the table's rows whose id is not among these.
    pub(crate) fn without(
        &self,
        id_column: &str,
        gone: &BTreeSet<&str>,
    ) -> Result<Vec<RecordBatch>, TableError> {
        let table = self.table.table;
        let schema = table.schema();
        let stays = |batch: &RecordBatch| {
            let ids = batch[id_column].as_string::<i32>();
            let mask: BooleanArray = ids
                .iter()
                .map(|id| Some(!id.is_some_and(|id| gone.contains(id))))
                .collect();
            filter_record_batch(batch, &mask)
        };
        self.rows
            .iter()
            .map(|batch| stays(batch)?.with_schema(schema.clone()))
            .collect::<Result<_, _>>()
            .map_err(|error| TableError::unencodable(table, error))
    }
}
