//! What the consumer's thread works with: open tables, windows, positions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use lake::LakeTable;
use rdkafka::Message as _;
use rdkafka::message::BorrowedMessage;
use rdkafka::{Offset, TopicPartitionList};
use schemas::{EventKind, Table};
use tokio::runtime::Handle;
use uuid::Uuid;

use super::heed::Heeded;
use super::window::{Arrived, Window};
use crate::config::{EventName, IngestConfig, TopicConfig};
use crate::decode::schema_ids::SchemaIds;
use crate::error::IngestError;
use crate::flush::{Buffered, Limits, Trigger};
use crate::observe::{Consumed, Progress};
use crate::pipeline::Clock;
use crate::validate::places::Places;

/// Without a message for this long, nothing more is on its way.
pub(crate) const IDLE: Duration = Duration::from_secs(5);

/// A partition of a topic, by what the topic carries.
pub(crate) type Partition = (EventKind, i32);

pub(crate) struct Engine {
    pub(crate) config: IngestConfig,
    pub(crate) facts: BTreeMap<EventKind, LakeTable>,
    /// Tables of offsets that are no events.
    pub(crate) aside: BTreeMap<Table, LakeTable>,
    pub(crate) ids: SchemaIds,
    pub(crate) progress: Arc<Progress>,
    pub(crate) clock: Clock,
    pub(crate) runtime: Handle,
    pub(crate) cluster: String,
    pub(crate) places: Places,
    pub(crate) windows: BTreeMap<Partition, Window>,
    /// An error met inside a callback, for the loop to return.
    pub(crate) fatal: Option<IngestError>,
    limits: Limits,
    buffered: Buffered,
    consumed: BTreeMap<EventKind, Consumed>,
    pub(crate) heeded: BTreeMap<EventKind, Heeded>,
    last_news: Instant,
}

impl Engine {
    pub(crate) fn new(
        config: IngestConfig,
        facts: Vec<(EventKind, LakeTable)>,
        aside: Vec<LakeTable>,
        ids: SchemaIds,
        progress: Arc<Progress>,
        clock: Clock,
        runtime: Handle,
    ) -> Self {
        let budget = config.memory.limit.as_u64() as f64;
        metrics::gauge!("notspot_ingest_memory_budget_bytes").set(budget);
        let topics = config.topics.iter();
        let consumed = topics
            .map(|(name, topic)| (EventKind::from(*name), Consumed::of(&topic.name)))
            .collect();
        Self {
            limits: config.limits().spread(Uuid::new_v4().as_bytes()[0]),
            config,
            facts: facts.into_iter().collect(),
            aside: aside.into_iter().map(|open| (open.table, open)).collect(),
            ids,
            progress,
            clock,
            runtime,
            cluster: String::new(),
            places: Places::default(),
            windows: BTreeMap::new(),
            fatal: None,
            buffered: Buffered::default(),
            consumed,
            heeded: BTreeMap::new(),
            last_news: Instant::now(),
        }
    }

    pub(crate) fn topic(&self, kind: EventKind) -> &TopicConfig {
        let name = self
            .config
            .topics
            .iter()
            .find(|(name, _)| EventKind::from(**name) == kind);
        name.map(|(_, topic)| topic)
            .expect("only kinds of the settings are asked for")
    }

    pub(crate) fn kind_of(&self, topic: &str) -> Option<EventKind> {
        let found = self
            .config
            .topics
            .iter()
            .find(|(_, config)| config.name == topic);
        found.map(|(name, _): (&EventName, _)| EventKind::from(*name))
    }

    pub(crate) fn app_id(&self, (kind, partition): Partition) -> String {
        let topic = &self.topic(kind).name;
        schemas::lake::app_id(
            &self.config.group,
            self.config.epoch,
            &self.cluster,
            topic,
            partition,
        )
    }

