//! A table of the lake for DataFusion: owns the plan of a scan, made only of DataFusion's own nodes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow::datatypes::{Date32Type, FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use chrono::NaiveDate;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{DataFusionError, Result, ScalarValue, Statistics, project_schema};
use datafusion::config::TableParquetOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetRowSelection;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType, col, lit};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use object_store::ObjectMeta;
use schemas::Table;
use tokio::sync::OnceCell;

use super::copies::{self, Copies, is_of_days, is_shared};
use super::pruning::{is_partition_filter, needed_files, partition_schema};
use super::{DataFile, PinnedTable, Snapshot, SnapshotError};

/// One table at one version, as DataFusion sees it; its files are listed when it is first asked.
#[derive(Debug)]
pub(crate) struct LakeTable {
    pinned: PinnedTable,
    snapshot: OnceCell<Snapshot>,
    /// Copies of the days they were looked for in.
    copies: Mutex<BTreeMap<Option<i32>, Copies>>,
}

/// Days are looked through together up to so many rows: a day with little in it costs little, and
/// memory is bounded by the largest day.
const ROWS_AT_ONCE: usize = 1 << 21;
/// Scans of more files describe none to the engine by its statistics, of which each has a dozen
/// kilobytes: they were pruned already, and would only be put in order by them.
const DESCRIBED: usize = 1000;

impl LakeTable {
    pub(crate) fn new(pinned: PinnedTable) -> Self {
        Self {
            pinned,
            snapshot: OnceCell::new(),
            copies: Mutex::default(),
        }
    }

    pub(crate) fn pinned(&self) -> &PinnedTable {
        &self.pinned
    }

    fn table(&self) -> Table {
        self.pinned.table
    }

    /// Reads the log, once.
    ///
    /// # Errors
    /// When it cannot be read, or is of another layout.
    pub(crate) async fn snapshot(&self) -> std::result::Result<&Snapshot, SnapshotError> {
        let load = || Snapshot::load(&self.pinned);
        self.snapshot.get_or_try_init(load).await
    }

    /// As [`LakeTable::snapshot`], for the engine.
    async fn listed(&self) -> Result<&Snapshot> {
        let snapshot = self.snapshot().await;
        snapshot.map_err(|error| DataFusionError::External(Box::new(error)))
    }

    /// Adds the rows of each day, the first partition column of a fact table.
    pub(crate) async fn add_rows_by_day(
        &self,
        days: &mut BTreeMap<NaiveDate, u64>,
    ) -> std::result::Result<(), SnapshotError> {
        for file in self.snapshot().await?.files.iter() {
            let Some(ScalarValue::Date32(Some(day))) = file.partition_values.first() else {
                continue;
            };
            if let Some(day) = Date32Type::to_naive_date_opt(*day) {
                *days.entry(day).or_default() += file.rows().map_or(0, |rows| rows as u64);
            }
        }
        Ok(())
    }

    /// Returns the files of a day of a fact table, with their partition cells.
    pub(crate) async fn files_of(
        &self,
        day: NaiveDate,
    ) -> std::result::Result<impl Iterator<Item = (Table, Option<String>, DataFile)>, SnapshotError>
    {
        let day = ScalarValue::Date32(Some(Date32Type::from_naive_date(day)));
        let files = self.snapshot().await?.files.iter();
        let of_day = files.filter(move |file| file.partition_values[0] == day);
        Ok(of_day.map(|file| {
            let cell = match &file.partition_values[1] {
                ScalarValue::Utf8(cell) => cell.clone(),
                _ => None,
            };
            (self.table(), cell, file.clone())
        }))
    }

    /// Splits the schema as the files do: partition columns are not inside them.
    fn table_schema(&self) -> TableSchema {
        let table = self.table();
        let schema = table.schema();
        let in_file =
            |field: &&FieldRef| !table.partition_columns().contains(&field.name().as_str());
        let file_fields: Vec<FieldRef> = schema.fields().iter().filter(in_file).cloned().collect();
        let partition = partition_schema(table);
        TableSchema::builder(Arc::new(Schema::new(file_fields)))
            .with_table_partition_cols(partition.fields().clone())
            .build()
    }
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        self.table().schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match is_partition_filter(self.table(), filter) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Inexact,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.needed(state, filters).await?;
        self.plan(state, projection, files, limit, &Copies::default())
    }
}

impl LakeTable {
    /// Returns the files that may hold a row for which every filter is true.
    pub(super) async fn needed(
        &self,
        state: &dyn Session,
        filters: &[Expr],
    ) -> Result<Vec<DataFile>> {
        let files = &self.listed().await?.files;
        needed_files(state, self.table(), files, filters)
    }

