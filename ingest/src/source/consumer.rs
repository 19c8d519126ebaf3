//! The consumer's thread: polls, flushes when it is due, and knows which errors pass.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::client::{self, Probe, Witness};
use super::engine::{Engine, IDLE, Partition};
use super::rebalance::{Callbacks, hint, reposition, watermarks};
use crate::error::IngestError;
use crate::flush::Trigger;
use crate::pipeline::Shutdown;

const POLL: Duration = Duration::from_millis(100);
/// How often the loop shows that it turns.
const SIGN_OF_LIFE: Duration = Duration::from_millis(250);
/// Closing a consumer may hang in the client; the process does not wait longer than this.
const CLOSE_DEADLINE: Duration = Duration::from_secs(15);
/// Credentials refused for this long, and by every broker, will not be accepted later.
const DENIED_PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn run(mut engine: Engine, shutdown: &Shutdown) -> Result<(), IngestError> {
    let kafka = engine.config.kafka.clone();
    let settings = client::settings(&kafka, &engine.config.group)?;
    let topics = engine.config.topics.values();
    let names: Vec<String> = topics.map(|topic| topic.name.clone()).collect();
    let probe: Probe = settings.create_with_context(Witness::default())?;
    client::reach(&probe, &kafka)?;
    client::check_topics(&probe, &names, &kafka)?;
    engine.cluster = probe
        .client()
        .fetch_cluster_id(kafka.connect_timeout)
        .unwrap_or_else(|| "unknown-cluster".to_owned());
    let ends = client::ends(&probe, &engine, &names)?;
    drop(probe);
    let consumer: BaseConsumer<Callbacks> = settings.create_with_context(Callbacks::new(engine))?;
    let subscription: Vec<&str> = names.iter().map(String::as_str).collect();
    consumer.subscribe(&subscription)?;
    let result = poll_loop(&consumer, &names, &ends, shutdown);
    // Closing gives the partitions back: what could be flushed is, what failed is not tried again.
    consumer.context().engine().windows.clear();
    close(consumer);
    result
}

fn poll_loop(
    consumer: &BaseConsumer<Callbacks>,
    topics: &[String],
    ends: &[(Partition, i64)],
    shutdown: &Shutdown,
) -> Result<(), IngestError> {
    let callbacks = consumer.context();
    let mut shown = Instant::now();
    loop {
        let mut pause = false;
        // Not locked while polling: callbacks run inside it.
        let polled = consumer.poll(POLL);
        // Asked once a message: it takes as long as copying one.
        let now = Instant::now();
        let mut engine = callbacks.engine();
        match polled {
            Some(Ok(message)) => engine.take(&message, now)?,
            Some(Err(error)) => {
                engine.stir();
                drop(engine);
                meet(consumer, topics, error)?;
                engine = callbacks.engine();
            }
            None => pause = true,
        }
        if let Some(fatal) = engine.fatal.take() {
            return Err(fatal);
        }
        if now.duration_since(shown) >= SIGN_OF_LIFE {
            shown = now;
            pause = true;
            engine.turn();
            if let Ok(positions) = consumer.position() {
                engine.pass(&positions, now);
            }
            refuse_denied(callbacks, &engine)?;
        }
        if shutdown.requested() {
            return stop(&mut engine, consumer);
        }
        // Looks at every partition: too much for every message.
        let at_end = pause && engine.config.until_end && reached(&engine, ends);
        let trigger = if at_end {
            Some(Trigger::End)
        } else {
            engine.due(now)
        };
        // Room is made before the next message is fetched, never after.
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

fn refuse_denied(callbacks: &Callbacks, engine: &Engine) -> Result<(), IngestError> {
    match callbacks.denied() {
        Some((since, reason)) if since >= DENIED_PATIENCE => Err(IngestError::Denied {
            brokers: engine.config.kafka.brokers.clone(),
            reason,
        }),
        _ => Ok(()),
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
    engine.count_buffered();
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
    Ok(())
}

fn reached(engine: &Engine, ends: &[(Partition, i64)]) -> bool {
    ends.iter()
        .all(|(partition, end)| match engine.windows.get(partition) {
            Some(window) => window.next >= *end && !window.is_unproved() || engine.quiet() > IDLE,
            None => *end == 0,
        })
}

/// Stops for an error that does not pass, and answers those that ask for something.
fn meet(
    consumer: &BaseConsumer<Callbacks>,
    topics: &[String],
    error: KafkaError,
) -> Result<(), IngestError> {
    use RDKafkaErrorCode as Code;
    if matches!(error, KafkaError::MessageConsumptionFatal(_)) {
        return Err(error.into());
    }
    let callbacks = consumer.context();
    match error.rdkafka_error_code() {
        Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => {
            past_gap(&mut callbacks.engine(), consumer)
        }
        Some(Code::TopicAuthorizationFailed | Code::GroupAuthorizationFailed) => {
            Err(IngestError::Denied {
                brokers: callbacks.engine().config.kafka.brokers.clone(),
                reason: error.to_string(),
            })
        }
        Some(
            Code::UnknownTopic
            | Code::UnknownTopicOrPartition
            | Code::UnknownPartition
            | Code::UnknownTopicId,
        ) => {
            let kafka = callbacks.engine().config.kafka.clone();
            match client::check_topics(consumer, topics, &kafka) {
                Err(missing @ IngestError::TopicMissing { .. }) => Err(missing),
                // A restarting broker may not know its topics yet.
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Saves what was read before offsets went missing, and begins anew where Kafka's offsets do not
/// hold the position: an error, unless gaps are allowed.
fn past_gap(engine: &mut Engine, consumer: &BaseConsumer<Callbacks>) -> Result<(), IngestError> {
    flush_all(engine, consumer, Trigger::Gap)?;
    let mut outside = Vec::new();
    for (partition, window) in &engine.windows {
        let topic = &engine.topic(partition.0).name;
        let (low, high) = watermarks(consumer, topic, partition.1)?;
        if !(low..=high).contains(&window.next) {
            outside.push(*partition);
        }
    }
    if outside.is_empty() {
        // The client has stopped fetching a partition and does not say which.
        outside = engine.windows.keys().copied().collect();
    }
    reposition(engine, consumer, &outside)
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
