//! What keeps a table's log short and its folder free of files that no version needs.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use deltalake_core::checkpoints::{cleanup_expired_logs_for, create_checkpoint};
use deltalake_core::table::config::TablePropertiesExt;
use deltalake_core::table::state::DeltaTableState;
use deltalake_core::{DeltaTable, ObjectMeta, Path};
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;

use crate::{LakeTable, TableError};

/// Deletions that are under way at the same time.
const DELETES_AT_ONCE: usize = 16;

impl LakeTable {
    /// Returns the version that was read last.
    pub fn version(&self) -> u64 {
        self.log.version
    }

    /// Returns for how long the log remembers files that were removed.
    pub fn removals_are_kept(&self) -> std::time::Duration {
        let properties = self.log.described.table_properties();
        properties.deleted_file_retention_duration()
    }

    /// Writes the state of the version that was read last into one file, so that readers need not
    /// replay the log before it. `false` when the version has one.
    ///
    /// # Errors
    /// When the log cannot be read or written.
    pub async fn checkpoint(&self) -> Result<bool, TableError> {
        let name = format!("_delta_log/{:020}.checkpoint.parquet", self.version());
        let there = self.store().head(&Path::from(name)).await;
        match there {
            Ok(_) => Ok(false),
            Err(object_store::Error::NotFound { .. }) => {
                let made = async {
                    let mut delta = DeltaTable::new(self.log_store());
                    delta.load_version(self.version()).await?;
                    create_checkpoint(&delta, None).await
                };
                made.await
                    .map(|()| true)
                    .map_err(|source| self.log_error(source))
            }
            Err(source) => Err(self.log_error(source)),
        }
    }

    /// Deletes entries of the log older than this that no version since then needs; returns how many.
    ///
    /// # Errors
    /// When the log cannot be listed, or an entry not deleted.
    pub async fn forget_log_before(&self, time: DateTime<Utc>) -> Result<usize, TableError> {
        let log_store = self.log_store();
        cleanup_expired_logs_for(
            self.version(),
            log_store.as_ref(),
            time.timestamp_millis(),
            None,
        )
        .await
        .map_err(|source| self.log_error(source))
    }

    /// Returns the Parquet files in the table's folder that were stored before `time`, and are
    /// neither in the version read last nor were in one since `time`.
    ///
    /// # Errors
    /// When the folder or the log cannot be read.
    pub async fn unneeded_before(
        &self,
        time: DateTime<Utc>,
    ) -> Result<Vec<ObjectMeta>, TableError> {
        let needed = self.needed_since(time).await?;
        let store = self.store();
        let found = store.list(None).try_filter(|file| {
            let is_old = file.last_modified < time;
            let unneeded = is_old && is_data(&file.location) && !needed.contains(&file.location);
            futures::future::ready(unneeded)
        });
        found
            .try_collect()
            .await
            .map_err(|source| self.log_error(source))
    }

    async fn needed_since(&self, time: DateTime<Utc>) -> Result<HashSet<Path>, TableError> {
        let log_store = self.log_store();
        let state = DeltaTableState::try_new(log_store.as_ref(), Some(self.version())).await;
        let state = state.map_err(|source| self.log_error(source))?;
        let files = state.log_data().into_iter();
        let mut needed: HashSet<Path> = files.map(|file| file.object_store_path()).collect();
        let mut removed = state.all_tombstones(log_store.as_ref());
        while let Some(removal) = removed.next().await {
            let removal = removal.map_err(|source| self.log_error(source))?;
            // Without a time it is taken for new.
            let at_ms = removal.deletion_timestamp().filter(|ms| *ms > 0);
            if at_ms.is_none_or(|ms| ms >= time.timestamp_millis()) {
                let path = removal.path();
                needed.insert(Path::parse(&path).unwrap_or_else(|_| Path::from(path.as_ref())));
            }
        }
        Ok(needed)
    }

    /// Deletes files; one that is gone already is no error.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn delete(&self, paths: Vec<Path>) -> Result<(), TableError> {
        let store = self.store();
        let delete = |path: Path| {
            let store = store.clone();
            async move {
                match store.delete(&path).await {
                    Err(object_store::Error::NotFound { .. }) => Ok(()),
                    answer => answer,
                }
            }
        };
        futures::stream::iter(paths)
            .map(Ok)
            .try_for_each_concurrent(DELETES_AT_ONCE, delete)
            .await
            .map_err(|source| self.log_error(source))
    }
}

/// Whether a file is one of rows: the log and what other programs hide lie under `_` and `.`.
fn is_data(path: &Path) -> bool {
    let hidden = |part: &str| part.starts_with(['_', '.']);
    let mut parts = path.parts();
    path.extension() == Some("parquet") && !parts.any(|part| hidden(part.as_ref()))
}
