//! The consumer's thread: polls, and takes and gives back partitions inside the client's callbacks.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::Offset;
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use super::engine::{Engine, Partition};
use super::window::Window;
use crate::config::{KafkaConfig, SaslMechanism, Security};
use crate::error::IngestError;
use crate::flush::Trigger;
use crate::pipeline::Shutdown;

const POLL: Duration = Duration::from_millis(100);
/// Without a message for this long, a partition that ends in control records counts as read.
const IDLE: Duration = Duration::from_secs(5);
/// Closing a consumer may hang in the client; the process does not wait longer than this.
const CLOSE_DEADLINE: Duration = Duration::from_secs(15);

pub(crate) fn run(mut engine: Engine, shutdown: &Shutdown) -> Result<(), IngestError> {
    let settings = client_config(&engine.config.kafka, &engine.config.group)?;
    let names: Vec<String> = engine
        .config
        .topics
        .values()
        .map(|t| t.name.clone())
        .collect();
    let probe: BaseConsumer = settings.create()?;
    check_topics(&probe, &names, &engine.config.kafka)?;
    engine.cluster = probe
        .client()
        .fetch_cluster_id(engine.config.kafka.connect_timeout)
        .unwrap_or_else(|| "unknown-cluster".to_owned());
    let ends = ends(&probe, &engine, &names)?;
    drop(probe);
    let consumer: BaseConsumer<Callbacks> = settings.create_with_context(Callbacks {
        engine: Mutex::new(engine),
    })?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    consumer.subscribe(&names)?;
    let result = poll_loop(&consumer, &ends, shutdown);
    if result.is_err() {
        // Closing gives the partitions back, and would try once more what has just failed.
        consumer.context().engine().windows.clear();
    }
    close(consumer);
    result
}

fn poll_loop(
    consumer: &BaseConsumer<Callbacks>,
    ends: &[(Partition, i64)],
    shutdown: &Shutdown,
) -> Result<(), IngestError> {
    let callbacks = consumer.context();
    loop {
        // The lock is not held while polling: callbacks run inside poll and take it themselves.
        match consumer.poll(POLL) {
            Some(Ok(message)) => callbacks.engine().take(&message),
            Some(Err(error)) => {
                tolerate(error)?;
                callbacks.engine().stir();
            }
            None => {}
        }
        let mut engine = callbacks.engine();
        engine.turn();
        if let Some(fatal) = engine.fatal.take() {
            return Err(fatal);
        }
        if shutdown.requested() {
            return stop(&mut engine, consumer);
        }
        let at_end = engine.config.until_end && reached(&engine, ends);
        let trigger = if at_end {
            Some(Trigger::End)
        } else {
            engine.due()
        };
        if let Some(trigger) = trigger {
            flush_all(&mut engine, consumer, trigger)?;
            match at_end {
                // Not so any more where another writer moved a position.
                true if reached(&engine, ends) => return Ok(()),
                true => {}
                false => engine.stir(),
            }
        }
    }
}

fn flush_all(
    engine: &mut Engine,
    consumer: &BaseConsumer<Callbacks>,
    trigger: Trigger,
) -> Result<(), IngestError> {
    let all: Vec<Partition> = engine.windows.keys().copied().collect();
    let runtime = engine.runtime.clone();
    let fenced = runtime.block_on(engine.flush(&all, trigger))?;
    engine.emptied();
    hint(engine, consumer);
    if fenced.is_empty() {
        return Ok(());
    }
    tracing::warn!(
        partitions = fenced.len(),
        "another writer moved the positions, reading them anew"
    );
    reposition(engine, consumer, &fenced)
}

/// Drops what was fenced and starts again where the table says.
fn reposition(
    engine: &mut Engine,
    consumer: &BaseConsumer<Callbacks>,
    fenced: &[Partition],
) -> Result<(), IngestError> {
    let mut list = TopicPartitionList::new();
    for partition in fenced {
        engine.windows.remove(partition);
        list.add_partition(&engine.topic(partition.0).name, partition.1);
    }
    consumer.incremental_unassign(&list)?;
    set_positions(engine, consumer, &mut list)?;
    consumer.incremental_assign(&list)?;
    Ok(())
}

fn stop(engine: &mut Engine, consumer: &BaseConsumer<Callbacks>) -> Result<(), IngestError> {
    let all: Vec<Partition> = engine.windows.keys().copied().collect();
    let deadline = engine.config.flush.stop_deadline;
    let runtime = engine.runtime.clone();
    let flush =
        async { tokio::time::timeout(deadline, engine.flush(&all, Trigger::Shutdown)).await };
    match runtime.block_on(flush) {
        Ok(flushed) => {
            flushed?;
            hint(engine, consumer);
        }
        // Nothing is lost: the positions in the lake did not move, the next run replays.
        Err(_) => tracing::warn!(
            ?deadline,
            "flush missed the stop deadline, the next run replays"
        ),
    }
    engine.windows.clear();
    Ok(())
}

