//! The ingester's life, readable top to bottom: check, open, consume, stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use lake::LakeTable;
use schemas::{EventKind, Table};

use crate::config::{ConfigError, IngestConfig};
use crate::decode::schema_ids::SchemaIds;
use crate::error::IngestError;
use crate::observe::{self, Progress};
use crate::source::{consumer, engine::Engine};

/// An ingester whose flush takes longer than this many flush intervals is not ready.
const READY_FLUSHES: u32 = 3;

/// Tells the time; only the binary reads the system's clock.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Asks a running ingester to flush and stop.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(Arc<AtomicBool>);

impl Shutdown {
    /// Asks for the stop; asking again changes nothing.
    pub fn request(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Tells whether the stop was asked for.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// What a run left in the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Messages taken from Kafka.
    pub consumed: u64,
    /// Rows committed.
    pub rows: u64,
    /// Messages quarantined.
    pub quarantined: u64,
    /// Messages without a payload.
    pub tombstones: u64,
    /// Commits to fact tables.
    pub commits: u64,
}

/// Consumes until a stop is asked for, or to the end where `until_end` is set.
///
/// # Errors
/// Wrong settings, unreachable broker, missing topic, unusable lake, positions Kafka no longer
/// has, and failures of the client that do not pass.
pub async fn run(
    config: IngestConfig,
    shutdown: Shutdown,
    progress: Arc<Progress>,
    clock: Clock,
) -> Result<Summary, IngestError> {
    let faults = config.faults();
    if !faults.is_empty() {
        return Err(ConfigError { faults }.into());
    }
    progress
        .last_turn_ms
        .store(clock().timestamp_millis(), Ordering::Relaxed);
    let http = match config.http.enabled {
        true => {
            let ready_within = config.flush.max_age * READY_FLUSHES;
            let (progress, clock) = (progress.clone(), clock.clone());
            Some(observe::serve(config.http.listen, progress, clock, ready_within).await?)
        }
        false => None,
    };
    let result = consume(config, shutdown, progress.clone(), clock).await;
    if let Some(task) = http {
        task.abort();
    }
    result.map(|()| Summary {
        consumed: progress.consumed.load(Ordering::Acquire),
        rows: progress.rows.load(Ordering::Acquire),
        quarantined: progress.quarantined.load(Ordering::Acquire),
        tombstones: progress.tombstones.load(Ordering::Acquire),
        commits: progress.commits.load(Ordering::Acquire),
    })
}

async fn consume(
    config: IngestConfig,
    shutdown: Shutdown,
    progress: Arc<Progress>,
    clock: Clock,
) -> Result<(), IngestError> {
    let resolution = config.partition_resolution();
    let mut facts = Vec::new();
    for name in config.topics.keys() {
        let kind = EventKind::from(*name);
        facts.push((
            kind,
            LakeTable::open_or_create(&config.lake, kind.table(), resolution).await?,
        ));
    }
    let mut aside = Vec::new();
    for table in [Table::Quarantine, Table::OffsetsWithoutEvent] {
        aside.push(LakeTable::open_or_create(&config.lake, table, resolution).await?);
    }
    let ids = SchemaIds::of(&config.schema_registry);
    let runtime = tokio::runtime::Handle::current();
    let engine = Engine::new(config, facts, aside, ids, progress, clock, runtime);
    // librdkafka calls back from poll and blocks there: a thread of its own.
    tokio::task::spawn_blocking(move || consumer::run(engine, &shutdown))
        .await
        .map_err(|error| IngestError::Worker(error.to_string()))?
}