    /// Takes a message into its partition's window.
    ///
    /// # Errors
    /// When it shows that the topic is not the one the lake's position is of.
    pub(crate) fn take(
        &mut self,
        message: &BorrowedMessage<'_>,
        now: Instant,
    ) -> Result<(), IngestError> {
        self.last_news = now;
        let partition = message.partition();
        let Some(kind) = self.kind_of(message.topic()) else {
            return Ok(());
        };
        let Some(window) = self.windows.get_mut(&(kind, partition)) else {
            return Ok(());
        };
        let arrived = Arrived {
            offset: message.offset(),
            time_ms: message.timestamp().to_millis(),
            key: message.key(),
            payload: message.payload(),
        };
        let (bytes, rows) = (window.bytes(), window.rows());
        let new = window
            .push(arrived)
            .map_err(|stranger| IngestError::TopicRecreated {
                topic: message.topic().to_owned(),
                partition,
                position: window.next,
                evidence: format!(
                    "the message before it is of {} ms, by the lake of {} ms",
                    stranger.found_ms.unwrap_or_default(),
                    stranger.expected_ms
                ),
            })?;
        if new {
            self.buffered.bytes += window.bytes() - bytes;
            self.buffered.rows += window.rows() - rows;
            self.buffered.since = self.buffered.since.or(window.since);
            self.progress.consumed.fetch_add(1, Ordering::Relaxed);
            self.consumed[&kind].count(message.payload_len() as u64);
        }
        Ok(())
    }

    /// Moves windows over control records behind their last message: where the partition falls idle,
    /// no message comes that would show them, and Kafka deletes them one day. `positions` are the
    /// client's, which follow what it hands over and control records alike.
    pub(crate) fn pass(&mut self, positions: &TopicPartitionList, now: Instant) {
        let is_quiet = self.quiet() > IDLE;
        for element in positions.elements() {
            let partition = self
                .kind_of(element.topic())
                .map(|kind| (kind, element.partition()));
            let Some(window) = partition.and_then(|partition| self.windows.get_mut(&partition))
            else {
                continue;
            };
            let Offset::Offset(position) = element.offset() else {
                continue;
            };
            // Just assigned anew, the client may still tell where it was before.
            if !(window.is_read || is_quiet) {
                continue;
            }
            let bytes = window.bytes();
            if window.pass(position, now) {
                self.buffered.bytes += window.bytes() - bytes;
                self.buffered.since = self.buffered.since.or(window.since);
            }
        }
    }

    pub(crate) fn due(&self, now: Instant) -> Option<Trigger> {
        self.limits.due(&self.buffered, now)
    }

    /// Called after windows were committed, dropped or given away.
    pub(crate) fn count_buffered(&mut self) {
        let windows = || self.windows.values();
        self.buffered = Buffered {
            bytes: windows().map(Window::bytes).sum(),
            rows: windows().map(Window::rows).sum(),
            since: windows().filter_map(|window| window.since).min(),
        };
    }

    /// Called when messages may be on their way: after one came, an assignment, a flush, an error.
    pub(crate) fn stir(&mut self) {
        self.last_news = Instant::now();
    }

    /// Returns for how long nothing has happened while messages were asked for.
    pub(crate) fn quiet(&self) -> Duration {
        self.last_news.elapsed()
    }

    /// Shows how far a partition is behind the end, and how far ahead of what Kafka deletes.
    pub(crate) fn observe(&self, partition: Partition, (low, end): (i64, i64)) {
        let Some(window) = self.windows.get(&partition) else {
            return;
        };
        let labels = self.labels(partition);
        metrics::gauge!("notspot_ingest_committed_offset", &labels).set(window.start as f64);
        // Negative until the first answer of the partition's leader.
        if end >= 0 {
            let lag = (end - window.start).max(0);
            metrics::gauge!("notspot_ingest_consumer_lag_records", &labels).set(lag as f64);
        }
        if low >= 0 {
            metrics::gauge!("notspot_ingest_log_start_margin_records", &labels)
                .set((window.start - low) as f64);
        }
    }

    /// Takes a partition that is no longer ours out of sums and alerts.
    pub(crate) fn forget(&self, partition: Partition) {
        let labels = self.labels(partition);
        metrics::gauge!("notspot_ingest_consumer_lag_records", &labels).set(0.0);
        metrics::gauge!("notspot_ingest_committed_offset", &labels).set(f64::NAN);
        metrics::gauge!("notspot_ingest_log_start_margin_records", &labels).set(f64::NAN);
    }

    fn labels(&self, (kind, partition): Partition) -> [(&'static str, String); 2] {
        let topic = self.topic(kind).name.clone();
        [("topic", topic), ("partition", partition.to_string())]
    }

    pub(crate) fn turn(&self) {
        let now = (self.clock)().timestamp_millis();
        self.progress.last_turn_ms.store(now, Ordering::Relaxed);
        metrics::gauge!("notspot_ingest_buffered_bytes").set(self.buffered.bytes as f64);
        metrics::gauge!("notspot_ingest_assigned_partitions").set(self.windows.len() as f64);
    }
}
