//! Where events leave the simulator and the replayer: owns the sink trait and its implementations.
//! Knows wire batches and payload encodings, never what the events mean.

mod embedded_broker;
mod encode;
mod file;
mod kafka;
mod null;
mod registry;

use arrow::record_batch::RecordBatch;
use schemas::EventKind;

pub use embedded_broker::EmbeddedBroker;
pub use encode::{Encoding, MessageEncoder, Messages};
pub use file::{FileCompression, FileSink, FileSinkConfig};
pub use kafka::{KafkaSink, KafkaSinkConfig};
pub use null::NullSink;
pub use registry::{SchemaIds, register_contracts};

/// Takes wire batches, in the order they are sent.
pub trait EventSink {
    /// Publishes every row of a batch, one message a row.
    ///
    /// # Errors
    /// When the batch cannot be encoded or the destination refuses it; the sink is then unusable.
    fn send(&mut self, kind: EventKind, batch: &RecordBatch) -> Result<(), PublishError>;

    /// Waits until everything sent has arrived.
    ///
    /// # Errors
    /// When any message did not arrive.
    fn finish(&mut self) -> Result<PublishSummary, PublishError>;
}

/// What a sink has delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct PublishSummary {
    /// Messages delivered, by kind in the order of [`EventKind::ALL`].
    pub messages: [u64; 3],
    /// Bytes of their payloads, before any compression.
    pub payload_bytes: u64,
}

impl PublishSummary {
    /// Returns the messages of every kind together.
    pub fn total(&self) -> u64 {
        self.messages.iter().sum()
    }

    pub(crate) fn add(&mut self, kind: EventKind, messages: usize, payload_bytes: usize) {
        self.messages[kind as usize] += messages as u64;
        self.payload_bytes += payload_bytes as u64;
    }
}

/// Why events could not be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A batch could not be turned into messages.
    #[error("cannot encode {kind} events as {encoding}: {reason}")]
    Encode {
        /// Kind of the events.
        kind: EventKind,
        /// Encoding asked for.
        encoding: Encoding,
        /// What the encoder said.
        reason: String,
    },
    /// The producer could not be set up.
    #[error("kafka producer settings are refused: {0}")]
    Settings(#[source] rdkafka::error::KafkaError),
    /// No broker answered.
    #[error("no answer from kafka at {brokers} within {waited_s} s: {source}")]
    Unreachable {
        /// Bootstrap servers asked.
        brokers: String,
        /// How long the answer was waited for.
        waited_s: u64,
        /// What the client said.
        source: rdkafka::error::KafkaError,
    },
    /// A topic does not exist.
    #[error("topic {topic} does not exist at {brokers}")]
    TopicMissing {
        /// Topic needed.
        topic: String,
        /// Bootstrap servers asked.
        brokers: String,
    },
    /// The client refused a message.
    #[error("kafka refuses a message for topic {topic}: {source}")]
    Refused {
        /// Topic of the message.
        topic: String,
        /// What the client said.
        source: rdkafka::error::KafkaError,
    },
    /// Messages did not arrive.
    #[error(
        "{failed} messages were not delivered, the first to {topic} partition {partition}: {reason}"
    )]
    Undelivered {
        /// Messages that failed so far.
        failed: u64,
        /// Topic of the first.
        topic: String,
        /// Partition of the first, -1 when it never got one.
        partition: i32,
        /// Why the first failed.
        reason: String,
    },
    /// A file could not be written.
    #[error("cannot write {path}: {source}")]
    File {
        /// File or folder.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The schema registry did not take a contract.
    #[error("schema registry {url} does not register subject {subject}: {reason}")]
    Registry {
        /// Address of the registry.
        url: String,
        /// Subject to register.
        subject: String,
        /// What went wrong.
        reason: String,
    },
    /// The embedded broker could not start.
    #[error("embedded broker: {0}")]
    EmbeddedBroker(String),
    /// A sink wrapped around another one stopped the run.
    #[error("publishing stopped: {0}")]
    Stopped(String),
}