    /// Returns what is a copy among the rows for which every shared filter is true, and maybe more.
    ///
    /// What was found in whole days is kept.
    pub(super) async fn copies(&self, state: &dyn Session, filters: &[Expr]) -> Result<Copies> {
        let shared: Vec<Expr> = filters
            .iter()
            .filter(|filter| is_shared(filter))
            .cloned()
            .collect();
        let mut days: BTreeMap<Option<i32>, Vec<DataFile>> = BTreeMap::new();
        for file in self.needed(state, &shared).await? {
            days.entry(file.day()).or_default().push(file);
        }
        let is_whole = shared.iter().all(is_of_days);
        let mut found = Copies::default();
        {
            let known = self.copies.lock().expect("nobody panics holding the lock");
            days.retain(|day, _| match known.get(day) {
                Some(copies) => {
                    found.extend(copies);
                    false
                }
                None => true,
            });
        }
        for block in blocks(days) {
            let files = block.iter().flat_map(|(_, files)| files.iter().cloned());
            let copies = copies::find(&self.pinned, state, files.collect(), &shared).await?;
            found.extend(&copies);
            if is_whole {
                let mut known = self.copies.lock().expect("nobody panics holding the lock");
                for (day, files) in block {
                    known.insert(day, copies.of_files(&files));
                }
            }
        }
        Ok(found)
    }

    /// Returns what is a copy among the rows of a day.
    pub(crate) async fn copies_of_day(
        &self,
        state: &dyn Session,
        day: NaiveDate,
    ) -> Result<Copies> {
        let day = is_day(Some(Date32Type::from_naive_date(day)));
        self.copies(state, &[day]).await
    }

    /// Plans a scan of some files.
    pub(super) fn plan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        files: Vec<DataFile>,
        limit: Option<usize>,
        copies: &Copies,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let statistics = self.statistics(&files, copies)?;
        let has_few = files.len() <= DESCRIBED;
        let describe = |file| self.without_copies(file, copies, has_few);
        let files: Vec<PartitionedFile> = files.iter().filter_map(describe).collect();
        if files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(project_schema(
                &self.schema(),
                projection,
            )?)));
        }
        let tasks = state.config().target_partitions();
        let source = ParquetSource::new(self.table_schema())
            .with_table_parquet_options(parquet_options(state));
        let config = FileScanConfigBuilder::new(self.pinned.store_url.clone(), Arc::new(source))
            .with_file_groups(FileGroup::new(files).split_files(tasks))
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    /// Returns the statistics of all files together, as they are without copies.
    fn statistics(&self, files: &[DataFile], copies: &Copies) -> Result<Statistics> {
        let schema = self.schema();
        let mut together: Option<Statistics> = None;
        // Some at a time: those of one file, with all its columns, take many kilobytes.
        for some in files.chunks(64) {
            let some = some
                .iter()
                .filter_map(|file| self.statistics_of(file, copies));
            let some: Vec<Statistics> = together.take().into_iter().chain(some).collect();
            together = match some.is_empty() {
                true => None,
                false => Some(Statistics::try_merge_iter(&some, &schema)?),
            };
        }
        Ok(together.unwrap_or_else(|| Statistics::new_unknown(&schema)))
    }

    /// Returns the statistics of a file without its copies; `None` when nothing is left.
    fn statistics_of(&self, file: &DataFile, copies: &Copies) -> Option<Statistics> {
        let statistics = file.all_statistics(self.table());
        let Some(kept) = copies.kept(file) else {
            return Some(statistics);
        };
        let mut statistics = statistics.to_inexact();
        statistics.num_rows = Precision::Exact(kept.rows);
        (kept.rows > 0).then_some(statistics)
    }

    /// Describes a file to the scan without its copies; `None` when nothing is left.
    fn without_copies(
        &self,
        file: &DataFile,
        copies: &Copies,
        with_statistics: bool,
    ) -> Option<PartitionedFile> {
        let mut described = partitioned_file(file, file.partition_values.clone());
        if with_statistics {
            // Set as they are: `with_statistics` would call the values of a null partition not null.
            described.statistics = Some(Arc::new(self.statistics_of(file, copies)?));
        }
        let Some(kept) = copies.kept(file) else {
            return Some(described);
        };
        let selection = ParquetRowSelection::new(kept.selection.clone());
        (kept.rows > 0).then(|| described.with_extension(selection))
    }
}

/// The files of some days.
type Days = Vec<(Option<i32>, Vec<DataFile>)>;

/// Joins days up to [`ROWS_AT_ONCE`]; a larger day stands alone.
fn blocks(days: BTreeMap<Option<i32>, Vec<DataFile>>) -> Vec<Days> {
    let mut blocks: Vec<Days> = Vec::new();
    let mut held = ROWS_AT_ONCE;
    for (day, files) in days {
        // A file whose log does not say counts as a day of its own.
        let rows = files.iter().map(|file| file.rows().unwrap_or(ROWS_AT_ONCE));
        let rows: usize = rows.sum();
        held = held.saturating_add(rows);
        match blocks.last_mut() {
            Some(block) if held <= ROWS_AT_ONCE => block.push((day, files)),
            _ => {
                held = rows;
                blocks.push(vec![(day, files)]);
            }
        }
    }
    blocks
}

/// Keeps the rows of one day.
pub(super) fn is_day(day: Option<i32>) -> Expr {
    col("event_date").eq(lit(ScalarValue::Date32(day)))
}

pub(super) fn parquet_options(state: &dyn Session) -> TableParquetOptions {
    TableParquetOptions {
        global: state.config_options().execution.parquet.clone(),
        ..TableParquetOptions::default()
    }
}

pub(super) fn partitioned_file(file: &DataFile, values: Vec<ScalarValue>) -> PartitionedFile {
    PartitionedFile::from(ObjectMeta {
        location: file.path.clone(),
        last_modified: file.modified,
        size: file.size_bytes,
        e_tag: None,
        version: None,
    })
    .with_partition_values(values)
}
