//! The ingester's settings: a TOML file, `NOTSPOT_INGEST__SECTION__KEY` variables and flags, in
//! that order, the later winning. Unknown keys are refused and every fault is told at once.

mod given;
mod kafka;
mod memory;
pub(crate) mod secret;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytesize::ByteSize;
use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use figment::value::Dict;
use h3o::Resolution;
use schemas::EventKind;
use serde::{Deserialize, Serialize};
use url::Url;

pub(crate) use kafka::MAX_POLL_INTERVAL;
pub use kafka::{KafkaConfig, SaslMechanism, Security};
pub use memory::MemoryConfig;
pub use secret::Secret;

use given::{figment_faults, put, set, unknown_keys};

use crate::flush::Limits;

/// Prefix of the environment variables that override the file.
pub const ENVIRONMENT_PREFIX: &str = "NOTSPOT_INGEST__";

/// Settings of `notspot ingest`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngestConfig {
    /// Folder of the lake.
    pub lake: String,
    /// Consumer group; also names the positions in the lake.
    pub group: String,
    /// Raised by an operator when a topic was recreated or is to be read again.
    pub epoch: u32,
    /// How to reach Kafka.
    pub kafka: KafkaConfig,
    /// What is read from where.
    pub topics: BTreeMap<EventName, TopicConfig>,
    /// Where schema ids are looked up.
    pub schema_registry: RegistryConfig,
    /// When buffered messages are written.
    pub flush: FlushConfig,
    /// How much memory may be used.
    pub memory: MemoryConfig,
    /// What is refused.
    pub validation: ValidationConfig,
    /// Metrics and health.
    pub http: HttpConfig,
    /// Resolution of `partition_cell`, 0 to 4: what the lake has, or 2 in a new one, unless it is given.
    pub partition_resolution: Option<u8>,
    /// Reads on behind offsets that are gone from Kafka, recording them as lost, instead of stopping.
    pub allow_gap: bool,
    /// Stops when everything that was there at the start has been committed.
    pub until_end: bool,
}

/// Name of an event kind as a key of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are those of EventKind")]
pub enum EventName {
    Heartbeat,
    Signal,
    Decline,
}

impl From<EventName> for EventKind {
    fn from(name: EventName) -> Self {
        match name {
            EventName::Heartbeat => Self::Heartbeat,
            EventName::Signal => Self::Signal,
            EventName::Decline => Self::Decline,
        }
    }
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicConfig {
    /// Name of the topic.
    pub name: String,
    /// How its messages are encoded.
    pub encoding: Encoding,
}

/// Wire encoding of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// One JSON object a message.
    Json,
    /// Avro in Confluent framing.
    Avro,
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "json",
            Self::Avro => "avro",
        })
    }
}

/// Where schema ids are looked up.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryConfig {
    /// Address of a Confluent-compatible registry; without it the embedded contracts' ids count.
    pub url: Option<String>,
}

/// When buffered messages are written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlushConfig {
    /// Buffered payload that makes a flush due.
    pub max_size: ByteSize,
    /// Age of the oldest buffered message that makes a flush due.
    #[serde(with = "humantime_serde")]
    pub max_age: Duration,
    /// Longest time a stop may take.
    #[serde(with = "humantime_serde")]
    pub stop_deadline: Duration,
    /// Longest time a partition that is taken away may hold up the others of the group.
    #[serde(with = "humantime_serde")]
    pub revoke_deadline: Duration,
}

/// What is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationConfig {
    /// Largest message.
    pub max_message_size: ByteSize,
    /// How far in the future an event may lie.
    #[serde(with = "humantime_serde")]
    pub max_future: Duration,
    /// How old an event may be.
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
    /// What becomes of events with fields their contract does not know.
    pub unknown_fields: UnknownFields,
}

/// What becomes of events with fields their contract does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownFields {
    /// They are kept without the fields, which are counted by name.
    #[default]
    Count,
    /// They go to the quarantine.
    Refuse,
}

/// Metrics and health.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// Whether `/metrics`, `/livez` and `/readyz` are served.
    pub enabled: bool,
    /// Address to listen on; loopback unless told otherwise.
    pub listen: SocketAddr,
}

