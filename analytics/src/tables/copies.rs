//! Copies that terminals sent: owns which rows of a table's files are none of its events.
//!
//! A copy is a copy wherever it lies: in another file, another partition cell, with another position
//! in Kafka or none. Copies share terminal, event id and event time, and so their day. Rows are
//! compared by these columns alone, some days at once, before a scan is planned; the rows left out are
//! then part of each file's description, as a deletion vector would be. So the number of tasks, the
//! ranges that files are cut into, filters, limits and orders cannot change which rows there are: no
//! node of a plan drops copies, and none that an optimiser could move, split or leave out.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Field, FieldRef, Int64Type, Schema, TimestampMicrosecondType, UInt32Type,
};
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, Result, exec_datafusion_err, internal_datafusion_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_plan::ExecutionPlan;
use futures::TryStreamExt;
use object_store::path::Path;
use parquet::arrow::RowNumber;
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use schemas::Table;
use tokio::task::JoinSet;

use super::scan::{parquet_options, partitioned_file};
use super::sightings::{Gathered, NO_PLACE, Sighting, Sightings, key};
use super::{DataFile, PinnedTable};

/// What all copies of an event share, so that a filter on it keeps or drops all of them.
const SHARED: [&str; 4] = ["event_id", "terminal_id", "event_time", "event_date"];
/// What copies are told by, and chosen by.
const READ: [&str; 5] = [
    "event_id",
    "terminal_id",
    "event_time",
    "kafka_topic_partition",
    "kafka_offset",
];
const DAY: &str = "event_date";

/// Whether a filter keeps or drops all copies of an event.
pub(super) fn is_shared(filter: &Expr) -> bool {
    !filter.is_volatile()
        && filter
            .column_refs()
            .iter()
            .all(|column| SHARED.contains(&column.name.as_str()))
}

/// Whether a filter keeps or drops whole days.
pub(super) fn is_of_days(filter: &Expr) -> bool {
    is_shared(filter) && filter.column_refs().iter().all(|column| column.name == DAY)
}

/// Which rows of some files to read; a file that is not there is read whole.
#[derive(Debug, Clone, Default)]
pub(crate) struct Copies(HashMap<Path, Kept>);

/// What is read of a file with copies in it.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) selection: RowSelection,
    /// Rows selected.
    pub(crate) rows: usize,
}

impl Copies {
    /// Returns what is read of a file; `None` when it is read whole.
    pub(crate) fn kept(&self, file: &DataFile) -> Option<&Kept> {
        self.0.get(&file.path)
    }

    /// Counts the events in a file; `None` where neither the log nor a search says.
    pub(crate) fn rows(&self, file: &DataFile) -> Option<usize> {
        self.kept(file)
            .map_or_else(|| file.rows(), |kept| Some(kept.rows))
    }

    /// Returns those of some files.
    pub(super) fn of_files(&self, files: &[DataFile]) -> Self {
        let known = files
            .iter()
            .filter_map(|file| self.0.get_key_value(&file.path));
        Self(
            known
                .map(|(path, kept)| (path.clone(), kept.clone()))
                .collect(),
        )
    }

    pub(super) fn extend(&mut self, other: &Self) {
        let files = other.0.iter();
        self.0
            .extend(files.map(|(path, kept)| (path.clone(), kept.clone())));
    }

    /// Describes the rows left out of `files`, sorted by file and row.
    fn of(files: &[DataFile], left_out: &[(u32, u32)], rows: &[usize]) -> Self {
        let of_files = left_out.chunk_by(|one, next| one.0 == next.0);
        let described = of_files.map(|left_out| {
            let file = left_out[0].0 as usize;
            (files[file].path.clone(), Kept::of(left_out, rows[file]))
        });
        Self(described.collect())
    }
}

impl Kept {
    fn of(left_out: &[(u32, u32)], rows: usize) -> Self {
        let mut runs = Vec::new();
        let mut next = 0;
        for (_, row) in left_out {
            let row = *row as usize;
            runs.push(RowSelector::select(row - next));
            runs.push(RowSelector::skip(1));
            next = row + 1;
        }
        runs.push(RowSelector::select(rows - next));
        Self {
            // Joins neighbours of one kind, and drops the empty ones.
            selection: runs.into(),
            rows: rows - left_out.len(),
        }
    }
}

/// Finds the copies among events of some days for which every filter is true; each is shared.
///
/// # Errors
/// When a file cannot be read, or neither memory nor disk hold what must be compared.
pub(super) async fn find(
    pinned: &PinnedTable,
    state: &dyn Session,
    mut files: Vec<DataFile>,
    filters: &[Expr],
) -> Result<Copies> {
    files.sort_by(|one, other| one.path.cmp(&other.path));
    let rows: Option<Vec<usize>> = files.iter().map(DataFile::rows).collect();
    // Where a log does not say how many rows a file has, they are counted.
    let filters = if rows.is_some() { filters } else { &[] };
    let plan = plan(pinned, state, &files, filters)?;
    let mut tasks = JoinSet::new();
    for partition in 0..plan.properties().partitioning.partition_count() {
        let stream = plan.execute(partition, state.task_ctx())?;
        let sightings = Sightings::new(state.runtime_env());
        tasks.spawn(see(stream, sightings, files.len()));
    }
    let mut seen = Vec::new();
    while let Some(task) = tasks.join_next().await {
        seen.push(task.map_err(|error| exec_datafusion_err!("{error}"))??);
    }
    let rows = rows.unwrap_or_else(|| {
        let counted = |file: usize| seen.iter().map(|seen| seen.rows[file]).sum();
        (0..files.len()).map(counted).collect()
    });
    let gathered = Gathered::new(ranked(seen), state.runtime_env());
    Ok(Copies::of(&files, &gathered.left_out().await?, &rows))
}

