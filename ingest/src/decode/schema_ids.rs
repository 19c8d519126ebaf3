//! Which Avro schema an id stands for: from a Confluent-compatible registry, or the embedded ids.

use std::collections::HashMap;
use std::time::Duration;

use foldhash::fast::FixedState;
use reqwest::StatusCode;
use schemas::EventKind;
use serde::Deserialize;

use super::avro;
use crate::config::secret::without_password;
use crate::config::{RegistryConfig, Secret};
use crate::error::IngestError;

/// Known schema ids with their schemas' text.
#[derive(Debug)]
pub struct SchemaIds {
    known: HashMap<u32, Known, FixedState>,
    registry: Option<Registry>,
}

/// A schema, and the kind whose contract it is, if it is one.
#[derive(Debug)]
struct Known {
    text: String,
    contract: Option<EventKind>,
}

impl Known {
    fn of(text: String) -> Self {
        let is_of = |kind: &EventKind| avro::is_contract(*kind, &text);
        let contract = EventKind::ALL.into_iter().find(is_of);
        Self { text, contract }
    }
}

/// Tries to reach the registry before the ingester gives up.
const ATTEMPTS: u32 = 5;
/// Longest wait for an answer of the registry.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// What registries answer beside status 404 when they know no schema of that id.
const SCHEMA_NOT_FOUND: u32 = 40403;

impl SchemaIds {
    /// Asks the registry of the settings; without one the embedded contracts count.
    pub fn of(settings: &RegistryConfig) -> Self {
        match &settings.url {
            Some(url) => Self::registry(url),
            None => Self::embedded(),
        }
    }

    /// Knows the contracts of this build under their fixed ids.
    pub fn embedded() -> Self {
        let known = EventKind::ALL
            .into_iter()
            .map(|kind| {
                let text = kind.contract().avro.to_owned();
                (kind.embedded_schema_id(), Known::of(text))
            })
            .collect();
        Self {
            known,
            registry: None,
        }
    }

    /// Knows nothing yet and asks the registry at `url`.
    pub fn registry(url: &str) -> Self {
        Self {
            known: HashMap::default(),
            registry: Some(Registry {
                shown: without_password(url),
                url: Secret::new(url.trim_end_matches('/')),
                client: reqwest::Client::new(),
            }),
        }
    }

    /// Returns the schema of a known id.
    pub fn get(&self, id: u32) -> Option<&str> {
        self.known.get(&id).map(|known| known.text.as_str())
    }

    /// Whether a known id stands for the contract of a kind itself.
    pub(crate) fn is_contract(&self, kind: EventKind, id: u32) -> bool {
        let known = self.known.get(&id);
        known.is_some_and(|known| known.contract == Some(kind))
    }

    /// Asks the registry for ids not known yet; an id it does not have stays unknown.
    ///
    /// # Errors
    /// When the registry cannot be reached: messages are then no worse than before, and wait.
    pub async fn learn(&mut self, ids: impl IntoIterator<Item = u32>) -> Result<(), IngestError> {
        let Some(registry) = &self.registry else {
            return Ok(());
        };
        for id in ids {
            if self.known.contains_key(&id) {
                continue;
            }
            let answer = registry.schema(id).await;
            let result = match &answer {
                Ok(Some(_)) => "ok",
                Ok(None) => "unknown",
                Err(_) => "error",
            };
            metrics::counter!("notspot_ingest_schema_fetch_total", "result" => result).increment(1);
            match answer? {
                Some(schema) => {
                    self.known.insert(id, Known::of(schema));
                }
                None => tracing::warn!(
                    schema_id = id, url = %registry.shown,
                    "schema registry does not know the schema id"
                ),
            }
        }
        Ok(())
    }
}

/// A registry that is asked over HTTP.
#[derive(Debug)]
struct Registry {
    url: Secret,
    /// The address without a password, for messages.
    shown: String,
    client: reqwest::Client,
}

#[derive(Deserialize)]
struct Registered {
    schema: String,
}

#[derive(Deserialize)]
struct Refusal {
    error_code: u32,
}

impl Registry {
    /// Returns the schema of an id, `None` when the registry says that it has none.
    async fn schema(&self, id: u32) -> Result<Option<String>, IngestError> {
        let mut attempt = 1;
        loop {
            let reason = match self.ask(id).await {
                Ok(schema) => return Ok(schema),
                Err(reason) => reason,
            };
            if attempt == ATTEMPTS {
                return Err(IngestError::RegistryUnreachable {
                    url: self.shown.clone(),
                    reason,
                });
            }
            let wait = Duration::from_millis(200 << attempt);
            tracing::warn!(url = %self.shown, attempt, reason, ?wait, "schema registry unreachable, waiting");
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    /// Asks once. A failure of the registry, or a wrong URL, must not look like an unknown id:
    /// good messages would go to quarantine.
    async fn ask(&self, id: u32) -> Result<Option<String>, String> {
        // `deleted`: messages outlive the subject that their schema was registered under.
        let address = format!("{}/schemas/ids/{id}?deleted=true", self.url.reveal());
        let request = self.client.get(address).timeout(ANSWER_WAIT);
        let answer = request.send().await.map_err(|error| told(&error))?;
        let status = answer.status();
        if status == StatusCode::OK {
            let registered: Registered = answer.json().await.map_err(|error| told(&error))?;
            return Ok(Some(registered.schema));
        }
        let refusal = answer.json::<Refusal>().await;
        if status == StatusCode::NOT_FOUND
            && refusal.is_ok_and(|refusal| refusal.error_code == SCHEMA_NOT_FOUND)
        {
            return Ok(None);
        }
        Err(format!(
            "it answered {status} when asked for schema id {id}"
        ))
    }
}

/// Tells an error with its causes, where the client hides what went wrong.
fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let told: Vec<String> = causes.map(ToString::to_string).collect();
    told.join(": ")
}
