//! A broker that only talks TLS and asks for a password, as production brokers do.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::broker::temporary_folder;
use crate::script::Script;

/// Apache Kafka with one SASL_SSL listener (SCRAM-SHA-512), stopped when dropped.
#[derive(Debug)]
pub struct SecureKafka {
    /// `host:port` of the listener.
    pub bootstrap: String,
    /// Certificate that clients must trust, in PEM.
    pub ca_pem_path: PathBuf,
    /// The only user.
    pub username: String,
    /// That user's password, made at random.
    pub password: String,
    _script: Script,
}

/// Starts a broker with TLS and SASL and the three topics of Notspot, two partitions each.
///
/// It has no variant on brokers named in the environment: their credentials are not ours.
///
/// # Errors
/// When Java, Maven or the artifacts are missing, or the broker does not answer.
pub fn secure_kafka() -> Result<SecureKafka> {
    let folder = temporary_folder()?;
    let data = folder
        .to_str()
        .context("the temporary folder's name is not UTF-8")?;
    let arguments = [
        "--data",
        data,
        "--remove-data",
        "--sasl",
        "--partitions",
        "2",
    ];
    let mut script = Script::spawn("start", &arguments, &folder)?;
    let bootstrap = script.wait_for(&folder.join("bootstrap"))?;
    let credentials = fs::read_to_string(folder.join("secrets/credentials"))?;
    Ok(SecureKafka {
        bootstrap,
        ca_pem_path: value(&credentials, "ca")?.into(),
        username: value(&credentials, "username")?,
        password: value(&credentials, "password")?,
        _script: script,
    })
}

fn value(credentials: &str, key: &str) -> Result<String> {
    credentials
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        .map(str::to_owned)
        .with_context(|| format!("the broker's credentials have no {key}"))
}
