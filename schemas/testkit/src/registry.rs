//! A schema registry with the Confluent API: Apicurio Registry, in memory.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::script::Script;

/// A running registry, stopped and forgotten when dropped.
#[derive(Debug)]
pub struct Registry {
    url: String,
    script: Option<Script>,
}

/// Returns the registry that the tests of this binary share; it is started on first use.
///
/// # Panics
/// When it cannot be had, saying what is missing.
pub fn shared_registry() -> &'static Registry {
    static SHARED: OnceLock<Registry> = OnceLock::new();
    SHARED
        .get_or_init(|| Registry::start().unwrap_or_else(|error| panic!("no registry: {error:#}")))
}

impl Registry {
    /// Starts an empty registry on a free port and waits until it answers.
    ///
    /// # Errors
    /// When Java, Maven or the artifacts are missing, or the registry does not answer.
    pub fn start() -> Result<Self> {
        let (script, url) = Script::serve("registry")?;
        Ok(Self {
            url,
            script: Some(script),
        })
    }

    /// Returns the base URL of the Confluent API, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Registers an Avro schema under a subject and returns its id.
    ///
    /// # Errors
    /// When the registry refuses the schema.
    pub fn register(&self, subject: &str, avro: &str) -> Result<i32> {
        let body = json!({"schema": avro}).to_string();
        let answer = self.request("POST", &format!("/subjects/{subject}/versions"), &body)?;
        let id = answer["id"]
            .as_i64()
            .with_context(|| format!("no id in {answer}"))?;
        Ok(i32::try_from(id)?)
    }

    /// Returns the names of all subjects.
    ///
    /// # Errors
    /// When the registry does not answer.
    pub fn subjects(&self) -> Result<Vec<String>> {
        Ok(serde_json::from_value(self.request(
            "GET",
            "/subjects",
            "",
        )?)?)
    }

    /// Returns the Avro text of a schema.
    ///
    /// # Errors
    /// When the id is unknown.
    pub fn schema(&self, id: i32) -> Result<String> {
        let answer = self.request("GET", &format!("/schemas/ids/{id}"), "")?;
        Ok(answer["schema"]
            .as_str()
            .context("an answer without a schema")?
            .to_owned())
    }

    /// Stops the registry; its URL stays known, and nothing answers there.
    pub fn stop(&mut self) {
        drop(self.script.take());
    }

    /// HTTP 1.0, so that the answer is never chunked and ends with the connection.
    fn request(&self, method: &str, path: &str, body: &str) -> Result<Value> {
        let rest = self
            .url
            .strip_prefix("http://")
            .context("the registry speaks plain HTTP")?;
        let (host, base) = rest.split_once('/').context("the URL has a path")?;
        let mut stream = TcpStream::connect(host).with_context(|| format!("registry {host}"))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        write!(
            stream,
            "{method} /{base}{path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {}\r\n\
             Content-Type: application/vnd.schemaregistry.v1+json\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .context("an answer without a body")?;
        let status = head.split_whitespace().nth(1).unwrap_or_default();
        ensure!(
            status == "200",
            "registry answered {status} to {method} {path}: {body}"
        );
        Ok(serde_json::from_str(body)?)
    }
}
