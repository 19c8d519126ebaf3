//! Which Avro schema an id stands for: from a Confluent-compatible registry, or the embedded ids.

use std::collections::HashMap;
use std::time::Duration;

use schema_registry_converter::async_impl::schema_registry::{SrSettings, get_schema_by_id};
use schemas::EventKind;

use crate::error::IngestError;

/// Known schema ids with their schemas' text.
#[derive(Debug)]
pub struct SchemaIds {
    known: HashMap<u32, String>,
    registry: Option<(String, SrSettings)>,
}

/// Tries to reach the registry before the ingester gives up.
const ATTEMPTS: u32 = 5;

impl SchemaIds {
    /// Knows the contracts of this build under their fixed ids.
    pub fn embedded() -> Self {
        let known = EventKind::ALL
            .into_iter()
            .map(|kind| (kind.embedded_schema_id(), kind.contract().avro.to_owned()))
            .collect();
        Self {
            known,
            registry: None,
        }
    }

    /// Knows nothing yet and asks the registry at `url`.
    pub fn registry(url: &str) -> Self {
        let settings = SrSettings::new(url.trim_end_matches('/').to_owned());
        Self {
            known: HashMap::new(),
            registry: Some((url.to_owned(), settings)),
        }
    }

    /// Returns the schema of a known id.
    pub fn get(&self, id: u32) -> Option<&str> {
        self.known.get(&id).map(String::as_str)
    }

    /// Asks the registry for ids not known yet; an id it does not have stays unknown.
    ///
    /// # Errors
    /// When the registry cannot be reached: messages are then no worse than before, and wait.
    pub async fn learn(&mut self, ids: impl IntoIterator<Item = u32>) -> Result<(), IngestError> {
        let Some((url, settings)) = &self.registry else {
            return Ok(());
        };
        for id in ids {
            if self.known.contains_key(&id) {
                continue;
            }
            let mut attempt = 1;
            loop {
                // A failure stays in the client's cache, so each try has a client of its own.
                let fresh = SrSettings::new(url.trim_end_matches('/').to_owned());
                let settings = if attempt == 1 { settings } else { &fresh };
                match get_schema_by_id(id, settings).await {
                    Ok(schema) => {
                        self.known.insert(id, schema.schema);
                        break;
                    }
                    Err(error) if !error.retriable => {
                        tracing::warn!(schema_id = id, %error, "registry does not know the schema id");
                        break;
                    }
                    Err(error) if attempt == ATTEMPTS => {
                        return Err(IngestError::RegistryUnreachable {
                            url: url.clone(),
                            reason: error.to_string(),
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%url, attempt, %error, "schema registry unreachable, waiting");
                        tokio::time::sleep(Duration::from_millis(200 << attempt)).await;
                        attempt += 1;
                    }
                }
            }
        }
        Ok(())
    }
}
