//! Registry rows in the lake: replaced or merged in one commit.

use deltalake_core::logstore::object_store::ObjectStoreExt;
use std::collections::BTreeSet;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::errors::ParquetError;
use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use deltalake_core::kernel::{Action, Remove};
use deltalake_core::protocol::SaveMode;
use deltalake_core::{DeltaTableError, ObjectStoreError, Path};
use futures::{StreamExt, TryStreamExt};
use schemas::Table;
use schemas::lake::DEFAULT_PARTITION_RESOLUTION;

use super::{Ids, LoadMode, RegistryTable};
use crate::sink::parquet;
use crate::sink::table::{LakeTable, TableError};

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

pub(crate) fn unencodable(table: Table, error: arrow::error::ArrowError) -> TableError {
    TableError::Encode {
        table,
        source: ParquetError::from(error),
    }
}

/// A table without partitions as it is, with its rows and what the log needs to take its files away.
pub(crate) struct Existing {
    lake: LakeTable,
    files: Vec<Remove>,
    pub(crate) rows: Vec<RecordBatch>,
}

impl Existing {
    pub(crate) async fn open(lake: &str, table: Table) -> Result<Self, TableError> {
        let lake = LakeTable::open_or_create(lake, table, DEFAULT_PARTITION_RESOLUTION).await?;
        let (mut files, mut rows) = (Vec::new(), Vec::new());
        for (path, remove) in Self::files(&lake).await? {
            rows.extend(Self::read(&lake, &path).await?);
            files.push(remove);
        }
        Ok(Self { lake, files, rows })
    }

    /// Puts these rows in the place of all there are, in one commit that conflicts with any other
    /// that does the same, and returns how many there are.
    pub(crate) async fn replace(
        mut self,
        rows: &RecordBatch,
        metadata: (String, serde_json::Value),
    ) -> Result<u64, TableError> {
        let kind = self.lake.table;
        let sorted = parquet::sort(kind, rows).map_err(|error| unencodable(kind, error))?;
        let adds = match sorted.num_rows() {
            0 => Vec::new(),
            _ => parquet::write(&self.lake, &sorted).await?,
        };
        let mut actions: Vec<Action> = self.files.into_iter().map(Action::Remove).collect();
        actions.extend(adds.into_iter().map(Action::Add));
        let committed = self
            .lake
            .commit(actions, Vec::new(), vec![metadata], SaveMode::Overwrite)
            .await;
        committed.map_err(|source| self.lake.log_error(source))?;
        Ok(sorted.num_rows() as u64)
    }

    async fn files(lake: &LakeTable) -> Result<Vec<(Path, Remove)>, TableError> {
        let failed = |source| lake.log_error(source);
        let state = lake.delta.snapshot().map_err(failed)?;
        let log_store = lake.log_store();
        let views = state.snapshot().file_views(log_store.as_ref(), None);
        let files = views.map_ok(|view| (view.object_store_path(), view.remove_action(true)));
        files.boxed().try_collect().await.map_err(failed)
    }

    async fn read(lake: &LakeTable, path: &Path) -> Result<Vec<RecordBatch>, TableError> {
        let unstored = |error: ObjectStoreError| lake.log_error(DeltaTableError::from(error));
        let answer = lake.store().get(path).await.map_err(unstored)?;
        let bytes = answer.bytes().await.map_err(unstored)?;
        let unreadable = |error: ParquetError| lake.log_error(DeltaTableError::from(error));
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)
            .and_then(ParquetRecordBatchReaderBuilder::build)
            .map_err(unreadable)?;
        let schema = lake.table.schema();
        let names: Vec<&str> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        reader
            .map(|batch| batch.and_then(|batch| by_name(&batch, &names)))
            .collect::<Result<_, _>>()
            .map_err(|error| unreadable(ParquetError::from(error)))
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
        let table = self.lake.table;
        concat_batches(&table.schema(), &batches).map_err(|error| unencodable(table, error))
    }

    /// Returns the table's rows whose id is not among these.
    pub(crate) fn without(
        &self,
        id_column: &str,
        gone: &BTreeSet<&str>,
    ) -> Result<Vec<RecordBatch>, TableError> {
        let table = self.lake.table;
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
            .map_err(|error| unencodable(table, error))
    }
}

fn by_name(batch: &RecordBatch, names: &[&str]) -> Result<RecordBatch, arrow::error::ArrowError> {
    let columns: Vec<usize> = names
        .iter()
        .map(|name| batch.schema().index_of(name))
        .collect::<Result<_, _>>()?;
    batch.project(&columns)
}
