//! The broker tests run on: Apache Kafka in a process of our own, or one named in the environment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use crate::script::Script;

/// Environment variable that names brokers to test on instead of starting Apache Kafka.
pub const TEST_BROKERS: &str = "NOTSPOT_TEST_BROKERS";

const ANSWER_PATIENCE: Duration = Duration::from_secs(60);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// A Kafka broker, stopped and forgotten when dropped.
#[derive(Debug)]
pub struct Broker {
    bootstrap: String,
    own: Option<Process>,
}

/// Apache Kafka, started by `deploy/broker/start`.
#[derive(Debug)]
struct Process {
    /// `None` between a kill and the restart.
    script: Option<Script>,
    folder: PathBuf,
}

/// Returns the broker that the tests of this binary share; it is started on first use.
///
/// # Panics
/// When no broker can be had, saying what is missing.
pub fn shared_kafka() -> &'static Broker {
    static SHARED: OnceLock<Broker> = OnceLock::new();
    SHARED.get_or_init(|| Broker::kafka().unwrap_or_else(|error| panic!("no broker: {error:#}")))
}

impl Broker {
    /// Starts Apache Kafka on free ports in a temporary folder and waits until it answers, or
    /// takes the brokers that [`TEST_BROKERS`] names.
    ///
    /// # Errors
    /// When Java, Maven or the artifacts are missing, or the broker does not answer.
    pub fn kafka() -> Result<Self> {
        match named_brokers() {
            Some(bootstrap) => {
                wait_for_answer(&bootstrap)
                    .with_context(|| format!("brokers of {TEST_BROKERS}={bootstrap}"))?;
                Ok(Self {
                    bootstrap,
                    own: None,
                })
            }
            None => Self::own_kafka(),
        }
    }

    /// Starts Apache Kafka whatever the environment names: for topics of fixed names, which on
    /// brokers of others may hold what is not ours.
    ///
    /// # Errors
    /// When Java, Maven or the artifacts are missing, or the broker does not answer.
    pub fn own_kafka() -> Result<Self> {
        let folder = temporary_folder()?;
        let (script, bootstrap) = start(&folder)?;
        Ok(Self {
            bootstrap,
            own: Some(Process {
                script: Some(script),
                folder,
            }),
        })
    }

    /// Returns `host:port`, the same after a restart.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Says whether [`kill9`](Self::kill9) and [`restart`](Self::restart) work on this broker.
    pub fn can_be_killed(&self) -> bool {
        self.own.is_some()
    }

