//! Messages to Kafka: key = terminal, timestamp = when the terminal sent it, everything acknowledged.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampMillisecondType;
use arrow::record_batch::RecordBatch;
use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use schemas::EventKind;

use super::{Encoding, EventSink, MessageEncoder, PublishError, PublishSummary, SchemaIds};

const METADATA_WAIT: Duration = Duration::from_secs(15);
const FULL_QUEUE_PAUSE: Duration = Duration::from_millis(20);
const FLUSH_WAIT: Duration = Duration::from_secs(300);

/// Where and how [`KafkaSink`] publishes.
#[derive(Debug, Clone)]
pub struct KafkaSinkConfig {
    /// Bootstrap servers, `HOST:PORT` separated by commas.
    pub brokers: String,
    /// Encoding of payloads.
    pub encoding: Encoding,
    /// Ids in the framing of Avro messages.
    pub schema_ids: SchemaIds,
    /// Further librdkafka properties (SASL, TLS, …); they win over the defaults here.
    pub properties: Vec<(String, String)>,
}

/// Publishes to the topics of the three kinds.
pub struct KafkaSink {
    producer: ThreadedProducer<Deliveries>,
    failures: Failures,
    encoders: [MessageEncoder; 3],
    summary: PublishSummary,
}

impl KafkaSink {
    /// Connects, and checks that the three topics exist.
    ///
    /// # Errors
    /// When a property is refused, no broker answers or a topic is missing.
    pub fn connect(config: &KafkaSinkConfig) -> Result<Self, PublishError> {
        let failures = Failures::default();
        let producer: ThreadedProducer<Deliveries> = client_config(config)
            .create_with_context(Deliveries(failures.clone()))
            .map_err(PublishError::Settings)?;
        check_topics(&producer, &config.brokers)?;
        Ok(Self {
            producer,
            failures,
            encoders: MessageEncoder::for_all(config.encoding, config.schema_ids)?,
            summary: PublishSummary::default(),
        })
    }

    fn send_message(
        &self,
        kind: EventKind,
        terminal_id: &str,
        sent_ms: i64,
        payload: &[u8],
    ) -> Result<(), PublishError> {
        let mut record = BaseRecord::to(kind.topic())
            .key(terminal_id)
            .payload(payload)
            .timestamp(sent_ms);
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                // Ends: deliveries free the queue, or time out and are reported as failures.
                Err((error, refused)) if is_queue_full(&error) => {
                    self.failures.check()?;
                    self.producer.poll(FULL_QUEUE_PAUSE);
                    record = refused;
                }
                Err((source, _)) => {
                    let topic = kind.topic().to_owned();
                    return Err(PublishError::Refused { topic, source });
                }
            }
        }
    }
}

impl EventSink for KafkaSink {
    fn send(&mut self, kind: EventKind, batch: &RecordBatch) -> Result<(), PublishError> {
        self.failures.check()?;
        let messages = self.encoders[kind as usize].encode(batch)?;
        let terminals = column(batch, "terminal_id").as_string::<i32>();
        let sent = column(batch, "sent_time").as_primitive::<TimestampMillisecondType>();
        let event = column(batch, "event_time").as_primitive::<TimestampMillisecondType>();
        for (row, payload) in messages.iter().enumerate() {
            let sent_ms = if sent.is_valid(row) {
                sent.value(row)
            } else {
                event.value(row)
            };
            self.send_message(kind, terminals.value(row), sent_ms, payload)?;
        }
        self.summary
            .add(kind, messages.len(), messages.payload_bytes());
        Ok(())
    }

    fn finish(&mut self) -> Result<PublishSummary, PublishError> {
        let flushed = self.producer.flush(FLUSH_WAIT);
        self.failures.check()?;
        flushed.map_err(|error| PublishError::Undelivered {
            failed: u64::try_from(self.producer.in_flight_count()).unwrap_or(0),
            topic: "any topic".to_owned(),
            partition: -1,
            reason: error.to_string(),
        })?;
        Ok(self.summary)
    }
}

/// Reports of the client's thread on what did not arrive.
#[derive(Clone, Default)]
struct Failures(Arc<Mutex<Option<FirstFailure>>>);

struct FirstFailure {
    failed: u64,
    topic: String,
    partition: i32,
    reason: String,
}

impl Failures {
    fn record(&self, error: &KafkaError, topic: &str, partition: i32) {
        let mut first = self.0.lock().expect("no thread panics with this lock");
        let first = first.get_or_insert_with(|| FirstFailure {
            failed: 0,
            topic: topic.to_owned(),
            partition,
            reason: error.to_string(),
        });
        first.failed += 1;
    }

    fn check(&self) -> Result<(), PublishError> {
        let first = self.0.lock().expect("no thread panics with this lock");
        match first.as_ref() {
            None => Ok(()),
            Some(first) => Err(PublishError::Undelivered {
                failed: first.failed,
                topic: first.topic.clone(),
                partition: first.partition,
                reason: first.reason.clone(),
            }),
        }
    }
}

struct Deliveries(Failures);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result {
            self.0.record(error, message.topic(), message.partition());
        }
    }
}

fn client_config(config: &KafkaSinkConfig) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", &config.brokers)
        .set("client.id", "notspot-simulator")
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("compression.codec", "zstd")
        .set("linger.ms", "20")
        .set("batch.size", "524288")
        .set("queue.buffering.max.kbytes", "65536")
        // A terminal's events stay in order on one partition, as other clients' partitioners place them.
        .set("partitioner", "murmur2_random");
    for (name, value) in &config.properties {
        client.set(name, value);
    }
    client
}

fn check_topics(
    producer: &ThreadedProducer<Deliveries>,
    brokers: &str,
) -> Result<(), PublishError> {
    let metadata = producer.client().fetch_metadata(None, METADATA_WAIT);
    let metadata = metadata.map_err(|source| PublishError::Unreachable {
        brokers: brokers.to_owned(),
        waited_s: METADATA_WAIT.as_secs(),
        source,
    })?;
    let exists = |topic: &str| metadata.topics().iter().any(|known| known.name() == topic);
    match EventKind::ALL.iter().find(|kind| !exists(kind.topic())) {
        None => Ok(()),
        Some(kind) => Err(PublishError::TopicMissing {
            topic: kind.topic().to_owned(),
            brokers: brokers.to_owned(),
        }),
    }
}

fn is_queue_full(error: &KafkaError) -> bool {
    matches!(
        error,
        KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)
    )
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> &'a dyn Array {
    let column = batch.column_by_name(name);
    column.expect("every wire schema has this column").as_ref()
}
