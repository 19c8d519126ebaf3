//! Reads a table's log: owns what is active at one version, and refuses a log this build cannot read.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use chrono::{DateTime, Utc};
use datafusion::common::{ScalarValue, Statistics};
use datafusion::execution::object_store::ObjectStoreUrl;
use deltalake_core::kernel::LogicalFileView;
use deltalake_core::table::state::DeltaTableState;
use deltalake_core::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use object_store::ObjectStore;
use object_store::path::Path;
use schemas::Table;
use schemas::lake::{LAYOUT_VERSION, NULL_PARTITION, PROPERTY_LAYOUT_VERSION};
use url::Url;

use super::statistics;
use crate::session::AsOf;

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
    pub(crate) store_url: ObjectStoreUrl,
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
    /// Of every column of the table, partition columns included.
    pub(crate) statistics: Arc<Statistics>,
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
        self.statistics.num_rows.get_value().copied()
    }
}

impl Snapshot {
    /// Reads the log of `table` in the lake at `lake`; a table not created yet has no files.
    pub(crate) async fn load(
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
        let Some(delta) = open(&location, as_of.moment(table))
            .await
            .map_err(log_error)?
        else {
            return Ok((Self::empty(table, store_url), None));
        };
        let state = delta.snapshot().map_err(log_error)?;
        match check_layout(&location, table, state) {
            // What an older build derived is as good as not there: the next analysis writes it anew.
            Err(SnapshotError::Column { .. }) if table.is_derived() => {
                return Ok((Self::empty(table, store_url), None));
            }
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
            .map(|view| data_file(&location, table, &root, &view))
            .collect::<Result<Vec<_>, _>>()?;
        let snapshot = Self {
            table,
            version: Some(state.version()),
            store_url,
            files: files.into(),
        };
        Ok((snapshot, Some(delta.log_store().root_object_store(None))))
    }

    fn empty(table: Table, store_url: ObjectStoreUrl) -> Self {
        Self {
            table,
            version: None,
            store_url,
            files: Arc::from([]),
        }
    }

    pub(crate) fn state(&self) -> TableState {
        TableState {
            table: self.table,
            version: self.version,
            files: self.files.len(),
            rows: self
                .files
                .iter()
                .map(|file| {
                    file.statistics
                        .num_rows
                        .get_value()
                        .map(|rows| *rows as u64)
                })
                .sum(),
            size_bytes: self.files.iter().map(|file| file.size_bytes).sum(),
        }
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

/// Opens a table at a moment; `None` when there is no table.
async fn open(
    location: &Url,
    moment: Option<DateTime<Utc>>,
) -> Result<Option<DeltaTable>, DeltaTableError> {
    // The local store makes the folder it is opened on; a reader must leave no trace.
    if let Ok(folder) = location.to_file_path()
        && !folder.join("_delta_log").is_dir()
    {
        return Ok(None);
    }
    let mut builder = DeltaTableBuilder::from_url(location.clone())?;
    if let Some(moment) = moment {
        builder = builder.with_timestamp(moment);
    }
    match builder.load().await {
        Ok(table) => Ok(Some(table)),
        Err(DeltaTableError::NotATable(_)) => Ok(None),
        Err(error) => Err(error),
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
    let statistics = statistics::of_file(table, &partition_values, view.stats().as_deref())
        .map_err(file_error)?;
    Ok(DataFile {
        path: root
            .parts()
            .chain(view.object_store_path().parts())
            .collect(),
        size_bytes: u64::try_from(view.size()).map_err(|_| file_error("a negative size".into()))?,
        modified: view.modification_datetime().unwrap_or_default(),
        partition_values,
        statistics: Arc::new(statistics),
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
