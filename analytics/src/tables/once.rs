//! Each event once: owns how copies that terminals sent are told apart and dropped.
//!
//! A terminal that got no receipt sends an event again, with the same id, time and place. All its
//! copies therefore lie under one day and one partition cell, so a scan that reads such a partition
//! as a whole, one after another, needs to remember the ids of one partition at a time: no sort, and
//! memory that does not grow with the history.

use std::collections::HashSet;
use std::fmt;
use std::hash::BuildHasher;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, RecordBatch};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, exec_datafusion_err, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::{
    ChildStats, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, Statistics,
    StatisticsArgs,
};
use foldhash::fast::FixedState;
use futures::{Stream, StreamExt};

use super::scan::{Grouping, LakeTable};

/// What all copies of an event share, so that a filter on it keeps or drops all of them.
const SHARED_BY_COPIES: [&str; 6] = [
    "event_id",
    "terminal_id",
    "event_time",
    "cell_r9",
    "event_date",
    "partition_cell",
];
/// What tells events apart.
const KEY: [&str; 3] = ["event_id", "terminal_id", "event_time"];
/// What copies of an event lie under.
const PARTITION: [&str; 2] = ["event_date", "partition_cell"];
/// An entry of the set: the 16 bytes of the key and one of the table's control bytes, at 7/8 full.
const BYTES_PER_KEY: usize = 20;

/// A fact table without the copies.
#[derive(Debug)]
pub(crate) struct OnceTable {
    inner: Arc<LakeTable>,
}

impl OnceTable {
    pub(crate) fn new(inner: Arc<LakeTable>) -> Self {
        Self { inner }
    }
}

#[async_trait]
impl TableProvider for OnceTable {
    fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let mut support = self.inner.supports_filters_pushdown(filters)?;
        for (filter, support) in filters.iter().zip(&mut support) {
            let columns = filter.column_refs();
            let shared = |name: &str| SHARED_BY_COPIES.contains(&name);
            if !columns.iter().all(|column| shared(&column.name)) {
                *support = TableProviderFilterPushDown::Unsupported;
            }
        }
        Ok(support)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.schema();
        let mut columns = match projection {
            Some(columns) => columns.clone(),
            None => (0..schema.fields().len()).collect(),
        };
        let wanted = columns.len();
        for name in KEY.iter().chain(&PARTITION) {
            let index = schema.index_of(name)?;
            if !columns.contains(&index) {
                columns.push(index);
            }
        }
        let input = self
            .inner
            .plan(state, Some(&columns), filters, None, Grouping::ByPartition)
            .await?;
        Ok(Arc::new(OnceExec::new(input, wanted)?))
    }
}

/// Passes the first copy of every event on, and of its columns the first `wanted`.
#[derive(Debug)]
struct OnceExec {
    input: Arc<dyn ExecutionPlan>,
    wanted: usize,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl OnceExec {
    fn new(input: Arc<dyn ExecutionPlan>, wanted: usize) -> Result<Self> {
        let columns: Vec<usize> = (0..wanted).collect();
        let schema = Arc::new(input.schema().project(&columns)?);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            input.properties().partitioning.clone(),
            input.properties().emission_type,
            input.properties().boundedness,
        );
        Ok(Self {
            input,
            wanted,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }
}

impl DisplayAs for OnceExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OnceExec: key=[{}]", KEY.join(", "))
    }
}

impl ExecutionPlan for OnceExec {
    fn name(&self) -> &'static str {
        "OnceExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    /// Splitting the files anew would part copies.
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (Some(input), true) = (children.pop(), children.is_empty()) else {
            return internal_err!("OnceExec has one input");
        };
        Ok(Arc::new(Self::new(input, self.wanted)?))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let memory = MemoryConsumer::new(format!("OnceExec[{partition}]"));
        Ok(Box::pin(OnceStream {
            schema: self.schema(),
            wanted: (0..self.wanted).collect(),
            seen: Seen::default(),
            memory: memory.register(context.memory_pool()),
            metrics: BaselineMetrics::new(&self.metrics, partition),
            input: self.input.execute(partition, context)?,
        }))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    /// About those of the input, for copies are few. Without them a join would hold the events in
    /// memory, and let what they are looked up in pass by.
    fn statistics_from_inputs(
        &self,
        input: &[Arc<Statistics>],
        _: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let columns: Vec<usize> = (0..self.wanted).collect();
        let of_input = input[0].as_ref().clone().to_inexact();
        Ok(Arc::new(of_input.project(Some(&columns))))
    }
}

