//! Kafka to the lake on Apache Kafka: nothing lost, nothing twice, the bad alone quarantined.

mod audit;
mod fencing;
mod group;
mod maintain;
mod resubmit;
mod topics;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use chrono::{DateTime, TimeZone, Utc};
use ingest::config::{EventName, TopicConfig};
use ingest::{Clock, IngestConfig, IngestError, Progress, Shutdown, Summary};
use lake::{LakeTable, TableError};
use schemas::Table;
use serde_json::json;
use testkit::{Broker, Message, produce_all, shared_kafka, unique_name};

fn clock() -> Clock {
    let now: DateTime<Utc> = Utc
        .with_ymd_and_hms(2026, 11, 24, 12, 0, 0)
        .single()
        .expect("a date");
    Arc::new(move || now)
}

const EVENT_MS: i64 = 1_795_500_000_000;

/// A lake of its own and a topic of its own, read to its end.
struct Case {
    lake: tempfile::TempDir,
    topic: String,
    config: IngestConfig,
}

impl Case {
    fn new(partitions: i32) -> Self {
        Self::on(shared_kafka(), partitions)
    }

    fn on(broker: &Broker, partitions: i32) -> Self {
        let lake = tempfile::tempdir().expect("a temporary folder");
        let topic = unique_name("heartbeat");
        broker.create_topic(&topic, partitions).expect("a topic");
        let mut config = IngestConfig {
            lake: lake.path().to_string_lossy().into_owned(),
            group: unique_name("group"),
            until_end: true,
            ..IngestConfig::default()
        };
        config.kafka.brokers = broker.bootstrap().to_owned();
        config.http.enabled = false;
        let encoding = ingest::config::Encoding::Json;
        let heartbeat = TopicConfig {
            name: topic.clone(),
            encoding,
        };
        config.topics = BTreeMap::from([(EventName::Heartbeat, heartbeat)]);
        Self {
            lake,
            topic,
            config,
        }
    }

    fn produce(&self, messages: &[Message]) -> Vec<(String, i64)> {
        let brokers = &self.config.kafka.brokers;
        let places = produce_all(brokers, &self.topic, messages).expect("acknowledged");
        places
            .into_iter()
            .map(|(p, o)| (p.to_string(), o))
            .collect()
    }

    fn ingest(&self) -> Result<Summary, IngestError> {
        run(&self.config, &Shutdown::default(), &Arc::default())
    }

    fn set(&mut self, property: &str, value: &str) {
        let properties = &mut self.config.kafka.properties;
        properties.insert(property.to_owned(), value.to_owned());
    }

    /// Starts an ingester that runs until it is stopped.
    fn start(&self) -> Running {
        let mut config = self.config.clone();
        config.until_end = false;
        Running::start(config)
    }

    /// Reads a table's newest version.
    fn rows(&self, table: Table) -> Vec<RecordBatch> {
        let lake = self.lake.path().to_string_lossy().into_owned();
        let read = async {
            let Some(table) = LakeTable::found(&lake, table).await? else {
                return Ok(Vec::new());
            };
            let mut rows = Vec::new();
            for file in table.files().await? {
                rows.extend(table.read(&file.path).await?);
            }
            Ok::<_, TableError>(rows)
        };
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(read).expect("a table that can be read")
    }

    /// Returns the paths of a table's files.
    fn files(&self, table: Table) -> Vec<String> {
        let lake = self.lake.path().to_string_lossy().into_owned();
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let found = runtime.block_on(LakeTable::found(&lake, table));
        let table = found.expect("a lake").expect("a table");
        let files = runtime.block_on(table.files()).expect("a version");
        let files = files.into_iter();
        files.map(|file| file.path.to_string()).collect()
    }

    fn offsets(&self, table: Table, place: &str) -> Vec<(String, i64)> {
        let mut offsets = Vec::new();
        for batch in self.rows(table) {
            let of = batch.column_by_name("kafka_offset").expect("audit columns");
            let of = of.as_primitive::<Int64Type>();
            let partition = batch.column_by_name(place).expect("audit columns");
            let partition = arrow::compute::cast(partition, &arrow::datatypes::DataType::Utf8);
            let partition = partition.expect("numbers print");
            let partition = partition.as_string::<i32>();
            offsets.extend((0..batch.num_rows()).map(|row| {
                let name = partition
                    .value(row)
                    .rsplit('/')
                    .next()
                    .expect("split is never empty");
                (name.to_owned(), of.value(row))
            }));
        }
        offsets.sort();
        offsets
    }
}

fn run(
    config: &IngestConfig,
    shutdown: &Shutdown,
    progress: &Arc<Progress>,
) -> Result<Summary, IngestError> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (shutdown, progress) = (shutdown.clone(), progress.clone());
    runtime.block_on(ingest::run(config.clone(), shutdown, progress, clock()))
}

/// An ingester on a thread of its own.
struct Running {
    shutdown: Shutdown,
    progress: Arc<Progress>,
    thread: JoinHandle<Result<Summary, IngestError>>,
}

impl Running {
    fn start(config: IngestConfig) -> Self {
        let (shutdown, progress) = (Shutdown::default(), Arc::<Progress>::default());
        let (asked, shown) = (shutdown.clone(), progress.clone());
        let thread = std::thread::spawn(move || run(&config, &asked, &shown));
        Self {
            shutdown,
            progress,
            thread,
        }
    }

