//! The connection to Kafka: how it is secured, and which properties of the client are ours.

use std::collections::BTreeMap;
use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use super::secret::{REDACTED, Secret, is_secret};

/// librdkafka's `max.poll.interval.ms`: a flush runs between two polls.
pub(crate) const MAX_POLL_INTERVAL: Duration = Duration::from_secs(300);

/// Properties the commit protocol depends on.
const RESERVED_PROPERTIES: [&str; 12] = [
    "auto.offset.reset",
    "bootstrap.servers",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.partition.eof",
    "fetch.max.bytes",
    "group.id",
    "group.protocol",
    "isolation.level",
    "max.poll.interval.ms",
    "partition.assignment.strategy",
    "queued.max.messages.kbytes",
];

/// Connection to Kafka.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// `host:port`, several separated by commas.
    pub brokers: String,
    /// How the connection is secured.
    pub security: Security,
    /// SASL mechanism, for the `sasl_…` securities.
    pub sasl_mechanism: Option<SaslMechanism>,
    /// SASL user.
    pub sasl_username: Option<String>,
    /// File that holds the SASL password.
    pub sasl_password_file: Option<String>,
    /// The SASL password itself; meant for the environment, never for the file.
    pub sasl_password: Option<Secret>,
    /// PEM file of the authority that signed the brokers' certificates.
    pub tls_ca_file: Option<String>,
    /// PEM file of the client's certificate.
    pub tls_certificate_file: Option<String>,
    /// PEM file of the client's key.
    pub tls_key_file: Option<String>,
    /// Longest wait for the broker's first answer.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// Bound of the client's own queue of fetched messages; one answer of a broker may exceed it.
    pub queue_limit: ByteSize,
    /// Further librdkafka properties; those the protocol depends on are refused.
    pub properties: BTreeMap<String, String>,
}

/// How the connection to Kafka is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// Neither encrypted nor authenticated.
    Plaintext,
    /// Encrypted.
    Tls,
    /// Authenticated, not encrypted.
    SaslPlaintext,
    /// Authenticated and encrypted.
    SaslTls,
}

/// SASL mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub enum SaslMechanism {
    /// Password in the clear: only over TLS.
    Plain,
    /// Salted challenge, SHA-256.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// Salted challenge, SHA-512.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            brokers: "127.0.0.1:9092".into(),
            security: Security::Plaintext,
            sasl_mechanism: None,
            sasl_username: None,
            sasl_password_file: None,
            sasl_password: None,
            tls_ca_file: None,
            tls_certificate_file: None,
            tls_key_file: None,
            connect_timeout: Duration::from_secs(10),
            queue_limit: ByteSize::mib(32),
            properties: BTreeMap::new(),
        }
    }
}

impl KafkaConfig {
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> = self
            .properties
            .keys()
            .filter(|key| RESERVED_PROPERTIES.contains(&key.as_str()))
            .map(|key| format!("kafka.properties.{key}: is set by the ingester"))
            .collect();
        let sasl = matches!(self.security, Security::SaslPlaintext | Security::SaslTls);
        if sasl {
            let needed = [
                (self.sasl_mechanism.is_none(), "kafka.sasl_mechanism"),
                (self.sasl_username.is_none(), "kafka.sasl_username"),
                (
                    self.sasl_password.is_none() && self.sasl_password_file.is_none(),
                    "kafka.sasl_password_file",
                ),
            ];
            let missing = needed.iter().filter(|(missing, _)| *missing);
            faults.extend(missing.map(|(_, key)| format!("{key}: needed for SASL")));
        }
        let files = [
            ("kafka.sasl_password_file", &self.sasl_password_file),
            ("kafka.tls_ca_file", &self.tls_ca_file),
            ("kafka.tls_certificate_file", &self.tls_certificate_file),
            ("kafka.tls_key_file", &self.tls_key_file),
        ];
        for (key, file) in files {
            if let Some(file) = file
                && let Err(error) = std::fs::metadata(file)
            {
                faults.push(format!("{key}: {file}: {error}"));
            }
        }
        faults
    }

    /// Returns the SASL password, from the setting or its file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn password(&self) -> std::io::Result<Option<Secret>> {
        match (&self.sasl_password, &self.sasl_password_file) {
            (Some(password), _) => Ok(Some(password.clone())),
            (None, Some(file)) => {
                let text = std::fs::read_to_string(file)?;
                Ok(Some(Secret::new(text.trim_end())))
            }
            (None, None) => Ok(None),
        }
    }

    pub(super) fn redacted(mut self) -> Self {
        let secrets = self.properties.iter_mut();
        for (_, value) in secrets.filter(|(key, _)| is_secret(key)) {
            *value = REDACTED.into();
        }
        self
    }
}

impl std::fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = toml::to_string(&self.clone().redacted());
        f.write_str(&shown.expect("settings are plain TOML values"))
    }
}
