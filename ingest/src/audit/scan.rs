//! Reads the offsets of every file: a few columns, a batch at a time.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::available_parallelism;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use futures::StreamExt;
use lake::{LakeFile, LakeTable, TableError};
use schemas::Table;
use tokio::sync::mpsc;

use super::files::Listing;
use super::offsets::{Found, Kind};
use super::spans::Place;
use super::{AuditError, Fault, FaultKind};

/// Batches decoded ahead of the one that is counted.
const BATCHES_AHEAD: usize = 4;
/// Files named of one fault.
const NAMED: usize = 20;

/// Counts what is done, for whoever watches.
#[derive(Debug, Default)]
pub struct AuditProgress {
    /// Rows by the log.
    pub rows_wanted: AtomicU64,
    /// Rows counted.
    pub rows_read: AtomicU64,
}

/// A table that holds offsets, and how.
pub(super) struct Source<'a> {
    pub table: &'a LakeTable,
    kind: Kind,
    files: Vec<LakeFile>,
}

impl AuditProgress {
    pub(super) fn wants(&self, sources: &[Source<'_>]) {
        let files = sources.iter().flat_map(|source| &source.files);
        let rows = files.filter_map(|file| file.rows).sum();
        self.rows_wanted.fetch_add(rows, Ordering::Relaxed);
    }
}

impl<'a> Source<'a> {
    pub async fn of(
        facts: &'a [LakeTable],
        others: &'a [LakeTable],
    ) -> Result<Vec<Self>, TableError> {
        let mut sources = Vec::new();
        for table in facts.iter().chain(others) {
            let kind = match table.table {
                Table::Quarantine => Kind::Quarantined,
                Table::OffsetsWithoutEvent => Kind::WithoutEvent,
                table if table.event_kind().is_some() => Kind::Row,
                _ => continue,
            };
            sources.push(Self {
                table,
                kind,
                files: table.files().await?,
            });
        }
        Ok(sources)
    }

    fn columns(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Row => &["kafka_topic_partition", "kafka_offset"],
            Kind::Quarantined => &["kafka_topic", "kafka_partition", "kafka_offset"],
            Kind::WithoutEvent => &[
                "kafka_topic",
                "kafka_partition",
                "first_offset",
                "last_offset",
            ],
        }
    }
}

/// Takes the offsets of a table in, and holds its files against the log.
pub(super) async fn offsets(
    source: &Source<'_>,
    topics: &[String],
    found: &mut BTreeMap<Place, Found>,
    faults: &mut Vec<Fault>,
    progress: &AuditProgress,
) -> Result<(), AuditError> {
    let mut strangers: BTreeMap<(String, i32), u64> = BTreeMap::new();
    let mut of_place: BTreeMap<&str, BTreeMap<i32, &mut Found>> = BTreeMap::new();
    for (place, found) in found.iter_mut() {
        // Rows of another table are of another topic of the same name, and have no position there.
        if source.kind != Kind::Row || place.table == source.table.table {
            of_place
                .entry(&place.topic)
                .or_default()
                .insert(place.partition, found);
        }
    }
    let visit = |_: &LakeFile, batch: &RecordBatch| {
        let rows = Rows::of(source, batch)?;
        for row in 0..batch.num_rows() {
            let (topic, partition) = rows.place(row);
            let known = of_place
                .get_mut(topic.as_ref())
                .and_then(|of| of.get_mut(&partition));
            match known {
                Some(found) => found.add_range(source.kind, rows.range(row)),
                // Beside rows: what was written before the first commit of its partition.
                None if source.kind != Kind::Row => {}
                None if topics.is_empty() || topics.iter().any(|wanted| *wanted == *topic) => {
                    *strangers
                        .entry((topic.into_owned(), partition))
                        .or_default() += 1;
                }
                None => {}
            }
        }
        progress
            .rows_read
            .fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        Some(())
    };
    each(source, faults, visit).await?;
    for (place, rows) in strangers {
        faults.push(Fault {
            place: Some(place),
            detail: format!("{rows} rows of a partition that has no position"),
            ..Fault::of(FaultKind::Beyond, source.table.table)
        });
    }
    Ok(())
}

/// Says of faults which files hold their offsets: reads once more, for there are few such lakes.
pub(super) async fn name_files(
    sources: &[Source<'_>],
    faults: &mut [Fault],
) -> Result<(), AuditError> {
    let holds = |fault: &Fault| matches!(fault.kind, FaultKind::Doubled | FaultKind::Beyond);
    if !faults.iter().any(holds) {
        return Ok(());
    }
    for source in sources {
        let visit = |file: &LakeFile, batch: &RecordBatch| {
            let rows = Rows::of(source, batch)?;
            for fault in faults.iter_mut().filter(|fault| holds(fault)) {
                let (topic, partition) = fault.place.as_ref()?;
                let (first, last) = fault.offsets.unwrap_or((i64::MIN, i64::MAX));
                let path = file.path.to_string();
                let named = fault.files.contains(&path) || fault.files.len() == NAMED;
                let is_in = |row: usize| {
                    let range = rows.range(row);
                    let place = rows.place(row);
                    range.0 <= last
                        && first <= range.1
                        && place.0 == *topic
                        && place.1 == *partition
                };
                if !named && (0..batch.num_rows()).any(is_in) {
                    fault.files.push(path);
                }
            }
            Some(())
        };
        each(source, &mut Vec::new(), visit).await?;
    }
    Ok(())
}

/// The offsets of a batch.
struct Rows<'a> {
    kind: Kind,
    batch: &'a RecordBatch,
}