impl Default for IngestConfig {
    fn default() -> Self {
        let topic = |kind: EventKind| TopicConfig {
            name: kind.topic().to_owned(),
            encoding: Encoding::Json,
        };
        Self {
            lake: "lake".into(),
            group: "notspot-ingest".into(),
            epoch: 0,
            kafka: KafkaConfig::default(),
            topics: BTreeMap::from([
                (EventName::Heartbeat, topic(EventKind::Heartbeat)),
                (EventName::Signal, topic(EventKind::Signal)),
                (EventName::Decline, topic(EventKind::Decline)),
            ]),
            schema_registry: RegistryConfig::default(),
            flush: FlushConfig {
                max_size: ByteSize::mib(128),
                max_age: Duration::from_secs(60),
                stop_deadline: Duration::from_secs(30),
                revoke_deadline: Duration::from_secs(20),
            },
            memory: MemoryConfig {
                limit: ByteSize::mib(512),
            },
            validation: ValidationConfig {
                max_message_size: ByteSize::kib(64),
                max_future: Duration::from_secs(600),
                retention: Duration::from_secs(400 * 86_400),
                unknown_fields: UnknownFields::Count,
            },
            http: HttpConfig {
                enabled: true,
                listen: SocketAddr::from(([127, 0, 0, 1], 9464)),
            },
            partition_resolution: None,
            allow_gap: false,
            until_end: false,
        }
    }
}

/// Everything that is wrong with the settings.
#[derive(Debug, thiserror::Error)]
#[error("{} fault(s) in the settings:\n{}", .faults.len(), list(.faults))]
pub struct ConfigError {
    /// One line a fault, each naming its setting.
    pub faults: Vec<String>,
}

fn list(faults: &[String]) -> String {
    faults
        .iter()
        .map(|fault| format!("  - {fault}"))
        .collect::<Vec<_>>()
        .join("\n")
}