/// Plans a scan of what copies are told by, with the number of each file and row.
fn plan(
    pinned: &PinnedTable,
    state: &dyn Session,
    files: &[DataFile],
    filters: &[Expr],
) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = table_schema(pinned.table)?;
    // Files were chosen by the filters on days.
    let others = filters.iter().filter(|filter| !is_of_days(filter)).cloned();
    let mut source =
        ParquetSource::new(schema.clone()).with_table_parquet_options(parquet_options(state));
    if let Some(filter) = conjunction(others) {
        let columns = DFSchema::try_from(schema.schema_without_virtual_columns().clone())?;
        source = source.with_predicate(state.create_physical_expr(filter, &columns)?);
    }
    let numbered = files.iter().enumerate().map(|(number, file)| {
        let number = u32::try_from(number).map_err(|_| exec_datafusion_err!("over 2^32 files"))?;
        let values = vec![file.partition_values[0].clone(), number.into()];
        Ok(partitioned_file(file, values))
    });
    let numbered: Vec<PartitionedFile> = numbered.collect::<Result<_>>()?;
    let tasks = state.config().target_partitions();
    let day = READ.len();
    let wanted = (0..schema.table_schema().fields().len()).filter(|column| *column != day);
    let config = FileScanConfigBuilder::new(pinned.store_url.clone(), Arc::new(source))
        .with_file_groups(FileGroup::new(numbered).split_files(tasks))
        .with_projection_indices(Some(wanted.collect()))?
        .build();
    let plan: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(config);
    let split = plan.repartitioned(tasks, state.config_options())?;
    Ok(split.unwrap_or(plan))
}

/// Columns of [`READ`], the day, the number of the file and that of the row.
fn table_schema(table: Table) -> Result<TableSchema> {
    let schema = table.schema();
    let field = |name: &&str| Ok(Arc::new(schema.field_with_name(name)?.clone()));
    let read: Vec<FieldRef> = READ.iter().map(field).collect::<Result<_>>()?;
    let file = Arc::new(Field::new("file_number", DataType::UInt32, false));
    let row = Field::new("row_number", DataType::Int64, false).with_extension_type(RowNumber);
    Ok(TableSchema::builder(Arc::new(Schema::new(read)))
        .with_table_partition_cols(vec![field(&DAY)?, file])
        .with_virtual_columns(vec![Arc::new(row)])
        .build())
}

/// What one task saw.
struct Seen {
    sightings: Sightings,
    /// Topics and partitions, by the number that the sightings know them by.
    places: Vec<String>,
    /// Rows of each file.
    rows: Vec<usize>,
}

async fn see(
    mut stream: SendableRecordBatchStream,
    sightings: Sightings,
    files: usize,
) -> Result<Seen> {
    let mut seen = Seen {
        sightings,
        places: Vec::new(),
        rows: vec![0; files],
    };
    let mut numbers = HashMap::new();
    while let Some(batch) = stream.try_next().await? {
        seen.take(&batch, &mut numbers)?;
    }
    Ok(seen)
}

impl Seen {
    fn take(&mut self, batch: &RecordBatch, numbers: &mut HashMap<String, u32>) -> Result<()> {
        let text = |column: usize| batch.column(column).as_string::<i32>();
        let (ids, terminals, places) = (text(0), text(1), text(3));
        let times = batch.column(2).as_primitive::<TimestampMicrosecondType>();
        let offsets = batch.column(4).as_primitive::<Int64Type>();
        let files = batch.column(5).as_primitive::<UInt32Type>();
        let rows = batch.column(6).as_primitive::<Int64Type>();
        let mut sightings = Vec::with_capacity(batch.num_rows());
        for at in 0..batch.num_rows() {
            let file = files.value(at);
            self.rows[file as usize] += 1;
            let row = u32::try_from(rows.value(at))
                .map_err(|_| internal_datafusion_err!("a file of more than 2^32 rows"))?;
            let key = key(ids.value(at), terminals.value(at), times.value(at));
            let mut sighting = Sighting::new(key, file, row);
            if places.is_valid(at) && offsets.is_valid(at) {
                sighting.place = self.place(places.value(at), numbers);
                sighting.offset = offsets.value(at);
            }
            sightings.push(sighting);
        }
        self.sightings.take(sightings.into_iter())
    }

    fn place(&mut self, name: &str, numbers: &mut HashMap<String, u32>) -> u32 {
        if let Some(number) = numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.places.len()).unwrap_or(NO_PLACE);
        self.places.push(name.to_owned());
        numbers.insert(name.to_owned(), number);
        number
    }
}

/// Puts the topics and partitions that tasks met in one order: by topic, and partitions by number.
fn ranked(seen: Vec<Seen>) -> Vec<(Sightings, Vec<u32>)> {
    let all = seen.iter().flat_map(|seen| &seen.places);
    let all: BTreeSet<_> = all.map(|place| order(place)).collect();
    let ranks: HashMap<_, u32> = all.into_iter().zip(0..).collect();
    let of_task = |places: &[String]| places.iter().map(|place| ranks[&order(place)]).collect();
    let ranked: Vec<Vec<u32>> = seen.iter().map(|seen| of_task(&seen.places)).collect();
    let sightings = seen.into_iter().map(|seen| seen.sightings);
    sightings.zip(ranked).collect()
}

fn order(place: &str) -> (String, Option<u32>, String) {
    let (topic, partition) = place.rsplit_once('/').unwrap_or((place, ""));
    (topic.to_owned(), partition.parse().ok(), place.to_owned())
}