impl<'a> Rows<'a> {
    /// `None` when a column is missing or of another type.
    fn of(source: &Source<'_>, batch: &'a RecordBatch) -> Option<Self> {
        for name in source.columns() {
            let wanted = match *name {
                "kafka_topic" | "kafka_topic_partition" => DataType::Utf8,
                "kafka_partition" => DataType::Int32,
                _ => DataType::Int64,
            };
            let column = batch.column_by_name(name)?;
            if *column.data_type() != wanted || column.null_count() > 0 {
                return None;
            }
        }
        Some(Self {
            kind: source.kind,
            batch,
        })
    }

    fn place(&self, row: usize) -> (Cow<'a, str>, i32) {
        let text = |name: &str| self.batch[name].as_string::<i32>().value(row);
        match self.kind {
            Kind::Row => {
                let (topic, partition) = text("kafka_topic_partition")
                    .rsplit_once('/')
                    .unwrap_or_default();
                // What is no partition at all has no position either, and shows as such.
                (topic.into(), partition.parse().unwrap_or(-1))
            }
            Kind::Quarantined | Kind::WithoutEvent => {
                let partition = self.batch["kafka_partition"].as_primitive::<Int32Type>();
                (text("kafka_topic").into(), partition.value(row))
            }
        }
    }

    fn range(&self, row: usize) -> (i64, i64) {
        let number = |name: &str| self.batch[name].as_primitive::<Int64Type>().value(row);
        match self.kind {
            Kind::Row | Kind::Quarantined => (number("kafka_offset"), number("kafka_offset")),
            Kind::WithoutEvent => (number("first_offset"), number("last_offset")),
        }
    }
}

/// What is read of a file.
enum Read {
    Rows(usize, RecordBatch),
    Fault(Fault),
}

/// Shows every batch of a table's files, which are decoded on as many threads as there are cores.
/// What a file is not as the log says is a fault.
async fn each(
    source: &Source<'_>,
    faults: &mut Vec<Fault>,
    mut visit: impl FnMut(&LakeFile, &RecordBatch) -> Option<()>,
) -> Result<(), AuditError> {
    let table = source.table;
    let listing = Listing::of(table).await?;
    let (present, absent) = listing.split(table, source.files.clone());
    faults.extend(absent);
    let cores = available_parallelism().map_or(1, NonZero::get);
    let (to, mut from) = mpsc::channel(BATCHES_AHEAD);
    let shared = Arc::new(table.clone());
    let reads = async {
        let read = |(number, file): (usize, &LakeFile)| {
            let (table, file, to) = (shared.clone(), file.clone(), to.clone());
            let columns = source.columns();
            let task = tokio::spawn(async move { read(&table, number, &file, columns, &to).await });
            async move { task.await.is_ok() }
        };
        let done: Vec<bool> = futures::stream::iter(present.iter().enumerate())
            .map(read)
            .buffer_unordered(cores)
            .collect()
            .await;
        drop(to);
        done.into_iter().all(|done| done)
    };
    let taken = async {
        while let Some(read) = from.recv().await {
            match read {
                Read::Fault(fault) => faults.push(fault),
                Read::Rows(number, batch) => {
                    let file = &present[number];
                    if visit(file, &batch).is_none() {
                        faults.push(differs(
                            table,
                            file,
                            "its offsets cannot be read".to_owned(),
                        ));
                    }
                }
            }
        }
    };
    let (all, ()) = tokio::join!(reads, taken);
    match all {
        true => Ok(()),
        false => Err(AuditError::Worker),
    }
}

async fn read(
    table: &LakeTable,
    number: usize,
    file: &LakeFile,
    columns: &[&str],
    to: &mpsc::Sender<Read>,
) {
    let told = async {
        let (in_footer, rows) = table.columns(file, columns).await?;
        let mut rows = std::pin::pin!(rows);
        while let Some(batch) = rows.next().await {
            let _listens = to.send(Read::Rows(number, batch?)).await;
        }
        Ok::<_, TableError>(in_footer)
    };
    let fault = match told.await {
        Ok(in_footer) => super::files::footer(table, file, in_footer),
        Err(error) => Some(differs(table, file, error.to_string())),
    };
    if let Some(fault) = fault {
        let _listens = to.send(Read::Fault(fault)).await;
    }
}

fn differs(table: &LakeTable, file: &LakeFile, detail: String) -> Fault {
    Fault {
        files: vec![file.path.to_string()],
        detail,
        ..Fault::of(FaultKind::FileDiffers, table.table)
    }
}
