//! One Delta table of the lake: opened, created, checked for its layout, and appended to.

use std::sync::Arc;

use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake_core::kernel::{Action, StructType, Transaction};
use deltalake_core::logstore::LogStoreRef;
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::table::state::DeltaTableState;
use deltalake_core::{DeltaTable, DeltaTableBuilder, DeltaTableError, ObjectStore};
use h3o::Resolution;
use schemas::Table;
use schemas::lake::{LAYOUT_VERSION, PROPERTY_LAYOUT_VERSION, PROPERTY_PARTITION_RESOLUTION};
use url::Url;

/// A table that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The lake's folder cannot be named or made.
    #[error("lake {lake} cannot be used: {reason}")]
    Lake {
        /// The lake.
        lake: String,
        /// Why.
        reason: String,
    },
    /// The table was written by another layout.
    #[error(
        "table {table} in {location} has layout version {found}, this build reads and writes {LAYOUT_VERSION}"
    )]
    Layout {
        /// The table.
        table: Table,
        /// Where it lies.
        location: Url,
        /// What its property says.
        found: String,
    },
    /// The table's columns are not those of this build.
    #[error("table {table} in {location} has other columns than this build: {difference}")]
    Columns {
        /// The table.
        table: Table,
        /// Where it lies.
        location: Url,
        /// The first difference.
        difference: String,
    },
    /// The Delta log refused.
    #[error("table {table} in {location}: {source}")]
    Log {
        /// The table.
        table: Table,
        /// Where it lies.
        location: Url,
        /// What delta-rs said.
        source: DeltaTableError,
    },
    /// A file could not be encoded.
    #[error("table {table}: a file could not be encoded: {source}")]
    Encode {
        /// The table.
        table: Table,
        /// What the Parquet writer said.
        source: ::parquet::errors::ParquetError,
    },
}

/// An open table of the lake.
#[derive(Debug, Clone)]
pub struct LakeTable {
    /// Which table.
    pub table: Table,
    /// Resolution of its partition cells.
    pub partition_resolution: Resolution,
    pub(crate) delta: DeltaTable,
}

/// Turns a lake's path or URL into the address of one of its tables.
///
/// # Errors
/// When the path cannot be made absolute or the URL does not parse.
pub fn table_url(lake: &str, table: Table) -> Result<Url, TableError> {
    let unusable = |reason: String| TableError::Lake {
        lake: lake.to_owned(),
        reason,
    };
    let root = if lake.contains("://") {
        Url::parse(&format!("{}/", lake.trim_end_matches('/')))
            .map_err(|e| unusable(e.to_string()))?
    } else {
        let path = std::path::absolute(lake).map_err(|error| unusable(error.to_string()))?;
        Url::from_directory_path(&path).map_err(|()| unusable("not a path".into()))?
    };
    root.join(&format!("{}/", table.name()))
        .map_err(|error| unusable(error.to_string()))
}

impl LakeTable {
    /// Opens a table, or creates it empty where there is none.
    ///
    /// # Errors
    /// When the lake is not writable, or holds this table in another layout.
    pub async fn open_or_create(
        lake: &str,
        table: Table,
        partition_resolution: Resolution,
    ) -> Result<Self, TableError> {
        let location = table_url(lake, table)?;
        if let Ok(folder) = location.to_file_path() {
            std::fs::create_dir_all(&folder).map_err(|error| TableError::Lake {
                lake: lake.to_owned(),
                reason: format!("{}: {error}", folder.display()),
            })?;
        }
        let log = |source| TableError::Log {
            table,
            location: location.clone(),
            source,
        };
        let mut delta = DeltaTableBuilder::from_url(location.clone())
            .and_then(DeltaTableBuilder::build)
            .map_err(log)?;
        match delta.load().await {
            Ok(()) => {}
            Err(DeltaTableError::NotATable(_) | DeltaTableError::InvalidTableLocation(_)) => {
                delta = create(table, &location, partition_resolution)
                    .await
                    .map_err(log)?;
            }
            Err(source) => return Err(log(source)),
        }
        Self::checked(table, location, delta)
    }