    /// Creates a topic with one replica and waits until its partitions have leaders.
    ///
    /// # Errors
    /// When the topic exists or the broker refuses it.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<()> {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let answers = in_runtime(async {
            self.admin()?
                .create_topics([&topic], &admin_options())
                .await
                .map_err(Into::into)
        })?;
        all_done(answers).with_context(|| format!("cannot create topic {name}"))?;
        self.wait_for_partitions(name, partitions)
    }

    /// Raises the number of partitions of a topic to `total`.
    ///
    /// # Errors
    /// When the topic is unknown or has as many already.
    pub fn add_partitions(&self, name: &str, total: i32) -> Result<()> {
        let count = usize::try_from(total).context("a partition count is positive")?;
        let partitions = NewPartitions::new(name, count);
        let answers = in_runtime(async {
            let options = admin_options();
            self.admin()?
                .create_partitions([&partitions], &options)
                .await
                .map_err(Into::into)
        })?;
        all_done(answers).with_context(|| format!("cannot add partitions to {name}"))?;
        self.wait_for_partitions(name, total)
    }

    /// Deletes a topic, as retention or a mistaken operator would.
    ///
    /// # Errors
    /// When the topic is unknown.
    pub fn delete_topic(&self, name: &str) -> Result<()> {
        let answers = in_runtime(async {
            self.admin()?
                .delete_topics(&[name], &admin_options())
                .await
                .map_err(Into::into)
        })?;
        all_done(answers).with_context(|| format!("cannot delete topic {name}"))
    }

    /// Deletes the messages of a partition before an offset, as retention would.
    ///
    /// # Errors
    /// When the partition is unknown or ends before the offset.
    pub fn delete_records(&self, topic: &str, partition: i32, before: i64) -> Result<()> {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(topic, partition, Offset::Offset(before))?;
        let answers = in_runtime(async {
            self.admin()?
                .delete_records(&offsets, &admin_options())
                .await
                .map_err(Into::into)
        })?;
        for answer in answers.elements() {
            answer.error().with_context(|| {
                format!("cannot delete the records of {topic}/{partition} before {before}")
            })?;
        }
        Ok(())
    }

    /// Kills the broker without warning (SIGKILL); its data stays for [`restart`](Self::restart).
    ///
    /// # Errors
    /// When the broker is not ours to kill, or is down already.
    pub fn kill9(&mut self) -> Result<()> {
        let process = self.process()?;
        let script = process
            .script
            .take()
            .context("the broker is down already")?;
        let pid = fs::read_to_string(process.folder.join("pid")).context("cannot read its pid")?;
        let status = Command::new("kill").args(["-9", pid.trim()]).status()?;
        ensure!(status.success(), "cannot kill process {}", pid.trim());
        script.wait_for_end()
    }

    /// Starts the broker again, on its data and at its address, after killing it if it runs.
    ///
    /// # Errors
    /// When the broker is not ours, or does not come back.
    pub fn restart(&mut self) -> Result<()> {
        if self.process()?.script.is_some() {
            self.kill9()?;
        }
        let process = self.process()?;
        let (script, bootstrap) = start(&process.folder)?;
        process.script = Some(script);
        ensure!(
            bootstrap == self.bootstrap,
            "the broker came back at {bootstrap}"
        );
        Ok(())
    }

    fn process(&mut self) -> Result<&mut Process> {
        self.own.as_mut().with_context(|| {
            format!(
                "the brokers of {TEST_BROKERS} cannot be killed or restarted by a test: unset it"
            )
        })
    }

    fn admin(&self) -> Result<AdminClient<DefaultClientContext>> {
        Ok(ClientConfig::new()
            .set("bootstrap.servers", &self.bootstrap)
            .create()?)
    }

    fn wait_for_partitions(&self, topic: &str, partitions: i32) -> Result<()> {
        let client = client(&self.bootstrap)?;
        until(|| {
            let metadata = client.fetch_metadata(Some(topic), REQUEST_TIMEOUT)?;
            let led = metadata.topics()[0]
                .partitions()
                .iter()
                .filter(|p| p.leader() >= 0)
                .count();
            ensure!(
                i64::try_from(led)? == i64::from(partitions),
                "{led} partitions have a leader"
            );
            Ok(())
        })
        .with_context(|| format!("topic {topic} should have {partitions} partitions"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.script.take());
        // The script removes it; this is for a broker that was killed and not restarted.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The folder outlives us on purpose: the script removes it once the broker is down.
pub(crate) fn temporary_folder() -> Result<PathBuf> {
    Ok(tempfile::Builder::new()
        .prefix("notspot-test-")
        .tempdir()?
        .keep())
}

fn start(folder: &Path) -> Result<(Script, String)> {
    let data = folder
        .to_str()
        .context("the temporary folder's name is not UTF-8")?;
    let arguments = ["--data", data, "--remove-data", "--no-topics"];
    let mut script = Script::spawn("start", &arguments, folder)?;
    let bootstrap = script.wait_for(&folder.join("bootstrap"))?;
    wait_for_answer(&bootstrap)?;
    Ok((script, bootstrap))
}

#[expect(
    clippy::disallowed_methods,
    reason = "which broker to test on is the environment's choice"
)]
fn named_brokers() -> Option<String> {
    std::env::var(TEST_BROKERS)
        .ok()
        .filter(|value| !value.trim().is_empty())
}

fn client(bootstrap: &str) -> Result<BaseConsumer> {
    Ok(ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .create()?)
}

fn wait_for_answer(bootstrap: &str) -> Result<()> {
    let client = client(bootstrap)?;
    until(|| {
        let metadata = client.fetch_metadata(None, REQUEST_TIMEOUT)?;
        ensure!(
            !metadata.brokers().is_empty(),
            "no broker is registered yet"
        );
        Ok(())
    })
    .with_context(|| format!("{bootstrap} does not answer"))
}

/// Tries until `attempt` succeeds; its last error is the reason given at the end.
fn until(mut attempt: impl FnMut() -> Result<()>) -> Result<()> {
    let deadline = Instant::now() + ANSWER_PATIENCE;
    loop {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn admin_options() -> AdminOptions {
    let timeout = Some(Duration::from_secs(30));
    AdminOptions::new()
        .request_timeout(timeout)
        .operation_timeout(timeout)
}

fn all_done(answers: Vec<rdkafka::admin::TopicResult>) -> Result<()> {
    for answer in answers {
        if let Err((topic, code)) = answer {
            bail!("topic {topic}: {code}");
        }
    }
    Ok(())
}

/// Runs a request to its end on a thread of its own, so that async tests may call us too.
fn in_runtime<T: Send>(request: impl Future<Output = Result<T>> + Send) -> Result<T> {
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?
                .block_on(request)
        });
        worker.join().expect("the request does not panic")
    })
}
