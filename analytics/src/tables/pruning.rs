//! Which files a query needs: owns the two rules by which a file is left out, by the values of
//! its partition (exact) and by its minimum and maximum (a file left out holds no match).

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{Column, ColumnStatistics, DFSchema, Result, ScalarValue};
use datafusion::datasource::listing::helpers::expr_applicable_for_cols;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use schemas::Table;

use super::DataFile;

/// Whether the partition values of a file alone decide the filter.
pub(super) fn is_partition_filter(table: Table, filter: &Expr) -> bool {
    !filter.column_refs().is_empty()
        && !filter.is_volatile()
        && expr_applicable_for_cols(table.partition_columns(), filter)
}

/// Returns the files that may hold a row for which every filter is true.
pub(super) fn needed_files(
    state: &dyn Session,
    table: Table,
    files: &[DataFile],
    filters: &[Expr],
) -> Result<Vec<DataFile>> {
    let (partition, other): (Vec<Expr>, Vec<Expr>) = filters
        .iter()
        .cloned()
        .partition(|filter| is_partition_filter(table, filter));
    let mut files: Vec<&DataFile> = files.iter().collect();
    if let Some(filter) = conjunction(partition) {
        files = matching_partitions(state, table, &files, filter)?;
    }
    if let Some(filter) = conjunction(other) {
        files = possible_matches(state, table, &files, filter)?;
    }
    Ok(files.into_iter().cloned().collect())
}

fn matching_partitions<'a>(
    state: &dyn Session,
    table: Table,
    files: &[&'a DataFile],
    filter: Expr,
) -> Result<Vec<&'a DataFile>> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let schema = partition_schema(table);
    let columns = (0..schema.fields().len())
        .map(|index| {
            let values = files
                .iter()
                .map(|file| file.partition_values[index].clone());
            ScalarValue::iter_to_array(values)
        })
        .collect::<Result<Vec<ArrayRef>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(files.len()));
    let batch = RecordBatch::try_new_with_options(schema.clone(), columns, &options)?;
    let filter = state.create_physical_expr(filter, &DFSchema::try_from(schema)?)?;
    let matches = filter.evaluate(&batch)?.into_array(files.len())?;
    Ok(keep(
        files,
        matches
            .as_boolean()
            .iter()
            .map(|matches| matches == Some(true)),
    ))
}

fn possible_matches<'a>(
    state: &dyn Session,
    table: Table,
    files: &[&'a DataFile],
    filter: Expr,
) -> Result<Vec<&'a DataFile>> {
    let schema = table.schema();
    let filter = state.create_physical_expr(filter, &DFSchema::try_from(schema.clone())?)?;
    // A filter statistics say nothing about is no error: it prunes nothing here and filters later.
    let builder = PruningPredicateBuilder::new().with_file_schema(schema.clone());
    let Some(predicate) = builder.build(filter) else {
        return Ok(files.to_vec());
    };
    let kept = predicate.prune(&FileBounds {
        table,
        files,
        schema,
    })?;
    Ok(keep(files, kept.into_iter()))
}

fn keep<'a>(files: &[&'a DataFile], kept: impl Iterator<Item = bool>) -> Vec<&'a DataFile> {
    files
        .iter()
        .zip(kept)
        .filter_map(|(file, keep)| keep.then_some(*file))
        .collect()
}

/// Returns the schema of the partition columns.
pub(super) fn partition_schema(table: Table) -> SchemaRef {
    let schema = table.schema();
    let fields = table.partition_columns().iter().map(|column| {
        schema
            .field_with_name(column)
            .expect("partition columns are columns")
            .clone()
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The files' statistics, a file a container. A bound need not be a value of the column to prune.
struct FileBounds<'a> {
    table: Table,
    files: &'a [&'a DataFile],
    schema: SchemaRef,
}

impl FileBounds<'_> {
    fn bounds(
        &self,
        column: &Column,
        bound: impl Fn(&ColumnStatistics) -> &Precision<ScalarValue>,
    ) -> Option<ArrayRef> {
        let index = self.schema.index_of(column.name()).ok()?;
        let unknown = ScalarValue::try_from(self.schema.field(index).data_type()).ok()?;
        let values = self.files.iter().map(|file| {
            let column = self.column(file, index);
            bound(&column).get_value().unwrap_or(&unknown).clone()
        });
        ScalarValue::iter_to_array(values).ok()
    }

    fn column(&self, file: &DataFile, index: usize) -> ColumnStatistics {
        let field = (index, self.schema.field(index));
        file.statistics
            .column(self.table, &file.partition_values, field)
    }
}

impl PruningStatistics for FileBounds<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |statistics| &statistics.min_value)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |statistics| &statistics.max_value)
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let index = self.schema.index_of(column.name()).ok()?;
        let counts = self
            .files
            .iter()
            .map(|file| exact(&self.column(file, index).null_count));
        Some(Arc::new(counts.collect::<UInt64Array>()))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let counts = self
            .files
            .iter()
            .map(|file| file.rows().and_then(|rows| u64::try_from(rows).ok()));
        Some(Arc::new(counts.collect::<UInt64Array>()))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

fn exact(count: &Precision<usize>) -> Option<u64> {
    match count {
        Precision::Exact(count) => u64::try_from(*count).ok(),
        _ => None,
    }
}
