//! Reads a table's log: owns what is active at one version, and refuses a log this build cannot read.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use chrono::{DateTime, Utc};
use datafusion::common::{ScalarValue, Statistics};
use deltalake_core::kernel::LogicalFileView;
use deltalake_core::table::state::DeltaTableState;
use deltalake_core::{DeltaTableBuilder, DeltaTableError};
use object_store::path::Path;
use schemas::Table;
use schemas::lake::{LAYOUT_VERSION, NULL_PARTITION, PROPERTY_LAYOUT_VERSION};
use url::Url;

use super::pinned::PinnedTable;
use super::statistics::FileStatistics;

/// Why a table of the lake cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The log itself failed.
    #[error("cannot read the table log of {location}")]
    Log {
        /// URL of the table.
        location: String,
        /// What the log's reader says.
        source: DeltaTableError,
    },
    /// The table was written by a build with another layout.
    #[error(
        "table {location} has layout version {found}, this build reads version {LAYOUT_VERSION}"
    )]
    Layout {
        /// URL of the table.
        location: String,
        /// Version the table states, or `none`.
        found: String,
    },
    /// A column is missing or of another type.
    #[error("column {column} of table {location} is {found}, this build expects {expected}")]
    Column {
        /// URL of the table.
        location: String,
        /// Name of the column.
        column: String,
        /// Type in the log, or `missing`.
        found: String,
        /// Type this build reads.
        expected: String,
    },
    /// The table uses a Delta feature under which its Parquet files alone are not its rows.
    #[error("table {location} uses {feature}, which this build does not read")]
    Feature {
        /// URL of the table.
        location: String,
        /// Name of the feature.
        feature: &'static str,
    },
    /// An entry of the log that contradicts the layout.
    #[error("file {file} of table {location} has {problem}")]
    File {
        /// URL of the table.
        location: String,
        /// Path of the file inside the table.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// What the session sees of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableState {
    /// The table.
    pub table: Table,
    /// Version of its log; `None` when the table was not created yet.
    pub version: Option<u64>,
    /// Active files.
    pub files: usize,
    /// Rows by the log; `None` when a file does not say.
    pub rows: Option<u64>,
    /// Size of the active files.
    pub size_bytes: u64,
}

/// One table at one version.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) table: Table,
    pub(crate) version: Option<u64>,
    pub(crate) files: Arc<[DataFile]>,
}

/// One active file.
#[derive(Debug, Clone)]
pub(crate) struct DataFile {
    /// Path from the root of the object store.
    pub(crate) path: Path,
    pub(crate) size_bytes: u64,
    pub(crate) modified: DateTime<Utc>,
    /// One value a partition column, in the order of the layout.
    pub(crate) partition_values: Vec<ScalarValue>,
    /// What the log states of it.
    pub(crate) statistics: FileStatistics,
}

impl DataFile {
    /// Returns the day of the events in a file of a fact table, in days since the epoch.
    pub(super) fn day(&self) -> Option<i32> {
        match self.partition_values.first() {
            Some(ScalarValue::Date32(day)) => *day,
            _ => None,
        }
    }

    /// Counts the rows, copies included; `None` when the log does not say.
    pub(super) fn rows(&self) -> Option<usize> {
        self.statistics.rows()
    }

    /// Returns the statistics of every column of the table, partition columns included.
    pub(super) fn all_statistics(&self, table: Table) -> Statistics {
        self.statistics.of_all(table, &self.partition_values)
    }
}

impl Snapshot {
    /// Reads the log of a table at its pinned version; a table not created yet has no files.
    pub(crate) async fn load(pinned: &PinnedTable) -> Result<Self, SnapshotError> {
        let PinnedTable {
            table, location, ..
        } = pinned;
        let empty = || Self {
            table: *table,
            version: None,
            files: Arc::from([]),
        };
        let Some(version) = pinned.version else {
            return Ok(empty());
        };
        let log_error = |source| SnapshotError::Log {
            location: location.to_string(),
            source,
        };
        let builder = DeltaTableBuilder::from_url(location.clone()).map_err(log_error)?;
        let delta = builder.with_version(version).load().await;
        let delta = delta.map_err(log_error)?;
        let state = delta.snapshot().map_err(log_error)?;
        match check_layout(location, *table, state) {
            // What an older build derived is as good as not there: the next analysis writes it anew.
            Err(SnapshotError::Column { .. }) if table.is_derived() => return Ok(empty()),
            checked => checked?,
        }
        let root = Path::from_url_path(location.path()).map_err(|error| SnapshotError::File {
            location: location.to_string(),
            file: ".".into(),
            problem: format!("a path no object store takes: {error}"),
        })?;
        let files = state
            .log_data()
            .iter()
            .map(|view| data_file(location, *table, &root, &view))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            table: *table,
            version: Some(state.version()),
            files: files.into(),
        })
    }

    pub(crate) fn state(&self) -> TableState {
        TableState {
            table: self.table,
            version: self.version,
            files: self.files.len(),
            rows: self
                .files
                .iter()
                .map(|file| file.rows().map(|rows| rows as u64))
                .sum(),
            size_bytes: self.files.iter().map(|file| file.size_bytes).sum(),
        }
    }
}

