//! A table of the lake for DataFusion: owns the plan of a scan, made only of DataFusion's own nodes.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{Date32Type, FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use chrono::NaiveDate;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, ScalarValue, Statistics, project_schema};
use datafusion::config::TableParquetOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use object_store::ObjectMeta;
use schemas::Table;

use super::pruning::{is_partition_filter, needed_files, partition_schema};
use super::{DataFile, Snapshot};

/// How the files of a scan are dealt among the tasks that read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grouping {
    /// As evenly as may be.
    Even,
    /// All files of one partition to one task, in the order they were committed.
    ByPartition,
}

/// One table at one version, as DataFusion sees it.
#[derive(Debug)]
pub(crate) struct LakeTable {
    snapshot: Snapshot,
}

impl LakeTable {
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        Self { snapshot }
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
        self.plan(state, projection, filters, limit, Grouping::Even)
            .await
    }
}

impl LakeTable {
    pub(super) async fn plan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
        grouping: Grouping,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = needed_files(state, self.snapshot.table, &self.snapshot.files, filters)?;
        if files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(project_schema(
                &self.schema(),
                projection,
            )?)));
        }
        let per_file = files.iter().map(|file| file.statistics.as_ref());
        let statistics = Statistics::try_merge_iter(per_file, &self.schema())?;
        let tasks = state.config().target_partitions();
        let groups = match grouping {
            Grouping::Even => {
                FileGroup::new(files.into_iter().map(partitioned_file).collect()).split_files(tasks)
            }
            Grouping::ByPartition => by_partition(files, tasks),
        };
        let options = TableParquetOptions {
            global: state.config_options().execution.parquet.clone(),
            ..TableParquetOptions::default()
        };
        let source = ParquetSource::new(self.table_schema()).with_table_parquet_options(options);
        let config = FileScanConfigBuilder::new(self.snapshot.store_url.clone(), Arc::new(source))
            .with_file_groups(groups)
            // Else a task that is done takes over files of another one, and copies are parted.
            .with_preserve_order(grouping == Grouping::ByPartition)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// Gives whole partitions to tasks, the largest first and each to the task that has least.
fn by_partition(files: Vec<DataFile>, tasks: usize) -> Vec<FileGroup> {
    let mut partitions: BTreeMap<String, Vec<DataFile>> = BTreeMap::new();
    for file in files {
        let values = format!("{:?}", file.partition_values);
        partitions.entry(values).or_default().push(file);
    }
    let mut partitions: Vec<Vec<DataFile>> = partitions.into_values().collect();
    let bytes = |files: &[DataFile]| files.iter().map(|file| file.size_bytes).sum::<u64>();
    partitions.sort_by_cached_key(|files| Reverse(bytes(files)));
    let mut groups: Vec<(u64, Vec<PartitionedFile>)> = vec![(0, Vec::new()); tasks.max(1)];
    for mut files in partitions {
        files.sort_by(|one, other| (one.modified, &one.path).cmp(&(other.modified, &other.path)));
        let least = groups.iter_mut().min_by_key(|(size, _)| *size);
        let (size, group) = least.expect("there is at least one task");
        *size += bytes(&files);
        group.extend(files.into_iter().map(partitioned_file));
    }
    let groups = groups.into_iter().map(|(_, group)| FileGroup::new(group));
    groups.filter(|group| !group.is_empty()).collect()
}

fn partitioned_file(file: DataFile) -> PartitionedFile {
    let mut partitioned = PartitionedFile::from(ObjectMeta {
        location: file.path,
        last_modified: file.modified,
        size: file.size_bytes,
        e_tag: None,
        version: None,
    })
    .with_partition_values(file.partition_values);
    // Set as they are: `with_statistics` would call the values of a null partition not null.
    partitioned.statistics = Some(file.statistics);
    partitioned
}
