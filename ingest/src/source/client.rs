//! Settings of the Kafka client, and what is asked of the broker before anything is consumed.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::engine::{Engine, Partition};
use crate::config::{KafkaConfig, MAX_POLL_INTERVAL, SaslMechanism, Security};
use crate::error::IngestError;

/// One question to the broker; what the client met meanwhile is looked at in between.
const QUESTION: Duration = Duration::from_secs(1);

/// Remembers why the client could not reach a broker.
#[derive(Debug, Default)]
pub(crate) struct Witness(Mutex<Option<(KafkaError, String)>>);

impl ClientContext for Witness {
    fn error(&self, error: KafkaError, reason: &str) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Of all brokers down the reason before is the better one.
        if seen.is_none() || error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            *seen = Some((error, reason.to_owned()));
        }
    }
}

impl ConsumerContext for Witness {}

impl Witness {
    fn seen(&self) -> Option<(KafkaError, String)> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}

/// A client that consumes nothing.
pub(crate) type Probe = BaseConsumer<Witness>;

pub(crate) fn is_denied(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed)
    )
}

/// Waits until a broker answers.
///
/// # Errors
/// When none does in time, or the first one refuses the credentials.
pub(crate) fn reach(probe: &Probe, kafka: &KafkaConfig) -> Result<(), IngestError> {
    let deadline = Instant::now() + kafka.connect_timeout;
    loop {
        let wait = QUESTION.min(kafka.connect_timeout);
        let Err(error) = probe.fetch_metadata(None, wait) else {
            return Ok(());
        };
        // The client tells what it met when it is polled.
        while probe.poll(Duration::from_millis(10)).is_some() {}
        let brokers = kafka.brokers.clone();
        match probe.context().seen() {
            Some((met, reason)) if is_denied(&met) => {
                return Err(IngestError::Denied { brokers, reason });
            }
            seen if Instant::now() >= deadline => {
                let reason = seen.map_or(error.to_string(), |(_, reason)| reason);
                return Err(IngestError::BrokerUnreachable { brokers, reason });
            }
            _ => {}
        }
    }
}

/// Checks that the topics exist.
///
/// # Errors
/// When one does not, or no broker answers.
pub(crate) fn check_topics<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    names: &[String],
    kafka: &KafkaConfig,
) -> Result<(), IngestError> {
    for name in names {
        let metadata = client
            .fetch_metadata(Some(name), kafka.connect_timeout)
            .map_err(|error| IngestError::BrokerUnreachable {
                brokers: kafka.brokers.clone(),
                reason: error.to_string(),
            })?;
        let there = metadata
            .topics()
            .iter()
            .any(|t| t.name() == name && !t.partitions().is_empty());
        if !there {
            return Err(IngestError::TopicMissing {
                topic: name.clone(),
                brokers: kafka.brokers.clone(),
            });
        }
    }
    Ok(())
}

/// Returns the end of every partition now, for `until_end`; empty otherwise.
pub(crate) fn ends(
    probe: &Probe,
    engine: &Engine,
    names: &[String],
) -> Result<Vec<(Partition, i64)>, IngestError> {
    let mut ends = Vec::new();
    let timeout = engine.config.kafka.connect_timeout;
    for name in names.iter().filter(|_| engine.config.until_end) {
        let Some(kind) = engine.kind_of(name) else {
            continue;
        };
        let metadata = probe.fetch_metadata(Some(name), timeout)?;
        for topic in metadata.topics() {
            for partition in topic.partitions() {
                let (_, high) = probe.fetch_watermarks(name, partition.id(), timeout)?;
                ends.push(((kind, partition.id()), high));
            }
        }
    }
    Ok(ends)
}

/// Makes the client's settings: ours that can be changed, the user's, ours that cannot.
pub(crate) fn settings(kafka: &KafkaConfig, group: &str) -> Result<ClientConfig, IngestError> {
    let mut settings = ClientConfig::new();
    settings
        // New partitions are noticed when metadata is read again.
        .set("topic.metadata.refresh.interval.ms", "30000")
        .set("statistics.interval.ms", "5000");
    for (key, value) in &kafka.properties {
        settings.set(key, value);
    }
    settings
        .set("bootstrap.servers", &kafka.brokers)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set(
            "max.poll.interval.ms",
            MAX_POLL_INTERVAL.as_millis().to_string(),
        )
        .set(
            "queued.max.messages.kbytes",
            (kafka.queue_limit.as_u64() / 1024).max(1).to_string(),
        )
        // After a flush the queue is full; a second of patience would pass before the next fetch.
        .set("fetch.queue.backoff.ms", "20")
        // One answer of a broker may exceed the queue's limit, and its size is before decompression.
        .set(
            "fetch.max.bytes",
            (kafka.queue_limit.as_u64() / 4)
                .max(LARGEST_MESSAGE)
                .to_string(),
        )
        .set(
            "security.protocol",
            match kafka.security {
                Security::Plaintext => "plaintext",
                Security::Tls => "ssl",
                Security::SaslPlaintext => "sasl_plaintext",
                Security::SaslTls => "sasl_ssl",
            },
        );
    if let Some(mechanism) = kafka.sasl_mechanism {
        settings.set(
            "sasl.mechanism",
            match mechanism {
                SaslMechanism::Plain => "PLAIN",
                SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
                SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
            },
        );
    }
    let password = kafka.password().map_err(|error| {
        IngestError::Worker(format!("kafka.sasl_password_file cannot be read: {error}"))
    })?;
    let password = password.map(|password| password.reveal().to_owned());
    let optional = [
        ("sasl.username", &kafka.sasl_username),
        ("sasl.password", &password),
        ("ssl.ca.location", &kafka.tls_ca_file),
        ("ssl.certificate.location", &kafka.tls_certificate_file),
        ("ssl.key.location", &kafka.tls_key_file),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            settings.set(key, value);
        }
    }
    Ok(settings)
}

/// librdkafka's `message.max.bytes`, below which an answer must not be bounded.
const LARGEST_MESSAGE: u64 = 1_000_000;
