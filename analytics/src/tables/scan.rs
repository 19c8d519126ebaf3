//! A table of the lake for DataFusion: owns the plan of a scan, made only of DataFusion's own nodes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow::datatypes::{Date32Type, FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use chrono::NaiveDate;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{Result, ScalarValue, Statistics, project_schema};
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

use super::copies::{self, Copies, is_of_days, is_shared};
use super::pruning::{is_partition_filter, needed_files, partition_schema};
use super::{DataFile, Snapshot};

/// One table at one version, as DataFusion sees it.
#[derive(Debug)]
pub(crate) struct LakeTable {
    snapshot: Snapshot,
    /// Copies of the days they were looked for in.
    copies: Mutex<BTreeMap<Option<i32>, Copies>>,
}

/// Days are looked through together up to so many rows: a day with little in it costs little, and
/// memory is bounded by the largest day.
const ROWS_AT_ONCE: usize = 1 << 21;

impl LakeTable {
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        Self {
            snapshot,
            copies: Mutex::default(),
        }
    }

    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Adds the rows of each day, the first partition column of a fact table.
    pub(crate) fn add_rows_by_day(&self, days: &mut BTreeMap<NaiveDate, u64>) {
        for file in self.snapshot.files.iter() {
            let Some(ScalarValue::Date32(Some(day))) = file.partition_values.first() else {
                continue;
            };
            let rows = file.statistics.num_rows.get_value();
            if let Some(day) = Date32Type::to_naive_date_opt(*day) {
                *days.entry(day).or_default() += rows.map_or(0, |rows| *rows as u64);
            }
        }
    }

    /// Returns the files of a day of a fact table, with their partition cells.
    pub(crate) fn files_of(
        &self,
        day: NaiveDate,
    ) -> impl Iterator<Item = (Table, Option<String>, DataFile)> {
        let day = ScalarValue::Date32(Some(Date32Type::from_naive_date(day)));
        let files = self.snapshot.files.iter();
        let of_day = files.filter(move |file| file.partition_values[0] == day);
        of_day.map(|file| {
            let cell = match &file.partition_values[1] {
                ScalarValue::Utf8(cell) => cell.clone(),
                _ => None,
            };
            (self.snapshot.table, cell, file.clone())
        })
    }

    /// Splits the schema as the files do: partition columns are not inside them.
    fn table_schema(&self) -> TableSchema {
        let table = self.snapshot.table;
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
        self.snapshot.table.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match is_partition_filter(self.snapshot.table, filter) {
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
        let files = self.needed(state, filters)?;
        self.plan(state, projection, files, limit, &Copies::default())
    }
}

impl LakeTable {
    /// Returns the files that may hold a row for which every filter is true.
    pub(super) fn needed(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<DataFile>> {
        needed_files(state, self.snapshot.table, &self.snapshot.files, filters)
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
        for file in self.needed(state, &shared)? {
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
            let copies = copies::find(&self.snapshot, state, files.collect(), &shared).await?;
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
        let files: Vec<PartitionedFile> = files
            .iter()
            .filter_map(|file| without_copies(file, copies))
            .collect();
        if files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(project_schema(
                &self.schema(),
                projection,
            )?)));
        }
        let per_file = files.iter().filter_map(|file| file.statistics.as_deref());
        let statistics = Statistics::try_merge_iter(per_file, &self.schema())?;
        let tasks = state.config().target_partitions();
        let source = ParquetSource::new(self.table_schema())
            .with_table_parquet_options(parquet_options(state));
        let config = FileScanConfigBuilder::new(self.snapshot.store_url.clone(), Arc::new(source))
            .with_file_groups(FileGroup::new(files).split_files(tasks))
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
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

/// Describes a file to the scan without its copies; `None` when nothing is left.
fn without_copies(file: &DataFile, copies: &Copies) -> Option<PartitionedFile> {
    let mut described = partitioned_file(file, file.partition_values.clone());
    let Some(kept) = copies.kept(file) else {
        // Set as they are: `with_statistics` would call the values of a null partition not null.
        described.statistics = Some(file.statistics.clone());
        return Some(described);
    };
    let mut statistics = file.statistics.as_ref().clone().to_inexact();
    statistics.num_rows = Precision::Exact(kept.rows);
    described.statistics = Some(Arc::new(statistics));
    let selection = ParquetRowSelection::new(kept.selection.clone());
    (kept.rows > 0).then(|| described.with_extension(selection))
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