impl IngestConfig {
    /// Reads the settings: `file` if given, then `environment`, then `flags` (dotted key, value).
    ///
    /// # Errors
    /// All faults at once: unreadable file, unknown keys, wrong types, values out of bounds.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(file) = file {
            figment = figment.merge(Toml::file_exact(file));
        }
        for (name, text) in environment {
            if let Some(key) = name.strip_prefix(ENVIRONMENT_PREFIX) {
                let key = key.to_ascii_lowercase().replace("__", ".");
                figment = set(figment, &key, &text);
            }
        }
        for (key, text) in flags {
            figment = set(figment, &key, &text);
        }
        let mut given: Dict = figment.extract().map_err(|error| ConfigError {
            faults: figment_faults(&error, &figment),
        })?;
        let mut faults = unknown_keys(&given);
        for fault in &faults {
            let path: Vec<&str> = fault
                .split(':')
                .next()
                .unwrap_or_default()
                .split('.')
                .collect();
            put(&mut given, &path, None);
        }
        // Where a value cannot be read its default stands in, so that the others are looked at too.
        let defaults = Figment::from(Serialized::defaults(Self::default()));
        let config = loop {
            let error = match Figment::from(Serialized::defaults(&given)).extract::<Self>() {
                Ok(config) => break config,
                Err(error) => error,
            };
            faults.extend(figment_faults(&error, &figment));
            let path: Vec<&str> = error.path.iter().map(String::as_str).collect();
            let default = defaults.find_value(&path.join(".")).ok();
            if path.is_empty() || !put(&mut given, &path, default) {
                return Err(ConfigError { faults });
            }
        };
        faults.extend(config.faults());
        if faults.is_empty() {
            Ok(config)
        } else {
            Err(ConfigError { faults })
        }
    }

    /// Returns the resolution of `partition_cell` that is asked for.
    pub(crate) fn partition_resolution(&self) -> Option<Resolution> {
        self.partition_resolution
            .and_then(|resolution| Resolution::try_from(resolution).ok())
    }

    /// Returns every value that cannot work, each naming its setting.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |holds: bool, fault: &str| {
            if !holds {
                faults.push(fault.to_owned());
            }
        };
        check(!self.lake.trim().is_empty(), "lake: must name a folder");
        if let Err(error) = lake::lake_url(&self.lake) {
            faults.push(format!("lake: {error}"));
        }
        faults.extend(self.topic_faults());
        faults.extend(self.registry_fault());
        let mut check = |holds: bool, fault: &str| {
            if !holds {
                faults.push(fault.to_owned());
            }
        };
        check(!self.group.trim().is_empty(), "group: must not be empty");
        check(
            self.kafka.brokers.split(',').all(is_broker),
            "kafka.brokers: must name host:port, several separated by commas",
        );
        check(
            !self.topics.is_empty(),
            "topics: must name at least one topic",
        );
        check(
            self.partition_resolution
                .is_none_or(|resolution| resolution <= 4),
            "partition_resolution: must be 0 to 4",
        );
        check(
            self.flush.max_size >= ByteSize::kib(64),
            "flush.max_size: must be at least 64 KiB",
        );
        check(
            !self.flush.max_age.is_zero(),
            "flush.max_age: must be above zero",
        );
        check(
            self.flush.max_age < MAX_POLL_INTERVAL / 2,
            "flush.max_age: must be below 150s, or Kafka takes the partitions away",
        );
        check(
            self.flush.stop_deadline < MAX_POLL_INTERVAL,
            "flush.stop_deadline: must be below 300s",
        );
        check(
            self.flush.revoke_deadline < MAX_POLL_INTERVAL / 2,
            "flush.revoke_deadline: must be below 150s, or Kafka takes the partitions away",
        );
        check(
            self.validation.max_message_size <= ByteSize::mib(8),
            "validation.max_message_size: must be at most 8 MiB",
        );
        faults.extend(self.memory_fault());
        faults.extend(self.kafka.faults());
        faults
    }

    fn topic_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut names = BTreeSet::new();
        for (kind, topic) in &self.topics {
            let kind = EventKind::from(*kind);
            if !is_topic(&topic.name) {
                faults.push(format!(
                    "topics.{kind}.name: {:?} is no name of a topic: 1 to 249 of a-z, A-Z, 0-9, . _ and -",
                    topic.name
                ));
            }
            if !names.insert(&topic.name) {
                faults.push(format!(
                    "topics.{kind}.name: {:?} is another kind's topic already",
                    topic.name
                ));
            }
        }
        faults
    }

    fn registry_fault(&self) -> Option<String> {
        let url = self.schema_registry.url.as_deref()?;
        let is_web = |url: Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        let is_right = Url::parse(url).is_ok_and(is_web);
        (!is_right).then(|| {
            "schema_registry.url: must be an address such as http://registry:8081".to_owned()
        })
    }

    /// Returns the settings as TOML with every secret replaced.
    pub fn redacted_toml(&self) -> String {
        let mut shown = self.clone();
        shown.kafka = shown.kafka.redacted();
        shown.lake = secret::without_password(&shown.lake);
        let url = shown.schema_registry.url.as_deref();
        shown.schema_registry.url = url.map(secret::without_password);
        toml::to_string(&shown).expect("settings are plain TOML values")
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            max_bytes: self.flush.max_size.as_u64(),
            max_rows: self.rows_at_once(),
            max_age: self.flush.max_age,
        }
    }
}

impl std::fmt::Debug for IngestConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.redacted_toml())
    }
}

/// Tells whether a text is host:port, as Kafka's clients read it.
fn is_broker(text: &str) -> bool {
    let text = text.trim();
    let address = text.split_once("://").map_or(text, |(_, address)| address);
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    !host.is_empty()
        && !host.contains(char::is_whitespace)
        && port.parse::<u16>().is_ok_and(|port| port > 0)
}

