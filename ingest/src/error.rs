//! What can stop the ingester; each error names the place a person has to look at.

use lake::TableError;

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
    /// The broker refuses our credentials.
    #[error("broker {brokers} refuses to let us in (`kafka.security`, `kafka.sasl_…`): {reason}")]
    Denied {
        /// The setting `kafka.brokers`.
        brokers: String,
        /// What the client said.
        reason: String,
    },
    /// Offsets were deleted before they were read.
    #[error(
        "{topic}/{partition}: offsets {position} to {low} are gone from Kafka before they were read, it keeps \
         {low}..{high}: read on with `--allow-gap` (`allow_gap`), which records them as lost"
    )]
    MessagesGone {
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
    /// The position belongs to another topic of the same name.
    #[error(
        "{topic}/{partition}: the lake's position {position} is not of this topic, {evidence}: the topic was \
         deleted and made anew, or lost its end; raise `epoch` to read it from its start"
    )]
    TopicRecreated {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Next offset by the lake.
        position: i64,
        /// What shows it.
        evidence: String,
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
    /// A topic was asked for that the settings do not have.
    #[error("topic {topic} is not in the settings (`topics`): they have {known}")]
    UnknownTopic {
        /// The topic.
        topic: String,
        /// Those of the settings.
        known: String,
    },
    /// Files that were to be replaced are no longer in the table.
    #[error(
        "another program rewrote files of {0} meanwhile: run it again, which ends what was begun"
    )]
    Overtaken(schemas::Table),
    /// A worker thread died.
    #[error("a worker of the ingester died: {0}")]
    Worker(String),
}