struct OnceStream {
    input: SendableRecordBatchStream,
    schema: SchemaRef,
    wanted: Vec<usize>,
    seen: Seen,
    memory: MemoryReservation,
    metrics: BaselineMetrics,
}

impl OnceStream {
    fn first_copies(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let _timer = self.metrics.elapsed_compute().timer();
        let first = self.seen.first_copies(batch)?;
        self.memory
            .try_resize(self.seen.keys.0.capacity() * BYTES_PER_KEY)?;
        let batch = batch.project(&self.wanted)?;
        match first.true_count() == first.len() {
            true => Ok(batch),
            false => Ok(filter_record_batch(&batch, &first)?),
        }
    }
}

impl Stream for OnceStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = match ready!(self.input.poll_next_unpin(context)) {
            Some(Ok(batch)) => Some(self.first_copies(&batch)),
            other => other,
        };
        self.metrics.record_poll(Poll::Ready(polled))
    }
}

impl RecordBatchStream for OnceStream {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}

/// Which events were seen.
#[derive(Debug, Default)]
pub(crate) struct EventKeys(HashSet<u128, FixedState>);

impl EventKeys {
    /// Forgets every event.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes note of an event; `false` for the copy of one seen before.
    pub(crate) fn insert(&mut self, event_id: &str, terminal_id: &str, event_time_us: i64) -> bool {
        self.0.insert(key(event_id, terminal_id, event_time_us))
    }
}

/// The events seen under one day and partition cell.
#[derive(Debug, Default)]
struct Seen {
    partition: Option<(i64, Option<String>)>,
    keys: EventKeys,
}

impl Seen {
    /// Marks the rows whose event was not seen before.
    fn first_copies(&mut self, batch: &RecordBatch) -> Result<BooleanArray> {
        let [ids, terminals] = ["event_id", "terminal_id"].map(|name| column(batch, name));
        let (ids, terminals) = (
            cast(ids?, &DataType::Utf8)?,
            cast(terminals?, &DataType::Utf8)?,
        );
        let (ids, terminals) = (ids.as_string::<i32>(), terminals.as_string::<i32>());
        let times = cast(column(batch, "event_time")?, &DataType::Int64)?;
        let times = times.as_primitive::<Int64Type>();
        let days = cast(column(batch, "event_date")?, &DataType::Int32)?;
        let days = cast(&days, &DataType::Int64)?;
        let days = days.as_primitive::<Int64Type>();
        let cells = cast(column(batch, "partition_cell")?, &DataType::Utf8)?;
        let cells = cells.as_string::<i32>();
        let partition = |row: usize| {
            let cell = cells.is_valid(row).then(|| cells.value(row));
            (days.value(row), cell)
        };
        let rows = batch.num_rows();
        // Batches do not go beyond a file, and a file is under one partition; this does not rely on it.
        let is_uniform = rows == 0 || partition(0) == partition(rows - 1);
        let mut first = BooleanBufferBuilder::new(rows);
        for row in 0..rows {
            if row == 0 || !is_uniform {
                self.enter(partition(row));
            }
            let is_first = self
                .keys
                .insert(ids.value(row), terminals.value(row), times.value(row));
            first.append(is_first);
        }
        Ok(BooleanArray::new(first.finish(), None))
    }

    fn enter(&mut self, (day, cell): (i64, Option<&str>)) {
        let same = |known: &(i64, Option<String>)| known.0 == day && known.1.as_deref() == cell;
        if !self.partition.as_ref().is_some_and(same) {
            self.partition = Some((day, cell.map(str::to_owned)));
            self.keys.0.clear();
        }
    }
}

/// 128 bits, so that among a billion events two share a key with a probability of 1 in 10^21.
fn key(event_id: &str, terminal_id: &str, event_time: i64) -> u128 {
    let key = (event_id, terminal_id, event_time);
    let [high, low] = [1, 2].map(|seed| FixedState::with_seed(seed).hash_one(key));
    u128::from(high) << 64 | u128::from(low)
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    batch
        .column_by_name(name)
        .ok_or_else(|| exec_datafusion_err!("no column {name} to tell copies by"))
}
