//! One Delta table of the lake: opened, created, checked for its layout, and committed to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use deltalake_core::kernel::{Add, Remove, Transaction};
use deltalake_core::logstore::LogStoreRef;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::{DeltaTableBuilder, DeltaTableError, ObjectStore};
use h3o::Resolution;
use schemas::Table;
use schemas::lake::{
    DEFAULT_PARTITION_RESOLUTION, LAYOUT_VERSION, PROPERTY_LAYOUT_VERSION,
    PROPERTY_PARTITION_RESOLUTION,
};
use url::Url;

use crate::create::{create, first_difference};
use crate::log::Log;
use crate::{TableError, table_url};

/// What a commit changes.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// Files that become visible.
    pub adds: Vec<Add>,
    /// Files that are in the table no longer.
    pub removes: Vec<Remove>,
    /// Positions, and what else is kept under an application's name.
    pub transactions: Vec<Transaction>,
    /// What the log is to say of the commit.
    pub metadata: Vec<(String, serde_json::Value)>,
}

/// How a commit stands to others made from the same version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitKind {
    /// Rows are added: other commits may come between, unless they move the same position.
    Append,
    /// Rows take the place of others: a commit between that takes the same files away conflicts.
    Replace,
    /// The same rows in other files: a commit between that takes the same files away conflicts, which
    /// delta-rs itself would not see.
    Compact,
    /// Rows are taken out, by files that take the place of others without them: likewise.
    Delete,
}

/// Attempts to create a table before the last error is returned, and the pause between two.
const CREATIONS: u32 = 4;
const CREATION_PAUSE: Duration = Duration::from_millis(500);

/// An open table of the lake. It does not hold the list of its files: that is read when it is asked for.
#[derive(Debug, Clone)]
pub struct LakeTable {
    /// Which table.
    pub table: Table,
    /// Resolution of its partition cells.
    pub partition_resolution: Resolution,
    pub(crate) log: Log,
}

impl LakeTable {
    /// Opens a table, or creates it empty where there is none, with the default resolution of
    /// `partition_cell` when none is asked for.
    ///
    /// # Errors
    /// When the lake is not writable, or holds this table in another layout or resolution.
    pub async fn open_or_create(
        lake: &str,
        table: Table,
        partition_resolution: Option<Resolution>,
    ) -> Result<Self, TableError> {
        let opened = match Self::found(lake, table).await? {
            Some(found) => found,
            None => {
                let resolution = partition_resolution.unwrap_or(DEFAULT_PARTITION_RESOLUTION);
                Self::created(lake, table, resolution, SaveMode::Ignore).await?
            }
        };
        let found = opened.partition_resolution;
        match partition_resolution.filter(|asked| *asked != found) {
            None => opened.checked(),
            Some(asked) => Err(TableError::PartitionResolution {
                table,
                location: opened.location().clone(),
                found,
                asked,
            }),
        }
    }

    /// Opens a derived table, or creates it empty; one with the columns of an older build begins
    /// anew, for everything derived can be derived again.
    ///
    /// # Errors
    /// When the lake is not writable.
    pub async fn open_derived(lake: &str, table: Table) -> Result<Self, TableError> {
        let mode = match Self::found(lake, table).await? {
            Some(found) if first_difference(table, &found.log.described).is_none() => {
                return Ok(found);
            }
            Some(_) => SaveMode::Overwrite,
            None => SaveMode::Ignore,
        };
        Self::created(lake, table, DEFAULT_PARTITION_RESOLUTION, mode).await
    }

