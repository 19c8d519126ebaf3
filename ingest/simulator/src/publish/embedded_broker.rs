//! A broker inside the process, for a demo without installs: librdkafka's mock cluster.
//!
//! It keeps everything in memory and at most 5 MiB or 100,000 batches a partition, dropping the
//! oldest silently. Whoever publishes faster than the reader commits must watch
//! [`EmbeddedBroker::low_watermark_risen`].

use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::mocking::MockCluster;
use schemas::EventKind;

use super::PublishError;

/// Partitions of each topic, in the order of [`EventKind::ALL`]; 64 together hold what they buffer.
const PARTITIONS: [i32; 3] = [24, 32, 8];
const WATERMARK_WAIT: Duration = Duration::from_secs(5);

/// An in-process broker with the three topics; gone when dropped.
pub struct EmbeddedBroker {
    bootstrap_servers: String,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    watcher: Option<BaseConsumer>,
}

impl EmbeddedBroker {
    /// Starts a broker on a free port and creates the topics with the partitions given, in the
    /// order of [`EventKind::ALL`]; [`EmbeddedBroker::DEFAULT_PARTITIONS`] is a good choice.
    ///
    /// # Errors
    /// When the mock cluster does not start.
    pub fn start(partitions: [i32; 3]) -> Result<Self, PublishError> {
        let (ready, started) = mpsc::channel();
        let (stop, stopped) = mpsc::channel();
        // The cluster's handle may not leave the thread that made it.
        let thread = std::thread::Builder::new()
            .name("embedded-broker".into())
            .spawn(move || run_cluster(partitions, &ready, &stopped))
            .map_err(|error| PublishError::EmbeddedBroker(error.to_string()))?;
        let bootstrap_servers = started
            .recv()
            .map_err(|_| PublishError::EmbeddedBroker("its thread died".into()))?
            .map_err(PublishError::EmbeddedBroker)?;
        let watcher = watcher(&bootstrap_servers).map_err(PublishError::Settings)?;
        Ok(Self {
            bootstrap_servers,
            stop: Some(stop),
            thread: Some(thread),
            watcher: Some(watcher),
        })
    }

    /// Partitions of each topic that together hold what a demo buffers.
    pub const DEFAULT_PARTITIONS: [i32; 3] = PARTITIONS;

    /// Returns the address clients connect to.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// Names the first partition that has dropped messages, as `topic/partition`.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub fn low_watermark_risen(&self) -> Result<Option<String>, PublishError> {
        for (topic, partition) in self.partitions()? {
            let (low, _high) = self
                .watcher()
                .fetch_watermarks(&topic, partition, WATERMARK_WAIT)
                .map_err(|error| PublishError::EmbeddedBroker(error.to_string()))?;
            if low > 0 {
                return Ok(Some(schemas::lake::topic_partition(&topic, partition)));
            }
        }
        Ok(None)
    }

    /// Returns how many messages every partition of a kind's topic has taken, by partition.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub fn high_watermarks(&self, kind: EventKind) -> Result<Vec<i64>, PublishError> {
        let mut highs = Vec::new();
        for (topic, partition) in self.partitions()? {
            if topic == kind.topic() {
                let watermarks = self
                    .watcher()
                    .fetch_watermarks(&topic, partition, WATERMARK_WAIT);
                let (_low, high) =
                    watermarks.map_err(|error| PublishError::EmbeddedBroker(error.to_string()))?;
                highs.push(high);
            }
        }
        Ok(highs)
    }

    fn watcher(&self) -> &BaseConsumer {
        self.watcher
            .as_ref()
            .expect("it lives as long as the broker")
    }

    fn partitions(&self) -> Result<Vec<(String, i32)>, PublishError> {
        let metadata = self
            .watcher()
            .fetch_metadata(None, WATERMARK_WAIT)
            .map_err(|error| PublishError::EmbeddedBroker(error.to_string()))?;
        let mut partitions: Vec<_> = metadata
            .topics()
            .iter()
            .flat_map(|topic| {
                let name = topic.name().to_owned();
                topic
                    .partitions()
                    .iter()
                    .map(move |partition| (name.clone(), partition.id()))
            })
            .collect();
        partitions.sort();
        Ok(partitions)
    }
}

impl Drop for EmbeddedBroker {
    fn drop(&mut self) {
        // A client that outlives its broker complains of it.
        drop(self.watcher.take());
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has already been printed, and a drop has nobody to tell.
            let _ = thread.join();
        }
    }
}

fn run_cluster(
    partitions: [i32; 3],
    ready: &mpsc::Sender<Result<String, String>>,
    stopped: &mpsc::Receiver<()>,
) {
    let started = MockCluster::new(1).and_then(|cluster| {
        for (kind, count) in EventKind::ALL.into_iter().zip(partitions) {
            cluster.create_topic(kind.topic(), count, 1)?;
        }
        Ok(cluster)
    });
    match started {
        Ok(cluster) => {
            if ready.send(Ok(cluster.bootstrap_servers())).is_ok() {
                // Returns when the owner drops its end.
                let _ = stopped.recv();
            }
        }
        Err(error) => {
            let _ = ready.send(Err(error.to_string()));
        }
    }
}

fn watcher(bootstrap_servers: &str) -> rdkafka::error::KafkaResult<BaseConsumer> {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers)
        .set("group.id", "notspot-embedded-broker-watch")
        .create()
}