    fn checked(table: Table, location: Url, delta: DeltaTable) -> Result<Self, TableError> {
        let state = delta.snapshot().map_err(|source| TableError::Log {
            table,
            location: location.clone(),
            source,
        })?;
        let properties = state.metadata().configuration();
        let found = properties
            .get(PROPERTY_LAYOUT_VERSION)
            .cloned()
            .unwrap_or("none".into());
        if found != LAYOUT_VERSION.to_string() {
            return Err(TableError::Layout {
                table,
                location,
                found,
            });
        }
        let partition_resolution = properties
            .get(PROPERTY_PARTITION_RESOLUTION)
            .and_then(|text| text.parse::<u8>().ok())
            .and_then(|number| Resolution::try_from(number).ok())
            .unwrap_or(schemas::lake::DEFAULT_PARTITION_RESOLUTION);
        if let Some(difference) = first_difference(table, state) {
            return Err(TableError::Columns {
                table,
                location,
                difference,
            });
        }
        Ok(Self {
            table,
            partition_resolution,
            delta,
        })
    }

    /// Appends files in one commit, or replaces the table's rows by them.
    ///
    /// # Errors
    /// When the log refuses; nothing is visible then.
    pub async fn commit(
        &mut self,
        actions: Vec<Action>,
        transactions: Vec<Transaction>,
        metadata: Vec<(String, serde_json::Value)>,
        mode: SaveMode,
    ) -> Result<(), DeltaTableError> {
        let properties = CommitProperties::default()
            .with_metadata(metadata)
            .with_application_transactions(transactions)
            .with_max_retries(3)
            .with_create_checkpoint(false)
            .with_cleanup_expired_logs(Some(false));
        let operation = DeltaOperation::Write {
            mode,
            partition_by: Some(
                self.table
                    .partition_columns()
                    .iter()
                    .map(|c| (*c).to_owned())
                    .collect(),
            ),
            predicate: None,
        };
        let state = self.delta.snapshot()?.clone();
        let commit = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(&state), self.log_store(), operation)
            .await?;
        self.delta.state = Some(commit.snapshot());
        Ok(())
    }

    /// Reads the table's newest version.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn refresh(&mut self) -> Result<(), TableError> {
        self.delta
            .load()
            .await
            .map_err(|source| self.log_error(source))
    }

    /// Returns the position recorded under `app_id`, if any.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn position(&self, app_id: &str) -> Result<Option<i64>, TableError> {
        let state = self
            .delta
            .snapshot()
            .map_err(|source| self.log_error(source))?;
        let log_store = self.log_store();
        state
            .snapshot()
            .transaction_version(log_store.as_ref(), app_id)
            .await
            .map_err(|source| self.log_error(source))
    }

    pub(crate) fn log_store(&self) -> LogStoreRef {
        self.delta.log_store()
    }

    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        self.delta.log_store().object_store(None)
    }

    pub(crate) fn log_error(&self, source: DeltaTableError) -> TableError {
        TableError::Log {
            table: self.table,
            location: self.delta.table_url().clone(),
            source,
        }
    }
}

async fn create(
    table: Table,
    location: &Url,
    partition_resolution: Resolution,
) -> Result<DeltaTable, DeltaTableError> {
    let columns: StructType = table.schema().as_ref().try_into_kernel()?;
    let properties = table.properties(partition_resolution);
    CreateBuilder::new()
        .with_location(location.as_str())
        .with_table_name(table.name())
        .with_comment(table.doc())
        .with_columns(columns.fields().cloned())
        .with_partition_columns(table.partition_columns().iter().copied())
        .with_configuration(
            properties
                .into_iter()
                .map(|(key, value)| (key, Some(value))),
        )
        .with_raise_if_key_not_exists(false)
        // Two ingesters that start at once may both create: the second takes what is there.
        .with_save_mode(SaveMode::Ignore)
        .await
}

fn first_difference(table: Table, state: &DeltaTableState) -> Option<String> {
    let expected: StructType = table.schema().as_ref().try_into_kernel().ok()?;
    let found = state.schema();
    for field in expected.fields() {
        match found.field(field.name()) {
            None => return Some(format!("column {} is missing", field.name())),
            Some(there) if there.data_type() != field.data_type() => {
                return Some(format!(
                    "column {} is {}, expected {}",
                    field.name(),
                    there.data_type(),
                    field.data_type()
                ));
            }
            Some(_) => {}
        }
    }
    None
}