fn check_layout(
    location: &Url,
    table: Table,
    state: &DeltaTableState,
) -> Result<(), SnapshotError> {
    let found = state
        .metadata()
        .configuration()
        .get(PROPERTY_LAYOUT_VERSION)
        .cloned();
    if found.as_deref() != Some(LAYOUT_VERSION.to_string().as_str()) {
        return Err(SnapshotError::Layout {
            location: location.to_string(),
            found: found.unwrap_or_else(|| "none".into()),
        });
    }
    if state
        .metadata()
        .configuration()
        .get("delta.columnMapping.mode")
        .is_some_and(|m| m != "none")
    {
        return Err(SnapshotError::Feature {
            location: location.to_string(),
            feature: "column mapping",
        });
    }
    check_columns(location, &table.schema(), &state.snapshot().arrow_schema())
}

/// Extra columns are left alone; a column that may be null may be missing, its values then are null.
fn check_columns(
    location: &Url,
    expected: &SchemaRef,
    found: &SchemaRef,
) -> Result<(), SnapshotError> {
    for field in expected.fields() {
        let in_log = found
            .field_with_name(field.name())
            .ok()
            .map(|found| found.data_type());
        let fits = match in_log {
            Some(kind) => same_type(kind, field.data_type()),
            None => field.is_nullable(),
        };
        if !fits {
            return Err(SnapshotError::Column {
                location: location.to_string(),
                column: field.name().clone(),
                found: in_log.map_or_else(|| "missing".into(), ToString::to_string),
                expected: field.data_type().to_string(),
            });
        }
    }
    Ok(())
}

/// Whether two types hold the same values; names and nullability of nested fields may differ.
fn same_type(left: &DataType, right: &DataType) -> bool {
    match (left, right) {
        (DataType::List(left), DataType::List(right)) => {
            same_type(left.data_type(), right.data_type())
        }
        (DataType::Struct(left), DataType::Struct(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(l, r)| l.name() == r.name() && same_type(l.data_type(), r.data_type()))
        }
        _ => left == right,
    }
}

fn data_file(
    location: &Url,
    table: Table,
    root: &Path,
    view: &LogicalFileView,
) -> Result<DataFile, SnapshotError> {
    let file_error = |problem: String| SnapshotError::File {
        location: location.to_string(),
        file: view.path().into_owned(),
        problem,
    };
    if view.deletion_vector_descriptor().is_some() {
        return Err(SnapshotError::Feature {
            location: location.to_string(),
            feature: "deletion vectors",
        });
    }
    let texts = view.partition_values_map();
    let partition_values = table
        .partition_columns()
        .iter()
        .map(|column| partition_value(table, column, texts.get(*column).and_then(Option::as_deref)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(file_error)?;
    let statistics = FileStatistics::read(table, view.stats().as_deref()).map_err(file_error)?;
    Ok(DataFile {
        path: root
            .parts()
            .chain(view.object_store_path().parts())
            .collect(),
        size_bytes: u64::try_from(view.size()).map_err(|_| file_error("a negative size".into()))?,
        modified: view.modification_datetime().unwrap_or_default(),
        partition_values,
        statistics,
    })
}

fn partition_value(table: Table, column: &str, text: Option<&str>) -> Result<ScalarValue, String> {
    let schema = table.schema();
    let field = schema
        .field_with_name(column)
        .expect("partition columns are columns");
    let text = text.filter(|text| *text != NULL_PARTITION && !text.is_empty());
    match text {
        Some(text) => ScalarValue::try_from_string(text.to_owned(), field.data_type()),
        None => ScalarValue::try_from(field.data_type()),
    }
    .map_err(|error| format!("an unreadable {column}: {error}"))
}
