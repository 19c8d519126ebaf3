//! What the consumer's thread works with: open tables, windows, positions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::message::BorrowedMessage;
use schemas::EventKind;
use tokio::runtime::Handle;

use super::window::Window;
use crate::config::{EventName, IngestConfig, TopicConfig};
use crate::decode::schema_ids::SchemaIds;
use crate::error::IngestError;
use crate::flush::Trigger;
use crate::observe::Progress;
use crate::pipeline::Clock;
use crate::sink::table::LakeTable;
use crate::validate::Origin;

/// A partition of a topic, by what the topic carries.
pub(crate) type Partition = (EventKind, i32);

pub(crate) struct Engine {
    pub(crate) config: IngestConfig,
    pub(crate) facts: BTreeMap<EventKind, LakeTable>,
    pub(crate) quarantine: LakeTable,
    pub(crate) ids: SchemaIds,
    pub(crate) progress: Arc<Progress>,
    pub(crate) clock: Clock,
    pub(crate) runtime: Handle,
    pub(crate) cluster: String,
    pub(crate) windows: BTreeMap<Partition, Window>,
    /// An error met inside a callback, for the loop to return.
    pub(crate) fatal: Option<IngestError>,
    bytes: u64,
    oldest: Option<Instant>,
    last_news: Instant,
}

impl Engine {
    pub(crate) fn new(
        config: IngestConfig,
        facts: Vec<(EventKind, LakeTable)>,
        quarantine: LakeTable,
        ids: SchemaIds,
        progress: Arc<Progress>,
        clock: Clock,
        runtime: Handle,
    ) -> Self {
        Self {
            config,
            facts: facts.into_iter().collect(),
            quarantine,
            ids,
            progress,
            clock,
            runtime,
            cluster: String::new(),
            windows: BTreeMap::new(),
            fatal: None,
            bytes: 0,
            oldest: None,
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
    pub(crate) fn take(&mut self, message: &BorrowedMessage<'_>) {
        self.stir();
        let Some(kind) = self.kind_of(message.topic()) else {
            return;
        };
        let Some(window) = self.windows.get_mut(&(kind, message.partition())) else {
            return;
        };
        // A message before the position is one the table has: a fetch that outlived a re-assign.
        if message.offset() < window.next {
            return;
        }
        let origin = Origin {
            partition: message.partition(),
            offset: message.offset(),
            time_ms: message.timestamp().to_millis(),
        };
        let key = message
            .key()
            .map(|key| String::from_utf8_lossy(key).into_owned());
        let payload = message.payload();
        window.push(origin, key, payload);
        self.bytes += payload.map_or(0, |payload| payload.len() as u64) + 64;
        self.oldest.get_or_insert_with(Instant::now);
        self.progress.consumed.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("notspot_ingest_records_consumed_total").increment(1);
    }

    pub(crate) fn due(&self) -> Option<Trigger> {
        let age: Option<Duration> = self.oldest.map(|oldest| oldest.elapsed());
        self.config.limits().due(self.bytes, age)
    }

    /// Called after everything buffered was committed or dropped.
    pub(crate) fn emptied(&mut self) {
        self.bytes = 0;
        self.oldest = None;
    }

    /// Called when messages may be on their way: after one came, an assignment, a flush, an error.
    pub(crate) fn stir(&mut self) {
        self.last_news = Instant::now();
    }

    /// Returns for how long nothing has happened while messages were asked for.
    pub(crate) fn quiet(&self) -> Duration {
        self.last_news.elapsed()
    }

    pub(crate) fn turn(&self) {
        let now = (self.clock)().timestamp_millis();
        self.progress.last_turn_ms.store(now, Ordering::Relaxed);
        self.progress
            .assigned
            .store(!self.windows.is_empty(), Ordering::Relaxed);
    }
}
