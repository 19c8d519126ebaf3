//! What an event is on the wire, in a column and in the lake.
//!
//! Owns the words every other crate uses: event contracts, radio ranges, positions and datums,
//! cause classes, table layouts. Does no I/O and never knows Kafka, Delta's log or a query engine.

pub mod contract;
pub mod events;
pub mod lake;

pub use contract::{Contract, ContractField, FieldKind};
pub use events::EventKind;
pub use lake::Table;

/// Time zone of every timestamp column.
pub const UTC: &str = "UTC";
