//! Every position a table's log keeps, whoever wrote it: delta-rs only answers for a name it is given.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use deltalake_core::Path;
use deltalake_core::kernel::Action;
use deltalake_core::logstore::get_actions;
use futures::TryStreamExt;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use crate::{LakeTable, TableError};

impl LakeTable {
    /// Returns the newest value of every application's position (`txn`) up to the version that was
    /// read last.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn positions(&self) -> Result<BTreeMap<String, i64>, TableError> {
        let last = self.version()?;
        let checkpoint = self.checkpoint_files(last).await?;
        let mut positions = BTreeMap::new();
        for path in &checkpoint.1 {
            positions.extend(self.positions_in_checkpoint(path).await?);
        }
        let log_store = self.log_store();
        for version in checkpoint.0.map_or(0, |version| version + 1)..=last {
            let read = log_store.read_commit_entry(version).await;
            let entry = read.map_err(|source| self.log_error(source))?;
            let actions = match entry {
                Some(entry) => get_actions(version, &entry),
                None => Err(deltalake_core::DeltaTableError::InvalidVersion(version)),
            };
            for action in actions.map_err(|source| self.log_error(source))? {
                if let Action::Txn(position) = action {
                    positions.insert(position.app_id, position.version);
                }
            }
        }
        Ok(positions)
    }

    /// Returns the newest checkpoint up to a version, and the files it consists of.
    async fn checkpoint_files(&self, last: u64) -> Result<(Option<u64>, Vec<Path>), TableError> {
        let store = self.store();
        let log = Path::from("_delta_log");
        let listed: Vec<_> = store
            .list(Some(&log))
            .try_collect()
            .await
            .map_err(|source| self.log_error(source))?;
        let mut newest = (None, Vec::new());
        for file in listed {
            let name = file.location.filename().unwrap_or_default();
            let version = name.split_once(".checkpoint.").and_then(|(version, rest)| {
                let version = version.parse::<u64>().ok()?;
                (rest.ends_with("parquet") && version <= last).then_some(version)
            });
            if version.is_some() && version > newest.0 {
                newest = (version, vec![file.location]);
            } else if version.is_some() && version == newest.0 {
                newest.1.push(file.location);
            }
        }
        Ok(newest)
    }

    async fn positions_in_checkpoint(&self, path: &Path) -> Result<Vec<(String, i64)>, TableError> {
        let bytes = self.bytes(path).await?;
        let unreadable = |source| self.unreadable(path, source);
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(unreadable)?;
        let mask = ProjectionMask::columns(reader.parquet_schema(), ["txn"]);
        let reader = reader.with_projection(mask).build().map_err(unreadable)?;
        let mut positions = Vec::new();
        for batch in reader {
            let batch = batch.map_err(|error| unreadable(ParquetError::from(error)))?;
            let Some(column) = batch.column_by_name("txn") else {
                continue;
            };
            let of = column.as_struct();
            let (Some(names), Some(versions)) =
                (of.column_by_name("appId"), of.column_by_name("version"))
            else {
                continue;
            };
            let (names, versions) = (
                names.as_string::<i32>(),
                versions.as_primitive::<Int64Type>(),
            );
            let there = (0..of.len()).filter(|row| of.is_valid(*row) && names.is_valid(*row));
            positions.extend(there.map(|row| (names.value(row).to_owned(), versions.value(row))));
        }
        Ok(positions)
    }
}
