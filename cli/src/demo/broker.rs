//! The demo's broker: the one inside the program, or the user's own.

use std::time::Duration;

use anyhow::bail;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaErrorCode;
use schemas::EventKind;
use simulator::publish::{EmbeddedBroker, PublishError};

use crate::exit::UsageError;

/// Partitions of topics the demo makes at the user's broker.
const PARTITIONS: i32 = 6;
const WAIT: Duration = Duration::from_secs(15);

/// Where the demo's messages go through.
pub(super) enum DemoBroker {
    /// librdkafka's mock, inside this process.
    Embedded(EmbeddedBroker),
    /// A broker of the user's.
    Own(String),
}

impl DemoBroker {
    /// Starts the embedded broker.
    pub(super) fn embedded() -> Result<Self, PublishError> {
        Ok(Self::Embedded(EmbeddedBroker::start(
            EmbeddedBroker::DEFAULT_PARTITIONS,
        )?))
    }

    /// Takes the user's: makes the topics that are missing, and refuses those that are not empty.
    ///
    /// # Errors
    /// When the broker does not answer, or a topic holds messages the demo's counts would include.
    pub(super) fn own(
        brokers: &str,
        properties: &[(String, String)],
        runtime: &tokio::runtime::Runtime,
    ) -> anyhow::Result<Self> {
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", brokers)
            .set("group.id", "notspot-demo-look");
        for (name, value) in properties {
            client.set(name, value);
        }
        let look: BaseConsumer = client.create()?;
        let missing = missing_topics(&look, brokers)?;
        if !missing.is_empty() {
            runtime.block_on(create_topics(&client, &missing))?;
        }
        for kind in EventKind::ALL {
            let held = if missing.contains(&kind) {
                0
            } else {
                messages(&look, kind.topic(), brokers)?
            };
            if held > 0 {
                let topic = kind.topic();
                return Err(UsageError(format!(
                    "topic {topic} at {brokers} already holds {held} messages: the demo checks its counts and needs empty topics"
                ))
                .into());
            }
        }
        Ok(Self::Own(brokers.to_owned()))
    }

    /// Returns where clients connect to.
    pub(super) fn bootstrap_servers(&self) -> &str {
        match self {
            Self::Embedded(broker) => broker.bootstrap_servers(),
            Self::Own(brokers) => brokers,
        }
    }

    /// Fails when the embedded broker dropped messages: it keeps 5 MiB a partition and says nothing.
    pub(super) fn check_nothing_is_lost(&self) -> anyhow::Result<()> {
        let Self::Embedded(broker) = self else {
            return Ok(());
        };
        if let Some(partition) = broker.low_watermark_risen()? {
            bail!(
                "the embedded broker is full and dropped messages of {partition}: simulate fewer --terminals or --days, or use --brokers"
            );
        }
        Ok(())
    }
}

fn unreachable(brokers: &str, source: rdkafka::error::KafkaError) -> PublishError {
    PublishError::Unreachable {
        brokers: brokers.to_owned(),
        waited_s: WAIT.as_secs(),
        source,
    }
}

fn missing_topics(look: &BaseConsumer, brokers: &str) -> Result<Vec<EventKind>, PublishError> {
    let metadata = look
        .fetch_metadata(None, WAIT)
        .map_err(|source| unreachable(brokers, source))?;
    let exists = |kind: &EventKind| {
        metadata
            .topics()
            .iter()
            .any(|topic| topic.name() == kind.topic())
    };
    Ok(EventKind::ALL
        .into_iter()
        .filter(|kind| !exists(kind))
        .collect())
}

async fn create_topics(client: &ClientConfig, kinds: &[EventKind]) -> anyhow::Result<()> {
    let admin: AdminClient<DefaultClientContext> = client.create()?;
    let topics: Vec<NewTopic<'_>> = kinds
        .iter()
        .map(|kind| NewTopic::new(kind.topic(), PARTITIONS, TopicReplication::Fixed(-1)))
        .collect();
    let options = AdminOptions::new().operation_timeout(Some(WAIT));
    for result in admin.create_topics(&topics, &options).await? {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => bail!("cannot create topic {topic}: {code}"),
        }
    }
    Ok(())
}

fn messages(look: &BaseConsumer, topic: &str, brokers: &str) -> Result<i64, PublishError> {
    let failed = |source| unreachable(brokers, source);
    let metadata = look.fetch_metadata(Some(topic), WAIT).map_err(failed)?;
    let mut messages = 0;
    for partition in metadata
        .topics()
        .iter()
        .flat_map(|topic| topic.partitions())
    {
        let (low, high) = look
            .fetch_watermarks(topic, partition.id(), WAIT)
            .map_err(failed)?;
        messages += high - low;
    }
    Ok(messages)
}
