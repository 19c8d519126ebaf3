//! Ids of the contracts: embedded ones, or those a Confluent-compatible registry gives.

use schema_registry_converter::async_impl::schema_registry::{SrSettings, post_schema};
use schema_registry_converter::schema_registry_common::{SchemaType, SuppliedSchema};
use schemas::EventKind;

use super::PublishError;

/// Schema id of each kind's contract, as framed Avro messages carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaIds([u32; 3]);

impl SchemaIds {
    /// Takes ids in the order of [`EventKind::ALL`].
    pub const fn new(ids: [u32; 3]) -> Self {
        Self(ids)
    }

    /// Returns the ids readers without a registry know the contracts by.
    pub fn embedded() -> Self {
        Self(EventKind::ALL.map(EventKind::embedded_schema_id))
    }

    /// Returns the id of one kind's contract.
    pub const fn of(self, kind: EventKind) -> u32 {
        self.0[kind as usize]
    }
}

/// Registers every contract under its subject and returns the ids given.
///
/// Registering what is already there returns the id it has.
///
/// # Errors
/// When the registry does not answer, or refuses a contract as incompatible.
pub async fn register_contracts(url: &str) -> Result<SchemaIds, PublishError> {
    let settings = SrSettings::new(url.trim_end_matches('/').to_owned());
    let mut ids = [0; 3];
    for kind in EventKind::ALL {
        let schema = SuppliedSchema {
            name: Some(kind.contract().name.clone()),
            schema_type: SchemaType::Avro,
            schema: kind.contract().avro.to_owned(),
            references: Vec::new(),
        };
        let registered = post_schema(&settings, kind.subject(), schema).await;
        let registered = registered.map_err(|error| PublishError::Registry {
            url: url.to_owned(),
            subject: kind.subject(),
            reason: error.to_string(),
        })?;
        ids[kind as usize] = registered.id;
    }
    Ok(SchemaIds(ids))
}