/// Commits positions to Kafka for lag tools; they are never read back.
fn hint(engine: &Engine, consumer: &BaseConsumer<Callbacks>) {
    let mut list = TopicPartitionList::new();
    for ((kind, partition), window) in &engine.windows {
        let topic = &engine.topic(*kind).name;
        if list
            .add_partition_offset(topic, *partition, Offset::Offset(window.start))
            .is_err()
        {
            return;
        }
    }
    if list.count() > 0
        && let Err(error) = consumer.commit(&list, CommitMode::Async)
    {
        tracing::debug!(%error, "position hint not committed to kafka");
    }
}

fn reached(engine: &Engine, ends: &[(Partition, i64)]) -> bool {
    ends.iter()
        .all(|(partition, end)| match engine.windows.get(partition) {
            Some(window) => window.next >= *end || engine.quiet() > IDLE,
            None => *end == 0,
        })
}

fn tolerate(error: KafkaError) -> Result<(), IngestError> {
    match error {
        KafkaError::MessageConsumptionFatal(_) => Err(error.into()),
        KafkaError::MessageConsumption(
            RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange,
        ) => Err(error.into()),
        other => {
            metrics::counter!("notspot_ingest_kafka_errors_total").increment(1);
            tracing::warn!(error = %other, "kafka client error, waiting for it to pass");
            Ok(())
        }
    }
}

pub(crate) struct Callbacks {
    engine: Mutex<Engine>,
}

impl Callbacks {
    fn engine(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn assign(
        &self,
        consumer: &BaseConsumer<Self>,
        list: &mut TopicPartitionList,
    ) -> Result<(), IngestError> {
        let mut engine = self.engine();
        set_positions(&mut engine, consumer, list)?;
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(list)?,
            _ => consumer.assign(list)?,
        }
        tracing::info!(partitions = list.count(), "partitions assigned");
        Ok(())
    }

    fn revoke(
        &self,
        consumer: &BaseConsumer<Self>,
        list: &TopicPartitionList,
    ) -> Result<(), IngestError> {
        let mut engine = self.engine();
        let gone: Vec<Partition> = list
            .elements()
            .iter()
            .filter_map(|element| Some((engine.kind_of(element.topic())?, element.partition())))
            .collect();
        if !consumer.assignment_lost() {
            let runtime = engine.runtime.clone();
            runtime.block_on(engine.flush(&gone, Trigger::Revoke))?;
            hint(&engine, consumer);
        }
        engine
            .windows
            .retain(|partition, _| !gone.contains(partition));
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(list)?,
            _ => consumer.unassign()?,
        }
        tracing::info!(partitions = list.count(), "partitions revoked");
        Ok(())
    }
}

impl ClientContext for Callbacks {}

impl ConsumerContext for Callbacks {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        error: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let result = match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assign(consumer, list),
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => self.revoke(consumer, list),
            other => Err(KafkaError::Rebalance(other.into()).into()),
        };
        if let Err(error) = result {
            self.engine().fatal = Some(error);
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(%error, "position hint not committed to kafka");
        }
    }
}

/// Reads the positions of new partitions from the table, and puts them into the list itself.
fn set_positions<C: ConsumerContext>(
    engine: &mut Engine,
    consumer: &BaseConsumer<C>,
    list: &mut TopicPartitionList,
) -> Result<(), IngestError> {
    let wanted: Vec<(String, i32)> = list
        .elements()
        .iter()
        .map(|e| (e.topic().to_owned(), e.partition()))
        .collect();
    let runtime = engine.runtime.clone();
    for table in engine.facts.values_mut() {
        runtime.block_on(table.refresh())?;
    }
    for (topic, partition) in wanted {
        let Some(kind) = engine.kind_of(&topic) else {
            continue;
        };
        let app_id = engine.app_id((kind, partition));
        let stored = runtime.block_on(engine.facts[&kind].position(&app_id))?;
        let timeout = engine.config.kafka.connect_timeout;
        let (low, high) = consumer.fetch_watermarks(&topic, partition, timeout)?;
        let position = stored.unwrap_or(low);
        if !(low..=high).contains(&position) {
            return Err(IngestError::PositionGone {
                topic,
                partition,
                position,
                low,
                high,
            });
        }
        list.set_partition_offset(&topic, partition, Offset::Offset(position))?;
        engine
            .windows
            .insert((kind, partition), Window::at(position));
    }
    engine.stir();
    Ok(())
}

fn check_topics(
    probe: &BaseConsumer,
    names: &[String],
    kafka: &KafkaConfig,
) -> Result<(), IngestError> {
    for name in names {
        let metadata = probe
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
fn ends(
    probe: &BaseConsumer,
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

fn client_config(kafka: &KafkaConfig, group: &str) -> Result<ClientConfig, IngestError> {
    let mut settings = ClientConfig::new();
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
            crate::config::MAX_POLL_INTERVAL.as_millis().to_string(),
        )
        .set(
            "queued.max.messages.kbytes",
            (kafka.queue_limit.as_u64() / 1024).max(1).to_string(),
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

/// Closes the consumer on a thread of its own, for closing has hung before.
fn close(consumer: BaseConsumer<Callbacks>) {
    let (done, closed) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        drop(consumer);
        let _ = done.send(());
    });
    if closed.recv_timeout(CLOSE_DEADLINE).is_err() {
        tracing::warn!("kafka client did not close in time, leaving it behind");
    }
}
