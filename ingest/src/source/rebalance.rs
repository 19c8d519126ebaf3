//! The client's callbacks: partitions come with their positions, and go with their rows flushed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use lake::TableError;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, Statistics};
use schemas::lake::WithoutEvent;

use super::aside::Cover;
use super::client::is_denied;
use super::engine::{Engine, Partition};
use super::positions::{self, Gaps, Start, Unreadable};
use super::window::{Skipped, Window};
use crate::error::IngestError;
use crate::flush::Trigger;
use crate::sink::commit::{Advance, commit_fenced};

/// Leaders move and brokers restart: an assignment waits this long for a partition's offsets.
const WATERMARK_PATIENCE: Duration = Duration::from_secs(60);
/// Positions read from the log at once.
const POSITION_READS: usize = 16;

/// What the client calls back, and what the loop works with.
pub(crate) struct Callbacks {
    engine: Mutex<Engine>,
    /// Since when brokers refuse our credentials, and what they say.
    denied: Mutex<Option<(Instant, String)>>,
}

impl Callbacks {
    pub(crate) fn new(engine: Engine) -> Self {
        Self {
            engine: Mutex::new(engine),
            denied: Mutex::default(),
        }
    }

    /// Locks the engine; not to be held while polling, for callbacks run inside poll.
    pub(crate) fn engine(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns for how long no broker has let us in, and why.
    pub(crate) fn denied(&self) -> Option<(Duration, String)> {
        let denied = self.denied.lock().unwrap_or_else(PoisonError::into_inner);
        denied
            .as_ref()
            .map(|(since, reason)| (since.elapsed(), reason.clone()))
    }

    fn assign(
        &self,
        consumer: &BaseConsumer<Self>,
        list: &mut TopicPartitionList,
    ) -> Result<(), IngestError> {
        rebalanced("assign", list);
        let mut engine = self.engine();
        let placed = place(&mut engine, consumer, list);
        // The client waits for an answer even when we are about to stop.
        let answer = match placed {
            Ok(()) => list.clone(),
            Err(_) => TopicPartitionList::new(),
        };
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(&answer)?,
            _ => consumer.assign(&answer)?,
        }
        engine
            .progress
            .joined
            .store(true, std::sync::atomic::Ordering::Relaxed);
        placed
    }

    fn revoke(
        &self,
        consumer: &BaseConsumer<Self>,
        list: &TopicPartitionList,
    ) -> Result<(), IngestError> {
        let lost = consumer.assignment_lost();
        rebalanced(if lost { "lost" } else { "revoke" }, list);
        let mut engine = self.engine();
        let gone: Vec<Partition> = list
            .elements()
            .iter()
            .filter_map(|element| Some((engine.kind_of(element.topic())?, element.partition())))
            .collect();
        // What is lost has a new owner already: a flush would only be fenced.
        let flushed = match lost {
            true => Ok(()),
            false => flush_revoked(&mut engine, consumer, &gone),
        };
        for partition in &gone {
            engine.windows.remove(partition);
            engine.forget(*partition);
        }
        engine.count_buffered();
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(list)?,
            _ => consumer.unassign()?,
        }
        flushed
    }
}

fn rebalanced(how: &'static str, list: &TopicPartitionList) {
    metrics::counter!("notspot_ingest_rebalances_total", "type" => how).increment(1);
    tracing::info!(how, partitions = list.count(), "rebalanced");
}

/// Flushes partitions that are taken away; past the deadline they are dropped and replayed by the
/// next owner.
fn flush_revoked(
    engine: &mut Engine,
    consumer: &BaseConsumer<Callbacks>,
    gone: &[Partition],
) -> Result<(), IngestError> {
    let deadline = engine.config.flush.revoke_deadline;
    let runtime = engine.runtime.clone();
    let flush = async { tokio::time::timeout(deadline, engine.flush(gone, Trigger::Revoke)).await };
    match runtime.block_on(flush) {
        Ok(Ok(_fenced_are_dropped_too)) => hint(engine, consumer),
        Ok(Err(error)) => return Err(error),
        Err(_) => tracing::warn!(
            ?deadline,
            "flush missed the revoke deadline, the next owner replays"
        ),
    }
    Ok(())
}

/// Commits positions to Kafka for lag tools; they are never read back.
pub(crate) fn hint(engine: &Engine, consumer: &BaseConsumer<Callbacks>) {
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

impl ClientContext for Callbacks {
    fn error(&self, error: KafkaError, reason: &str) {
        let code = error
            .rdkafka_error_code()
            .map_or("unknown".into(), |code| format!("{code:?}"));
        metrics::counter!("notspot_ingest_kafka_errors_total", "code" => code).increment(1);
        tracing::warn!(%error, reason, "kafka client error");
        if is_denied(&error) {
            let mut denied = self.denied.lock().unwrap_or_else(PoisonError::into_inner);
            denied.get_or_insert_with(|| (Instant::now(), reason.to_owned()));
        }
    }

    fn stats(&self, statistics: Statistics) {
        if statistics
            .brokers
            .values()
            .any(|broker| broker.state == "UP")
        {
            *self.denied.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        let engine = self.engine();
        for (name, topic) in &statistics.topics {
            let Some(kind) = engine.kind_of(name) else {
                continue;
            };
            for partition in topic.partitions.values() {
                let ends = (partition.lo_offset, partition.ls_offset);
                engine.observe((kind, partition.partition), ends);
            }
        }
    }
}

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

/// Drops partitions and starts them again where the table says.
pub(crate) fn reposition(
    engine: &mut Engine,
    consumer: &BaseConsumer<Callbacks>,
    partitions: &[Partition],
) -> Result<(), IngestError> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        engine.windows.remove(partition);
        list.add_partition(&engine.topic(partition.0).name, partition.1);
    }
    engine.count_buffered();
    consumer.incremental_unassign(&list)?;
    place(engine, consumer, &mut list)?;
    consumer.incremental_assign(&list)?;
    Ok(())
}

