//! Messages onto a topic, one by one or many, each acknowledged by the broker.

use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rdkafka::ClientConfig;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::{ClientContext, Message as _};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

/// One message to send.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// Partition to send it to; by the hash of its key when `None`.
    pub partition: Option<i32>,
    /// Key, where there is one.
    pub key: Option<Vec<u8>>,
    /// Payload; `None` is a tombstone.
    pub payload: Option<Vec<u8>>,
    /// Kafka timestamp, ms since 1970; the producer's clock when `None`.
    pub timestamp_ms: Option<i64>,
}

impl Message {
    /// Makes a message of raw bytes.
    pub fn new(key: &str, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            key: Some(key.as_bytes().to_vec()),
            payload: Some(payload.into()),
            ..Self::default()
        }
    }

    /// Makes a message of one JSON event.
    pub fn json(key: &str, event: &Value) -> Self {
        Self::new(key, event.to_string())
    }

    /// Sends it to that partition.
    pub fn to_partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// Gives it that Kafka timestamp.
    pub fn at(mut self, timestamp_ms: i64) -> Self {
        self.timestamp_ms = Some(timestamp_ms);
        self
    }
}

/// Sends one message to a partition and returns its offset.
///
/// # Errors
/// When the broker does not acknowledge it.
pub fn produce(
    bootstrap: &str,
    topic: &str,
    partition: i32,
    key: &str,
    payload: &[u8],
    timestamp_ms: i64,
) -> Result<i64> {
    let message = Message::new(key, payload)
        .to_partition(partition)
        .at(timestamp_ms);
    let offsets = produce_all(bootstrap, topic, &[message])?;
    Ok(offsets[0].1)
}

/// Sends messages in order and returns the partition and offset of each, in that order.
///
/// # Errors
/// When the broker does not acknowledge one of them.
pub fn produce_all(bootstrap: &str, topic: &str, messages: &[Message]) -> Result<Vec<(i32, i64)>> {
    let receipts = Receipts(Mutex::new(vec![None; messages.len()]));
    let producer: BaseProducer<Receipts> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("enable.idempotence", "true")
        .set("message.timeout.ms", PATIENCE.as_millis().to_string())
        .set("queue.buffering.max.messages", "0")
        .create_with_context(receipts)?;
    for (index, message) in messages.iter().enumerate() {
        producer
            .send(record(topic, index, message))
            .map_err(|(error, _)| error)
            .with_context(|| format!("message {index} for {topic}"))?;
        producer.poll(Duration::ZERO);
    }
    producer
        .flush(PATIENCE)
        .with_context(|| format!("messages for {topic} at {bootstrap}"))?;
    let receipts = producer.context().0.lock().expect("no callback panics");
    receipts
        .iter()
        .enumerate()
        .map(|(index, receipt)| match receipt {
            Some(Ok(place)) => Ok(*place),
            Some(Err(error)) => Err(anyhow!("message {index} for {topic}: {error}")),
            None => Err(anyhow!("message {index} for {topic} was not acknowledged")),
        })
        .collect()
}

fn record<'a>(
    topic: &'a str,
    index: usize,
    message: &'a Message,
) -> BaseRecord<'a, [u8], [u8], usize> {
    let mut record = BaseRecord::with_opaque_to(topic, index);
    record.key = message.key.as_deref();
    record.payload = message.payload.as_deref();
    record.partition = message.partition;
    record.timestamp = message.timestamp_ms;
    record
}

/// What the broker said of each message, by its index.
struct Receipts(Mutex<Vec<Option<Receipt>>>);

/// The message's partition and offset, or why it was not acknowledged.
type Receipt = Result<(i32, i64), String>;

impl ClientContext for Receipts {}

impl ProducerContext for Receipts {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, index: usize) {
        let receipt = match result {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((error, _)) => Err(error.to_string()),
        };
        self.0.lock().expect("no callback panics")[index] = Some(receipt);
    }
}
