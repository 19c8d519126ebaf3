//! Which version of a table a session looks at: owns how it is found, without reading what is in it.
//!
//! The versions of all tables are found together when a session opens; a table's files are listed
//! when a statement asks for it ([`super::LakeTable`]).

use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::execution::object_store::ObjectStoreUrl;
use deltalake_core::logstore::LogStore;
use deltalake_core::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use schemas::Table;
use serde::Deserialize;
use url::Url;

use super::SnapshotError;
use crate::session::AsOf;

const LOG: &str = "_delta_log";

/// A table at a version.
#[derive(Debug, Clone)]
pub(crate) struct PinnedTable {
    pub(crate) table: Table,
    pub(crate) location: Url,
    pub(crate) store_url: ObjectStoreUrl,
    /// The version; `None` when the table was not created yet.
    pub(crate) version: Option<u64>,
}

impl PinnedTable {
    /// Finds the version of `table` in the lake at `lake`, and where its files are read from.
    ///
    /// # Errors
    /// When the log cannot be listed.
    pub(crate) async fn find(
        lake: &Url,
        table: Table,
        as_of: AsOf,
    ) -> Result<(Self, Option<Arc<dyn ObjectStore>>), SnapshotError> {
        let location = table_url(lake, table);
        let log_error = |source| SnapshotError::Log {
            location: location.to_string(),
            source,
        };
        let store_url = store_url(&location).map_err(log_error)?;
        let found = find(&location, as_of.moment(table)).await;
        let (version, store) = match found.map_err(log_error)? {
            Some((version, store)) => (Some(version), Some(store)),
            None => (None, None),
        };
        let pinned = Self {
            table,
            location,
            store_url,
            version,
        };
        Ok((pinned, store))
    }
}

fn table_url(lake: &Url, table: Table) -> Url {
    let mut url = lake.clone();
    url.set_path(&format!(
        "{}/{}",
        lake.path().trim_end_matches('/'),
        table.name()
    ));
    url
}

fn store_url(location: &Url) -> Result<ObjectStoreUrl, DeltaTableError> {
    let root = &location[url::Position::BeforeScheme..url::Position::BeforePath];
    ObjectStoreUrl::parse(root)
        .map_err(|error| DeltaTableError::InvalidTableLocation(error.to_string()))
}

/// Finds the version of a table at a moment; `None` when there is no table.
async fn find(
    location: &Url,
    moment: Option<DateTime<Utc>>,
) -> Result<Option<(u64, Arc<dyn ObjectStore>)>, DeltaTableError> {
    // The local store makes the folder it is opened on; a reader must leave no trace.
    if let Ok(folder) = location.to_file_path()
        && !folder.join(LOG).is_dir()
    {
        return Ok(None);
    }
    let mut delta = DeltaTableBuilder::from_url(location.clone())?.build()?;
    let version = match moment {
        Some(moment) => version_at(&mut delta, moment).await?,
        None => newest_version(delta.log_store().as_ref()).await?,
    };
    let root = delta.log_store().root_object_store(None);
    Ok(version.map(|version| (version, root)))
}

async fn version_at(
    delta: &mut DeltaTable,
    moment: DateTime<Utc>,
) -> Result<Option<u64>, DeltaTableError> {
    match delta.load_with_datetime(moment).await {
        Ok(()) => Ok(delta.version()),
        Err(DeltaTableError::NotATable(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

#[derive(Deserialize)]
struct LastCheckpoint {
    version: u64,
}

/// Finds the newest version by the names of the log's entries, from the last checkpoint on.
async fn newest_version(log: &dyn LogStore) -> Result<Option<u64>, DeltaTableError> {
    let store = log.object_store(None);
    let folder = Path::from(LOG);
    let hint = folder.clone().join("_last_checkpoint");
    let checkpoint = match store.get(&hint).await {
        Ok(found) => serde_json::from_slice::<LastCheckpoint>(&found.bytes().await?).ok(),
        // It is only a hint where to begin.
        Err(_) => None,
    };
    let known = checkpoint.map(|checkpoint| checkpoint.version);
    let from = folder.clone().join(format!("{:020}", known.unwrap_or(0)));
    let mut entries = store.list_with_offset(Some(&folder), &from);
    let mut newest = known;
    while let Some(entry) = entries.try_next().await? {
        newest = newest.max(version_of(&entry.location));
    }
    Ok(newest)
}

/// The version an entry of the log makes; `None` for what is none, such as a staged commit.
fn version_of(entry: &Path) -> Option<u64> {
    let mut parts = entry.parts().rev();
    let name = parts.next()?;
    let digits = name.as_ref().strip_suffix(".json")?;
    let is_entry = digits.len() == 20 && parts.next()?.as_ref() == LOG;
    is_entry.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commits_make_versions() {
        for (entry, version) in [
            ("_delta_log/00000000000000000042.json", Some(42)),
            ("_delta_log/00000000000000000042.checkpoint.parquet", None),
            ("_delta_log/_staged_commits/00000000000000000043.json", None),
            ("_delta_log/00000000000000000044.1234.json", None),
            ("_delta_log/_last_checkpoint", None),
        ] {
            assert_eq!(version_of(&Path::from(entry)), version, "{entry}");
        }
    }
}
