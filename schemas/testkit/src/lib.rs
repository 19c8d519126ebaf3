//! For tests: a real Kafka broker, a schema registry, an object store, events, messages and batches.
//!
//! A service that cannot be had fails the test that asks for it: nothing is skipped.
//! Only tests depend on this crate.
//!
//! ```no_run
//! use serde_json::json;
//! use testkit::{Message, events, produce_all, shared_kafka};
//!
//! # fn main() -> anyhow::Result<()> {
//! let broker = shared_kafka();
//! let topic = testkit::unique_name("terminal.heartbeat");
//! broker.create_topic(&topic, 3)?;
//! let event = events::heartbeat("T-1", 1_760_000_000_000, json!({"battery_pct": 80}));
//! let offsets = produce_all(broker.bootstrap(), &topic, &[Message::json("T-1", &event)])?;
//! assert_eq!(offsets.len(), 1);
//! # Ok(())
//! # }
//! ```

pub mod batches;
mod broker;
pub mod events;
mod faults;
mod messages;
mod registry;
mod script;
mod secure;
mod store;

pub use broker::{Broker, TEST_BROKERS, shared_kafka};
pub use faults::{Fault, FaultyStore};
pub use messages::{Message, produce, produce_all};
pub use registry::{Registry, shared_registry};
pub use secure::{SecureKafka, secure_kafka};
pub use store::{Store, shared_store, store_environment};

/// Makes a name no other test uses, on whichever broker: `PREFIX-` and eight hexadecimal digits.
pub fn unique_name(prefix: &str) -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    format!("{prefix}-{}", &id[..8])
}