    /// Waits until this many messages were consumed.
    fn has_consumed(&self, messages: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.progress.consumed.load(Ordering::Relaxed) < messages {
            assert!(Instant::now() < deadline, "{:?}", self.progress);
            assert!(!self.thread.is_finished(), "it ended, {:?}", self.progress);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn stop(self) -> Result<Summary, IngestError> {
        self.shutdown.request();
        self.end()
    }

    fn end(self) -> Result<Summary, IngestError> {
        self.thread.join().expect("an ingester does not panic")
    }
}

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

fn heartbeat(terminal: &str, attempts: i64) -> Message {
    let place = json!({"attempts": attempts, "lat": 48.85, "lon": 2.35, "datum": "WGS84"});
    Message::json(
        terminal,
        &testkit::events::heartbeat(terminal, EVENT_MS, place),
    )
}

#[test]
fn every_offset_is_a_row_or_quarantined_exactly_once_over_restarts() {
    let case = Case::new(3);
    let mut expected = Vec::new();
    for round in 0..3_i64 {
        let messages: Vec<Message> = (0..90)
            .map(|n| {
                let message = match n % 10 {
                    7 => Message::new("T", "not json"),
                    _ => heartbeat(&format!("T{n}"), round),
                };
                message.to_partition(n % 3)
            })
            .collect();
        case.produce(&messages);
        let summary = case.ingest().expect("read to the end");
        assert_eq!(
            (summary.rows, summary.quarantined),
            (81, 9),
            "round {round}"
        );
        expected.extend(
            (0..3).flat_map(|p: i64| (0..30).map(move |o| (p.to_string(), round * 30 + o))),
        );
    }
    let mut found = case.offsets(Table::Heartbeats, "kafka_topic_partition");
    let quarantined = case.offsets(Table::Quarantine, "kafka_partition");
    assert_eq!((found.len(), quarantined.len()), (243, 27));
    found.extend(quarantined);
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn values_arrive_as_sent_and_lie_in_their_partition() {
    let case = Case::new(1);
    case.produce(&[heartbeat("T1", 11), heartbeat("T2", 22)]);
    case.ingest().expect("read to the end");
    for file in case.files(Table::Heartbeats) {
        assert!(
            file.starts_with("event_date=2026-11-24/partition_cell=821fb7fffffffff/"),
            "{file}"
        );
    }
    let rows = testkit::batches::json_rows(&case.rows(Table::Heartbeats)).expect("rows as JSON");
    let mut attempts: Vec<_> = rows
        .iter()
        .map(|row| (row["terminal_id"].to_string(), row["attempts"].as_i64()))
        .collect();
    attempts.sort();
    assert_eq!(
        attempts,
        [("\"T1\"".into(), Some(11)), ("\"T2\"".into(), Some(22))]
    );
}

#[test]
fn a_topic_of_nothing_but_poison_is_quarantined_as_it_came() {
    let case = Case::new(2);
    let poison = |n: i32| Message::new("T", format!("{{\"poison\": {n}")).to_partition(n % 2);
    let mut produced = case.produce(&(0..20_000).map(poison).collect::<Vec<_>>());
    let summary = case.ingest().expect("read to the end");
    assert_eq!((summary.rows, summary.quarantined), (0, 20_000));
    produced.sort();
    assert_eq!(case.offsets(Table::Quarantine, "kafka_partition"), produced);
}

#[test]
fn nothing_new_means_no_new_commit() {
    let case = Case::new(1);
    case.produce(&[heartbeat("T1", 1)]);
    case.ingest().expect("read to the end");
    let again = case.ingest().expect("read to the end");
    assert_eq!((again.consumed, again.commits), (0, 0));
}

#[test]
fn a_missing_topic_and_an_unreachable_broker_are_named() {
    let mut case = Case::new(1);
    let gone = unique_name("gone");
    case.config
        .topics
        .get_mut(&EventName::Heartbeat)
        .expect("set above")
        .name = gone.clone();
    let error = case.ingest().expect_err("no such topic").to_string();
    assert!(error.contains(&gone), "{error}");
    case.config.kafka.brokers = "127.0.0.1:1".into();
    case.config.kafka.connect_timeout = std::time::Duration::from_secs(2);
    let error = case.ingest().expect_err("nobody listens").to_string();
    assert!(error.contains("127.0.0.1:1"), "{error}");
}

#[test]
fn a_lake_of_another_layout_is_refused() {
    let case = Case::new(1);
    case.produce(&[heartbeat("T1", 1)]);
    case.ingest().expect("read to the end");
    let first = case
        .lake
        .path()
        .join("heartbeats/_delta_log/00000000000000000000.json");
    let log = std::fs::read_to_string(&first).expect("a log");
    let changed = log.replace(
        "\"notspot.layoutVersion\":\"1\"",
        "\"notspot.layoutVersion\":\"99\"",
    );
    assert_ne!(log, changed);
    std::fs::write(&first, changed).expect("writable");
    let error = case.ingest().expect_err("another layout").to_string();
    assert!(error.contains("layout version 99"), "{error}");
}