/// Reads the positions of partitions from the table, and puts them into the list itself: a seek
/// after the assignment could lose against the first fetch.
fn place(
    engine: &mut Engine,
    consumer: &BaseConsumer<Callbacks>,
    list: &mut TopicPartitionList,
) -> Result<(), IngestError> {
    let wanted: Vec<Partition> = list
        .elements()
        .iter()
        .filter_map(|element| Some((engine.kind_of(element.topic())?, element.partition())))
        .collect();
    let runtime = engine.runtime.clone();
    for table in engine.facts.values_mut() {
        runtime.block_on(table.refresh())?;
    }
    let stored = runtime.block_on(stored(engine, &wanted))?;
    for (partition, stored) in wanted.into_iter().zip(stored) {
        let window = begin(engine, consumer, partition, stored)?;
        let from = Offset::Offset(window.read_from());
        list.set_partition_offset(&engine.topic(partition.0).name, partition.1, from)?;
        engine.windows.insert(partition, window);
    }
    engine.stir();
    Ok(())
}

/// A position of the lake and the time of the message before it.
type Stored = (Option<i64>, Option<i64>);

async fn stored(engine: &Engine, partitions: &[Partition]) -> Result<Vec<Stored>, TableError> {
    let read = |partition: &Partition| {
        let table = &engine.facts[&partition.0];
        let app_id = engine.app_id(*partition);
        async move {
            let position = table.position(&app_id).await?;
            let time_id = schemas::lake::last_time_app_id(&app_id);
            let time = match position {
                Some(_) => table.position(&time_id).await?,
                None => None,
            };
            Ok((position, time.filter(|ms| *ms > 0)))
        }
    };
    let reads: Vec<_> = partitions.iter().map(read).collect();
    futures::stream::iter(reads)
        .buffered(POSITION_READS)
        .try_collect()
        .await
}

fn begin(
    engine: &mut Engine,
    consumer: &BaseConsumer<Callbacks>,
    partition: Partition,
    (position, time_ms): Stored,
) -> Result<Window, IngestError> {
    let topic = engine.topic(partition.0).name.clone();
    let (low, high) = watermarks(consumer, &topic, partition.1)?;
    let gaps = match engine.config.allow_gap {
        true => Gaps::Recorded,
        false => Gaps::Refused,
    };
    match positions::start(position, low, high, gaps) {
        Ok(Start::At(at)) => Ok(Window::at(at, time_ms.filter(|_| low < at))),
        Ok(Start::AfterGap { from, to }) => {
            record_gap(engine, partition, from, to)?;
            Ok(Window::at(to, None))
        }
        Err(unreadable) => {
            let position = position.expect("only a stored position can be unreadable");
            Err(match unreadable {
                Unreadable::Gone => IngestError::MessagesGone {
                    topic,
                    partition: partition.1,
                    position,
                    low,
                    high,
                },
                Unreadable::Recreated => IngestError::TopicRecreated {
                    topic,
                    partition: partition.1,
                    position,
                    evidence: format!("which holds {low}..{high}"),
                },
            })
        }
    }
}

/// Records offsets that are gone, and moves the position over them. When another
/// writer moved it first, our first flush is fenced and reads it anew.
fn record_gap(
    engine: &mut Engine,
    partition: Partition,
    from: i64,
    to: i64,
) -> Result<(), IngestError> {
    let gone = (to - from).unsigned_abs();
    let topic = engine.topic(partition.0).name.clone();
    tracing::error!(%topic, partition = partition.1, from, to, gone, "messages are lost, recording the gap");
    metrics::counter!("notspot_ingest_offset_gap_records_total", "topic" => topic).increment(gone);
    let advance = Advance {
        app_id: engine.app_id(partition),
        start: from,
        end: to,
        last_time_ms: None,
    };
    let cover = Cover {
        partition,
        start: from,
        end: to,
        skipped: vec![Skipped {
            first: from,
            last: to - 1,
            why: WithoutEvent::NotKept,
        }],
    };
    let now = (engine.clock)();
    let runtime = engine.runtime.clone();
    runtime.block_on(engine.commit_skipped(&[cover], now))?;
    let table = engine
        .facts
        .get_mut(&partition.0)
        .expect("tables of the settings are open");
    runtime.block_on(commit_fenced(
        table,
        Vec::new(),
        &[advance],
        now.timestamp_millis(),
    ))?;
    Ok(())
}

/// Asks Kafka for a partition's first offset and its end.
pub(crate) fn watermarks(
    consumer: &BaseConsumer<Callbacks>,
    topic: &str,
    partition: i32,
) -> Result<(i64, i64), IngestError> {
    let deadline = Instant::now() + WATERMARK_PATIENCE;
    loop {
        match consumer.fetch_watermarks(topic, partition, WATERMARK_PATIENCE / 6) {
            Ok(watermarks) => return Ok(watermarks),
            Err(error) if Instant::now() >= deadline => return Err(error.into()),
            Err(error) => {
                tracing::warn!(topic, partition, %error, "offsets of a partition not known, waiting");
                std::thread::sleep(Duration::from_millis(500));
            }
        }
    }
}