fn is_topic(name: &str) -> bool {
    const LONGEST: usize = 249;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=LONGEST).contains(&name.len()) && name.bytes().all(is_part) && !matches!(name, "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(flags: &[(&str, &str)]) -> Result<IngestConfig, ConfigError> {
        let flags = flags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        IngestConfig::load(None, [], flags)
    }

    #[test]
    fn flags_win_over_the_environment() {
        let environment = [
            (
                "NOTSPOT_INGEST__KAFKA__BROKERS".to_owned(),
                "a:1".to_owned(),
            ),
            ("NOTSPOT_INGEST__GROUP".to_owned(), "nightly".to_owned()),
        ];
        let flags = [("kafka.brokers".to_owned(), "b:2".to_owned())];
        let config = IngestConfig::load(None, environment, flags).expect("valid settings");
        assert_eq!(
            (config.kafka.brokers.as_str(), config.group.as_str()),
            ("b:2", "nightly")
        );
    }

    #[test]
    fn text_of_digits_stays_text_and_properties_keep_their_dots() {
        let config = load(&[
            ("group", "2026"),
            ("kafka.sasl_password", "123456"),
            ("epoch", "3"),
            ("until_end", "true"),
            ("kafka.properties.session.timeout.ms", "6000"),
        ]);
        let config = config.expect("valid settings");
        assert_eq!((config.group.as_str(), config.epoch), ("2026", 3));
        assert_eq!(config.kafka.sasl_password, Some(Secret::new("123456")));
        assert!(config.until_end);
        assert_eq!(config.kafka.properties["session.timeout.ms"], "6000");
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let unknown = load(&[("kafka.broker", "x:1"), ("flsh.max_age", "1s")]);
        let faults = unknown.expect_err("both keys are unknown").faults;
        assert_eq!(
            faults,
            ["flsh: no such setting", "kafka.broker: no such setting"]
        );
        let wrong = load(&[
            ("partition_resolution", "7"),
            ("kafka.security", "sasl_tls"),
            ("flush.max_age", "10m"),
        ]);
        assert_eq!(wrong.expect_err("five faults").faults.len(), 5);
        // Of every kind: unknown, of another type, out of bounds, no address, no name.
        let all = load(&[
            ("flsh.max_age", "1s"),
            ("flush.max_age", "soon"),
            ("until_end", "perhaps"),
            ("http.listen", "localhost"),
            ("lake", "s3:/bucket/lake"),
            ("kafka.brokers", "kafka:9092,kafka"),
            ("schema_registry.url", "registry:8081"),
            ("topics.signal.name", "terminal signal"),
            ("topics.heartbeat.name", "terminal.decline"),
            ("validation.unknown_fields", "ignore"),
            ("partition_resolution", "9"),
        ]);
        let faults = all.expect_err("all wrong").faults;
        for setting in [
            "flsh",
            "flush.max_age",
            "until_end",
            "http.listen",
            "lake",
            "kafka.brokers",
            "schema_registry.url",
            "topics.signal.name",
            "topics.decline.name",
            "validation.unknown_fields",
            "partition_resolution",
        ] {
            let of = |fault: &&String| fault.starts_with(&format!("{setting}:"));
            assert_eq!(
                faults.iter().filter(of).count(),
                1,
                "{setting} in {faults:#?}"
            );
        }
        assert_eq!(faults.len(), 11, "{faults:#?}");
    }

    #[test]
    fn properties_the_protocol_depends_on_are_refused() {
        let config = IngestConfig {
            kafka: KafkaConfig {
                properties: BTreeMap::from([("enable.auto.commit".into(), "true".into())]),
                ..KafkaConfig::default()
            },
            ..IngestConfig::default()
        };
        assert_eq!(
            config.faults(),
            ["kafka.properties.enable.auto.commit: is set by the ingester"]
        );
    }

    #[test]
    fn a_secret_never_shows() {
        let config = load(&[
            ("kafka.sasl_password", "hunter2secret"),
            ("kafka.properties.ssl.key.password", "hunter2secret"),
            (
                "schema_registry.url",
                "http://me:hunter2secret@localhost:8081",
            ),
        ]);
        let config = config.expect("valid settings");
        for shown in [config.redacted_toml(), format!("{:?}", config.kafka)] {
            assert!(
                !shown.contains("hunter2secret") && shown.contains("<redacted>"),
                "{shown}"
            );
        }
    }
}