    /// Opens a table as it is; `None` where there is none.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn found(lake: &str, table: Table) -> Result<Option<Self>, TableError> {
        let location = table_url(lake, table)?;
        if location.to_file_path().is_ok_and(|folder| !folder.exists()) {
            return Ok(None);
        }
        match load(&location).await {
            Ok(log) => Ok(Some(Self::of(table, log))),
            Err(DeltaTableError::NotATable(_) | DeltaTableError::InvalidTableLocation(_)) => {
                Ok(None)
            }
            Err(source) => Err(log_error(table, &location, source)),
        }
    }

    async fn created(
        lake: &str,
        table: Table,
        partition_resolution: Resolution,
        mode: SaveMode,
    ) -> Result<Self, TableError> {
        let location = table_url(lake, table)?;
        if let Ok(folder) = location.to_file_path() {
            std::fs::create_dir_all(&folder).map_err(|error| TableError::Lake {
                lake: lake.to_owned(),
                reason: format!("{}: {error}", folder.display()),
            })?;
        }
        let mut attempt = 0;
        loop {
            let made = async {
                let store = create(table, &location, partition_resolution, mode).await?;
                Log::open(store).await
            };
            let source = match made.await {
                Ok(log) => return Ok(Self::of(table, log)),
                Err(source) => source,
            };
            // The store's answer was lost, or another program made the table at the same moment.
            if mode == SaveMode::Ignore
                && let Some(found) = Self::found(lake, table).await?
            {
                return Ok(found);
            }
            attempt += 1;
            if attempt == CREATIONS {
                return Err(log_error(table, &location, source));
            }
            tokio::time::sleep(CREATION_PAUSE).await;
        }
    }

    fn of(table: Table, log: Log) -> Self {
        let properties = log.described.metadata().configuration();
        let partition_resolution = properties
            .get(PROPERTY_PARTITION_RESOLUTION)
            .and_then(|text| text.parse::<u8>().ok())
            .and_then(|number| Resolution::try_from(number).ok())
            .unwrap_or(DEFAULT_PARTITION_RESOLUTION);
        Self {
            table,
            partition_resolution,
            log,
        }
    }

    /// Holds the table against the layout and the contract of this build.
    ///
    /// # Errors
    /// When it is of another layout, or lacks a column.
    pub fn checked(self) -> Result<Self, TableError> {
        let (table, location) = (self.table, self.location().clone());
        let properties = self.log.described.metadata().configuration();
        let found = properties.get(PROPERTY_LAYOUT_VERSION).cloned();
        let found = found.unwrap_or("none".into());
        if found != LAYOUT_VERSION.to_string() {
            return Err(TableError::Layout {
                table,
                location,
                found,
            });
        }
        match first_difference(table, &self.log.described) {
            Some(difference) => Err(TableError::Columns {
                table,
                location,
                difference,
            }),
            None => Ok(self),
        }
    }

    /// Makes the next version of the table. Nothing is done after it: checkpoints and the end of
    /// old versions are maintenance, and an error there would pass for one of the commit.
    ///
    /// # Errors
    /// When the log refuses; nothing is visible then, unless its answer was lost on the way.
    pub async fn commit(&mut self, commit: Commit, kind: CommitKind) -> Result<(), TableError> {
        let made = self.log.commit(commit, self.operation(kind)).await;
        made.map_err(|source| self.log_error(source))
    }

    fn operation(&self, kind: CommitKind) -> DeltaOperation {
        let write = |mode| {
            let columns = self.table.partition_columns().iter();
            DeltaOperation::Write {
                mode,
                partition_by: Some(columns.map(|column| (*column).to_owned()).collect()),
                predicate: None,
            }
        };
        match kind {
            CommitKind::Append => write(SaveMode::Append),
            CommitKind::Replace => write(SaveMode::Overwrite),
            CommitKind::Compact => DeltaOperation::Optimize {
                predicate: None,
                target_size: 0,
            },
            CommitKind::Delete => DeltaOperation::Delete { predicate: None },
        }
    }

    /// Reads the table's newest version.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn refresh(&mut self) -> Result<(), TableError> {
        // Whoever slept for longer than the log is kept cannot read on from the version it knows.
        if !self.log.advance().await.unwrap_or(false) {
            let anew = Log::open(self.log_store()).await;
            self.log = anew.map_err(|source| self.log_error(source))?;
        }
        Ok(())
    }

    /// Returns the position recorded under `app_id`, if any.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn position(&self, app_id: &str) -> Result<Option<i64>, TableError> {
        Ok(self.positions().await?.get(app_id).copied())
    }

    /// Returns the newest value of every application's position (`txn`) up to the version that was
    /// read last.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn positions(&self) -> Result<&BTreeMap<String, i64>, TableError> {
        let positions = self.log.positions().await;
        positions.map_err(|source| self.log_error(source))
    }

    /// Tells whether one of the newest hundred commits says `value` under `key`.
    pub async fn has_commit_with(&self, key: &str, value: &str) -> bool {
        self.log.has_commit_with(key, value).await
    }

    pub(crate) fn location(&self) -> &Url {
        self.log.store.root_url()
    }

    /// Returns the store of the table's files.
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        self.log_store().object_store(None)
    }

    pub(crate) fn log_store(&self) -> LogStoreRef {
        self.log.store.clone()
    }

    /// Says that the log or the store of this table refused.
    pub fn log_error(&self, source: impl Into<DeltaTableError>) -> TableError {
        log_error(self.table, self.location(), source.into())
    }
}

async fn load(location: &Url) -> Result<Log, DeltaTableError> {
    let delta = DeltaTableBuilder::from_url(location.clone())?.build()?;
    Log::open(delta.log_store()).await
}

pub(crate) fn log_error(table: Table, location: &Url, source: DeltaTableError) -> TableError {
    TableError::Log {
        table,
        location: location.clone(),
        source,
    }
}
