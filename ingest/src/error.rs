//! What can stop the ingester; each error names the place a person has to look at.

use crate::sink::table::TableError;

/// A reason the ingester stops.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// Settings are wrong; nothing was started.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// The broker cannot be reached.
    #[error("broker {brokers} cannot be reached: {reason}")]
    BrokerUnreachable {
        /// The setting `kafka.brokers`.
        brokers: String,
        /// What the client said.
        reason: String,
    },
    /// A topic of the configuration does not exist.
    #[error("topic {topic} does not exist on {brokers}; create it or change `topics`")]
    TopicMissing {
        /// The topic.
        topic: String,
        /// The setting `kafka.brokers`.
        brokers: String,
    },
    /// The Kafka client failed for good.
    #[error("kafka client failed: {0}")]
    Kafka(#[from] rdkafka::error::KafkaError),
    /// The stored position lies outside what Kafka still has.
    #[error(
        "{topic}/{partition}: stored position {position} is outside the kept offsets {low}..{high}; \
         messages are gone or the topic was recreated: raise `epoch` to read it from the start"
    )]
    PositionGone {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Next offset by the lake.
        position: i64,
        /// First offset Kafka has.
        low: i64,
        /// Offset after the last one Kafka has.
        high: i64,
    },
    /// A table of the lake cannot be used.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The schema registry cannot be asked.
    #[error("schema registry {url} cannot be reached: {reason}")]
    RegistryUnreachable {
        /// The setting `schema_registry.url`.
        url: String,
        /// What the client said.
        reason: String,
    },
    /// The address for metrics and health is taken or not ours.
    #[error("cannot listen on {address} (`http.listen`): {source}")]
    Listen {
        /// The setting `http.listen`.
        address: std::net::SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Decoded columns do not fit together: a bug, not an input.
    #[error("columns of {table} do not fit together: {source}")]
    Columns {
        /// The table.
        table: schemas::Table,
        /// What Arrow said.
        source: arrow::error::ArrowError,
    },
    /// A worker thread died.
    #[error("a worker of the ingester died: {0}")]
    Worker(String),
}
